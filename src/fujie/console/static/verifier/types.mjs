/**
 * What the tables of docs/spec say of a field, as values: each type reads itself strictly from a {@link Reader}, and turns
 * a value into the plain arrays that {@link pack} writes.
 *
 * A record becomes an object with its name in `$type` and its fields by name. A number is a `number` where its bound is at
 * most 2^53, and a `bigint` where it is above, whatever the number is.
 *
 * `json` turns a value into what interfaces for people show (docs/spec/02-encoding.md, "JSON").
 *
 * @typedef {{ read: (reader: Reader) => any, plain: (value: any) => any, json: (value: any) => any }} Type
 * @typedef {Type & { name: string, tag: number, fields: [string, Type][],
 *   readFields: (reader: Reader, length: number) => Record<string, any> }} RecordType
 */

import { toHex } from "./bytes.mjs";
import { decodes } from "./errors.mjs";
import { Reader } from "./messagepack.mjs";

const same = (/** @type {any} */ value) => value;

/** @param {bigint} least @param {bigint} most @returns {Type} */
export function int(least, most) {
  const convert = most > 2n ** 53n ? BigInt : Number;
  const read = (/** @type {Reader} */ reader) => {
    const number = reader.integer();
    decodes(number >= least && number <= most, `${number} is not within ${least} and ${most}`);
    return convert(number);
  };
  const json = (/** @type {number | bigint} */ value) => (value > 2n ** 53n ? String(value) : Number(value));
  return { read, plain: same, json };
}

/** @param {...number} numbers @returns {Type} */
export function oneOfNumbers(...numbers) {
  const read = (/** @type {Reader} */ reader) => {
    const number = Number(reader.integer());
    decodes(numbers.includes(number), `${number} is not one of ${numbers}`);
    return number;
  };
  return { read, plain: same, json: same };
}

/** @param {number} least @param {number} most code points @param {RegExp} [pattern] @returns {Type} */
export function text(least, most, pattern) {
  const read = (/** @type {Reader} */ reader) => {
    const value = reader.text();
    let length = 0;
    for (const _ of value) length += 1;
    decodes(length >= least && length <= most, `text of ${length} characters`);
    decodes(pattern === undefined || pattern.test(value), "text does not match its pattern");
    return value;
  };
  return { read, plain: same, json: same };
}

/** @param {...string} words @returns {Type} */
export function oneOfWords(...words) {
  const read = (/** @type {Reader} */ reader) => {
    const word = reader.text();
    decodes(words.includes(word), "text is not in its list");
    return word;
  };
  return { read, plain: same, json: same };
}

/** @param {number} least @param {number} most bytes @returns {Type} */
export function bin(least, most) {
  const read = (/** @type {Reader} */ reader) => {
    const bytes = reader.bin();
    decodes(bytes.length >= least && bytes.length <= most, `byte string of ${bytes.length} bytes`);
    return bytes;
  };
  return { read, plain: same, json: toHex };
}

/** @type {Type} */
export const bool = { read: (reader) => reader.bool(), plain: same, json: same };

/** @param {Type} type @returns {Type} */
export function orNil(type) {
  return {
    read: (reader) => (reader.nextIsNil() ? reader.nil() : type.read(reader)),
    plain: (value) => (value === null ? null : type.plain(value)),
    json: (value) => (value === null ? null : type.json(value)),
  };
}

/** @param {number} least @param {number} most items @param {Type} type @returns {Type} */
export function list(least, most, type) {
  const read = (/** @type {Reader} */ reader) => {
    const length = reader.arrayHeader();
    decodes(length >= least && length <= most, `array of ${length}`);
    return Array.from({ length }, () => type.read(reader));
  };
  return { read, plain: (value) => value.map(type.plain), json: (value) => value.map(type.json) };
}

/** @param {...Type} types @returns {Type} */
export function tuple(...types) {
  const read = (/** @type {Reader} */ reader) => {
    decodes(reader.arrayHeader() === types.length, `array of exactly ${types.length} is wanted`);
    return types.map((type) => type.read(reader));
  };
  const each = (/** @type {"plain" | "json"} */ form) => (/** @type {any[]} */ value) =>
    types.map((type, index) => type[form](value[index]));
  return { read, plain: each("plain"), json: each("json") };
}

/** @param {string} name @param {number} tag @param {Record<string, Type>} fields in order @returns {RecordType} */
export function record(name, tag, fields) {
  const entries = Object.entries(fields);
  const readFields = (/** @type {Reader} */ reader, /** @type {number} */ length) => {
    decodes(length === entries.length + 1, `${name} has ${entries.length + 1} elements, not ${length}`);
    /** @type {Record<string, any>} */
    const value = { $type: name };
    for (const [field, type] of entries) value[field] = type.read(reader);
    return value;
  };
  const read = (/** @type {Reader} */ reader) => {
    const length = reader.arrayHeader();
    const found = length === 0 ? undefined : reader.integer();
    decodes(Number(found) === tag, `tag ${found} where ${name} has ${tag}`);
    return readFields(reader, length);
  };
  const plain = (/** @type {any} */ value) => [tag, ...entries.map(([field, type]) => type.plain(value[field]))];
  const json = (/** @type {any} */ value) =>
    Object.fromEntries(entries.map(([field, type]) => [field, type.json(value[field])]));
  return { name, tag, fields: entries, read, readFields, plain, json };
}

/** One of several records; the tag decides. @param {...RecordType} records @returns {Type} */
export function oneOf(...records) {
  const byTag = new Map(records.map((one) => [one.tag, one]));
  const byName = new Map(records.map((one) => [one.name, one]));
  const read = (/** @type {Reader} */ reader) => {
    const length = reader.arrayHeader();
    const tag = length === 0 ? undefined : reader.integer();
    const chosen = byTag.get(Number(tag));
    decodes(chosen !== undefined, `no record here has tag ${tag}`);
    return /** @type {RecordType} */ (chosen).readFields(reader, length);
  };
  const typeOf = (/** @type {any} */ value) => {
    const chosen = byName.get(value.$type);
    if (chosen === undefined) throw new TypeError(`${value.$type} is none of ${[...byName.keys()]}`);
    return chosen;
  };
  const snakeCase = (/** @type {string} */ name) => name.replace(/(?<=.)[A-Z]/g, "_$&").toLowerCase();
  const plain = (/** @type {any} */ value) => typeOf(value).plain(value);
  const json = (/** @type {any} */ value) => ({ type: snakeCase(value.$type), ...typeOf(value).json(value) });
  return { read, plain, json };
}
