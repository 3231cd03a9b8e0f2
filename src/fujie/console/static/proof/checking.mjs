/** One check of one bundle: under which root, what the verifier said, and what that is worth. */

import { proveAll, proveReceipt, proveRecord, proveRecords } from "../verifier/answers.mjs";
import { decodeBundle } from "../verifier/bundle.mjs";
import { VerificationError } from "../verifier/errors.mjs";
import { subtle } from "../verifier/hashing.mjs";
import { Watched } from "./steps.mjs";

/** How old a header may be to answer a question about the present: five heartbeats of a node. */
export const FRESHNESS_MS = 300_000;

/**
 * What is checked. `question` is null for a file of the visitor: nothing was asked. `loadedMs` is when it arrived.
 *
 * @typedef {{ bytes: Uint8Array, question: import("./question.mjs").Question | null, loadedMs: number }} Bundle
 * @typedef {import("../verifier/trust-root.mjs").TrustRoot} TrustRoot
 */

/**
 * `failed` is the error of the failed step. `answers` and `verified` are what was proven.
 *
 * @typedef {{ watched: Watched, failed: VerificationError | null, answers: any[] | null, verified: any }} Checked
 */

/** Whether this browser can check an Ed25519 signature here. @returns {Promise<boolean>} */
export async function canVerify() {
  if (!subtle) return false; // not a secure context
  // The base point of the curve: every implementation takes it for a key.
  const point = new Uint8Array(32).fill(0x66);
  point[0] = 0x58;
  try {
    await subtle.importKey("raw", point, "Ed25519", false, ["verify"]);
    return true;
  } catch (error) {
    if (error instanceof DOMException) return false;
    throw error;
  }
}

/** The chain that a bundle says it is of, or null where it is no bundle. @param {Uint8Array} bytes @returns {string | null} */
export function chainOf(bytes) {
  try {
    return decodeBundle(bytes).chain_id;
  } catch (error) {
    if (error instanceof VerificationError) return null;
    throw error;
  }
}

/**
 * Verifies a bundle, and keeps what the verifier told on the way.
 *
 * @param {Bundle} bundle
 * @param {TrustRoot} root
 * @returns {Promise<Checked>}
 */
export async function check({ bytes, question, loadedMs }, root) {
  const watched = new Watched();
  try {
    const { items, verified } = await prove(bytes, root, question, loadedMs, watched.tell);
    return { watched, failed: null, answers: items, verified };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { watched, failed: error, answers: null, verified: null };
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {TrustRoot} root
 * @param {import("./question.mjs").Question | null} question
 * @param {number} nowMs
 * @param {import("../verifier/trace.mjs").Tell} tell
 * @returns {Promise<{ items: any[], verified: any }>}
 */
async function prove(bytes, root, question, nowMs, tell) {
  if (question === null) return proveAll(bytes, root, { tell });
  if (question.kind === "record" && question.following !== undefined) {
    const { following } = question;
    return proveRecords(question.query, bytes, root, { nowMs, freshnessMs: FRESHNESS_MS, following, tell });
  }
  const { verified, ...item } =
    question.kind === "receipt"
      ? await proveReceipt(question.id, bytes, root, { tell })
      : await proveRecord(question.query, bytes, root, {
          nowMs,
          freshnessMs: FRESHNESS_MS,
          ...(question.atMs === undefined ? {} : { atMs: question.atMs }),
          tell,
        });
  return { items: [item], verified };
}
