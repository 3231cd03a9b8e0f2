/** A proof bundle under a trust root (docs/spec/04-proofs.md, "Bundle"). */

import { equal } from "./bytes.mjs";
import { decodes, must } from "./errors.mjs";
import { appHash, logEntry, transactionId } from "./hashing.mjs";
import { decodeLightBlock } from "./light-block.mjs";
import { isAccountable, verifyFollows, verifyRoot } from "./light.mjs";
import { verifyLogInclusion } from "./log-proof.mjs";
import { decode, decodeOneOf } from "./records.mjs";
import { verifyExclusion, verifyInclusion } from "./state-proof.mjs";
import { ofItem, silent } from "./trace.mjs";

const PATH_BYTES_MAX = 4_194_304;

/**
 * What a bundle proves: a header that is signed, and items that stand under it. `items` are the records Present, Absent and
 * Logged as decoded. `path`: the headers that led from the pinned validators to those of this header. `isAccountable`: whether
 * all who vouched for others on the way could still be held to account, by the times in these headers.
 *
 * @typedef {import("./light-block.mjs").Header} Header
 * @typedef {import("./light-block.mjs").LightBlock} LightBlock
 * @typedef {{ header: Header, block: LightBlock, headerHash: Uint8Array, timeMs: number, items: any[], path: Header[],
 *   isAccountable: boolean }} Verified
 */

/** @param {Uint8Array} bytes @returns {any} Bundle or BundleWithPath @throws {VerificationError} `decode` */
export const decodeBundle = (bytes) => decodeOneOf(["Bundle", "BundleWithPath"], bytes);

/**
 * Verifies a bundle. Steps, in order: `decode`; `chain-id`; `validators`; those of `verifyCommit`; of each further block of a
 * path, and of the one that proves, those of {@link verifyFollows}; `app-hash`; then each item with the steps of its proof.
 *
 * The caller still owes: that the items are about what was asked (the path, the transaction id), that each record and receipt
 * is one and each transaction is signed (answers.mjs does it), that the header is fresh enough for the purpose, to say so where
 * `isAccountable` is false, and the past (past.mjs): `versions` of an item are not looked at here.
 *
 * @param {Uint8Array} bytes
 * @param {import("./trust-root.mjs").TrustRoot} trust
 * @param {import("./trace.mjs").Tell} [tell]
 * @returns {Promise<Verified>}
 * @throws {VerificationError}
 */
export async function verifyBundle(bytes, trust, tell = silent) {
  const bundle = decodeBundle(bytes);
  const path = await decodePath(bundle.path ?? []);
  const block = await decodeLightBlock(bundle.light_block);
  tell("decode", { bytes, bundle, block, path });
  must(bundle.chain_id === trust.chain_id, "chain-id", `the bundle is of chain ${bundle.chain_id}`);
  const headerHash = await verifySigners([...path, block], trust, tell);
  const headers = [...path, block].map(({ header }) => header);
  const opened = await appHash(bundle.state_root, bundle.log_root, bundle.log_size);
  tell("app-hash", { bundle, computed: opened, named: block.header.appHash });
  must(equal(opened, block.header.appHash), "app-hash", "the header is of another state or log");
  for (const [index, item] of bundle.items.entries()) {
    const tellOfItem = ofItem(tell, index);
    tellOfItem("item", { value: item });
    await verifyItem(item, bundle, trust.state_tree_depth, tellOfItem);
  }
  return {
    header: block.header,
    block,
    headerHash,
    timeMs: block.header.timeMs,
    items: bundle.items,
    path: headers.slice(0, -1),
    isAccountable: headers.slice(1).every((header, index) => isAccountable(headers[index], header, trust.trust_period_ms)),
  };
}

/** @param {Uint8Array[]} blocks @returns {Promise<LightBlock[]>} */
async function decodePath(blocks) {
  const size = blocks.reduce((sum, { length }) => sum + length, 0);
  decodes(size <= PATH_BYTES_MAX, `a path of ${size} bytes`);
  const path = [];
  for (const block of blocks) path.push(await decodeLightBlock(block));
  return path;
}

/**
 * Verifies the blocks from one of the pinned validators to the last, whose hash it returns.
 *
 * @param {LightBlock[]} blocks
 * @param {import("./trust-root.mjs").TrustRoot} trust
 * @param {import("./trace.mjs").Tell} tell
 */
async function verifySigners(blocks, trust, tell) {
  let hash = await verifyRoot(trust, blocks[0], tell);
  for (let index = 1; index < blocks.length; index += 1) {
    tell("path", { blocks, index });
    hash = await verifyFollows(blocks[index - 1], blocks[index], tell);
  }
  if (blocks.length > 1) tell("path", { blocks, index: blocks.length });
  return hash;
}

/** @param {any} item @param {any} bundle @param {number} depth @param {import("./trace.mjs").Tell} tell */
async function verifyItem(item, bundle, depth, tell) {
  if (item.$type === "Present") {
    await verifyInclusion(bundle.state_root, depth, item.path, item.salt, item.record, item.proof, tell);
  } else if (item.$type === "Absent") {
    await verifyExclusion(bundle.state_root, depth, item.path, item.proof, tell);
  } else {
    const id = await loggedId(item);
    const entry = await logEntry(item.salt, id, item.receipt);
    tell("log-entry", { salt: item.salt, id, receipt: item.receipt, computed: entry });
    await verifyLogInclusion(bundle.log_root, bundle.log_size, entry, item.proof, tell);
  }
}

/**
 * @param {any} item Logged
 * @returns {Promise<Uint8Array>} the id of its transaction
 * @throws {VerificationError} `decode`
 */
export function loggedId(item) {
  return transactionId(decode("SignedTransaction", item.transaction).body);
}
