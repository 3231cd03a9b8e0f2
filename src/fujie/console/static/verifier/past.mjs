/** Which version of a record was in force at a time (docs/spec/04-proofs.md, "The past"). */

import { equal } from "./bytes.mjs";
import { must, VerificationError } from "./errors.mjs";
import { versionDigest } from "./hashing.mjs";
import { decode } from "./records.mjs";

const VERSIONS_MAX = 128;

/**
 * @param {number} number of a version, from 1
 * @returns {number} the number of the version that its `skip` names, 0 when there is none
 */
export function skipTarget(number) {
  let left = number;
  let weight = 0;
  while (left > 0) {
    weight = 1;
    while (2 * weight + 1 <= left) weight = 2 * weight + 1;
    left -= weight;
  }
  return number - weight;
}

/** @param {any} standing */
function checkStanding(standing) {
  const { number, since_height, since_ms, created_height, created_ms, previous, skip } = standing;
  const step = "past-standing";
  must(number >= 1, step, `version ${number}`);
  must(created_height <= since_height && created_ms <= since_ms, step, "the version stands since before the creation");
  must(previous.length > 0 === number > 1, step, "the link to the version before is there, or missing, wrongly");
  must(skip.length > 0 === skipTarget(number) > 0, step, "the link to an older version is there, or missing, wrongly");
  must(number > 1 || (created_height === since_height && created_ms === since_ms), step, "version 1 is not the creation");
}

/** @param {any} left @param {any} right */
const alike = (left, right) => (left instanceof Uint8Array ? equal(left, right) : left === right);

/**
 * Returns the version of a record that was in force at `timeMs`. The caller owes that `timeMs` lies before the header which
 * proves `current`.
 *
 * @param {string} type name of the record type
 * @param {any} current the record that stands now, decoded
 * @param {Uint8Array[]} versions older ones, newest first
 * @param {number} timeMs
 * @param {string[]} subject fields that no version may change
 * @returns {Promise<any>} the record, or null when there was none at that time
 * @throws {VerificationError} `past-length`, `past-standing`, `past-needless`, `past-link`, `past-decode`, `past-number`,
 *   `past-created`, `past-time`, `past-subject`, `past-incomplete`
 */
export async function inForce(type, current, versions, timeMs, subject) {
  must(versions.length <= VERSIONS_MAX, "past-length", `${versions.length} versions`);
  checkStanding(current.standing);
  const isAbsent = current.standing.created_ms > timeMs;
  let after = current;
  for (const bytes of versions) {
    must(!isAbsent && after.standing.since_ms > timeMs, "past-needless", "a version more than needed");
    after = await older(type, current, after, bytes, timeMs, subject);
  }
  must(isAbsent || after.standing.since_ms <= timeMs, "past-incomplete", "the versions do not reach back to that time");
  return isAbsent ? null : after;
}

/**
 * The steps for one version.
 *
 * @param {string} type
 * @param {any} current
 * @param {any} after the version that followed it
 * @param {Uint8Array} bytes
 * @param {number} timeMs
 * @param {string[]} subject
 * @returns {Promise<any>} the version, decoded
 */
async function older(type, current, after, bytes, timeMs, subject) {
  const hash = await versionDigest(bytes);
  const { number, previous, skip } = after.standing;
  const isPrevious = equal(hash, previous);
  must(isPrevious || equal(hash, skip), "past-link", "no link leads to a version");
  const version = decodeVersion(type, bytes);
  const standing = version.standing;
  const wanted = isPrevious ? number - 1 : skipTarget(number);
  must(standing.number === wanted, "past-number", `version ${standing.number} where ${wanted} was linked`);
  const { created_height, created_ms } = after.standing;
  const created = standing.created_height === created_height && standing.created_ms === created_ms;
  must(created, "past-created", "a version of another creation");
  const ordered = standing.since_ms <= after.standing.since_ms && standing.since_height <= after.standing.since_height;
  must(ordered, "past-time", "a version stands since after the one that followed it");
  checkStanding(standing);
  for (const field of subject) must(alike(version[field], current[field]), "past-subject", `another ${field}`);
  const leaps = standing.since_ms <= timeMs && standing.number !== number - 1;
  must(!leaps, "past-incomplete", "a leap hides when this version was replaced");
  return version;
}

/** @param {string} type @param {Uint8Array} bytes */
function decodeVersion(type, bytes) {
  try {
    return decode(type, bytes);
  } catch (error) {
    if (error instanceof VerificationError) throw new VerificationError("past-decode", error.detail);
    throw error;
  }
}
