/** Inclusion in the transaction log, and consistency of two of its states (docs/spec/04-proofs.md, "Transaction log"). */

import { equal } from "./bytes.mjs";
import { must } from "./errors.mjs";
import { leafHash, nodeHash, sha256 } from "./hashing.mjs";
import { silent } from "./trace.mjs";

const NODES_MAX = 64;

/** @param {Uint8Array} path @returns {Uint8Array[]} */
function nodesOf(path) {
  must(path.length % 32 === 0 && path.length <= 32 * NODES_MAX, "log-path", `path of ${path.length} bytes`);
  return Array.from({ length: path.length / 32 }, (_, index) => path.subarray(32 * index, 32 * index + 32));
}

/**
 * Checks that `entry` stands in the log of `size` entries with `root`.
 *
 * @param {Uint8Array} root
 * @param {number | bigint} size
 * @param {Uint8Array} entry
 * @param {any} proof a LogProof
 * @param {import("./trace.mjs").Tell} [tell]
 * @returns {Promise<void>}
 * @throws {VerificationError} `log-size`, `log-index`, `log-path`, `log-root`
 */
export async function verifyLogInclusion(root, size, entry, proof, tell = silent) {
  must(proof.size === BigInt(size), "log-size", `proof for ${proof.size} entries, the log has ${size}`);
  must(proof.index < proof.size, "log-index", `entry ${proof.index} of ${proof.size}`);
  let position = proof.index;
  let last = proof.size - 1n;
  const nodes = nodesOf(proof.path);
  const leaf = await leafHash(entry);
  let current = leaf;
  const steps = [];
  for (const node of nodes) {
    must(last !== 0n, "log-path", "a node too many");
    const isRight = (position & 1n) === 1n || position === last;
    if (isRight) {
      current = await nodeHash(node, current);
      while ((position & 1n) === 0n && position !== 0n) [position, last] = [position >> 1n, last >> 1n];
    } else {
      current = await nodeHash(current, node);
    }
    [position, last] = [position >> 1n, last >> 1n];
    steps.push({ sibling: node, isRight, computed: current });
  }
  must(last === 0n, "log-path", "a node too few");
  tell("log-root", { index: proof.index, size: proof.size, leaf, nodes: steps, computed: current, named: root });
  must(equal(current, root), "log-root", "the proof leads to another root");
}

/**
 * Checks that the log of `oldSize` entries with `oldRoot` is the beginning of the one of `newSize` entries with `newRoot`.
 *
 * @param {Uint8Array} oldRoot
 * @param {number | bigint} oldSize
 * @param {Uint8Array} newRoot
 * @param {number | bigint} newSize
 * @param {any} proof a LogConsistencyProof
 * @returns {Promise<void>}
 * @throws {VerificationError} `log-size`, `log-path`, `log-old-root`, `log-root`
 */
export async function verifyLogConsistency(oldRoot, oldSize, newRoot, newSize, proof) {
  const named = proof.old_size === BigInt(oldSize) && proof.new_size === BigInt(newSize);
  must(named && proof.old_size <= proof.new_size, "log-size", `proof from ${proof.old_size} to ${proof.new_size} entries`);
  const nodes = nodesOf(proof.path);
  if (proof.old_size === 0n || proof.old_size === proof.new_size) {
    must(nodes.length === 0, "log-path", "a path where none is needed");
    const wanted = proof.old_size === 0n ? await sha256(new Uint8Array()) : newRoot;
    must(equal(oldRoot, wanted), "log-old-root", "another old root");
    return;
  }
  let [position, last] = [proof.old_size - 1n, proof.new_size - 1n];
  if ((proof.old_size & position) === 0n) nodes.unshift(oldRoot);
  must(nodes.length > 0, "log-path", "no path");
  while ((position & 1n) === 1n) [position, last] = [position >> 1n, last >> 1n];
  let [old, current] = [nodes[0], nodes[0]];
  for (const node of nodes.slice(1)) {
    must(last !== 0n, "log-path", "a node too many");
    if ((position & 1n) === 1n || position === last) {
      [old, current] = await Promise.all([nodeHash(node, old), nodeHash(node, current)]);
      while ((position & 1n) === 0n && position !== 0n) [position, last] = [position >> 1n, last >> 1n];
    } else {
      current = await nodeHash(current, node);
    }
    [position, last] = [position >> 1n, last >> 1n];
  }
  must(last === 0n, "log-path", "a node too few");
  must(equal(old, oldRoot), "log-old-root", "the proof leads to another old root");
  must(equal(current, newRoot), "log-root", "the proof leads to another root");
}
