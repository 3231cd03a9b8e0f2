/** Signed transactions and signed read grants (docs/spec/02-encoding.md): whether they are well formed, by bytes alone. */

import { compare } from "./bytes.mjs";
import { isValidSignature } from "./ed25519.mjs";
import { decodes, must, VerificationError } from "./errors.mjs";
import { grantMessage, signingMessage, transactionId } from "./hashing.mjs";
import { decode } from "./records.mjs";
import { silent } from "./trace.mjs";

const TRANSACTION_BYTES_MAX = 65_536;

/**
 * Returns a signed transaction that is well formed. Whether the ledger carries it out is asked of the state.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<{ id: Uint8Array, body: Uint8Array, transaction: any, signatures: Uint8Array[] }>}
 * @throws {VerificationError} `transaction-malformed`, `signature-invalid`
 */
export async function verifyTransaction(bytes) {
  const malformed = "transaction-malformed";
  must(bytes.length <= TRANSACTION_BYTES_MAX, malformed, `${bytes.length} bytes`);
  const { body, signatures } = under(malformed, () => decode("SignedTransaction", bytes));
  const transaction = under(malformed, () => decode("Transaction", body));
  const id = await transactionId(body);
  await verifySigned(id, transaction.public_keys, signatures, malformed, "signature-invalid");
  return { id, body, transaction, signatures };
}

/**
 * Checks that the transaction `id` is signed under each of its public keys.
 *
 * @param {Uint8Array} id
 * @param {Uint8Array[]} keys those of its body
 * @param {Uint8Array[]} signatures
 * @param {string} keysStep what fails when the keys do not ascend, with one signature for each
 * @param {string} signatureStep what fails when a signature is not valid
 * @param {import("./trace.mjs").Tell} [tell]
 * @throws {VerificationError}
 */
export async function verifySigned(id, keys, signatures, keysStep, signatureStep, tell = silent) {
  must(ascend(keys), keysStep, "the public keys do not ascend");
  must(signatures.length === keys.length, keysStep, `${signatures.length} signatures of ${keys.length} keys`);
  const message = signingMessage(id);
  tell(signatureStep, { keys, message, signatures });
  await verifyEach(keys, message, signatures, signatureStep);
}

/**
 * Returns a signed read grant whose signatures are valid. Whether its reader's policy is satisfied is asked of the state.
 *
 * @param {Uint8Array} bytes
 * @returns {Promise<{ grant: any, body: Uint8Array, message: Uint8Array }>}
 * @throws {VerificationError} `decode`, `signature`
 */
export async function verifyGrant(bytes) {
  const { body, signatures } = decode("SignedGrant", bytes);
  const grant = decode("Grant", body);
  const keys = grant.public_keys;
  decodes(signatures.length === keys.length, `${signatures.length} signatures of ${keys.length} keys`);
  decodes(ascend(keys), "the public keys do not ascend");
  const message = grantMessage(body);
  await verifyEach(keys, message, signatures, "signature");
  return { grant, body, message };
}

/** @param {Uint8Array[]} keys @returns {boolean} */
const ascend = (keys) => keys.every((key, index) => index === 0 || compare(keys[index - 1], key) < 0);

/** @param {Uint8Array[]} keys @param {Uint8Array} message @param {Uint8Array[]} signatures @param {string} step */
async function verifyEach(keys, message, signatures, step) {
  for (const [index, key] of keys.entries()) {
    must(await isValidSignature(key, message, signatures[index]), step, `signature ${index} is not valid`);
  }
}

/** @template T @param {string} step @param {() => T} decoding @returns {T} */
function under(step, decoding) {
  try {
    return decoding();
  } catch (error) {
    if (error instanceof VerificationError) throw new VerificationError(step, error.detail);
    throw error;
  }
}
