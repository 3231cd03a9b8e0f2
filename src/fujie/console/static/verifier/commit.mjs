/** Whether more than two thirds of a validator set signed a header (docs/spec/04-proofs.md, "Commit"). */

import { equal } from "./bytes.mjs";
import { isValidSignature } from "./ed25519.mjs";
import { must } from "./errors.mjs";
import { FLAG, headerHash, milliseconds, signBytes, totalPower, validatorsHash } from "./light-block.mjs";
import { silent } from "./trace.mjs";

/**
 * Returns the hash of the header of `block` when more than two thirds of its validators signed it. Whether the validators are
 * to be trusted is not asked here.
 *
 * @param {string} chainId
 * @param {import("./light-block.mjs").LightBlock} block
 * @param {import("./trace.mjs").Tell} [tell]
 * @returns {Promise<Uint8Array>}
 * @throws {VerificationError} `header-chain`, `validator-set`, `commit-height`, `header-hash`, `commit-validator`,
 *   `commit-power`, `commit-signature`; `header-form` and `commit-form` cannot fail in what was decoded
 */
export async function verifyCommit(chainId, { header, commit, validators }, tell = silent) {
  must(header.chainId === chainId, "header-chain", `the header is of chain ${header.chainId}`);
  const setHash = await validatorsHash(validators);
  tell("validator-set", { computed: setHash, named: header.validatorsHash });
  must(equal(setHash, header.validatorsHash), "validator-set", "the header names other validators");
  must(commit.height === header.height, "commit-height", `header ${header.height}, commit ${commit.height}`);
  const hash = await headerHash(header);
  tell("header-hash", { header, computed: hash, named: commit.blockId.hash });
  must(equal(commit.blockId.hash, hash), "header-hash", "the commit is for another header");
  const pairs = validators.map((validator, index) => ({ validator, entry: commit.signatures[index] }));
  must(commit.signatures.length === validators.length, "commit-validator", "another number of entries than validators");
  for (const { validator, entry } of pairs) {
    const named = entry.flag === FLAG.ABSENT || equal(entry.address, validator.address);
    must(named, "commit-validator", "an entry names another validator than that of its place");
  }
  const claiming = pairs.filter(({ entry }) => entry.flag === FLAG.COMMIT);
  const total = totalPower(validators);
  const claimed = totalPower(claiming.map(({ validator }) => validator));
  tell("commit-power", { claimed, total });
  must(claimed * 3n > total * 2n, "commit-power", `power ${claimed} of ${total} is for the block`);
  let valid = 0n;
  const checked = [];
  for (const { validator, entry } of claiming) {
    if (valid * 3n > total * 2n) break;
    const message = signBytes(chainId, commit, entry);
    const isValid = await isValidSignature(validator.publicKey, message, entry.signature);
    if (isValid) valid += validator.power;
    checked.push({ validator, message, signature: entry.signature, isValid });
  }
  tell("commit-signature", { checked, valid, total });
  must(valid * 3n > total * 2n, "commit-signature", `power ${valid} of ${total} signed`);
  return hash;
}

/**
 * Returns when the validators of `block` decided on it, in ms: the median of the times of the valid votes for it, weighted by
 * power (docs/spec/04-proofs.md, "The time of a block"). The block has passed {@link verifyCommit}.
 *
 * @param {string} chainId
 * @param {import("./light-block.mjs").LightBlock} block
 * @returns {Promise<number>}
 */
export async function decidedMs(chainId, { commit, validators }) {
  /** @type {{ time: bigint, power: bigint, timeMs: number }[]} */
  const votes = [];
  for (const [index, { publicKey, power }] of validators.entries()) {
    const entry = commit.signatures[index];
    if (entry.flag !== FLAG.COMMIT) continue;
    if (!(await isValidSignature(publicKey, signBytes(chainId, commit, entry), entry.signature))) continue;
    const time = entry.time.seconds * 1_000_000_000n + entry.time.nanoseconds;
    votes.push({ time, power, timeMs: milliseconds(entry.time) });
  }
  votes.sort((one, other) => (one.time < other.time ? -1 : Number(one.time > other.time)));
  let remaining = votes.reduce((sum, { power }) => sum + power, 0n) / 2n;
  const median = votes.find(({ power }) => {
    if (remaining <= power) return true;
    remaining -= power;
    return false;
  });
  must(median !== undefined, "commit-signature", "no vote for the block is valid");
  return /** @type {{ timeMs: number }} */ (median).timeMs;
}
