/**
 * What the tables of docs/spec say of a field, as values: each type reads itself strictly from a {@link Reader}, and turns
 * a value into the plain arrays that {@link pack} writes.
 *
 * A record becomes an object with its name in `$type` and its fields by name. A number is a `number` where its bound is at
 * most 2^53, and a `bigint` where it is above, whatever the number is.
 *
 * @typedef {{ read: (reader: Reader) => any, plain: (value: any) => any }} Type
 * @typedef {Type & { name: string, tag: number, fields: [string, Type][],
 *   readFields: (reader: Reader, length: number) => Record<string, any> }} RecordType
 */

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
  return { read, plain: same };
}

/** @param {...number} numbers @returns {Type} */
export function oneOfNumbers(...numbers) {
  const read = (/** @type {Reader} */ reader) => {
    const number = Number(reader.integer());
    decodes(numbers.includes(number), `${number} is not one of ${numbers}`);
    return number;
  };
  return { read, plain: same };
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
  return { read, plain: same };
}

/** @param {...string} words @returns {Type} */
export function oneOfWords(...words) {
  const read = (/** @type {Reader} */ reader) => {
    const word = reader.text();
    decodes(words.includes(word), "text is not in its list");
    return word;
  };
  return { read, plain: same };
}

/** @param {number} least @param {number} most bytes @returns {Type} */
export function bin(least, most) {
  const read = (/** @type {Reader} */ reader) => {
    const bytes = reader.bin();
    decodes(bytes.length >= least && bytes.length <= most, `byte string of ${bytes.length} bytes`);
    return bytes;
  };
  return { read, plain: same };
}

/** @type {Type} */
export const bool = { read: (reader) => reader.bool(), plain: same };

/** @param {Type} type @returns {Type} */
export function orNil(type) {
  return {
    read: (reader) => (reader.nextIsNil() ? reader.nil() : type.read(reader)),
    plain: (value) => (value === null ? null : type.plain(value)),
  };
}

/** @param {number} least @param {number} most items @param {Type} type @returns {Type} */
export function list(least, most, type) {
  const read = (/** @type {Reader} */ reader) => {
    const length = reader.arrayHeader();
    decodes(length >= least && length <= most, `array of ${length}`);
    return Array.from({ length }, () => type.read(reader));
  };
  return { read, plain: (value) => value.map(type.plain) };
}

/** @param {...Type} types @returns {Type} */
export function tuple(...types) {
  const read = (/** @type {Reader} */ reader) => {
    decodes(reader.arrayHeader() === types.length, `array of exactly ${types.length} is wanted`);
    return types.map((type) => type.read(reader));
  };
  return { read, plain: (value) => types.map((type, index) => type.plain(value[index])) };
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
  return { name, tag, fields: entries, read, readFields, plain };
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
  const plain = (/** @type {any} */ value) => {
    const chosen = byName.get(value.$type);
    if (chosen === undefined) throw new TypeError(`${value.$type} is none of ${[...byName.keys()]}`);
    return chosen.plain(value);
  };
  return { read, plain };
}
