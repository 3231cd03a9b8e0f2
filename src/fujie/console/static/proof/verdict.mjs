/** What a check is worth, in one of three words and a sentence: proven, not proven, cannot tell. */

import { toHex } from "../verifier/bytes.mjs";
import { timeText } from "./steps.mjs";
import { faultOf } from "./words.mjs";

/**
 * @typedef {{ verdict: "proven" | "not-proven" | "cannot-tell" | "none", sentences: string[], }} Verdict
 * @typedef {import("./steps.mjs").Words} Words
 */

/**
 * Returns the verdict on a check that ended.
 *
 * @param {import("./checking.mjs").Checked} checked
 * @param {import("./steps.mjs").Step[]} steps
 * @param {import("./pins.mjs").Pin | null} pin under which it was checked; null: the root that the node names itself
 * @param {import("./question.mjs").Question | null} question
 * @param {Words} words
 * @returns {Verdict}
 */
export function verdictOn({ failed, answers, verified }, steps, pin, question, words) {
  if (failed !== null) return { verdict: "not-proven", sentences: failure(failed, steps, words) };
  const said = sentenceOf(/** @type {any[]} */ (answers), verified, steps, question, words);
  if (pin === null) return { verdict: "cannot-tell", sentences: [words("holds-unpinned")] };
  const rests = words(pin.origin === "file" ? "by-file" : "by-first-use", { time: timeText(pin.pinnedMs) });
  const age = question === null ? [words("no-freshness")] : [];
  const beware = verified.isAccountable ? [] : [words("not-accountable")];
  return { verdict: "proven", sentences: [said, ...beware, ...age, rests] };
}

/** @param {any} failed @param {import("./steps.mjs").Step[]} steps @param {Words} words @returns {string[]} */
function failure(failed, steps, words) {
  const bad = steps.find(({ state }) => state === "bad");
  const title = bad === undefined ? "" : words(`step-${bad.id}`);
  const places = { step: bad?.number ?? "?", title, detail: faultOf(failed.step, words) ?? failed.detail, name: failed.step };
  return [words("failed-at", places), ...(failed.step === "freshness" ? [words("stale")] : [])];
}

/**
 * @param {any[]} answers
 * @param {any} verified
 * @param {import("./steps.mjs").Step[]} steps
 * @param {import("./question.mjs").Question | null} question
 * @param {Words} words
 * @returns {string}
 */
function sentenceOf(answers, { header, timeMs }, steps, question, words) {
  const atMs = question?.kind === "record" ? question.atMs : undefined;
  const when =
    atMs === undefined
      ? words("when-header", { height: header.height, time: timeText(timeMs) })
      : words("when-asked", { time: timeText(atMs) });
  if (answers.length > 1) return words("proven-many", { count: answers.length, when });
  const [answer] = answers;
  if (answer.kind === "record") {
    const step = steps.find(({ id }) => id === "record")?.number;
    return words(answer.record === null ? "proven-absent" : "proven-present", { subject: answer.path, when, step });
  }
  if (answer.isSuccess) return words("proven-success");
  const reason = answer.reason?.name ?? words("unknown-reason", { code: answer.receipt.code });
  return words("proven-refused", { reason });
}

/** What two roots are compared by. @param {import("./pins.mjs").TrustRoot} root @param {Words} words @returns {[string, string][]} */
export const rootPairs = (root, words) => [
  [words("chain"), root.chain_id],
  [words("validators-hash"), root.validators_hash],
  [words("depth"), String(root.state_tree_depth)],
];

/** Two hexadecimal digits. @param {number} byte */
export const byteText = (byte) => toHex(Uint8Array.of(byte));
