/** The command line: what it prints, and its exit codes. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../verifier/cli.mjs", import.meta.url));
const { cases } = JSON.parse(readFileSync(new URL("../../vectors/bundles.json", import.meta.url), "utf8"));
const folder = mkdtempSync(join(tmpdir(), "fujie-verifier-"));
after(() => rmSync(folder, { recursive: true }));

const run = (...words) => spawnSync(process.execPath, [CLI, ...words], { encoding: "utf8" });

function files(name) {
  const vector = cases.find((one) => one.name === name);
  const [bundle, trust] = [join(folder, "a.fujie"), join(folder, "trust.json")];
  writeFileSync(bundle, Buffer.from(vector.bundle, "hex"));
  writeFileSync(trust, JSON.stringify(vector.trust_root));
  return [bundle, "--trust", trust];
}

test("a proof of absence exits 0 and says so", () => {
  const { status, stdout, stderr } = run(...files("absence"));
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^proven by the header of vectors-/);
  assert.match(stdout, /\nabsent: /);
});

test("a bundle that does not verify exits 5 and names the step", () => {
  const { status, stdout, stderr } = run(...files("forged signature"));
  assert.deepEqual([status, stdout], [5, ""]);
  assert.match(stderr, /^not proven: step commit-signature: /);
});

test("the step is in the JSON too", () => {
  const { status, stdout } = run(...files("forged signature"), "--json");
  assert.equal(status, 5);
  assert.equal(JSON.parse(stdout).step, "commit-signature");
});

test("a record that is none of its path exits 5", () => {
  const { status, stderr } = run(...files("record"));
  assert.equal(status, 5);
  assert.match(stderr, /step answer-record/);
});

test("a bad trust root exits 5 and names its step", () => {
  const [bundle, , trust] = files("absence");
  writeFileSync(trust, "{}");
  assert.match(run(bundle, "--trust", trust).stderr, /^not proven: step trust-root: /);
});

test("a file that cannot be read exits 1", () => {
  const [bundle, , trust] = files("absence");
  assert.equal(run(join(folder, "missing"), "--trust", trust).status, 1);
  assert.equal(run(bundle, "--trust", join(folder, "missing")).status, 1);
});

test("wrong usage exits 2 and shows how it is done", () => {
  const [bundle, , trust] = files("absence");
  for (const words of [[], [bundle], [bundle, bundle, "--trust", trust], [bundle, "--trust", trust, "--what"], [bundle, "--trust", trust, "--at", "x"]]) {
    const { status, stderr } = run(...words);
    assert.equal(status, 2);
    assert.match(stderr, /usage: node verifier\/cli\.mjs/);
  }
  assert.equal(run("--help").status, 0);
});

test("a page can import the verifier and the proof viewer: nothing in them needs Node", () => {
  for (const folder of ["verifier", "proof"]) {
    const place = new URL(`../../src/fujie/console/static/${folder}/`, import.meta.url);
    const names = readdirSync(place).filter((name) => name.endsWith(".mjs"));
    assert.ok(names.length > 3, folder);
    for (const name of names) {
      const source = readFileSync(new URL(name, place), "utf8");
      for (const [, module] of source.matchAll(/^(?:import|export) .* from "([^"]+)";$/gm)) {
        assert.match(module, /^\.\.?\/(?:verifier\/)?[a-z0-9-]+\.mjs$/, name);
      }
      assert.doesNotMatch(source, /\b(?:process|Buffer|require)[.(]/, name);
      assert.doesNotMatch(source, /\b(?:eval|Function)\(|innerHTML|\.style\b/, name); // what the page's policy forbids, or what could smuggle
    }
  }
});
