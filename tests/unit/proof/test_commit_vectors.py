"""Every hash and every signed byte is what CometBFT's own Go code computes (vectors/cometbft, made by tests/light)."""

import json
from typing import Any

import pytest

from fujie.proof import block, header, validators, vote
from fujie.proof.commit import verify_commit
from fujie.proof.light_block import decode_light_block, encode_light_block
from tests.light import comet_light

VECTORS: dict[str, Any] = json.loads(comet_light.VECTORS.read_text())


def check_header(vector: dict[str, Any]) -> None:
    decoded = header.decode_header(bytes.fromhex(vector["encoded"]))
    assert header.encode_header(decoded).hex() == vector["encoded"]
    assert header.header_hash(decoded).hex() == vector["hash"]
    assert decoded.chain_id == vector["chain_id"]
    assert decoded.height == vector["height"]
    assert decoded.time_ns == vector["seconds"] * 10**9 + vector["nanoseconds"]
    assert decoded.time_ms == vector["seconds"] * 1000 + vector["nanoseconds"] // 10**6
    assert decoded.data_hash.hex() == vector["data_hash"]
    assert decoded.app_hash.hex() == vector["app_hash"]


def check_validator_set(vector: dict[str, Any]) -> None:
    decoded = validators.decode_validator_set(bytes.fromhex(vector["encoded"]))
    assert validators.encode_validator_set(decoded).hex() == vector["encoded"]
    assert validators.validator_set_hash(decoded).hex() == vector["hash"]
    assert [address.hex() for address in decoded.addresses] == vector["addresses"]
    assert decoded.total_power == vector["total_power"]
    assert validators.ValidatorSet.of(reversed(decoded.validators)).validators == decoded.validators


def check_commit(vector: dict[str, Any]) -> None:
    decoded = vote.decode_commit(bytes.fromhex(vector["encoded"]))
    assert vote.encode_commit(decoded).hex() == vector["encoded"]
    assert vote.commit_hash(decoded).hex() == vector["hash"]
    signed = [vote.commit_sign_bytes(vector["chain_id"], decoded, index) for index in range(len(decoded.signatures))]
    assert [one.hex() for one in signed] == vector["sign_bytes"]


def check_transactions(vector: dict[str, Any]) -> None:
    assert block.data_hash([bytes.fromhex(one) for one in vector["transactions"]]).hex() == vector["data_hash"]


def check_results(vector: dict[str, Any]) -> None:
    encoded = [
        block.encode_result(one["code"], bytes.fromhex(one["data"]), one["gas_wanted"], one["gas_used"])
        for one in vector["results"]
    ]
    assert block.results_hash(encoded).hex() == vector["hash"]


def check_consensus_params(vector: dict[str, Any]) -> None:
    assert header.consensus_params_hash(vector["block_bytes_max"], vector["block_gas_max"]).hex() == vector["hash"]


def check_block(vector: dict[str, Any]) -> None:
    made = header.decode_header(bytes.fromhex(vector["header"]))
    last_commit = vote.decode_commit(bytes.fromhex(vector["last_commit"]))
    transactions = [bytes([byte]) * length for byte, length in vector["transactions_byte_and_length"]]
    encoded = block.encode_block(made, transactions, last_commit)
    assert len(encoded) == vector["encoded_bytes"]
    parts = block.part_set_header(encoded)
    assert (parts.total, parts.hash.hex()) == (vector["parts"], vector["parts_hash"])
    assert made.data_hash == block.data_hash(transactions)
    assert made.last_commit_hash == vote.commit_hash(last_commit)
    light = decode_light_block(bytes.fromhex(vector["light_block"]))
    assert encode_light_block(light).hex() == vector["light_block"]
    assert light.header == made
    assert light.commit.block_id == block.make_block_id(made, transactions, last_commit)
    verify_commit(made.chain_id, light.validators, light.header, light.commit)


CHECKS = {
    "headers": check_header,
    "validator_sets": check_validator_set,
    "commits": check_commit,
    "transactions": check_transactions,
    "results": check_results,
    "consensus_params": check_consensus_params,
    "blocks": check_block,
}


@pytest.mark.parametrize(("kind", "index"), [(kind, index) for kind in CHECKS for index in range(len(VECTORS[kind]))])
def test_agrees_with_cometbft(kind: str, index: int) -> None:
    CHECKS[kind](VECTORS[kind][index])


def test_agrees_with_cometbft_on_what_is_empty() -> None:
    assert header.EMPTY_EVIDENCE_HASH.hex() == VECTORS["empty_evidence_hash"]
    assert vote.encode_commit(vote.EMPTY_COMMIT).hex() == VECTORS["empty_commit"]["encoded"]
    check_commit(VECTORS["empty_commit"])


def test_a_kind_of_vector_without_a_check_is_an_error() -> None:
    assert set(VECTORS) - {"source", "seed", "empty_evidence_hash", "empty_commit"} == set(CHECKS)


@pytest.mark.go
def test_checked_in_vectors_are_what_the_go_program_prints() -> None:
    assert comet_light.vectors(comet_light.VECTORS_SEED) == VECTORS


@pytest.mark.go
@pytest.mark.parametrize("seed", range(1, 6))
def test_agrees_with_cometbft_on_other_seeds(seed: int) -> None:
    made = comet_light.vectors(seed)
    for kind, check in CHECKS.items():
        for vector in made[kind]:
            check(vector)
