/** What the proof viewer says of bundles: cases come in, one JSON object a line; the failed step and the proven paths go out. */

import { createInterface } from "node:readline";

import { check } from "../../src/fujie/console/static/proof/checking.mjs";
import { questionOf } from "../../src/fujie/console/static/proof/question.mjs";
import { decodeTrustRoot, fromHex } from "../../verifier/fujie-verifier.mjs";

process.removeAllListeners("warning"); // Node 20: Ed25519 in WebCrypto is experimental
for await (const line of createInterface({ input: process.stdin })) {
  const { of, bytes, trust, now_ms: loadedMs } = JSON.parse(line);
  const checked = await check({ bytes: fromHex(bytes), question: questionOf(of), loadedMs }, decodeTrustRoot(trust));
  const paths = checked.answers?.map(({ path, record }) => [path, record !== null]) ?? null;
  process.stdout.write(`${JSON.stringify([checked.failed?.step ?? null, paths])}\n`);
}
