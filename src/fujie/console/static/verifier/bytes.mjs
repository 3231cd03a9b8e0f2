/** Byte strings: hexadecimal, joining, comparing, text. */

import { VerificationError } from "./errors.mjs";

const ENCODER = new TextEncoder();
// Without ignoreBOM a leading U+FEFF would vanish, and two byte strings would be one text.
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param {Uint8Array} bytes
 * @returns {string} lower-case hexadecimal
 */
export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/**
 * @param {string} text hexadecimal digits
 * @returns {Uint8Array}
 * @throws {TypeError} when it is anything else
 */
export function fromHex(text) {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new TypeError("not hexadecimal");
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = parseInt(text.slice(2 * index, 2 * index + 2), 16);
  return bytes;
}

/**
 * @param {...Uint8Array} parts
 * @returns {Uint8Array}
 */
export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Orders byte strings byte by byte, as unsigned numbers; a beginning comes before what it begins.
 *
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 * @returns {number} below, equal to or above 0
 */
export function compare(left, right) {
  const common = Math.min(left.length, right.length);
  for (let index = 0; index < common; index += 1) {
    if (left[index] !== right[index]) return left[index] - right[index];
  }
  return left.length - right.length;
}

/**
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 * @returns {boolean}
 */
export function equal(left, right) {
  return compare(left, right) === 0;
}

/**
 * @param {string} text
 * @returns {Uint8Array} its UTF-8
 */
export function utf8(text) {
  return ENCODER.encode(text);
}

/**
 * @param {Uint8Array} bytes
 * @param {string} step the step that fails when they are not UTF-8
 * @returns {string}
 */
export function fromUtf8(bytes, step = "decode") {
  try {
    return DECODER.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw new VerificationError(step, "text is not UTF-8");
    throw error;
  }
}

/**
 * @param {Uint8Array} bytes at most 32 of them
 * @returns {bigint} the number they are, little endian
 */
export function littleEndian(bytes) {
  let number = 0n;
  for (let index = bytes.length - 1; index >= 0; index -= 1) number = (number << 8n) | BigInt(bytes[index]);
  return number;
}

/**
 * @param {number | bigint} number 0 to 2^64 - 1
 * @returns {Uint8Array} 8 bytes, big endian
 */
export function bigEndian64(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number));
  return bytes;
}
