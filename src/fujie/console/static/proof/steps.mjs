/**
 * The steps of a verification as people read them: which names of docs/spec/04-proofs.md belong to which, whether each holds,
 * and what was computed in it. Nothing is judged here; the verifier did, and told (../verifier/trace.mjs).
 */

import { headerLeaves } from "../verifier/light-block.mjs";
import { toJson } from "../verifier/records.mjs";
import { element, hex, json, listOf, shortHex, table } from "./dom.mjs";

const ROWS_MAX = 100;
const ITEMS_SHOWN = 10;

const HEADER_FIELDS = [
  "version", "chain_id", "height", "time", "last_block_id", "last_commit_hash", "data_hash", "validators_hash",
  "next_validators_hash", "consensus_hash", "app_hash", "last_results_hash", "evidence_hash", "proposer_address",
];

/** @typedef {(key: string, places?: Record<string, any>) => string} Words */

/** @param {number} timeMs @returns {string} */
export const timeText = (timeMs) => {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? String(timeMs) : `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
};

/** What a verification told, in one place: of the bundle, and of each of its items. */
export class Watched {
  constructor() {
    /** @type {Map<string, any>} */
    this.told = new Map();
    /** @type {Map<string, any>[]} */
    this.items = [];
    this.lastItem = 0;
    /** @type {import("../verifier/trace.mjs").Tell} */
    this.tell = (step, values) => {
      if (values.item === undefined) this.told.set(step, values);
      else {
        this.lastItem = values.item;
        (this.items[values.item] ??= new Map()).set(step, values);
      }
    };
  }
}

// Each of these returns what was computed in a step, from what was told of it.

/** @param {any} told @param {Words} words */
function showDecode({ bytes, bundle, block }, words) {
  return listOf([
    [words("size"), words("bytes", { count: bytes.length })],
    [words("chain"), bundle.chain_id],
    [words("height"), String(block.header.height)],
    [words("time"), timeText(block.header.timeMs)],
    [words("items"), String(bundle.items.length)],
  ]);
}

/** @param {any} told @param {Words} words */
function showTrust({ validators, computed, trusted }, words) {
  const heads = [words("address"), words("public-key"), words("power")];
  const rows = validators
    .slice(0, ROWS_MAX)
    .map((/** @type {any} */ one) => [hex(one.address, words), hex(one.publicKey, words), String(one.power)]);
  return element(
    "div",
    {},
    table(words("validators"), heads, rows),
    listOf([[words("computed-hash"), hex(computed, words)], [words("trusted-hash"), hex(trusted, words)]]),
  );
}

/** @param {any} told @param {Words} words */
function showSuccession({ blocks }, words) {
  const heads = [words("height"), words("time"), words("validators"), words("computed-hash")];
  const rows = blocks.map((/** @type {any} */ { header, validators }) => [
    String(header.height),
    timeText(header.timeMs),
    String(validators.length),
    hex(header.validatorsHash, words),
  ]);
  return table(words("step-succession"), heads, rows);
}

/** @param {any} told @param {Words} words */
function showHeader({ header, computed, named }, words) {
  const rows = headerLeaves(header).map((leaf, index) => [HEADER_FIELDS[index], hex(leaf, words)]);
  return element(
    "div",
    {},
    table(words("header-field"), [words("header-field"), words("encoded")], rows),
    listOf([[words("computed-hash"), hex(computed, words)], [words("commit-hash"), hex(named, words)]]),
  );
}

/** @param {any} told @param {Words} words */
function showSignatures({ checked, valid, total }, words) {
  const heads = [words("address"), words("message"), words("signature"), words("power"), words("valid")];
  const rows = checked.slice(0, ROWS_MAX).map((/** @type {any} */ { validator, message, signature, isValid }) => [
    hex(validator.address, words),
    hex(message, words),
    hex(signature, words),
    String(validator.power),
    words(isValid ? "yes" : "no"),
  ]);
  return element(
    "div",
    {},
    table(words("signature"), heads, rows),
    listOf([[words("power-signed"), words("power-of", { valid, total })]]),
    element("p", {}, words("not-counted")),
  );
}

/** @param {any} told @param {Words} words */
function showAppHash({ bundle, computed, named }, words) {
  return listOf([
    [words("state-root"), hex(bundle.state_root, words)],
    [words("log-root"), hex(bundle.log_root, words)],
    [words("log-size"), String(bundle.log_size)],
    [words("computed-hash"), hex(computed, words)],
    [words("header-says"), hex(named, words)],
  ]);
}

/** @param {any} told @param {Words} words */
function showKey({ path, computed, depth, number, leaves }, words) {
  const place = { number, count: 2 ** depth, leaves: Math.floor(leaves.length / 64) };
  return listOf([
    [words("path"), element("code", {}, path)],
    [words("key-hash"), hex(computed, words)],
    [words("bucket"), words("bucket-of", place)],
  ]);
}

/** @param {any} told @param {Words} words */
function showLeaf({ salt, record, computed, found }, words) {
  const inBucket = [words("leaf-found"), found === null ? words("nothing-found") : hex(found, words)];
  if (computed === null) return listOf([/** @type {any} */ (inBucket)]);
  return listOf([
    [words("record-bytes"), hex(record, words)],
    [words("salt"), salt.length === 0 ? words("no-salt") : hex(salt, words)],
    [words("computed-hash"), hex(computed, words)],
    /** @type {any} */ (inBucket),
  ]);
}

/** @param {string} caption @param {any[]} nodes @param {Words} words */
function siblings(caption, nodes, words) {
  const heads = ["#", words("side"), words("sibling"), words("hash-above")];
  const rows = nodes.map(({ sibling, isGiven, isRight, computed }, index) => [
    String(index),
    words(isRight ? "left" : "right"),
    isGiven === false ? words("empty-sibling") : hex(sibling, words),
    hex(computed, words),
  ]);
  return element("details", {}, element("summary", {}, caption), table(caption, heads, rows));
}

/** @param {any} told @param {Words} words */
function showPath({ bucket, nodes, computed, named }, words) {
  const empty = nodes.filter((/** @type {any} */ node) => !node.isGiven).length;
  return element(
    "div",
    {},
    listOf([[words("bucket-hash"), hex(bucket, words)]]),
    siblings(words("siblings", { count: nodes.length, empty }), nodes, words),
    listOf([[words("computed-hash"), hex(computed, words)], [words("bundle-says"), hex(named, words)]]),
  );
}

/** @param {any} told @param {Words} words */
function showEntry({ salt, id, receipt, computed }, words) {
  return listOf([
    [words("salt"), hex(salt, words)],
    [words("transaction-id"), hex(id, words)],
    [words("receipt-bytes"), hex(receipt, words)],
    [words("computed-hash"), hex(computed, words)],
  ]);
}

/** @param {any} told @param {Words} words */
function showLogPath({ index, size, leaf, nodes, computed, named }, words) {
  return element(
    "div",
    {},
    listOf([
      [words("leaf-hash"), hex(leaf, words)],
      [words("log-index"), words("log-index-of", { index, size })],
    ]),
    siblings(words("log-siblings", { count: nodes.length }), nodes, words),
    listOf([[words("computed-hash"), hex(computed, words)], [words("bundle-says"), hex(named, words)]]),
  );
}

/** @param {any} told @param {Words} words */
function showQuestion({ asked, answered }, words) {
  const show = (/** @type {any} */ one) => (typeof one === "string" ? element("code", {}, one) : hex(one, words));
  return listOf([[words("asked"), show(asked)], [words("answered"), show(answered)]]);
}

/** @param {any} told @param {Words} words */
function showFresh({ timeMs, nowMs, most }, words) {
  const age = { age: Math.floor((nowMs - timeMs) / 1000), most: Math.floor(most / 1000) };
  return listOf([
    [words("time"), timeText(timeMs)],
    [words("now"), timeText(nowMs)],
    [words("age"), words("age-of", age)],
  ]);
}

/** @param {any} told @param {Words} words @param {any} answer what was proven, or null @param {boolean} isAsked */
function showRecord({ path, type }, words, answer, isAsked) {
  const kind = [[words("path"), element("code", {}, path)], [words("record-type"), type ?? words("nothing-found")]];
  if (answer === null) return listOf(/** @type {any} */ (kind));
  const says = answer.record === null ? words("nothing-there") : json(toJson(answer.type, answer.record));
  const shown = listOf(/** @type {any} */ ([...kind, [words("in-force"), says]]));
  if (isAsked || answer.versions === 0) return shown;
  return element("div", {}, shown, element("p", {}, words("versions-unused", { count: answer.versions })));
}

/** @param {any} told @param {Words} words @param {any} answer what was proven, or null */
function showReceipt({ id, bytes }, words, answer) {
  const known = [[words("transaction-id"), hex(id, words)], [words("receipt-bytes"), hex(bytes, words)]];
  if (answer === null) return listOf(/** @type {any} */ (known));
  const asks = toJson("Transaction", answer.transaction).operations;
  const says = toJson("Receipt", answer.receipt);
  return listOf(
    /** @type {any} */ ([...known, [words("receipt-says"), json(says)], [words("operations"), json(asks)]]),
  );
}

/** @param {any} told @param {Words} words */
function showSigners({ keys, message, signatures }, words) {
  const rows = keys.map((/** @type {any} */ key, /** @type {number} */ index) => [
    hex(key, words),
    signatures[index] === undefined ? "" : hex(signatures[index], words),
  ]);
  return element(
    "div",
    {},
    listOf([[words("message"), hex(message, words)]]),
    table(words("signature"), [words("public-key"), words("signature")], rows),
  );
}

/**
 * A step: its name here, the last step of the specification that is told in it, all of which it fails by, and what it shows.
 *
 * @typedef {{ id: string, last: string[], fails: string[], show: (told: any, words: Words, answer: any, isAsked: boolean) => Node }} Group
 */

/** Of a bundle with a path: how others came after the validators that are trusted. @type {Group} */
const SUCCESSION = {
  id: "succession",
  last: ["path"],
  fails: ["light-height", "light-time", "light-announced", "light-trust"],
  show: showSuccession,
};

/** @type {Group[]} */
const HEAD = [
  { id: "decode", last: ["decode"], fails: ["decode"], show: showDecode },
  { id: "trust", last: ["validators"], fails: ["chain-id", "validators"], show: showTrust },
  {
    id: "header",
    last: ["header-hash"],
    fails: ["header-form", "header-chain", "validator-set", "commit-form", "commit-height", "header-hash"],
    show: showHeader,
  },
  {
    id: "signatures",
    last: ["commit-signature"],
    fails: ["commit-validator", "commit-power", "commit-signature"],
    show: showSignatures,
  },
  { id: "app-hash", last: ["app-hash"], fails: ["app-hash"], show: showAppHash },
];

/** @type {Group[]} */
const IN_STATE = [
  { id: "key", last: ["state-bucket"], fails: ["state-depth", "state-bucket"], show: showKey },
  { id: "leaf", last: ["state-leaf"], fails: ["state-salt", "state-leaf"], show: showLeaf },
  { id: "path", last: ["state-root"], fails: ["state-path", "state-root"], show: showPath },
];

/** @type {Group[]} */
const IN_LOG = [
  { id: "entry", last: ["log-entry"], fails: ["log-entry"], show: showEntry },
  { id: "log-path", last: ["log-root"], fails: ["log-size", "log-index", "log-path", "log-root"], show: showLogPath },
];

/** @type {Group} */
const QUESTION = {
  id: "question",
  last: ["answer-path", "answer-transaction"],
  fails: ["answer-count", "answer-kind", "answer-path", "answer-transaction"],
  show: showQuestion,
};

/** @type {Group} */
const FRESH = { id: "fresh", last: ["freshness"], fails: ["freshness"], show: showFresh };

const PAST = [
  "past-length", "past-standing", "past-needless", "past-link", "past-decode", "past-number", "past-created", "past-time",
  "past-subject", "past-incomplete",
];

/** @type {Group[]} */
const RECORD = [
  {
    id: "record",
    last: ["answer-record"],
    fails: ["answer-record", "answer-versions", "answer-time", ...PAST],
    show: showRecord,
  },
];

/** @type {Group[]} */
const RECEIPT = [
  { id: "receipt", last: ["answer-receipt"], fails: ["answer-receipt"], show: showReceipt },
  {
    id: "signers",
    last: ["transaction-signature"],
    fails: ["transaction-keys", "transaction-signature"],
    show: showSigners,
  },
];

/**
 * One step to be shown. `state`: "ok", "bad" or "unreached".
 *
 * @typedef {{ id: string, item: number | null, count: number, number: number, state: string, isAbsence: boolean,
 *   brief: string, values: Node | null }} Step
 */

/** What a step leads to, where that is one hash. @param {any} told @returns {string} */
const briefly = ({ computed }) => (computed instanceof Uint8Array ? shortHex(computed) : "");

/**
 * Returns the steps of a verification, in the order in which they were taken.
 *
 * @param {Watched} watched
 * @param {{ failed: string | null, answers: any[] | null, question: import("./question.mjs").Question | null }} outcome
 *   `failed`: the step that failed; `answers`: what was proven
 * @param {Words} words
 * @returns {{ steps: Step[], hidden: number }} `hidden`: items that are not shown one by one
 */
export function stepsOf(watched, { failed, answers, question }, words) {
  const bundle = watched.told.get("decode")?.bundle;
  // Of one name there are two steps: the bundle has to decode, and the transaction in a receipt.
  const path = watched.told.get("path");
  const isOnPath = failed !== null && path !== undefined && path.index < path.blocks.length;
  // A block on the way, or the last one, fails by the names of a header and its signatures as well.
  const name = failed === "decode" && bundle !== undefined ? "log-entry" : isOnPath ? "light-trust" : failed;
  /** @type {any[]} */
  const items = bundle?.items ?? [];
  const shown = items.map((_, index) => index).filter((index) => index < ITEMS_SHOWN || index === watched.lastItem);
  /** @type {Step[]} */
  const steps = [];
  const add = (/** @type {Group} */ group, /** @type {number | null} */ item) => {
    const told = item === null ? watched.told : (watched.items[item] ?? new Map());
    const isBad = name !== null && group.fails.includes(name) && (item === null || item === watched.lastItem);
    const last = group.last.find((step) => told.has(step));
    const answer = item === null || answers === null ? null : answers[item];
    steps.push({
      id: group.id,
      item,
      count: items.length,
      number: steps.length + 1,
      state: isBad ? "bad" : last === undefined ? "unreached" : "ok",
      isAbsence: item !== null && items[item].$type === "Absent",
      brief: last === undefined ? "" : briefly(told.get(last)),
      values: last === undefined ? null : group.show(told.get(last), words, answer, question !== null),
    });
  };
  for (const group of HEAD) {
    if (group.id === "header" && path !== undefined) add(SUCCESSION, null);
    add(group, null);
  }
  for (const item of shown) for (const group of items[item].$type === "Logged" ? IN_LOG : IN_STATE) add(group, item);
  if (question !== null) add(QUESTION, null);
  if (question?.kind === "record") add(FRESH, null);
  for (const item of shown) for (const group of items[item].$type === "Logged" ? RECEIPT : RECORD) add(group, item);
  return { steps, hidden: items.length - shown.length };
}
