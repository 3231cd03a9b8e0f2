#!/usr/bin/env node
/** `node verifier/cli.mjs FILE.fujie --trust trust.json`: prints what a bundle proves, or the step that fails. */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { decodeTrustRoot, proveAll, toHex, VerificationError } from "./fujie-verifier.mjs";

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

/** Values that JSON does not have: bytes as hexadecimal, integers beyond 2^53 as text. @param {string} _ @param {any} value */
function plain(_, value) {
  if (value instanceof Uint8Array) return toHex(value);
  return typeof value === "bigint" ? (value <= 2n ** 53n ? Number(value) : String(value)) : value;
}

/** @param {any} value */
const inline = (value) => JSON.stringify(value, plain);

/** @param {any} record @returns {string[]} one line for each field */
const lines = ({ $type, ...fields }) => Object.entries(fields).map(([name, value]) => `    ${name}: ${inline(value)}`);

/** @param {any} item @param {number | undefined} atMs @returns {string[]} */
function describe(item, atMs) {
  const when = atMs === undefined ? "" : ` at ${new Date(atMs).toISOString()}`;
  if (item.kind === "receipt") {
    const { receipt, reason } = item;
    const unknown = `refused, for a reason that this verifier does not know (${receipt.code})`;
    const refused = reason === null ? unknown : `refused: ${reason.name} (${receipt.code}): ${reason.sentence}`;
    const operations = item.transaction.operations.map((/** @type {any} */ one) => `    ${one.$type} ${inline(one)}`);
    return [`receipt of ${toHex(item.id)}: ${item.isSuccess ? "carried out" : refused}`, ...lines(receipt), "  operations", ...operations];
  }
  if (item.record === null) return [`absent${when}: ${item.path}`];
  const unused = atMs === undefined && item.versions > 0;
  const note = unused ? ["    (holds older versions too; ask for one with --at)"] : [];
  return [`present${when}: ${item.path} is ${item.type}`, ...lines(item.record), ...note];
}

/** @param {any} proven @param {any} options @returns {string} */
function render({ verified, items }, { json, atMs }) {
  const { header, headerHash, timeMs } = verified;
  if (json) {
    const head = { chain_id: header.chainId, height: header.height, time_ms: timeMs, header_hash: headerHash };
    return JSON.stringify({ proven: true, header: head, items }, plain, 2);
  }
  // A header may be of a time that a JavaScript date cannot express.
  const time = Number.isNaN(new Date(timeMs).valueOf()) ? `${timeMs} ms` : new Date(timeMs).toISOString();
  const head = `proven by the header of ${header.chainId}, height ${header.height}, ${time}, ${toHex(headerHash)}`;
  return [head, ...items.flatMap((/** @type {any} */ item) => describe(item, atMs))].join("\n");
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
