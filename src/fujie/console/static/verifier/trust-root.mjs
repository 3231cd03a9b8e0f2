/** The trust root (docs/spec/04-proofs.md, "Trust root"): what the verifier has pinned and never takes from a server. */

import { fromUtf8 } from "./bytes.mjs";
import { must, VerificationError } from "./errors.mjs";
import { DEPTH_MAX, DEPTH_MIN } from "./state-proof.mjs";

const STEP = "trust-root";
const FORMAT = "fujie-trust-1";
const TRUST_PERIOD_MS = 1_209_600_000;
const FIELDS = ["format", "chain_id", "validators_hash", "state_tree_depth", "trust_period_ms"];
// Valid JSON is these tokens and white space. A number keeps its spelling here, which JSON.parse forgets.
const TOKEN = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g;

/**
 * @typedef {{ format: "fujie-trust-1", chain_id: string, validators_hash: string, state_tree_depth: number,
 *   trust_period_ms: number }} TrustRoot
 */

/**
 * @param {Uint8Array | string} file content of the pinned file
 * @returns {TrustRoot}
 * @throws {VerificationError} `trust-root`
 */
export function decodeTrustRoot(file) {
  const text = typeof file === "string" ? file : fromUtf8(file, STEP);
  const value = parse(text);
  must(value !== null && typeof value === "object" && !Array.isArray(value), STEP, "the file holds no object");
  const unknown = Object.keys(value).find((field) => !FIELDS.includes(field));
  must(unknown === undefined, STEP, `nobody knows the field ${unknown}`);
  // Only integers are numbers here, so this may look at all of them.
  for (const [token] of text.matchAll(TOKEN)) {
    must(token[0] === '"' || /^-?[0-9]+$/.test(token), STEP, `${token} is not written as an integer`);
    must(token[0] === '"' || BigInt(token) <= 2n ** 53n, STEP, `${token} is out of bounds`);
  }
  const { format, chain_id, validators_hash, state_tree_depth, trust_period_ms = TRUST_PERIOD_MS } = value;
  must(format === FORMAT, STEP, `the format is not ${FORMAT}`);
  must(typeof chain_id === "string" && !/\p{Surrogate}/u.test(chain_id), STEP, "the chain id is no text");
  const length = [...chain_id].length;
  must(length >= 1 && length <= 50, STEP, `the chain id has ${length} characters`);
  const isHash = typeof validators_hash === "string" && /^[0-9a-f]{64}$/.test(validators_hash);
  must(isHash, STEP, "validators_hash is not 64 hexadecimal digits in lower case");
  const isDepth = Number.isInteger(state_tree_depth) && state_tree_depth >= DEPTH_MIN && state_tree_depth <= DEPTH_MAX;
  must(isDepth, STEP, "the depth of the state tree is out of bounds");
  must(Number.isInteger(trust_period_ms) && trust_period_ms >= 0, STEP, "the trust period is out of bounds");
  return { format, chain_id, validators_hash, state_tree_depth, trust_period_ms: Math.abs(trust_period_ms) };
}

/** @param {string} text @returns {any} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new VerificationError(STEP, "the file is no JSON");
    throw error;
  }
}
