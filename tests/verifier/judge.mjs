/** Reads cases from standard input, one JSON object a line, and answers each with "valid" and its value, or the failed step. */

import { createInterface } from "node:readline";

import { decidedMs } from "../../src/fujie/console/static/verifier/commit.mjs";
import * as verifier from "../../verifier/fujie-verifier.mjs";

const { fromHex: h, toHex, VerificationError } = verifier;

const JUDGES = {
  file: async ({ bytes, trust, at_ms }) => {
    const options = at_ms === null ? {} : { atMs: at_ms };
    const { verified, items } = await verifier.proveAll(h(bytes), verifier.decodeTrustRoot(trust), options);
    const shown = items.map((item) => {
      if (item.kind === "receipt") return toHex(verifier.encode("Receipt", item.receipt));
      return item.record === null ? null : toHex(verifier.encode(item.type, item.record));
    });
    return [toHex(verified.headerHash), verified.timeMs, shown];
  },
  decode: ({ bytes, type }) => toHex(verifier.encode(type, verifier.decode(type, h(bytes)))),
  json: ({ bytes, type }) => verifier.toJson(type, verifier.decode(type, h(bytes))),
  "light-block": async ({ bytes, chain_id }) =>
    toHex(await verifier.verifyCommit(chain_id, await verifier.decodeLightBlock(h(bytes)))),
  decided: async ({ bytes, chain_id }) => decidedMs(chain_id, await verifier.decodeLightBlock(h(bytes))),
  transaction: async ({ bytes }) => toHex((await verifier.verifyTransaction(h(bytes))).id),
  genesis: async ({ bytes }) => (await verifier.checkGenesis(h(bytes))).chainId,
  identifier: ({ text }) => verifier.peopleForm(text),
  people: ({ text }) => verifier.parsePeopleForm(text),
  signature: async ({ key, message, signature }) => {
    const isValid = await verifier.isValidSignature(h(key), h(message), h(signature));
    return [isValid, verifier.isSoundPublicKey(h(key))];
  },
  past: async ({ record, versions, at_ms }) => {
    const current = verifier.decode("Organisation", h(record));
    const found = await verifier.inForce("Organisation", current, versions.map(h), at_ms, ["name"]);
    return found && toHex(verifier.encode("Organisation", found));
  },
  "trust-root": ({ text }) => verifier.decodeTrustRoot(text),
};

process.removeAllListeners("warning"); // Node 20: Ed25519 in WebCrypto is experimental
for await (const line of createInterface({ input: process.stdin })) {
  const { judge, ...vector } = JSON.parse(line);
  let verdict;
  try {
    verdict = ["valid", await JUDGES[judge](vector)];
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    verdict = [error.step, null];
  }
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}
