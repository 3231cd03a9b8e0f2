/** A proof bundle under a trust root (docs/spec/04-proofs.md, "Bundle"). */

import { equal, fromHex, toHex } from "./bytes.mjs";
import { verifyCommit } from "./commit.mjs";
import { must } from "./errors.mjs";
import { appHash, logEntry, transactionId } from "./hashing.mjs";
import { decodeLightBlock, validatorsHash } from "./light-block.mjs";
import { verifyLogInclusion } from "./log-proof.mjs";
import { decode } from "./records.mjs";
import { verifyExclusion, verifyInclusion } from "./state-proof.mjs";
import { ofItem, silent } from "./trace.mjs";

/**
 * What a bundle proves: a header that is signed, and items that stand under it. `items` are the records Present, Absent and
 * Logged as decoded.
 *
 * @typedef {{ header: import("./light-block.mjs").Header, headerHash: Uint8Array, timeMs: number, items: any[] }} Verified
 */

/**
 * Verifies a bundle. Steps, in order: `decode`; `chain-id`; `validators`; those of {@link verifyCommit}; `app-hash`; then each
 * item with the steps of its proof.
 *
 * The caller still owes: that the items are about what was asked (the path, the transaction id), that each record and receipt
 * is one and each transaction is signed (answers.mjs does it), that the header is fresh enough for the purpose, and the past
 * (past.mjs): `versions` of an item are not looked at here.
 *
 * @param {Uint8Array} bytes
 * @param {import("./trust-root.mjs").TrustRoot} trust
 * @param {import("./trace.mjs").Tell} [tell]
 * @returns {Promise<Verified>}
 * @throws {VerificationError}
 */
export async function verifyBundle(bytes, trust, tell = silent) {
  const bundle = decode("Bundle", bytes);
  const block = await decodeLightBlock(bundle.light_block);
  tell("decode", { bytes, bundle, block });
  const isChain = bundle.chain_id === trust.chain_id && block.header.chainId === trust.chain_id;
  must(isChain, "chain-id", `the bundle is of chain ${bundle.chain_id}, the header of ${block.header.chainId}`);
  const signers = await validatorsHash(block.validators);
  tell("validators", { validators: block.validators, computed: signers, trusted: fromHex(trust.validators_hash) });
  must(equal(signers, fromHex(trust.validators_hash)), "validators", `nobody trusts the set ${toHex(signers)}`);
  const headerHash = await verifyCommit(trust.chain_id, block, tell);
  const opened = await appHash(bundle.state_root, bundle.log_root, bundle.log_size);
  tell("app-hash", { bundle, computed: opened, named: block.header.appHash });
  must(equal(opened, block.header.appHash), "app-hash", "the header is of another state or log");
  for (const [index, item] of bundle.items.entries()) {
    const tellOfItem = ofItem(tell, index);
    tellOfItem("item", { value: item });
    await verifyItem(item, bundle, trust.state_tree_depth, tellOfItem);
  }
  return { header: block.header, headerHash, timeMs: block.header.timeMs, items: bundle.items };
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
