/**
 * Ed25519 as docs/spec/02-encoding.md narrows it. WebCrypto computes the equation; what its libraries leave out is checked
 * here before: sizes, `s < L`, canonical points, small order. Whether a key may be registered is decided here alone.
 */

import { littleEndian, toHex } from "./bytes.mjs";
import { subtle } from "./hashing.mjs";

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** @param {Uint8Array} point @returns {Uint8Array} its bytes without the sign bit */
function withoutSign(point) {
  const bytes = new Uint8Array(point); // a copy; slice() of Node's Buffer would be none
  bytes[31] &= 0x7f;
  return bytes;
}

/** Whether an encoded point is neither of small order nor written in a second way. @param {Uint8Array} point */
function isUsable(point) {
  const bytes = withoutSign(point);
  return !SMALL_ORDER.has(toHex(bytes)) && littleEndian(bytes) < P;
}

/**
 * Whether `signature` is valid for `message` under `publicKey`.
 *
 * @param {Uint8Array} publicKey
 * @param {Uint8Array} message
 * @param {Uint8Array} signature
 * @returns {Promise<boolean>}
 */
export async function isValidSignature(publicKey, message, signature) {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  if (littleEndian(signature.subarray(32)) >= L) return false;
  // The equation compares R byte by byte, so an R that is not canonical never holds; not every library compares so.
  if (!isUsable(publicKey) || !isUsable(signature.subarray(0, 32))) return false;
  const key = await imported(publicKey);
  return key !== null && (await subtle.verify("Ed25519", key, signature, message));
}

/** @param {Uint8Array} publicKey @returns {Promise<CryptoKey | null>} null when the library says that it is no point */
async function imported(publicKey) {
  try {
    return await subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  } catch (error) {
    if (error instanceof DOMException && error.name === "DataError") return null;
    throw error;
  }
}

// The curve -x² + y² = 1 + d x² y² over the integers modulo P (RFC 8032, 5.1).

const modulo = (/** @type {bigint} */ number) => {
  const rest = number % P;
  return rest < 0n ? rest + P : rest;
};

/** @param {bigint} base @param {bigint} exponent */
function power(base, exponent) {
  let result = 1n;
  for (let square = modulo(base), left = exponent; left > 0n; left >>= 1n, square = modulo(square * square)) {
    if (left & 1n) result = modulo(result * square);
  }
  return result;
}

const D = modulo(-121665n * power(121666n, P - 2n));
const ROOT_OF_MINUS_ONE = power(2n, (P - 1n) / 4n);

/** @param {bigint} y @param {boolean} sign @returns {bigint | null} x, or null when there is no such point */
function recoverX(y, sign) {
  const u = modulo(y * y - 1n);
  const v = modulo(D * y * y + 1n);
  let x = modulo(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  const check = modulo(v * x * x);
  if (check === modulo(-u) && u !== 0n) x = modulo(x * ROOT_OF_MINUS_ONE);
  else if (check !== u) return null;
  if (x === 0n && sign) return null;
  return (x & 1n) === (sign ? 1n : 0n) ? x : modulo(-x);
}

/** @typedef {[bigint, bigint, bigint, bigint]} Point x, y, z, t with x = X/Z, y = Y/Z, x y = T/Z */

/** @param {Point} one @param {Point} other @returns {Point} */
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = modulo((y1 - x1) * (y2 - x2));
  const b = modulo((y1 + x1) * (y2 + x2));
  const c = modulo(2n * t1 * t2 * D);
  const d = modulo(2n * z1 * z2);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [modulo(e * f), modulo(g * h), modulo(f * g), modulo(e * h)];
}

const isIdentity = (/** @type {Point} */ [x, y, z]) => x === 0n && y === z;

/**
 * Whether 32 bytes may be registered as a public key: canonical, on the curve, in the prime-order group, not the identity.
 *
 * @param {Uint8Array} publicKey
 * @returns {boolean}
 */
export function isSoundPublicKey(publicKey) {
  if (publicKey.length !== 32) return false;
  const y = littleEndian(withoutSign(publicKey));
  if (y >= P) return false;
  const x = recoverX(y, publicKey[31] >= 0x80);
  if (x === null) return false;
  /** @type {Point} */
  let multiple = [x, y, 1n, modulo(x * y)];
  if (isIdentity(multiple)) return false;
  /** @type {Point} */
  let product = [0n, 1n, 1n, 0n];
  for (let left = L; left > 0n; left >>= 1n, multiple = add(multiple, multiple)) {
    if (left & 1n) product = add(product, multiple);
  }
  return isIdentity(product);
}
