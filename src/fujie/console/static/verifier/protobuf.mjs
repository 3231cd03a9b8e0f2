/** The part of Protocol Buffers that CometBFT's headers need (docs/spec/04-proofs.md, "Protobuf"), read strictly. */

import { concat } from "./bytes.mjs";
import { decodes } from "./errors.mjs";

const EMPTY = new Uint8Array();
const WIRE_TYPES = Object.freeze({ varint: 0, bytes: 2, message: 2, optional: 2, repeated: 2 });

/**
 * How a field is read: `varint` gives a bigint (0 when left out), `bytes` a byte string (empty when left out), `message` the
 * bytes of a message that must be there, `optional` the same or null, `repeated` all of them.
 *
 * @typedef {keyof typeof WIRE_TYPES} Kind
 */

/**
 * @param {Uint8Array} bytes
 * @param {number} offset
 * @returns {[bigint, number]} the number at `offset`, unsigned, and the offset after it
 */
function readVarint(bytes, offset) {
  let number = 0n;
  for (let index = 0; ; index += 1) {
    decodes(index < 10 && offset + index < bytes.length, "a varint ends early or is too long");
    const byte = bytes[offset + index];
    number |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) {
      decodes(index === 0 || byte !== 0, "a varint is not the shortest");
      decodes(number < 1n << 64n, "a varint is above 2^64 - 1");
      return [number, offset + index + 1];
    }
  }
}

/**
 * Returns the fields of the message that `bytes` are.
 *
 * @template {Record<number, Kind>} Fields
 * @param {Uint8Array} bytes
 * @param {Fields} fields kind by field number
 * @returns {any} values by field number
 * @throws {VerificationError} `decode`
 */
export function readMessage(bytes, fields) {
  /** @type {Record<number, any>} */
  const found = {};
  let previous = 0;
  for (let offset = 0; offset < bytes.length; ) {
    const number = bytes[offset] >> 3;
    const kind = fields[number];
    decodes(bytes[offset] < 0x80 && kind !== undefined, `field key ${bytes[offset]} is not known here`);
    decodes((bytes[offset] & 7) === WIRE_TYPES[kind], `field ${number} has another wire type`);
    decodes(number > previous || (number === previous && kind === "repeated"), `field ${number} is twice or out of order`);
    previous = number;
    const [value, after] = readVarint(bytes, offset + 1);
    offset = after;
    if (kind === "varint") {
      decodes(value !== 0n, `field ${number} is zero and written`);
      found[number] = value;
      continue;
    }
    decodes(value <= BigInt(bytes.length - offset), `field ${number} ends after the message`);
    offset += Number(value);
    const content = bytes.subarray(after, offset);
    decodes(kind !== "bytes" || content.length > 0, `field ${number} is empty and written`);
    if (kind === "repeated") (found[number] ??= []).push(content);
    else found[number] = content;
  }
  for (const [number, kind] of Object.entries(fields)) {
    decodes(kind !== "message" || found[number] !== undefined, `field ${number} is missing`);
    found[number] ??= kind === "varint" ? 0n : kind === "bytes" ? EMPTY : kind === "repeated" ? [] : null;
  }
  return found;
}

/** @param {bigint} number as read @returns {bigint} the same bits as int64 */
export const asInt64 = (number) => BigInt.asIntN(64, number);

/** @param {bigint} number 0 to 2^64 - 1 @returns {Uint8Array} */
export function varint(number) {
  const bytes = [];
  for (let left = number; ; left >>= 7n) {
    if (left < 0x80n) return Uint8Array.from([...bytes, Number(left)]);
    bytes.push(Number(left & 0x7fn) | 0x80);
  }
}

/** @param {number} field @param {bigint} number @returns {Uint8Array} nothing for 0 */
export const varintField = (field, number) =>
  number === 0n ? EMPTY : concat(Uint8Array.of(field * 8), varint(BigInt.asUintN(64, number)));

/** @param {number} field @param {bigint} number @returns {Uint8Array} nothing for 0 */
export function sfixed64Field(field, number) {
  if (number === 0n) return EMPTY;
  const bytes = new Uint8Array(9);
  bytes[0] = field * 8 + 1;
  new DataView(bytes.buffer).setBigInt64(1, number, true);
  return bytes;
}

/** @param {number} field @param {Uint8Array} bytes @returns {Uint8Array} nothing for nothing */
export const bytesField = (field, bytes) => (bytes.length === 0 ? EMPTY : messageField(field, bytes));

/** @param {number} field @param {Uint8Array} bytes @returns {Uint8Array} */
export const messageField = (field, bytes) => concat(Uint8Array.of(field * 8 + 2), varint(BigInt(bytes.length)), bytes);
