/** Canonical records (docs/spec/02-encoding.md) by the name of their type, and the paths of the state (03-state.md). */

import { toHex } from "./bytes.mjs";
import { pack, Reader } from "./messagepack.mjs";
import { QUERY_PATHS, REASONS, STATE, TYPES } from "./tables.mjs";
import { oneOf } from "./types.mjs";

/** @typedef {import("./types.mjs").Type} Type */

/** @param {string} name @returns {any} */
function typeNamed(name) {
  if (!Object.hasOwn(TYPES, name)) throw new TypeError(`docs/spec has no record ${name}`);
  return TYPES[name];
}

/**
 * Returns the one record of type `name` that `bytes` are.
 *
 * @param {string} name of a table in docs/spec, or Operation, Event, Query
 * @param {Uint8Array} bytes
 * @returns {any} its fields by name, and its name in `$type`
 * @throws {VerificationError} `decode`
 */
export function decode(name, bytes) {
  return decodeAs(typeNamed(name), bytes);
}

/**
 * Returns the one record that `bytes` are, of one of several types; the tag decides.
 *
 * @param {string[]} names
 * @param {Uint8Array} bytes
 * @returns {any} as {@link decode}
 * @throws {VerificationError} `decode`
 */
export function decodeOneOf(names, bytes) {
  return decodeAs(oneOf(...names.map(typeNamed)), bytes);
}

/** @param {Type} type @param {Uint8Array} bytes @returns {any} */
function decodeAs(type, bytes) {
  const reader = new Reader(bytes);
  const value = type.read(reader);
  reader.end();
  return value;
}

/**
 * Returns the canonical bytes of `value`, as {@link decode} returned it. It does not check bounds.
 *
 * @param {string} name
 * @param {any} value
 * @returns {Uint8Array}
 */
export function encode(name, value) {
  return pack(typeNamed(name).plain(value));
}

/**
 * Returns `value` as interfaces for people show it (02-encoding.md, "JSON").
 *
 * @param {string} name
 * @param {any} value as {@link decode} returned it
 * @returns {any} what JSON.stringify takes
 */
export function toJson(name, value) {
  return typeNamed(name).json(value);
}

const PLACEHOLDER = /<(([a-z_]+)[^>]*)>/g;

const PLACES = STATE.map(([path, type, salted]) => ({
  // What stands before the first placeholder decides what stands at a path; without a placeholder, the whole path does.
  prefix: path.split("<")[0],
  isWhole: !path.includes("<"),
  type,
  salted,
  // A field that stands in the path says what the record is about; none of its versions may change it.
  subject: [...path.matchAll(PLACEHOLDER)]
    .map((match) => match[2])
    .filter((field) => type.fields.some(([name]) => name === field)),
}));

/**
 * Returns what stands at `path`: the name of the record type, whether its leaf is salted, and the fields that say what the
 * record is about.
 *
 * @param {string} path
 * @returns {{ type: string, salted: boolean, subject: string[] } | null} null when nothing ever stands there
 */
export function placeOf(path) {
  const place = PLACES.find(({ prefix, isWhole }) => (isWhole ? path === prefix : path.startsWith(prefix)));
  return place ? { type: place.type.name, salted: place.salted, subject: place.subject } : null;
}

/**
 * Returns the path that a query leads to.
 *
 * @param {any} query as {@link decode} of `Query` returns it
 * @returns {string}
 */
export function pathOf(query) {
  const template = /** @type {Record<string, string>} */ (QUERY_PATHS)[query.$type];
  if (template === undefined) throw new TypeError(`${query.$type} is no query`);
  return template.replace(PLACEHOLDER, (_, words, field) => {
    const value = query[field];
    if (value instanceof Uint8Array) return toHex(value);
    return words.endsWith(" in two digits") ? String(value).padStart(2, "0") : String(value);
  });
}

/**
 * Returns what the number in a receipt means.
 *
 * @param {number} code
 * @returns {{ name: string, sentence: string } | null} null for a code that this verifier does not know
 */
export function reasonOf(code) {
  const reason = /** @type {Record<number, [string, string]>} */ (REASONS)[code];
  return reason ? { name: reason[0], sentence: reason[1] } : null;
}
