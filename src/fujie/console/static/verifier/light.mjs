/** Which header may be believed because another one is (docs/spec/04-proofs.md, "Light client"), as a bundle's path needs it. */

import { equal, fromHex, toHex } from "./bytes.mjs";
import { verifyCommit } from "./commit.mjs";
import { isValidSignature } from "./ed25519.mjs";
import { must } from "./errors.mjs";
import { FLAG, signBytes, totalPower, validatorsHash } from "./light-block.mjs";
import { silent } from "./trace.mjs";

/**
 * @typedef {import("./light-block.mjs").LightBlock} LightBlock
 * @typedef {import("./light-block.mjs").Header} Header
 * @typedef {import("./trace.mjs").Tell} Tell
 */

/** @param {Header} header @returns {bigint} nanoseconds since 1970 */
const timeNs = ({ time }) => time.seconds * 1_000_000_000n + time.nanoseconds;

/**
 * Returns the hash of the header of `block` when the pinned validators signed it.
 *
 * @param {import("./trust-root.mjs").TrustRoot} trust
 * @param {LightBlock} block
 * @param {Tell} [tell]
 * @returns {Promise<Uint8Array>}
 * @throws {VerificationError} `chain-id`, `validators`, then as {@link verifyCommit}
 */
export async function verifyRoot(trust, block, tell = silent) {
  must(block.header.chainId === trust.chain_id, "chain-id", `the header is of chain ${block.header.chainId}`);
  const signers = await validatorsHash(block.validators);
  tell("validators", { validators: block.validators, computed: signers, trusted: fromHex(trust.validators_hash) });
  must(equal(signers, fromHex(trust.validators_hash)), "validators", `nobody trusts the set ${toHex(signers)}`);
  return verifyCommit(trust.chain_id, block, tell);
}

/**
 * Returns the hash of the header of `block` when it follows on `trusted`, whenever that was.
 *
 * @param {LightBlock} trusted which is believed, with the validators that signed it
 * @param {LightBlock} block
 * @param {Tell} [tell]
 * @returns {Promise<Uint8Array>}
 * @throws {VerificationError} `light-height`, `light-time`, `light-announced`; those of {@link verifyCommit}; `light-trust`
 */
export async function verifyFollows(trusted, block, tell = silent) {
  const [before, header] = [trusted.header, block.header];
  must(header.height > before.height, "light-height", `height ${header.height} does not lie after ${before.height}`);
  must(timeNs(header) > timeNs(before), "light-time", `height ${header.height} is not of later than ${before.height}`);
  const isNext = header.height === before.height + 1n;
  const isAnnounced = equal(header.validatorsHash, before.nextValidatorsHash);
  must(!isNext || isAnnounced, "light-announced", "not the validators that the header before announces");
  const hash = await verifyCommit(before.chainId, block, tell);
  if (!isNext) await verifyTrusting(trusted, block, tell);
  return hash;
}

/** Raises `light-trust` unless more than a third of the trusted power signed. @param {LightBlock} trusted @param {LightBlock} block @param {Tell} tell */
async function verifyTrusting({ header, validators }, { commit }, tell) {
  const known = new Map(validators.map((validator) => [toHex(validator.address), validator]));
  const total = totalPower(validators);
  let [claimed, valid] = [0n, 0n];
  const voters = [];
  for (const entry of commit.signatures) {
    const validator = entry.flag === FLAG.COMMIT ? known.get(toHex(entry.address)) : undefined;
    if (validator === undefined) continue;
    claimed += validator.power;
    voters.push({ validator, entry });
  }
  if (claimed * 3n > total) {
    for (const { validator, entry } of voters) {
      if (valid * 3n > total) break;
      const message = signBytes(header.chainId, commit, entry);
      if (await isValidSignature(validator.publicKey, message, entry.signature)) valid += validator.power;
    }
  }
  tell("light-trust", { valid, total });
  must(valid * 3n > total, "light-trust", `of believed power, ${valid} of ${total} signed height ${commit.height}`);
}

/**
 * Whether those who vouch for `header`, which follows on `before`, could be held to account when it was made, by the times that
 * both claim.
 *
 * @param {Header} before
 * @param {Header} header
 * @param {number} periodMs
 * @returns {boolean}
 */
export function isAccountable(before, header, periodMs) {
  const vouched = [before.validatorsHash, before.nextValidatorsHash];
  if (vouched.some((hash) => equal(hash, header.validatorsHash))) return true;
  return timeNs(header) < timeNs(before) + BigInt(periodMs) * 1_000_000n;
}
