/** CometBFT's light block (docs/spec/04-proofs.md): reading it, and the hashes and sign bytes that follow from it. */

import { compare, concat, equal, fromUtf8, toHex, utf8 } from "./bytes.mjs";
import { decodes } from "./errors.mjs";
import { merkleRoot, sha256 } from "./hashing.mjs";
import { asInt64, bytesField, messageField, readMessage, sfixed64Field, varint, varintField } from "./protobuf.mjs";

export const LIGHT_BLOCK_BYTES_MAX = 3_145_728;
const ENTRIES_MAX = 10_000; // of a commit, and of a validator set
const POWER_MAX = 2n ** 60n - 1n;
const HEIGHT_MAX = 2n ** 63n - 1n;
const YEAR_1_SECONDS = -62_135_596_800n;
const YEAR_10000_SECONDS = 253_402_300_800n;
const BLOCK_PROTOCOL = 11n;

export const FLAG = Object.freeze({ ABSENT: 1, COMMIT: 2, NIL: 3 });

/**
 * @typedef {{ seconds: bigint, nanoseconds: bigint, bytes: Uint8Array }} Timestamp
 * @typedef {{ hash: Uint8Array, total: bigint, partsHash: Uint8Array, isNil: boolean, bytes: Uint8Array }} BlockId
 * @typedef {{ versionBytes: Uint8Array, appVersion: bigint, chainId: string, height: bigint, time: Timestamp, timeMs: number,
 *   lastBlockId: BlockId, hashes: Uint8Array[], validatorsHash: Uint8Array, nextValidatorsHash: Uint8Array,
 *   appHash: Uint8Array, proposerAddress: Uint8Array }} Header
 * @typedef {{ flag: number, address: Uint8Array, time: Timestamp, signature: Uint8Array }} CommitSig
 * @typedef {{ height: bigint, round: bigint, blockId: BlockId, signatures: CommitSig[] }} Commit
 * @typedef {{ address: Uint8Array, publicKey: Uint8Array, power: bigint, priority: bigint, bytes: Uint8Array }} Validator
 * @typedef {{ header: Header, commit: Commit, validators: Validator[] }} LightBlock
 */

/** @param {boolean} condition @param {string} detail @param {any} value @returns {any} */
function bounded(condition, detail, value) {
  decodes(condition, detail);
  return value;
}

/** @param {Uint8Array} bytes @param {string} what @param {number[]} lengths */
const sized = (bytes, what, ...lengths) => bounded(lengths.includes(bytes.length), `${what} has ${bytes.length} bytes`, bytes);

/** @param {bigint} number @param {string} what @param {bigint} least @param {bigint} most @returns {bigint} */
const within = (number, what, least, most) => bounded(number >= least && number <= most, `${what} is ${number}`, number);

/** @param {Uint8Array} bytes @returns {Timestamp} */
function readTimestamp(bytes) {
  const fields = readMessage(bytes, { 1: "varint", 2: "varint" });
  return {
    seconds: within(asInt64(fields[1]), "seconds", YEAR_1_SECONDS, YEAR_10000_SECONDS - 1n),
    nanoseconds: within(asInt64(fields[2]), "nanoseconds", 0n, 999_999_999n),
    bytes,
  };
}

/** @param {Timestamp} time @returns {number} milliseconds since 1970, rounded down */
export const milliseconds = (time) => Number(time.seconds * 1_000n + time.nanoseconds / 1_000_000n);

/** @param {Uint8Array} bytes @returns {BlockId} */
function readBlockId(bytes) {
  const fields = readMessage(bytes, { 1: "bytes", 2: "message" });
  const parts = readMessage(fields[2], { 1: "varint", 2: "bytes" });
  const id = { hash: fields[1], total: asInt64(parts[1]), partsHash: parts[2], bytes };
  if (id.hash.length === 0 && id.total === 0n && id.partsHash.length === 0) return { ...id, isNil: true };
  sized(id.hash, "block hash", 32);
  within(id.total, "number of parts", 1n, 2n ** 32n - 1n);
  sized(id.partsHash, "hash of the parts", 32);
  return { ...id, isNil: false };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Header}
 * @throws {VerificationError} `decode`
 */
export function decodeHeader(bytes) {
  const hashFields = [6, 7, 8, 9, 10, 11, 12, 13];
  const fields = readMessage(bytes, {
    1: "message", 2: "bytes", 3: "varint", 4: "message", 5: "message", 6: "bytes", 7: "bytes", 8: "bytes", 9: "bytes",
    10: "bytes", 11: "bytes", 12: "bytes", 13: "bytes", 14: "bytes",
  });
  const version = readMessage(fields[1], { 1: "varint", 2: "varint" });
  decodes(version[1] === BLOCK_PROTOCOL, `block protocol ${version[1]}`);
  decodes(fields[2].length <= 50, "the chain id is too long");
  for (const field of [8, 9]) sized(fields[field], "a hash of validators", 32);
  for (const field of [6, 7, 10, 12, 13]) sized(fields[field], "a hash", 0, 32);
  decodes(fields[11].length <= 64, "the app hash is too long");
  const time = readTimestamp(fields[4]);
  return {
    versionBytes: fields[1],
    appVersion: version[2],
    chainId: fromUtf8(fields[2]),
    height: within(asInt64(fields[3]), "height", 1n, HEIGHT_MAX),
    time,
    timeMs: milliseconds(time),
    lastBlockId: readBlockId(fields[5]),
    hashes: hashFields.map((field) => fields[field]),
    validatorsHash: fields[8],
    nextValidatorsHash: fields[9],
    appHash: fields[11],
    proposerAddress: sized(fields[14], "the address of the proposer", 20),
  };
}

/** @param {Uint8Array} bytes @returns {CommitSig} */
function readCommitSig(bytes) {
  const fields = readMessage(bytes, { 1: "varint", 2: "bytes", 3: "message", 4: "bytes" });
  const flag = Number(within(asInt64(fields[1]), "flag", 1n, 3n));
  const time = readTimestamp(fields[3]);
  const [address, signature] = [fields[2], fields[4]];
  if (flag === FLAG.ABSENT) {
    const empty = address.length === 0 && signature.length === 0;
    decodes(empty && time.seconds === YEAR_1_SECONDS && time.nanoseconds === 0n, "an absent entry says something");
  } else {
    sized(address, "the address of an entry", 20);
    decodes(signature.length >= 1 && signature.length <= 64, `signature of ${signature.length} bytes`);
  }
  return { flag, address, time, signature };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Commit}
 * @throws {VerificationError} `decode`
 */
export function decodeCommit(bytes) {
  const fields = readMessage(bytes, { 1: "varint", 2: "varint", 3: "message", 4: "repeated" });
  decodes(fields[4].length <= ENTRIES_MAX, `${fields[4].length} entries`);
  const blockId = readBlockId(fields[3]);
  const [height, round] = [asInt64(fields[1]), asInt64(fields[2])];
  if (height === 0n && round === 0n && blockId.isNil && fields[4].length === 0) {
    return { height, round, blockId, signatures: [] };
  }
  within(height, "height", 1n, HEIGHT_MAX);
  within(round, "round", 0n, 2n ** 31n - 1n);
  decodes(!blockId.isNil, "the commit is for no block");
  decodes(fields[4].length >= 1, "the commit has no entries");
  return { height, round, blockId, signatures: fields[4].map(readCommitSig) };
}

/** @param {Uint8Array} bytes @returns {Promise<Validator>} */
async function readValidator(bytes) {
  const fields = readMessage(bytes, { 1: "bytes", 2: "message", 3: "varint", 4: "varint" });
  const publicKey = sized(readMessage(fields[2], { 1: "bytes" })[1], "a public key", 32);
  const address = (await sha256(publicKey)).subarray(0, 20);
  decodes(equal(fields[1], address), "an address is not that of its key");
  return {
    address,
    publicKey,
    power: within(asInt64(fields[3]), "power", 1n, POWER_MAX),
    priority: asInt64(fields[4]),
    bytes,
  };
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<Validator[]>}
 * @throws {VerificationError} `decode`
 */
export async function decodeValidatorSet(bytes) {
  const fields = readMessage(bytes, { 1: "repeated", 2: "optional" });
  decodes(fields[1].length >= 1 && fields[1].length <= ENTRIES_MAX, `${fields[1].length} validators`);
  /** @type {Validator[]} */
  const validators = await Promise.all(fields[1].map(readValidator));
  decodes(totalPower(validators) <= POWER_MAX, "the powers sum up to too much");
  for (let index = 1; index < validators.length; index += 1) {
    const [before, after] = [validators[index - 1], validators[index]];
    const ordered = before.power > after.power || (before.power === after.power && compare(before.address, after.address) < 0);
    decodes(ordered, "the validators are not in their order");
  }
  decodes(new Set(validators.map(({ address }) => toHex(address))).size === validators.length, "a validator stands twice");
  // One value has one encoding, so equal fields are equal bytes.
  decodes(fields[2] === null || validators.some(({ bytes: one }) => equal(one, fields[2])), "the proposer is none of the set");
  return validators;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<LightBlock>}
 * @throws {VerificationError} `decode`
 */
export async function decodeLightBlock(bytes) {
  decodes(bytes.length <= LIGHT_BLOCK_BYTES_MAX, `${bytes.length} bytes`);
  const block = readMessage(bytes, { 1: "message", 2: "message" });
  const signed = readMessage(block[1], { 1: "message", 2: "message" });
  return {
    header: decodeHeader(signed[1]),
    commit: decodeCommit(signed[2]),
    validators: await decodeValidatorSet(block[2]),
  };
}

/** @param {Validator[]} validators @returns {bigint} */
export const totalPower = (validators) => validators.reduce((total, { power }) => total + power, 0n);

/** @param {Header} header @returns {Uint8Array[]} the 14 leaves under its hash */
export function headerLeaves(header) {
  return [
    header.versionBytes,
    bytesField(1, utf8(header.chainId)),
    varintField(1, header.height),
    header.time.bytes,
    header.lastBlockId.bytes,
    ...header.hashes.map((hash) => bytesField(1, hash)),
    bytesField(1, header.proposerAddress),
  ];
}

/** @param {Header} header @returns {Promise<Uint8Array>} */
export const headerHash = (header) => merkleRoot(headerLeaves(header));

/** @param {Validator[]} validators @returns {Promise<Uint8Array>} */
export function validatorsHash(validators) {
  return merkleRoot(
    validators.map(({ publicKey, power }) => concat(messageField(1, bytesField(1, publicKey)), varintField(2, power))),
  );
}

/**
 * What the validator of an entry signed.
 *
 * @param {string} chainId
 * @param {Commit} commit
 * @param {CommitSig} entry
 * @returns {Uint8Array}
 */
export function signBytes(chainId, commit, entry) {
  const vote = concat(
    varintField(1, 2n),
    sfixed64Field(2, commit.height),
    sfixed64Field(3, commit.round),
    entry.flag === FLAG.COMMIT ? messageField(4, commit.blockId.bytes) : new Uint8Array(),
    messageField(5, entry.time.bytes),
    bytesField(6, utf8(chainId)),
  );
  return concat(varint(BigInt(vote.length)), vote);
}
