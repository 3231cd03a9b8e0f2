/** Canonical MessagePack (docs/spec/02-encoding.md): reading single values strictly, and writing them. */

import { concat, fromUtf8, utf8 } from "./bytes.mjs";
import { decodes, VerificationError } from "./errors.mjs";

/** Reads values one after the other. Refuses with `decode` every form that is not the one canonical form. */
export class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = 0;
  }

  get left() {
    return this.bytes.length - this.offset;
  }

  /** Whether the next value is nil. */
  nextIsNil() {
    return this.bytes[this.offset] === 0xc0;
  }

  end() {
    decodes(this.left === 0, `${this.left} bytes after the value`);
  }

  /** @param {number} length @returns {Uint8Array} the next `length` bytes */
  take(length) {
    decodes(length <= this.left, "the value ends early");
    this.offset += length;
    return this.bytes.subarray(this.offset - length, this.offset);
  }

  /** @param {1 | 2 | 4} width @param {number} least below it a shorter form exists @returns {number} */
  unsigned(width, least) {
    const at = this.offset;
    this.take(width);
    const number = width === 1 ? this.view.getUint8(at) : width === 2 ? this.view.getUint16(at) : this.view.getUint32(at);
    decodes(number >= least, `${number} has a shorter form`);
    return number;
  }

  nil() {
    decodes(this.take(1)[0] === 0xc0, "nil is wanted");
    return null;
  }

  /** @returns {boolean} */
  bool() {
    const form = this.take(1)[0];
    decodes(form === 0xc2 || form === 0xc3, "true or false is wanted");
    return form === 0xc3;
  }

  /** @returns {number | bigint} a bigint from 2^32 on */
  integer() {
    const form = this.take(1)[0];
    if (form <= 0x7f) return form;
    if (form >= 0xe0) return form - 0x100;
    const at = this.offset;
    switch (form) {
      case 0xcc:
        return this.unsigned(1, 0x80);
      case 0xcd:
        return this.unsigned(2, 0x100);
      case 0xce:
        return this.unsigned(4, 0x1_0000);
      case 0xcf: {
        this.take(8);
        const number = this.view.getBigUint64(at);
        decodes(number >= 0x1_0000_0000n, `${number} has a shorter form`);
        return number;
      }
      case 0xd0: {
        this.take(1);
        const number = this.view.getInt8(at);
        decodes(number < -32, `${number} has another form`);
        return number;
      }
      case 0xd1: {
        this.take(2);
        const number = this.view.getInt16(at);
        decodes(number < -128, `${number} has another form`);
        return number;
      }
      default:
        throw new VerificationError("decode", "an integer is wanted");
    }
  }

  /** @returns {Uint8Array} */
  bin() {
    const form = this.take(1)[0];
    if (form === 0xc4) return this.take(this.unsigned(1, 0));
    if (form === 0xc5) return this.take(this.unsigned(2, 0x100));
    if (form === 0xc6) return this.take(this.unsigned(4, 0x1_0000));
    throw new VerificationError("decode", "a byte string is wanted");
  }

  /** @returns {string} */
  text() {
    const form = this.take(1)[0];
    if (form >= 0xa0 && form <= 0xbf) return fromUtf8(this.take(form & 0x1f));
    if (form === 0xd9) return fromUtf8(this.take(this.unsigned(1, 0x20)));
    if (form === 0xda) return fromUtf8(this.take(this.unsigned(2, 0x100)));
    if (form === 0xdb) return fromUtf8(this.take(this.unsigned(4, 0x1_0000)));
    throw new VerificationError("decode", "text is wanted");
  }

  /** @returns {number} how many elements follow */
  arrayHeader() {
    const form = this.take(1)[0];
    let length;
    if (form >= 0x90 && form <= 0x9f) length = form & 0x0f;
    else if (form === 0xdc) length = this.unsigned(2, 0x10);
    else if (form === 0xdd) length = this.unsigned(4, 0x1_0000);
    else throw new VerificationError("decode", "an array is wanted");
    // Every element has at least one byte; so memory for more elements than bytes is never taken.
    decodes(length <= this.left, "the value ends early");
    return length;
  }
}

/**
 * @param {number[]} forms the form bytes for lengths of 1, 2 and 4 bytes; 0 where there is none
 * @param {number} length
 * @returns {Uint8Array}
 */
function header(forms, length) {
  if (length < 0x100 && forms[0]) return Uint8Array.of(forms[0], length);
  if (length < 0x1_0000) return Uint8Array.of(forms[1], length >> 8, length & 0xff);
  const bytes = new Uint8Array(5);
  bytes[0] = forms[2];
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

/** @param {number | bigint} number @returns {Uint8Array} */
function packInteger(number) {
  if (number >= 0 && number < 0x80) return Uint8Array.of(Number(number));
  if (number >= -32 && number < 0) return Uint8Array.of(Number(number) + 0x100);
  if (number >= 0 && number < 0x1_0000_0000) return header([0xcc, 0xcd, 0xce], Number(number));
  const bytes = new Uint8Array(number >= 0 ? 9 : number >= -128 ? 2 : 3);
  const view = new DataView(bytes.buffer);
  if (number >= 0) {
    bytes[0] = 0xcf;
    view.setBigUint64(1, BigInt(number));
  } else if (number >= -128) {
    bytes[0] = 0xd0;
    view.setInt8(1, Number(number));
  } else {
    bytes[0] = 0xd1;
    view.setInt16(1, Number(number));
  }
  return bytes;
}

/**
 * Returns the canonical encoding of nested arrays of numbers, bigints, texts, byte strings, booleans and nulls.
 *
 * @param {any} value
 * @returns {Uint8Array}
 */
export function pack(value) {
  if (value === null) return Uint8Array.of(0xc0);
  if (typeof value === "boolean") return Uint8Array.of(value ? 0xc3 : 0xc2);
  if (typeof value === "number" || typeof value === "bigint") return packInteger(value);
  if (typeof value === "string") {
    const bytes = utf8(value);
    return concat(bytes.length < 32 ? Uint8Array.of(0xa0 | bytes.length) : header([0xd9, 0xda, 0xdb], bytes.length), bytes);
  }
  if (value instanceof Uint8Array) return concat(header([0xc4, 0xc5, 0xc6], value.length), value);
  const start = value.length < 16 ? Uint8Array.of(0x90 | value.length) : header([0, 0xdc, 0xdd], value.length);
  return concat(start, ...value.map(pack));
}
