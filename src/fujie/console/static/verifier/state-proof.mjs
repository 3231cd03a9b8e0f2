/** Inclusion in and exclusion from the state tree (docs/spec/04-proofs.md, "State tree"). */

import { compare, concat, equal } from "./bytes.mjs";
import { must } from "./errors.mjs";
import { digest, keyHash, TAG, valueDigest } from "./hashing.mjs";
import { silent } from "./trace.mjs";

export const DEPTH_MIN = 4;
export const DEPTH_MAX = 24;
const LEAF_BYTES = 64;
const LEAVES_MAX = 65_536;

/** @type {Uint8Array[]} */
const emptyDigests = [];

/** @param {number} height @returns {Promise<Uint8Array>} the digest of a subtree of this height in which nothing stands */
export async function emptySubtree(height) {
  emptyDigests[0] ??= await digest(TAG.BUCKET);
  for (let last = emptyDigests.length - 1; last < height; last += 1) {
    emptyDigests[last + 1] = await digest(TAG.STATE_NODE, emptyDigests[last], emptyDigests[last]);
  }
  return emptyDigests[height];
}

/**
 * Checks that `record` with `salt` stands at `path` under `root`.
 *
 * @param {Uint8Array} root
 * @param {number} depth
 * @param {string} path
 * @param {Uint8Array} salt
 * @param {Uint8Array} record
 * @param {any} proof a StateProof
 * @param {import("./trace.mjs").Tell} [tell]
 * @returns {Promise<void>}
 * @throws {VerificationError} `state-salt`, `state-depth`, `state-bucket`, `state-leaf`, `state-path`, `state-root`
 */
export async function verifyInclusion(root, depth, path, salt, record, proof, tell = silent) {
  const value = await valueDigest(salt, record);
  const bucket = await openBucket(depth, path, proof, tell);
  tell("state-leaf", { salt, record, computed: value, found: bucket.value });
  must(bucket.value !== null && equal(bucket.value, value), "state-leaf", `${path} does not hold this record`);
  await fold(root, depth, bucket.number, proof, tell);
}

/**
 * Checks that nothing stands at `path` under `root`.
 *
 * @param {Uint8Array} root
 * @param {number} depth
 * @param {string} path
 * @param {any} proof a StateProof
 * @param {import("./trace.mjs").Tell} [tell]
 * @returns {Promise<void>}
 * @throws {VerificationError} `state-depth`, `state-bucket`, `state-leaf`, `state-path`, `state-root`
 */
export async function verifyExclusion(root, depth, path, proof, tell = silent) {
  const bucket = await openBucket(depth, path, proof, tell);
  tell("state-leaf", { computed: null, found: bucket.value });
  must(bucket.value === null, "state-leaf", `something stands at ${path}`);
  await fold(root, depth, bucket.number, proof, tell);
}

/** @param {Uint8Array} key @param {number} depth @returns {number} the number of its bucket */
const bucketOf = (key, depth) => new DataView(key.buffer, key.byteOffset).getUint32(0) >>> (32 - depth);

/**
 * @param {number} depth
 * @param {string} path
 * @param {any} proof
 * @param {import("./trace.mjs").Tell} tell
 * @returns {Promise<{ number: number, value: Uint8Array | null }>} the bucket of `path`, and its value digest there
 */
async function openBucket(depth, path, { leaves }, tell) {
  must(Number.isInteger(depth) && depth >= DEPTH_MIN && depth <= DEPTH_MAX, "state-depth", `depth ${depth}`);
  const whole = leaves.length % LEAF_BYTES === 0 && leaves.length <= LEAVES_MAX * LEAF_BYTES;
  must(whole, "state-bucket", `bucket of ${leaves.length} bytes`);
  const wanted = await keyHash(path);
  const number = bucketOf(wanted, depth);
  tell("state-bucket", { path, computed: wanted, depth, number, leaves });
  let value = null;
  let previous = null;
  for (let offset = 0; offset < leaves.length; offset += LEAF_BYTES) {
    const key = leaves.subarray(offset, offset + 32);
    must(previous === null || compare(previous, key) < 0, "state-bucket", "the leaves do not ascend");
    must(bucketOf(key, depth) === number, "state-bucket", `a leaf does not belong into the bucket of ${path}`);
    if (equal(key, wanted)) value = leaves.subarray(offset + 32, offset + LEAF_BYTES);
    previous = key;
  }
  return { number, value };
}

/**
 * @param {Uint8Array} root
 * @param {number} depth
 * @param {number} number of the bucket
 * @param {any} proof
 * @param {import("./trace.mjs").Tell} tell
 */
async function fold(root, depth, number, { leaves, present, siblings }, tell) {
  must(present.length === Math.ceil(depth / 8), "state-path", `bitmap of ${present.length} bytes`);
  const isGiven = (/** @type {number} */ height) => ((present[height >> 3] >> (height & 7)) & 1) === 1;
  let given = 0;
  for (let height = 0; height < 8 * present.length; height += 1) {
    if (!isGiven(height)) continue;
    must(height < depth, "state-path", "a sibling above the root");
    given += 1;
  }
  must(siblings.length === 32 * given, "state-path", `${siblings.length} bytes for ${given} siblings`);
  let current = await digest(TAG.BUCKET, leaves);
  const nodes = [];
  const bucket = current;
  let offset = 0;
  for (let height = 0; height < depth; height += 1) {
    const empty = await emptySubtree(height);
    let sibling = empty;
    if (isGiven(height)) {
      sibling = siblings.subarray(offset, offset + 32);
      offset += 32;
      must(!equal(sibling, empty), "state-path", "an empty subtree is written out");
    }
    const isRight = ((number >>> height) & 1) === 1;
    current = await digest(TAG.STATE_NODE, isRight ? concat(sibling, current) : concat(current, sibling));
    nodes.push({ height, sibling, isGiven: isGiven(height), isRight, computed: current });
  }
  tell("state-root", { bucket, nodes, computed: current, named: root });
  must(equal(current, root), "state-root", "the proof leads to another root");
}
