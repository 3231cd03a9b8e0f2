#!/usr/bin/env node
/** `node verifier/cli.mjs FILE.fujie --trust trust.json`: prints what a bundle proves, or the step that fails. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { decodeTrustRoot, proveAll, toHex, toJson, VerificationError } from "./fujie-verifier.mjs";

const PROVEN = 0;
const CANNOT_READ = 1;
const USAGE = 2;
const NOT_PROVEN = 5;

const HELP = `usage: node verifier/cli.mjs FILE.fujie --trust trust.json [--at TIME] [--json]

Verifies a proof bundle offline and prints what it proves.

  --trust FILE  the pinned trust root; never one that came with the bundle
  --at TIME     what was in force then: milliseconds since 1970, or a date such as 2026-01-31T08:00:00Z
  --json        print JSON

exit codes: 0 proven, 1 a file cannot be read, 2 usage, 5 the proof does not verify
`;

class UsageError extends Error {}
class ReadError extends Error {}

/** @param {string[]} words */
function parse(words) {
  const options = /** @type {const} */ ({
    trust: { type: "string" },
    at: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  });
  let parsed;
  try {
    parsed = parseArgs({ args: words, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
  const { values, positionals } = parsed;
  if (values.help) return { ...values, file: "", trust: "", atMs: undefined };
  if (positionals.length !== 1) throw new UsageError("name one file");
  if (values.trust === undefined) throw new UsageError("name the trust root with --trust");
  const atMs = values.at === undefined ? undefined : /^[0-9]+$/.test(values.at) ? Number(values.at) : Date.parse(values.at);
  if (atMs !== undefined && !Number.isSafeInteger(atMs)) throw new UsageError(`${values.at} is no time`);
  return { ...values, file: positionals[0], trust: values.trust, atMs };
}

/** @param {string} path @returns {Uint8Array} */
function read(path) {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ReadError(/** @type {Error} */ (error).message);
  }
}

/** @param {any} fields @returns {string[]} one line for each field */
const lines = (fields) => Object.entries(fields).map(([name, value]) => `    ${name}: ${JSON.stringify(value)}`);

/** @param {any} receipt @returns {string} */
function outcome({ isSuccess, receipt, reason }) {
  if (isSuccess) return "carried out";
  if (reason === null) return `refused, for a reason that this verifier does not know (${receipt.code})`;
  return `refused: ${reason.name} (${receipt.code}): ${reason.sentence}`;
}

/** @param {any} item @param {number | undefined} atMs @returns {string[]} */
function describe(item, atMs) {
  if (item.kind === "receipt") {
    const operations = toJson("Transaction", item.transaction).operations;
    return [
      `receipt of ${toHex(item.id)}: ${outcome(item)}`,
      ...lines({ ...toJson("Receipt", item.receipt), operations }),
    ];
  }
  const when = atMs === undefined ? "" : ` at ${new Date(atMs).toISOString()}`;
  if (item.record === null) return [`absent${when}: ${item.path}`];
  const isUnused = atMs === undefined && item.versions > 0;
  const note = isUnused ? ["    (older versions are in the file too; ask for one with --at)"] : [];
  return [`present${when}: ${item.path} is ${item.type}`, ...lines(toJson(item.type, item.record)), ...note];
}

/** @param {any} item @returns {any} what JSON.stringify takes */
function itemJson(item) {
  if (item.kind === "record") {
    const { kind, path, type, record } = item;
    return { kind, path, type, record: record && toJson(type, record) };
  }
  const { kind, id, transaction, receipt, isSuccess, reason } = item;
  const shown = { transaction: toJson("Transaction", transaction), receipt: toJson("Receipt", receipt) };
  return { kind, id: toHex(id), success: isSuccess, reason: reason && reason.name, ...shown };
}

/** @param {any} header @returns {any} what JSON.stringify takes */
const pathJson = (header) => ({
  height: Number(header.height),
  time_ms: header.timeMs,
  validators_hash: toHex(header.validatorsHash),
});

/** @param {any} proven @param {any} options @returns {string} */
function render({ verified, items }, { json, atMs }) {
  const { header, headerHash, timeMs, path, isAccountable } = verified;
  const [height, hash] = [String(header.height), toHex(headerHash)];
  if (json) {
    const head = { chain_id: header.chainId, height: Number(height), time_ms: timeMs, hash };
    const way = { blocks: path.map(pathJson), accountable: isAccountable };
    return JSON.stringify({ proven: true, header: head, path: way, items: items.map(itemJson) }, null, 2);
  }
  const head = `proven by the header of ${header.chainId} at height ${height} of ${new Date(timeMs).toISOString()} (${hash})`;
  const way = path.map(
    (/** @type {any} */ one) => `    after height ${one.height} of ${new Date(one.timeMs).toISOString()}, whose validators are ${toHex(one.validatorsHash)}`,
  );
  if (!isAccountable) way.push("    BEWARE: some of those vouched for others a trust period or more after they had last signed");
  return [head, ...way, ...items.flatMap((/** @type {any} */ item) => describe(item, atMs))].join("\n");
}

/** @param {string[]} words @returns {Promise<number>} the exit code */
async function main(words) {
  let options;
  try {
    options = parse(words);
    if (options.help) {
      process.stdout.write(HELP);
      return PROVEN;
    }
    const [bytes, pinned] = [read(options.file), read(options.trust)];
    const proven = await proveAll(bytes, decodeTrustRoot(pinned), { atMs: options.atMs });
    process.stdout.write(`${render(proven, options)}\n`);
    return PROVEN;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${HELP}`);
      return USAGE;
    }
    if (error instanceof ReadError) {
      process.stderr.write(`cannot read: ${error.message}\n`);
      return CANNOT_READ;
    }
    if (!(error instanceof VerificationError)) throw error;
    const failed = { proven: false, step: error.step, detail: error.detail };
    if (options?.json) process.stdout.write(`${JSON.stringify(failed, null, 2)}\n`);
    else process.stderr.write(`not proven: step ${error.step}: ${error.detail}\n`);
    return NOT_PROVEN;
  }
}

// Node 20 warns that Ed25519 in WebCrypto is experimental; it would stand between the lines that people read.
process.removeAllListeners("warning");
process.exitCode = await main(process.argv.slice(2));
