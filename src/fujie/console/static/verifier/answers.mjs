/**
 * What a verified bundle says: its records and receipts decoded, and, for a question, whether it answers that question
 * (docs/spec/04-proofs.md, "Bundle": what the verifier owes after the steps).
 */

import { equal } from "./bytes.mjs";
import { loggedId, verifyBundle } from "./bundle.mjs";
import { decidedMs } from "./commit.mjs";
import { must, VerificationError } from "./errors.mjs";
import { transactionId } from "./hashing.mjs";
import { inForce } from "./past.mjs";
import { decode, pathOf, placeOf, reasonOf } from "./records.mjs";
import { ofItem, silent } from "./trace.mjs";
import { verifySigned } from "./transaction.mjs";

/** How far a header may lie ahead of the verifier's clock. */
export const CLOCK_DRIFT_MS = 10_000;

/**
 * A record of the state: `record` stands at `path`, or nothing does (null). With a time asked about, `record` is the version
 * in force then and `current` the one under the header. `versions` is how many older ones the bundle holds.
 *
 * @typedef {{ kind: "record", path: string, type: string, record: any, current: any, versions: number }} ProvenRecord
 *
 * A receipt: what the ledger did with a transaction. `reason` is null on success, and for a code that is not known.
 * `isSuccess` is true for code 0 alone.
 *
 * @typedef {{ kind: "receipt", id: Uint8Array, transaction: any, receipt: any, index: bigint, isSuccess: boolean,
 *   reason: { name: string, sentence: string } | null }} ProvenReceipt
 *
 * @typedef {import("./trust-root.mjs").TrustRoot} TrustRoot
 * @typedef {import("./trace.mjs").Tell} Tell
 * @typedef {{ verified: import("./bundle.mjs").Verified, items: (ProvenRecord | ProvenReceipt)[] }} Proven
 */

/**
 * Returns everything that a bundle proves, in its order, offline. There is no freshness: it was true at the time of its
 * header, and the caller says how old that may be.
 *
 * Steps: those of {@link verifyBundle}; for each item `answer-record` (it is the record of its path) or `answer-receipt` (the
 * receipt is of its transaction and of an earlier block), then `transaction-keys` and `transaction-signature` (the
 * transaction is signed under every key that it names); with `atMs`, `answer-time` (it lies before the header, and the
 * record has a history) and the steps of {@link inForce}.
 *
 * @param {Uint8Array} bytes
 * @param {TrustRoot} trust
 * @param {{ atMs?: number, tell?: Tell }} [options] `tell`: who watches (trace.mjs)
 * @returns {Promise<Proven>}
 * @throws {VerificationError}
 */
export async function proveAll(bytes, trust, { atMs, tell = silent } = {}) {
  const verified = await verifyBundle(bytes, trust, tell);
  const items = [];
  for (const [index, item] of verified.items.entries()) {
    items.push(await open(item, verified, atMs, ofItem(tell, index)));
  }
  return { verified, items };
}

/**
 * Returns the record, or the absence, that a bundle proves about one query.
 *
 * Steps: those of {@link verifyBundle}; `answer-count`, `answer-kind`, `answer-path`; `freshness`; then as {@link proveAll}.
 *
 * @param {any} query as decoded, for example `{ $type: "IdentityQuery", identifier: "ZZ.156.1301" }`
 * @param {Uint8Array} bytes
 * @param {TrustRoot} trust
 * @param {{ nowMs: number, freshnessMs: number, atMs?: number, tell?: Tell }} options
 * @returns {Promise<ProvenRecord & { verified: import("./bundle.mjs").Verified }>}
 * @throws {VerificationError}
 */
export async function proveRecord(query, bytes, trust, { nowMs, freshnessMs, atMs, tell = silent }) {
  const verified = await verifyBundle(bytes, trust, tell);
  const item = onlyItem(verified);
  must(item.$type !== "Logged", "answer-kind", "a receipt is no answer to a query of the state");
  const path = pathOf(query);
  tell("answer-path", { query, asked: path, answered: item.path });
  must(item.path === path, "answer-path", `asked was ${path}, the answer is about ${item.path}`);
  await checkFreshness(verified, trust, nowMs, freshnessMs, tell);
  const versionsAllowed = atMs !== undefined || item.$type === "Absent" || item.versions.length === 0;
  must(versionsAllowed, "answer-versions", "older versions were not asked for");
  return { ...(await openRecord(item, verified, atMs, ofItem(tell, 0))), verified };
}

/**
 * Returns the records, or the absences, that a bundle proves about a query and about those that follow from its answer, such
 * as a wallet and its balances: exactly these, in this order.
 *
 * Steps: as {@link proveRecord}, for each record.
 *
 * @param {any} query
 * @param {Uint8Array} bytes
 * @param {TrustRoot} trust
 * @param {{ nowMs: number, freshnessMs: number, following: (record: any) => any[], tell?: Tell }} options `following`: the
 *   queries that follow from the record of the first, or from null
 * @returns {Promise<{ items: ProvenRecord[], verified: import("./bundle.mjs").Verified }>}
 * @throws {VerificationError}
 */
export async function proveRecords(query, bytes, trust, { nowMs, freshnessMs, following, tell = silent }) {
  const verified = await verifyBundle(bytes, trust, tell);
  const answered = verified.items;
  must(answered.length > 0, "answer-count", "nothing was answered");
  const isState = answered.every((item) => item.$type !== "Logged");
  must(isState, "answer-kind", "a receipt is no answer to a query of the state");
  const asked = [pathOf(query)];
  const say = () => tell("answer-path", { query, asked: asked.join(", "), answered: answered.map(({ path }) => path).join(", ") });
  say();
  mustAnswer(asked[0], answered[0]);
  const items = [await openRecord(answered[0], verified, undefined, ofItem(tell, 0))];
  asked.push(...following(items[0].record).map(pathOf));
  say();
  must(answered.length === asked.length, "answer-count", `${asked.length} answers were asked for, ${answered.length} came`);
  for (const [index, path] of asked.entries()) mustAnswer(path, answered[index]);
  await checkFreshness(verified, trust, nowMs, freshnessMs, tell);
  for (const [index, item] of answered.entries()) {
    if (index > 0) items.push(await openRecord(item, verified, undefined, ofItem(tell, index)));
  }
  return { items, verified };
}

/** @param {string} path @param {any} item */
function mustAnswer(path, item) {
  must(item.path === path, "answer-path", `asked was ${path}, the answer is about ${item.path}`);
  const isBare = item.$type === "Absent" || item.versions.length === 0;
  must(isBare, "answer-versions", "older versions were not asked for");
}

/**
 * Returns the receipt that a bundle proves for the transaction with `id`.
 *
 * Steps: those of {@link verifyBundle}; `answer-count`, `answer-kind`, `answer-transaction`, `freshness`, `answer-receipt`,
 * `transaction-keys`, `transaction-signature`.
 * A receipt does not grow old: leave `freshnessMs` out where only it matters.
 *
 * @param {Uint8Array} id
 * @param {Uint8Array} bytes
 * @param {TrustRoot} trust
 * @param {{ nowMs?: number, freshnessMs?: number, tell?: Tell }} [options]
 * @returns {Promise<ProvenReceipt & { verified: import("./bundle.mjs").Verified }>}
 * @throws {VerificationError}
 */
export async function proveReceipt(id, bytes, trust, { nowMs, freshnessMs, tell = silent } = {}) {
  const verified = await verifyBundle(bytes, trust, tell);
  const item = onlyItem(verified);
  must(item.$type === "Logged", "answer-kind", "a record of the state is no receipt");
  const answered = await loggedId(item);
  tell("answer-transaction", { asked: id, answered });
  must(equal(answered, id), "answer-transaction", "the receipt is of another transaction");
  if (nowMs !== undefined && freshnessMs !== undefined) await checkFreshness(verified, trust, nowMs, freshnessMs, tell);
  return { ...(await openReceipt(item, verified, ofItem(tell, 0))), verified };
}

/** @param {import("./bundle.mjs").Verified} verified */
function onlyItem({ items }) {
  must(items.length === 1, "answer-count", `one answer was asked for, ${items.length} came`);
  return items[0];
}

/**
 * @param {import("./bundle.mjs").Verified} verified
 * @param {TrustRoot} trust
 * @param {number} nowMs
 * @param {number} freshnessMs
 * @param {Tell} tell
 */
async function checkFreshness({ block, timeMs: headerMs }, trust, nowMs, freshnessMs, tell) {
  const most = Math.min(freshnessMs, trust.trust_period_ms);
  const isOld = nowMs - headerMs > most; // the first block after a halt has the time of the halt; its votes say when it was made
  const timeMs = isOld ? Math.max(headerMs, await decidedMs(trust.chain_id, block)) : headerMs;
  tell("freshness", { timeMs, nowMs, most });
  must(nowMs - timeMs <= most, "freshness", `the header is ${nowMs - timeMs} ms old, at most ${most} are accepted`);
  must(timeMs - nowMs <= CLOCK_DRIFT_MS, "freshness", `the header is ${timeMs - nowMs} ms ahead of this clock`);
}

/** @param {any} item @param {import("./bundle.mjs").Verified} verified @param {number | undefined} atMs @param {Tell} tell */
function open(item, verified, atMs, tell) {
  return item.$type === "Logged" ? openReceipt(item, verified, tell) : openRecord(item, verified, atMs, tell);
}

/**
 * @param {any} item
 * @param {import("./bundle.mjs").Verified} verified
 * @param {number | undefined} atMs
 * @param {Tell} tell
 * @returns {Promise<ProvenRecord>}
 */
async function openRecord(item, verified, atMs, tell) {
  const place = placeOf(item.path);
  tell("answer-record", { path: item.path, type: place && place.type, bytes: item.record ?? null });
  if (place === null) throw new VerificationError("answer-record", `nothing ever stands at ${item.path}`);
  // The block of the header itself may change a record at the very time of the header.
  const known = atMs === undefined || atMs < verified.timeMs;
  must(known, "answer-time", `the proof knows the time before ${verified.timeMs}`);
  const answer = { kind: /** @type {const} */ ("record"), path: item.path, type: place.type };
  if (item.$type === "Absent") return { ...answer, record: null, current: null, versions: 0 };
  const current = decodeAs("answer-record", place.type, item.record);
  const versions = item.versions.length;
  if (atMs === undefined) return { ...answer, record: current, current, versions };
  must(current.standing !== undefined, "answer-time", `records such as ${item.path} have no history`);
  tell("past", { atMs, standing: current.standing, versions: item.versions });
  const record = await inForce(place.type, current, item.versions, atMs, place.subject);
  return { ...answer, record, current, versions };
}

/** @param {any} item @param {import("./bundle.mjs").Verified} verified @param {Tell} tell @returns {Promise<ProvenReceipt>} */
async function openReceipt(item, verified, tell) {
  const { body, signatures } = decode("SignedTransaction", item.transaction);
  const id = await transactionId(body);
  tell("answer-receipt", { id, body, bytes: item.receipt, header: verified.header });
  const receipt = decodeAs("answer-receipt", "Receipt", item.receipt);
  const transaction = decodeAs("answer-receipt", "Transaction", body);
  must(equal(receipt.transaction_id, id), "answer-receipt", "the receipt names another transaction");
  must(BigInt(receipt.height) < verified.header.height, "answer-receipt", "the receipt names a later block");
  // Signatures stand neither under the id nor in the log: nothing before this has looked at them.
  await verifySigned(id, transaction.public_keys, signatures, "transaction-keys", "transaction-signature", tell);
  const outcome = { isSuccess: receipt.code === 0, reason: reasonOf(receipt.code) };
  return { kind: "receipt", id, transaction, receipt, index: item.proof.index, ...outcome };
}

/** @param {string} step @param {string} type @param {Uint8Array} bytes */
function decodeAs(step, type, bytes) {
  try {
    return decode(type, bytes);
  } catch (error) {
    if (error instanceof VerificationError) throw new VerificationError(step, error.detail);
    throw error;
  }
}
