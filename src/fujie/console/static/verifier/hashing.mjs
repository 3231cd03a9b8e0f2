/** Hashing (docs/spec/01-hashing.md): sha256 through WebCrypto, the domain tags, and the digests built from them. */

import { bigEndian64, concat, toHex, utf8 } from "./bytes.mjs";
import { must } from "./errors.mjs";

/** WebCrypto. Node 18 has it under another name; a page has it in secure contexts (https, or localhost) only. */
export const subtle = (globalThis.crypto ?? (await import("node:crypto")).webcrypto).subtle;

/** What the first byte under every digest, or under every signature, says that it is for. */
export const TAG = Object.freeze({
  LOG_LEAF: 0x00,
  LOG_NODE: 0x01,
  TRANSACTION_ID: 0x10,
  SIGNED_TRANSACTION: 0x11,
  READ_GRANT: 0x12,
  KEY: 0x20,
  VALUE: 0x21,
  BUCKET: 0x22,
  STATE_NODE: 0x23,
  SALT_FIRST: 0x24,
  SALT_NEXT: 0x25,
  APP_HASH: 0x30,
  LOG_ENTRY: 0x31,
  LOG_SALT: 0x32,
  GENESIS: 0x33,
  VERSION: 0x34,
  CODEBOOK_LEAF: 0x35,
  CODEBOOK_NODE: 0x36,
});

/**
 * @param {...Uint8Array} parts
 * @returns {Promise<Uint8Array>} 32 bytes
 */
export async function sha256(...parts) {
  return new Uint8Array(await subtle.digest("SHA-256", parts.length === 1 ? parts[0] : concat(...parts)));
}

/**
 * @param {number} tag one of {@link TAG}
 * @param {...Uint8Array} parts
 * @returns {Promise<Uint8Array>} 32 bytes
 */
export function digest(tag, ...parts) {
  return sha256(Uint8Array.of(tag), ...parts);
}

// 02-encoding.md

/** @param {Uint8Array} body of the transaction @returns {Promise<Uint8Array>} */
export const transactionId = (body) => digest(TAG.TRANSACTION_ID, body);

/** What a signer signs. @param {Uint8Array} id of the transaction @returns {Uint8Array} 33 bytes */
export const signingMessage = (id) => concat(Uint8Array.of(TAG.SIGNED_TRANSACTION), id);

/** What a signer of a read grant signs. @param {Uint8Array} body of the grant @returns {Uint8Array} */
export const grantMessage = (body) => concat(Uint8Array.of(TAG.READ_GRANT), body);

// 03-state.md

/** @param {string} path @returns {Promise<Uint8Array>} */
export const keyHash = (path) => digest(TAG.KEY, utf8(path));

/**
 * @param {Uint8Array} salt 0 or 32 bytes
 * @param {Uint8Array} record
 * @returns {Promise<Uint8Array>}
 * @throws {VerificationError} `state-salt`
 */
export async function valueDigest(salt, record) {
  must(salt.length === 0 || salt.length === 32, "state-salt", `the salt has ${salt.length} bytes`);
  return digest(TAG.VALUE, Uint8Array.of(salt.length), salt, record);
}

/** @param {Uint8Array} seed @param {Uint8Array} key key hash @returns {Promise<Uint8Array>} */
export const firstSalt = (seed, key) => digest(TAG.SALT_FIRST, seed, key);

/** @param {Uint8Array} salt @param {Uint8Array} nonce @param {Uint8Array} key key hash @returns {Promise<Uint8Array>} */
export const nextSalt = (salt, nonce, key) => digest(TAG.SALT_NEXT, salt, nonce, key);

// 04-proofs.md

/** @param {Uint8Array} stateRoot @param {Uint8Array} logRoot @param {number | bigint} logSize @returns {Promise<Uint8Array>} */
export const appHash = (stateRoot, logRoot, logSize) =>
  digest(TAG.APP_HASH, stateRoot, logRoot, bigEndian64(logSize));

/** @param {Uint8Array} nonce @param {Uint8Array} id of the transaction @returns {Promise<Uint8Array>} */
export const logSalt = (nonce, id) => digest(TAG.LOG_SALT, nonce, id);

/** @param {Uint8Array} salt entry salt @param {Uint8Array} id of the transaction @param {Uint8Array} receipt @returns {Promise<Uint8Array>} */
export const logEntry = (salt, id, receipt) => digest(TAG.LOG_ENTRY, salt, id, receipt);

/** @param {Uint8Array} record an old version @returns {Promise<Uint8Array>} */
export const versionDigest = (record) => digest(TAG.VERSION, record);

/** @param {Uint8Array} bytes @returns {Promise<Uint8Array>} */
export const leafHash = (bytes) => digest(TAG.LOG_LEAF, bytes);

/** @param {Uint8Array} left @param {Uint8Array} right @returns {Promise<Uint8Array>} */
export const nodeHash = (left, right) => digest(TAG.LOG_NODE, left, right);

/**
 * The root of the tree of RFC 9162 (2.1) and of CometBFT over `leaves`.
 *
 * @param {Uint8Array[]} leaves
 * @returns {Promise<Uint8Array>}
 */
export async function merkleRoot(leaves) {
  if (leaves.length === 0) return sha256(new Uint8Array());
  let row = await Promise.all(leaves.map(leafHash));
  // Pairing a row from the left, an odd last one moving up, is the split at the largest power of two below the number.
  while (row.length > 1) {
    const above = [];
    for (let index = 0; index + 1 < row.length; index += 2) above.push(nodeHash(row[index], row[index + 1]));
    const odd = row.length % 2 === 1 ? [row[row.length - 1]] : [];
    row = [...(await Promise.all(above)), ...odd];
  }
  return row[0];
}

// 03-state.md, "Genesis and chain id"

/** @param {string} name of the genesis @param {Uint8Array} genesis its bytes @returns {Promise<string>} */
export async function chainIdOf(name, genesis) {
  return `${name}-${toHex(await digest(TAG.GENESIS, genesis)).slice(0, 32)}`;
}
