/** What vectors do not reach: generated tables, paths of queries, the shape of JSON, the edges of Ed25519. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as verifier from "../../src/fujie/console/static/verifier/fujie-verifier.mjs";
import { render, TABLES } from "../../verifier/make-tables.mjs";
import { pack, Reader } from "../../src/fujie/console/static/verifier/messagepack.mjs";
import { asInt64, readMessage, varint, varintField } from "../../src/fujie/console/static/verifier/protobuf.mjs";

const { fromHex, toHex, VerificationError } = verifier;
const step = (name) => (error) => error instanceof VerificationError && error.step === name;

test("the page of the verifier explains every way to prove that is exported", () => {
  const page = readFileSync(new URL("../../verifier/README.md", import.meta.url), "utf8");
  const ways = Object.keys(verifier).filter((name) => name.startsWith("prove"));
  assert.deepEqual(ways, ["proveAll", "proveReceipt", "proveRecord", "proveRecords"]);
  for (const name of ways) assert.ok(page.includes(`${name}(`), name);
});

test("tables.mjs is what docs/spec says today", () => {
  assert.equal(readFileSync(TABLES, "utf8"), render(), "run: node verifier/make-tables.mjs");
});

test("a query leads to one path", () => {
  const wallet = fromHex("00112233445566778899aabbccddeeff");
  const paths = [
    [{ $type: "IdentityQuery", identifier: "ZZ.156.1301" }, "identity/id/ZZ.156.1301"],
    [{ $type: "BalanceQuery", wallet, instrument: "CNY" }, "currency/balance/00112233445566778899aabbccddeeff/CNY"],
    [{ $type: "LimitsQuery", instrument: "CNY", wallet_class: 4 }, "currency/limits/CNY/04"],
    [{ $type: "ParametersQuery" }, "membership/parameters"],
    [{ $type: "AliasQuery", scheme: "GB-T-2260", code: "$&/<code>" }, "identity/alias/GB-T-2260/$&/<code>"],
  ];
  for (const [query, path] of paths) assert.equal(verifier.pathOf(query), path);
  assert.throws(() => verifier.pathOf({ $type: "Meter" }), TypeError);
});

test("a path tells its record, and which fields none of its versions may change", () => {
  assert.deepEqual(verifier.placeOf("identity/id/ZZ.156"), { type: "Identity", salted: false, subject: ["identifier"] });
  assert.deepEqual(verifier.placeOf("identity/alias/X/a/b").subject, ["scheme", "code"]);
  assert.deepEqual(verifier.placeOf(`currency/wallet/${"0".repeat(32)}`).salted, true);
  assert.deepEqual(verifier.placeOf("membership/parameters").subject, []);
  for (const path of ["", "nowhere", "membership/parameters/x"]) assert.equal(verifier.placeOf(path), null);
});

test("JSON shows bytes as hexadecimal, large integers as text, and the kind where there is a choice", () => {
  const grown = { $type: "Issue", institution: "bank", instrument: "CNY", amount_minor: 2n ** 63n - 1n, reference: new Uint8Array(16) };
  assert.deepEqual(verifier.toJson("Operation", grown), {
    type: "issue", institution: "bank", instrument: "CNY", amount_minor: "9223372036854775807", reference: "0".repeat(32),
  });
  const opened = verifier.decode("Query", pack([3001, new Uint8Array(16)]));
  assert.deepEqual(verifier.toJson("Query", opened), { type: "wallet_query", wallet: "0".repeat(32) });
  assert.deepEqual(verifier.toJson("Meter", { $type: "Meter", window: 1, used: 2 }), { window: 1, used: 2 });
});

test("every integer has one form, and it comes back", () => {
  const edges = [0, 1, 31, 32, 33, 127, 128, 129, 255, 256, 32767, 32768, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53];
  for (const number of [...edges, ...edges.filter((one) => one > 0 && one <= 32768).map((one) => -one), 2n ** 63n - 1n]) {
    const reader = new Reader(pack(number));
    assert.equal(BigInt(reader.integer()), BigInt(number));
    reader.end();
  }
});

test("text and byte strings of every header come back", () => {
  for (const length of [0, 31, 32, 255, 256, 65535, 65536]) {
    assert.equal(new Reader(pack("x".repeat(length))).text().length, length);
    assert.equal(new Reader(pack(new Uint8Array(length))).bin().length, length);
  }
  assert.equal(new Reader(pack("\ufeffx")).text(), "\ufeffx");
});

test("a varint has one form of at most ten bytes", () => {
  for (const number of [1n, 127n, 128n, 2n ** 63n, 2n ** 64n - 1n]) {
    assert.equal(readMessage(varintField(1, number), { 1: "varint" })[1], number);
  }
  assert.equal(asInt64(readMessage(varintField(1, -1n), { 1: "varint" })[1]), -1n);
  assert.equal(toHex(varint(300n)), "ac02");
  for (const bad of ["088000", "08808080808080808080808000", "08ffffffffffffffffff02", "08ffffffffffffffffffff01", "0880", "0800", "08"]) {
    assert.throws(() => readMessage(fromHex(bad), { 1: "varint" }), step("decode"), bad);
  }
});

test("a name that is of no record is a mistake of the caller", () => {
  assert.throws(() => verifier.decode("constructor", new Uint8Array()), TypeError);
});

test("a trust root names its integers in one way", () => {
  const file = (depth) => `{"format":"fujie-trust-1","chain_id":"c","validators_hash":"${"a".repeat(64)}","state_tree_depth":${depth}}`;
  assert.equal(verifier.decodeTrustRoot(file("18")).state_tree_depth, 18);
  for (const depth of ["18.0", "1.8e1", "9007199254740993", "null", "true", "[18]", '18,"trust_period_ms":9007199254740993']) {
    assert.throws(() => verifier.decodeTrustRoot(file(depth)), step("trust-root"), depth);
  }
  assert.throws(() => verifier.decodeTrustRoot(new TextEncoder().encode(`\ufeff${file("18")}`)), step("trust-root"));
  assert.throws(() => verifier.decodeTrustRoot(Uint8Array.of(0xff)), step("trust-root"));
});

test("a grant whose keys do not ascend, or that lacks a signature, is malformed", async () => {
  const key = (first) => new Uint8Array(32).fill(first);
  const grant = (keys, count) => {
    const body = pack([1, "c", "account/a", 1, new Uint8Array(16), keys]);
    return pack([1, body, Array.from({ length: count }, () => new Uint8Array(64))]);
  };
  for (const [keys, count] of [[[key(2), key(1)], 2], [[key(1), key(1)], 2], [[key(1), key(2)], 1]]) {
    await assert.rejects(verifier.verifyGrant(grant(keys, count)), step("decode"));
  }
  await assert.rejects(verifier.verifyGrant(grant([key(1)], 1)), step("signature"));
});
