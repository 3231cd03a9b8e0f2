"""The checked-in vectors are what our code makes today, and Python judges every case as the vector says."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from fujie.client.verifier import VerifiedReceipt, verify_file
from fujie.core import identifier_forms, identifiers, signing
from fujie.core.codebook import ENTRY_CODEC, expected_identifier, leaf_digest, verify_entries
from fujie.core.encoding import encode
from fujie.core.errors import Refused, VerificationError
from fujie.core.grant import GRANT, SIGNED_GRANT
from fujie.core.hashing import (
    TAG_LOG_ENTRY,
    TAG_LOG_SALT,
    TAG_READ_GRANT,
    TAG_SALT_FIRST,
    TAG_SALT_NEXT,
    app_hash,
    digest,
    version_digest,
)
from fujie.core.signing import Signer
from fujie.core.transaction import SIGNED_TRANSACTION, sign_transaction, signing_message, transaction_id
from fujie.core.versions import skip_target
from fujie.engine.admission import verify_transaction
from fujie.machine import genesis
from fujie.modules.catalog import TRANSACTION
from fujie.modules.membership.state_keys import ORGANISATION
from fujie.proof import bundle
from fujie.proof.commit import verify_commit
from fujie.proof.light_block import decode_light_block
from fujie.proof.merkle_log import (
    EMPTY_ROOT,
    leaf_hash,
    log_consistency_proof_codec,
    log_proof_codec,
    node_hash,
    verify_log_consistency,
    verify_log_inclusion,
)
from fujie.proof.merkle_state import (
    empty_digests,
    key_hash,
    state_proof_codec,
    value_digest,
    verify_exclusion,
    verify_inclusion,
)
from fujie.proof.past import STEPS, in_force
from fujie.proof.trust import decode_trust
from tests.conftest import ROOT
from tools.make_vectors import FILES, render
from tools.vector_sets.common import plain
from tools.vector_sets.encoding import TYPES

VECTORS = ROOT / "vectors"
Vector = dict[str, Any]

h = bytes.fromhex


def check_encoding(vector: Vector) -> None:
    data = h(vector["bytes"])
    value = TYPES[vector["type"]].decode(data)
    assert encode(value) == data
    assert plain(data) == vector["value"]


def check_hashing(vector: Vector) -> None:
    inputs = vector["inputs"]
    functions: dict[str, Callable[[], bytes | str]] = {
        "transaction-id": lambda: transaction_id(h(inputs["body"])),
        "key-hash": lambda: key_hash(inputs["path"].encode()),
        "value-digest": lambda: value_digest(h(inputs["salt"]), h(inputs["record"])),
        "first-salt": lambda: digest(TAG_SALT_FIRST, h(inputs["seed"]), h(inputs["key_hash"])),
        "next-salt": lambda: digest(TAG_SALT_NEXT, h(inputs["salt"]), h(inputs["nonce"]), h(inputs["key_hash"])),
        "empty-subtree": lambda: empty_digests(24)[inputs["height"]],
        "app-hash": lambda: app_hash(h(inputs["state_root"]), h(inputs["log_root"]), inputs["log_size"]),
        "log-salt": lambda: digest(TAG_LOG_SALT, h(inputs["nonce"]), h(inputs["transaction_id"])),
        "log-entry": lambda: digest(
            TAG_LOG_ENTRY, h(inputs["salt"]), h(inputs["transaction_id"]), h(inputs["receipt"])
        ),
        "log-leaf": lambda: leaf_hash(h(inputs["entry"])),
        "log-node": lambda: node_hash(h(inputs["left"]), h(inputs["right"])),
        "log-empty-root": lambda: EMPTY_ROOT,
        "version-digest": lambda: version_digest(h(inputs["record"])),
        "chain-id": lambda: genesis.chain_id(genesis.load(h(inputs["genesis"]))),
        "skip-target": lambda: str(skip_target(inputs["number"])),
    }
    output = functions[vector["function"]]()
    assert (output.hex() if isinstance(output, bytes) else output) == vector["output"]


def check_genesis(vector: Vector) -> None:
    data = h(vector["genesis"])
    found = genesis.load(data)
    assert encode(found) == data
    assert genesis.chain_id(found) == vector["chain_id"]


def check_signature(vector: Vector) -> None:
    key, message, signature = h(vector["public_key"]), h(vector["message"]), h(vector["signature"])
    if "seed" in vector:
        assert signing.public_key(h(vector["seed"])) == key
        assert signing.sign(h(vector["seed"]), message) == signature
    if not signing.verify(key, message, signature):
        raise VerificationError("signature", "does not verify")


def check_public_key(vector: Vector) -> None:
    if not signing.is_sound_public_key(h(vector["public_key"])):
        raise VerificationError("public-key", "is not sound")


def check_transaction(vector: Vector) -> None:
    raw = h(vector["transaction"])
    try:
        verified = verify_transaction(raw)
    except Refused as refused:
        raise VerificationError(refused.reason.name.lower().replace("_", "-"), "") from None
    body = h(vector["body"])
    assert SIGNED_TRANSACTION.decode(raw).body == body
    assert verified.id.hex() == vector["id"]
    assert signing_message(verified.id).hex() == vector["signing_message"]
    assert plain(body) == vector["body_value"]
    signers = [Signer(h(seed)) for seed in vector["seeds"].values()]
    assert {signer.public_key.hex() for signer in signers} == set(vector["seeds"])
    assert sign_transaction(TRANSACTION.decode(body), signers) == raw


def check_grant(vector: Vector) -> None:
    signed = SIGNED_GRANT.decode(h(vector["grant"]))
    grant = GRANT.decode(signed.body)
    for key, signature in zip(grant.public_keys, signed.signatures, strict=True):
        if not signing.verify(key, TAG_READ_GRANT + signed.body, signature):
            raise VerificationError("signature", "does not verify")
    assert (TAG_READ_GRANT + signed.body).hex() == vector["message"]
    assert plain(signed.body) == vector["value"]


def check_state_proof(vector: Vector) -> None:
    root, depth, path = h(vector["root"]), vector["depth"], vector["path"].encode()
    proof = state_proof_codec.decode(h(vector["proof"]))
    if vector["kind"] == "exclusion":
        verify_exclusion(root, depth, path, proof)
    else:
        verify_inclusion(root, depth, path, h(vector["salt"]), h(vector["record"]), proof)


def check_log_proof(vector: Vector) -> None:
    root, size, proof = h(vector["root"]), vector["size"], h(vector["proof"])
    if vector["kind"] == "inclusion":
        verify_log_inclusion(root, size, h(vector["entry"]), log_proof_codec.decode(proof))
    else:
        old_root, old_size = h(vector["old_root"]), vector["old_size"]
        verify_log_consistency(old_root, old_size, root, size, log_consistency_proof_codec.decode(proof))


def check_version(vector: Vector) -> None:
    record = ORGANISATION.decode(h(vector["record"]))
    older = [h(one) for one in vector["versions"]]
    found = in_force(record, older, vector["time_ms"], ORGANISATION, lambda organisation: organisation.name)
    assert (None if found is None else encode(found).hex()) == vector["in_force"]


def check_light_block(vector: Vector) -> None:
    block = decode_light_block(h(vector["light_block"]))
    verify_commit(vector["chain_id"], block.validators, block.header, block.commit)


def check_bundle(vector: Vector) -> None:
    trust = decode_trust(json.dumps(vector["trust_root"]).encode())
    assert bundle.verify(h(vector["bundle"]), trust).time_ms == vector["header_time_ms"]


def check_light_path(vector: Vector) -> None:
    trust = decode_trust(json.dumps(vector["trust_root"]).encode())
    found = bundle.verify(h(vector["bundle"]), trust)
    assert found.time_ms == vector["header_time_ms"]
    assert [header.height for header in found.path] == vector["path_heights"]
    assert found.within_period == vector["accountable"]


def check_receipt(vector: Vector) -> None:
    trust = decode_trust(json.dumps(vector["trust_root"]).encode())
    [found] = verify_file(h(vector["bundle"]), trust)
    assert isinstance(found, VerifiedReceipt)
    assert found.transaction_id.hex() == vector["transaction_id"]


def check_trust_root(vector: Vector) -> None:
    assert msgspec.to_builtins(decode_trust(vector["text"].encode())) == vector["value"]


def check_identifier(vector: Vector) -> None:
    try:
        if vector["form"] == "people":
            assert identifier_forms.parse_people_form(vector["text"]) == vector["identifier"]
        else:
            assert identifier_forms.with_check(identifiers.parse(vector["text"])) == vector["people"]
    except identifiers.IdentifierError as error:
        raise VerificationError(error.fault.value, error.detail) from None


def check_codebook(vector: Vector) -> None:
    entries = [ENTRY_CODEC.decode(h(one)) for one in vector["entries"]]
    verify_entries(h(vector["root"]), vector["size"], vector["first"], entries, h(vector["path"]))
    if "identifier" in vector:
        assert leaf_digest(entries[0]).hex() == vector["leaf"]
        assert expected_identifier("ZZ.156", entries[0]) == vector["identifier"]


CHECKS: dict[str, Callable[[Vector], None]] = {
    "encoding.json": check_encoding,
    "hashing.json": check_hashing,
    "genesis.json": check_genesis,
    "public-keys.json": check_public_key,
    "signatures.json": check_signature,
    "transactions.json": check_transaction,
    "grants.json": check_grant,
    "state-proofs.json": check_state_proof,
    "log-proofs.json": check_log_proof,
    "versions.json": check_version,
    "light-blocks.json": check_light_block,
    "bundles.json": check_bundle,
    "light-paths.json": check_light_path,
    "receipts.json": check_receipt,
    "trust-roots.json": check_trust_root,
    "identifiers.json": check_identifier,
    "codebook.json": check_codebook,
}

SETS = {name: json.loads((VECTORS / name).read_text("utf-8")) for name in CHECKS}
CASES = [
    pytest.param(name, vector, id=f"{name}: {vector['name']}") for name, one in SETS.items() for vector in one["cases"]
]


@pytest.mark.parametrize(("name", "vector"), CASES)
def test_case_is_judged_as_it_says(name: str, vector: Vector) -> None:
    try:
        CHECKS[name](vector)
    except VerificationError as error:
        judged: Any = {"step": error.step}
    else:
        judged = "valid"
    assert judged == vector["expect"]


@pytest.mark.parametrize("name", FILES)
def test_file_is_what_a_fresh_run_makes(name: str) -> None:
    assert (VECTORS / name).read_text("utf-8") == render(name), "run: python tools/make_vectors.py"


def test_every_file_is_made_and_checked() -> None:
    assert {path.name for path in VECTORS.glob("*.json")} == set(FILES) == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_file_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    one = SETS[name]
    assert set(one) == {"description", "source", "cases"}
    assert len(one["description"]) > 20
    assert len(one["source"]) > 20
    names = [vector["name"] for vector in one["cases"]]
    assert len(names) == len(set(names))
    # A file without cases of both kinds would not tell a verifier that always agrees from a good one.
    expected = {"valid" if vector["expect"] == "valid" else "refused" for vector in one["cases"]}
    assert expected == ({"valid"} if name == "hashing.json" else {"valid", "refused"})


def steps_of(name: str) -> set[str]:
    return {vector["expect"]["step"] for vector in SETS[name]["cases"] if vector["expect"] != "valid"}


def test_every_step_that_a_verifier_names_has_a_case() -> None:
    state = {"state-depth", "state-salt", "state-bucket", "state-leaf", "state-path", "state-root"}
    log = {"log-size", "log-index", "log-path", "log-root"}
    commit = {"commit-height", "header-hash", "commit-validator", "commit-power", "commit-signature"}
    assert steps_of("state-proofs.json") == state
    assert steps_of("log-proofs.json") == log | {"log-old-root"}
    # header-form and commit-form cannot be reached from bytes: what has no form does not decode.
    assert steps_of("light-blocks.json") == commit | {"decode", "header-chain", "validator-set"}
    assert steps_of("versions.json") == set(STEPS)
    assert steps_of("genesis.json") == {"decode", "genesis-order", "genesis-salt", "genesis-membership"}
    assert {"decode", "chain-id", "validators", "validator-set", "app-hash"} <= steps_of("bundles.json")
    following = {"light-height", "light-time", "light-announced", "light-trust"}
    first = {"decode", "chain-id", "validators", "header-chain", "validator-set", "app-hash"}
    assert steps_of("light-paths.json") == commit | following | first
    assert steps_of("receipts.json") == {"answer-receipt", "transaction-keys", "transaction-signature"}
    assert steps_of("identifiers.json") >= {fault.value for fault in identifiers.Fault} - {"form", "chain", "host"}
