/** Every case of vectors/ is judged as it says, and under the same name of the step. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as verifier from "../../src/fujie/console/static/verifier/fujie-verifier.mjs";
import * as hashing from "../../src/fujie/console/static/verifier/hashing.mjs";
import { decodeCommit, decodeHeader, decodeValidatorSet, signBytes, totalPower } from "../../src/fujie/console/static/verifier/light-block.mjs";
import { emptySubtree } from "../../src/fujie/console/static/verifier/state-proof.mjs";

const { fromHex: h, toHex, VerificationError } = verifier;
const VECTORS = new URL("../../vectors/", import.meta.url);
const load = (name) => JSON.parse(readFileSync(new URL(name, VECTORS), "utf8"));

/** MessagePack as the JSON of the vectors, read by an independent handful of lines: all forms are known to be canonical. */
function plain(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = (width) => {
    at += width;
    return [, view.getUint8, view.getUint16, , view.getUint32][width].call(view, at - width);
  };
  const bin = (length) => ({ bin: toHex(bytes.subarray(at, (at += length))) });
  const text = (length) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(at, (at += length)));
  const array = (length) => Array.from({ length }, value);
  const big = () => {
    at += 8;
    const integer = view.getBigUint64(at - 8);
    return integer > 2n ** 53n ? { int: String(integer) } : Number(integer);
  };
  const wide = {
    0xc0: () => null, 0xc2: () => false, 0xc3: () => true,
    0xc4: () => bin(number(1)), 0xc5: () => bin(number(2)), 0xc6: () => bin(number(4)),
    0xcc: () => number(1), 0xcd: () => number(2), 0xce: () => number(4), 0xcf: big,
    0xd0: () => view.getInt8(at++), 0xd1: () => view.getInt16((at += 2) - 2),
    0xd9: () => text(number(1)), 0xda: () => text(number(2)), 0xdb: () => text(number(4)),
    0xdc: () => array(number(2)), 0xdd: () => array(number(4)),
  };
  function value() {
    const form = number(1);
    if (form < 0x80) return form;
    if (form < 0xa0) return array(form & 0x0f);
    if (form < 0xc0) return text(form & 0x1f);
    return form >= 0xe0 ? form - 0x100 : wide[form]();
  }
  return value();
}

const HASHES = {
  "transaction-id": ({ body }) => hashing.transactionId(h(body)),
  "key-hash": ({ path }) => hashing.keyHash(path),
  "value-digest": ({ salt, record }) => hashing.valueDigest(h(salt), h(record)),
  "first-salt": ({ seed, key_hash }) => hashing.firstSalt(h(seed), h(key_hash)),
  "next-salt": ({ salt, nonce, key_hash }) => hashing.nextSalt(h(salt), h(nonce), h(key_hash)),
  "empty-subtree": ({ height }) => emptySubtree(height),
  "app-hash": ({ state_root, log_root, log_size }) => hashing.appHash(h(state_root), h(log_root), log_size),
  "log-salt": ({ nonce, transaction_id }) => hashing.logSalt(h(nonce), h(transaction_id)),
  "log-entry": ({ salt, transaction_id, receipt }) => hashing.logEntry(h(salt), h(transaction_id), h(receipt)),
  "log-leaf": ({ entry }) => hashing.leafHash(h(entry)),
  "log-node": ({ left, right }) => hashing.nodeHash(h(left), h(right)),
  "log-empty-root": () => hashing.merkleRoot([]),
  "version-digest": ({ record }) => hashing.versionDigest(h(record)),
  "chain-id": ({ genesis }) => hashing.chainIdOf(verifier.decode("Genesis", h(genesis)).name, h(genesis)),
  "skip-target": ({ number }) => String(verifier.skipTarget(number)),
};

const CHECKS = {
  "encoding.json": (vector) => {
    const value = verifier.decode(vector.type, h(vector.bytes));
    assert.equal(toHex(verifier.encode(vector.type, value)), vector.bytes);
    assert.deepEqual(plain(h(vector.bytes)), vector.value);
  },
  "hashing.json": async (vector) => {
    const output = await HASHES[vector.function](vector.inputs);
    assert.equal(output instanceof Uint8Array ? toHex(output) : output, vector.output);
  },
  "public-keys.json": (vector) => {
    if (!verifier.isSoundPublicKey(h(vector.public_key))) throw new VerificationError("public-key", "");
  },
  "signatures.json": async (vector) => {
    const isValid = await verifier.isValidSignature(h(vector.public_key), h(vector.message), h(vector.signature));
    if (!isValid) throw new VerificationError("signature", "");
  },
  "transactions.json": async (vector) => {
    const { id, body, transaction } = await verifier.verifyTransaction(h(vector.transaction));
    assert.equal(toHex(body), vector.body);
    assert.equal(toHex(id), vector.id);
    assert.equal(toHex(hashing.signingMessage(id)), vector.signing_message);
    assert.deepEqual(plain(body), vector.body_value);
    assert.equal(toHex(verifier.encode("Transaction", transaction)), vector.body);
  },
  "grants.json": async (vector) => {
    const { grant, message } = await verifier.verifyGrant(h(vector.grant));
    assert.equal(toHex(message), vector.message);
    assert.deepEqual(plain(verifier.encode("Grant", grant)), vector.value);
  },
  "state-proofs.json": async (vector) => {
    const proof = verifier.decode("StateProof", h(vector.proof));
    const [root, depth, path] = [h(vector.root), vector.depth, vector.path];
    if (vector.kind === "exclusion") await verifier.verifyExclusion(root, depth, path, proof);
    else await verifier.verifyInclusion(root, depth, path, h(vector.salt), h(vector.record), proof);
  },
  "log-proofs.json": async (vector) => {
    const [root, size] = [h(vector.root), vector.size];
    if (vector.kind === "inclusion") {
      await verifier.verifyLogInclusion(root, size, h(vector.entry), verifier.decode("LogProof", h(vector.proof)));
    } else {
      const proof = verifier.decode("LogConsistencyProof", h(vector.proof));
      await verifier.verifyLogConsistency(h(vector.old_root), vector.old_size, root, size, proof);
    }
  },
  "versions.json": async (vector) => {
    const record = verifier.decode("Organisation", h(vector.record));
    const versions = vector.versions.map(h);
    const found = await verifier.inForce("Organisation", record, versions, vector.time_ms, ["name"]);
    assert.equal(found && toHex(verifier.encode("Organisation", found)), vector.in_force);
  },
  "light-blocks.json": async (vector) => {
    await verifier.verifyCommit(vector.chain_id, await verifier.decodeLightBlock(h(vector.light_block)));
  },
  "bundles.json": async (vector) => {
    const trust = verifier.decodeTrustRoot(JSON.stringify(vector.trust_root));
    assert.equal((await verifier.verifyBundle(h(vector.bundle), trust)).timeMs, vector.header_time_ms);
  },
  "light-paths.json": async (vector) => {
    const trust = verifier.decodeTrustRoot(JSON.stringify(vector.trust_root));
    const { timeMs, path, isAccountable } = await verifier.verifyBundle(h(vector.bundle), trust);
    assert.equal(timeMs, vector.header_time_ms);
    assert.deepEqual(path.map(({ height }) => Number(height)), vector.path_heights);
    assert.equal(isAccountable, vector.accountable);
  },
  "receipts.json": async (vector) => {
    const trust = verifier.decodeTrustRoot(JSON.stringify(vector.trust_root));
    const { items } = await verifier.proveAll(h(vector.bundle), trust);
    assert.deepEqual(items.map(({ kind, id }) => [kind, toHex(id)]), [["receipt", vector.transaction_id]]);
    await verifier.proveReceipt(h(vector.transaction_id), h(vector.bundle), trust);
  },
  "trust-roots.json": (vector) => {
    assert.deepEqual(verifier.decodeTrustRoot(new TextEncoder().encode(vector.text)), vector.value);
  },
  "identifiers.json": (vector) => {
    if (vector.form === "people") assert.equal(verifier.parsePeopleForm(vector.text), vector.identifier);
    else assert.equal(verifier.peopleForm(vector.text), vector.people);
  },
  "genesis.json": async (vector) => {
    assert.equal((await verifier.checkGenesis(h(vector.genesis))).chainId, vector.chain_id);
  },
  "codebook.json": async (vector) => {
    const entries = vector.entries.map((one) => verifier.decode("CodebookEntry", h(one)));
    await verifier.verifyCodebookEntries(h(vector.root), vector.size, vector.first, entries, h(vector.path));
    if (vector.identifier === undefined) return;
    assert.equal(toHex(await verifier.codebookLeaf(entries[0])), vector.leaf);
    assert.equal(verifier.codebookIdentifier("ZZ.156", entries[0]), vector.identifier);
  },
};

test("every file of vectors is checked", () => {
  const files = readdirSync(VECTORS).filter((name) => name.endsWith(".json"));
  assert.deepEqual(files.sort(), Object.keys(CHECKS).sort());
});

for (const [name, check] of Object.entries(CHECKS)) {
  for (const vector of load(name).cases) {
    test(`${name}: ${vector.name}`, async () => {
      let judged = "valid";
      try {
        await check(vector);
      } catch (error) {
        if (!(error instanceof VerificationError)) throw error;
        judged = { step: error.step };
      }
      assert.deepEqual(judged, vector.expect);
    });
  }
}

const comet = load("cometbft/headers-and-commits.json");

test("headers hash as CometBFT's own code hashes them", async () => {
  for (const one of comet.headers) {
    const header = decodeHeader(h(one.encoded));
    assert.equal(toHex(await verifier.headerHash(header)), one.hash);
    // JSON.parse rounds numbers beyond 2^53; the hash above holds every digit.
    assert.deepEqual([header.chainId, Number(header.height)], [one.chain_id, one.height]);
    assert.deepEqual([header.time.seconds, header.time.nanoseconds], [BigInt(one.seconds), BigInt(one.nanoseconds)]);
    assert.equal(toHex(header.appHash), one.app_hash);
  }
});

test("validator sets hash as CometBFT's own code hashes them", async () => {
  for (const one of comet.validator_sets) {
    const validators = await decodeValidatorSet(h(one.encoded));
    assert.equal(toHex(await verifier.validatorsHash(validators)), one.hash);
    assert.deepEqual(validators.map(({ address }) => toHex(address)), one.addresses);
    assert.equal(totalPower(validators), BigInt(one.total_power));
  }
});

test("votes are signed over the bytes that CometBFT's own code signs", () => {
  for (const one of comet.commits) {
    const commit = decodeCommit(h(one.encoded));
    const present = one.sign_bytes.length === commit.signatures.length;
    assert.ok(present);
    commit.signatures.forEach((entry, index) => {
      if (one.sign_bytes[index]) assert.equal(toHex(signBytes(one.chain_id, commit, entry)), one.sign_bytes[index]);
    });
  }
  assert.equal(decodeCommit(h(comet.empty_commit.encoded)).height, 0n);
});
