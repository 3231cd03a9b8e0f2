/** The parts of the proof viewer that need no page: what was asked, what is pinned, what is changed, what is told and said. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { check, chainOf } from "../../src/fujie/console/static/proof/checking.mjs";
import { agree, Pins } from "../../src/fujie/console/static/proof/pins.mjs";
import { visible } from "../../src/fujie/console/static/proof/dom.mjs";
import { questionOf } from "../../src/fujie/console/static/proof/question.mjs";
import { flip, placesOf } from "../../src/fujie/console/static/proof/tamper.mjs";
import { faultOf, LANGUAGES, wordsOf } from "../../src/fujie/console/static/proof/words.mjs";
import { decodeTrustRoot, fromHex, proveAll, toHex } from "../../verifier/fujie-verifier.mjs";

const vectors = (name) => JSON.parse(readFileSync(new URL(`../../vectors/${name}`, import.meta.url), "utf8")).cases;
const receipt = vectors("receipts.json").find((one) => one.expect === "valid");
const rootOf = (vector) => decodeTrustRoot(JSON.stringify(vector.trust_root));

test("the question follows from the path of the bundle", () => {
  const city = { kind: "record", query: { $type: "IdentityQuery", identifier: "ZZ.156.1301" }, atMs: undefined };
  assert.deepEqual(questionOf("/ids/ZZ.156.1301.fujie"), city);
  const past = questionOf("/ids/ZZ.156.1301.fujie?versionTime=2026-01-31T08%3A00%3A00.5Z");
  assert.deepEqual(past, { ...city, atMs: Date.UTC(2026, 0, 31, 8, 0, 0, 500) });
  assert.equal(questionOf("/ids/ZZ.156.fujie?versionTime=1960-01-01T00:00:00Z").atMs, 0);
  assert.deepEqual(questionOf(`/receipts/${"0a".repeat(32)}.fujie`), { kind: "receipt", id: new Uint8Array(32).fill(10) });
});

test("a path that leads elsewhere is no question", () => {
  const bad = [
    "", "ids/ZZ.fujie", "//example.org/ids/ZZ.fujie", "https://example.org/ids/ZZ.fujie", "/ids/ZZ", "/ids/../ids/ZZ.fujie",
    "/ids/ZZ%2e.fujie", "/ids/zz.fujie", "/ids/ZZ.fujie?other=1", "/ids/ZZ.fujie?versionTime=soon", "/ids/ZZ.fujie#x",
    "/ids/ZZ.fujie?versionTime=%zz", "/ids/ZZ.fujie?versionTime=2026-01-01T00:00:00Z&x=1", `/receipts/${"0A".repeat(32)}.fujie`,
    "/receipts/00.fujie",
  ];
  for (const of of bad) assert.equal(questionOf(of), null, of);
});

/** A storage as browsers have it. */
class Storage {
  items = new Map();
  getItem = (key) => this.items.get(key) ?? null;
  setItem = (key, value) => this.items.set(key, value);
}

test("a pinned root is found again, and only for its chain", () => {
  const storage = new Storage();
  const root = rootOf(receipt);
  new Pins(storage).pin(root, "file", 7);
  const pins = new Pins(storage);
  assert.deepEqual(pins.of(root.chain_id), { root, origin: "file", pinnedMs: 7 });
  assert.equal(pins.of("other"), null);
  assert.deepEqual(pins.chains(), [root.chain_id]);
  pins.forget(root.chain_id);
  assert.equal(new Pins(storage).of(root.chain_id), null);
});

test("what is not whole in the storage counts as not pinned", () => {
  const root = rootOf(receipt);
  const bad = [
    "", "{", "null", "7", '{"a":1}', "[null]", '[{"origin":"file","pinnedMs":1}]',
    JSON.stringify([{ root, origin: "elsewhere", pinnedMs: 1 }]),
    JSON.stringify([{ root, origin: "file", pinnedMs: "1" }]),
    JSON.stringify([{ root: { ...root, validators_hash: "00" }, origin: "file", pinnedMs: 1 }]),
  ];
  for (const text of bad) {
    const storage = new Storage();
    for (const key of ["fujie.trust-roots"]) storage.setItem(key, text);
    assert.deepEqual(new Pins(storage).chains(), [], text);
  }
});

test("without a storage a root is pinned for as long as the page is open", () => {
  const pins = new Pins(null);
  pins.pin(rootOf(receipt), "first-use", 1);
  assert.equal(pins.isKept, false);
  assert.equal(pins.of(receipt.trust_root.chain_id).origin, "first-use");
});

test("roots agree when the same validators sign the same tree", () => {
  const root = rootOf(receipt);
  assert.ok(agree(root, { ...root, trust_period_ms: 1 }));
  assert.ok(!agree(root, { ...root, validators_hash: "0".repeat(64) }));
  assert.ok(!agree(root, { ...root, state_tree_depth: root.state_tree_depth + 1 }));
});

const NOTICED = {
  record: ["state-leaf"], bucket: ["state-bucket", "state-leaf", "state-root"], sibling: ["state-root"], receipt: ["log-root"],
  log: ["log-root"], root: ["app-hash"], header: ["header-hash"], signature: ["commit-signature"],
};

test("a changed bit is noticed where it was changed, and by nobody else", async () => {
  const seen = new Set();
  for (const vector of [receipt, ...vectors("bundles.json").filter((one) => one.expect === "valid")]) {
    const bundle = fromHex(vector.bundle);
    for (const [place, part] of await placesOf(bundle)) {
      for (const number of [0, 13, 4099, 40_001]) {
        const changed = flip(bundle, part, number);
        assert.equal(changed.bytes[changed.offset] ^ bundle[changed.offset], 1 << changed.bit);
        assert.equal([...changed.bytes].filter((byte, index) => byte !== bundle[index]).length, 1);
        const { failed } = await check({ bytes: changed.bytes, question: null, loadedMs: 0 }, rootOf(vector));
        if (place === "anywhere") continue; // a signature of a nil vote, for example, is nobody's business
        assert.ok(NOTICED[place].includes(failed?.step), `${place}: ${failed?.step}`);
        seen.add(place);
      }
    }
  }
  assert.deepEqual([...seen].sort(), Object.keys(NOTICED).sort());
});

test("what is no bundle can still be changed, and is of no chain", async () => {
  assert.equal(chainOf(Uint8Array.of(1, 2, 3)), null);
  assert.deepEqual([...(await placesOf(Uint8Array.of(1, 2, 3))).keys()], ["anywhere"]);
  assert.deepEqual([...(await placesOf(new Uint8Array())).keys()], []);
  assert.equal(chainOf(fromHex(receipt.bundle)), receipt.trust_root.chain_id);
});

test("who watches learns each step in its order, and the verdict is the same", async () => {
  const told = [];
  const bytes = fromHex(receipt.bundle);
  const watched = await proveAll(bytes, rootOf(receipt), { tell: (step, { item }) => told.push([step, item]) });
  assert.deepEqual(told, [
    ["decode", undefined], ["validators", undefined], ["validator-set", undefined], ["header-hash", undefined],
    ["commit-power", undefined], ["commit-signature", undefined], ["app-hash", undefined], ["item", 0], ["log-entry", 0],
    ["log-root", 0], ["answer-receipt", 0], ["transaction-signature", 0],
  ]);
  assert.equal(toHex(watched.verified.headerHash), toHex((await proveAll(bytes, rootOf(receipt))).verified.headerHash));
});

test("a step that fails is told with the values that fail it", async () => {
  let last = null;
  const root = { ...rootOf(receipt), validators_hash: "0".repeat(64) };
  const tell = (step, values) => (last = [step, values]);
  await assert.rejects(proveAll(fromHex(receipt.bundle), root, { tell }), { step: "validators" });
  assert.equal(last[0], "validators");
  assert.equal(toHex(last[1].trusted), root.validators_hash);
  assert.notEqual(toHex(last[1].computed), root.validators_hash);
});

test("a proof with a path tells how far on it the check came", async () => {
  const paths = JSON.parse(readFileSync(new URL("../../vectors/light-paths.json", import.meta.url), "utf8")).cases;
  const named = (name) => paths.find((one) => one.name === name);
  for (const [name, step, isWhole] of [
    ["three changes", "answer-record", true], // records of the vectors are none of any room
    ["strangers", "light-trust", false],
    ["too few signed a later block", "commit-power", false],
    ["a block on the way that nobody vouches for", "light-trust", false],
  ]) {
    const vector = named(name);
    const root = rootOf(vector);
    assert.equal(chainOf(fromHex(vector.bundle)), root.chain_id);
    const { watched, failed } = await check({ bytes: fromHex(vector.bundle), question: null, loadedMs: 0 }, root);
    const { blocks, index } = watched.told.get("path");
    assert.deepEqual([failed.step, index === blocks.length], [step, isWhole], name);
    assert.ok((await placesOf(fromHex(vector.bundle))).has("signature"));
  }
});

test("every word has a sentence in both languages, with the same places in it", () => {
  const places = (sentence) => [...new Set([...sentence.matchAll(/\{([a-z]+)\}/g)].map((match) => match[1]))].sort();
  assert.deepEqual(Object.keys(LANGUAGES.en), Object.keys(LANGUAGES.zh));
  for (const [key, sentence] of Object.entries(LANGUAGES.en)) {
    assert.ok(sentence.trim() && LANGUAGES.zh[key].trim(), key);
    assert.deepEqual(places(sentence), places(LANGUAGES.zh[key]), key);
  }
  assert.equal(wordsOf("zh-CN")("proven"), "已证明");
  assert.equal(wordsOf("en-GB")("bytes", { count: 3 }), "3 bytes");
  assert.equal(wordsOf("en-GB")("bytes", { count: 1 }), "1 byte");
  assert.throws(() => wordsOf("en")("no such word"), TypeError);
});

test("every step that can fail says in both languages what is wrong", () => {
  const source = readFileSync(new URL("../../src/fujie/console/static/proof/steps.mjs", import.meta.url), "utf8");
  const lists = [...source.matchAll(/(?:fails: |const PAST = )\[([^\]]*)\]/g)].map((match) => match[1]).join();
  const steps = [...lists.matchAll(/"([a-z-]+)"/g)].map((match) => match[1]);
  assert.ok(steps.length > 40);
  for (const step of steps) {
    assert.match(faultOf(step, wordsOf("zh-CN")), /^[\u4e00-\u9fff，]+$/, step);
    assert.match(faultOf(step, wordsOf("en")), /^[a-z ,]+$/, step);
  }
  assert.equal(faultOf("codebook-root", wordsOf("zh-CN")), null);
});

test("every word that the viewer says exists, and every one that exists is said", () => {
  const folder = new URL("../../src/fujie/console/static/proof/", import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".mjs") && name !== "words.mjs");
  const source = names.map((name) => readFileSync(new URL(name, folder), "utf8")).join("\n");
  const said = [...source.matchAll(/"([a-z][a-z-]*)"/g)].map((match) => match[1]);
  const composed = /^(?:step|why|place|state|fail)-/;
  for (const key of Object.keys(LANGUAGES.en)) assert.ok(said.includes(key) || composed.test(key), `nobody says ${key}`);
  for (const [, key] of source.matchAll(/words\("([^"]+)"/g)) assert.ok(key in LANGUAGES.en, key);
  for (const [, id] of source.matchAll(/\{\s*id: "([a-z-]+)",\s*last/g)) {
    assert.ok(`step-${id}` in LANGUAGES.en && `why-${id}` in LANGUAGES.en, id);
  }
});

test("what several records answer is asked for record by record", () => {
  const account = questionOf("/accounts/bank-east.fujie");
  assert.deepEqual(account.query, { $type: "AccountQuery", name: "bank-east" });
  assert.deepEqual(account.following({ organisation: "east" }), [{ $type: "OrganisationQuery", name: "east" }]);
  assert.deepEqual(account.following(null), []);
  const supply = questionOf("/supply/CNY.fujie");
  assert.deepEqual(supply.query, { $type: "InstrumentQuery", instrument: "CNY" });
  for (const record of [{}, null]) assert.deepEqual(supply.following(record), [{ $type: "SupplyQuery", instrument: "CNY" }]);
  const id = new Uint8Array(16).fill(10);
  const wallet = questionOf(`/wallets/${"0a".repeat(16)}.fujie`);
  assert.deepEqual(wallet.query, { $type: "WalletQuery", wallet: id });
  assert.deepEqual(wallet.following({ instruments: ["CNY", "CNY-X1"] }), [
    { $type: "BalanceQuery", wallet: id, instrument: "CNY" }, { $type: "BalanceQuery", wallet: id, instrument: "CNY-X1" },
  ]);
  assert.deepEqual(wallet.following(null), []);
  const bad = [
    "/accounts/.fujie", "/accounts/-a.fujie", "/accounts/A.fujie", "/accounts/a.fujie?x=1", `/wallets/${"0A".repeat(16)}.fujie`,
    "/wallets/00.fujie", "/supply/CN.fujie", "/supply/cny.fujie", "/supply/CNY-.fujie", "/supply/C--Y.fujie", "/supply/../me.fujie",
  ];
  for (const of of bad) assert.equal(questionOf(of), null, of);
});

test("what shows as nothing, or turns the text around, is written out", () => {
  assert.equal(visible("石家庄市 👍\nשלום"), "石家庄市 👍\nשלום");
  assert.equal(visible("a\tb"), "a\\u0009b"); // as fujie.core.wording writes it
  assert.equal(visible("a\u202eb\u2066\u200f\u0000\ufeff"), "a\\u202eb\\u2066\\u200f\\u0000\\ufeff");
});
