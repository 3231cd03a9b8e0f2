"""Evidence against validators: a third party checks the file alone, and nothing else passes for evidence."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fujie.core.errors import VerificationError
from fujie.core.signing import Signer, new_seed
from fujie.proof.evidence import (
    EvidenceFile,
    ForkFile,
    ResultFile,
    SignedResult,
    SignedTwice,
    encode_evidence,
    fork_file,
    result_file,
    verify_evidence,
)
from fujie.proof.light_block import decode_light_block
from tests.engine.forked_blocks import Item, later, signed_anew
from tests.engine.mirroring import EngineSource
from tests.world import VALIDATOR, Signing, running, trust_of

WRONG = b"\x07" * 32
RIGHT = b"\x08" * 32


@pytest.fixture(scope="module")
def chain():
    with running("memory", Path()) as engine:
        for _ in range(2):
            engine.submit([Signing(engine.chain_id, engine.head.height + 1).pay(0, 1, 5)]).result(300)
            engine.wait_proven(engine.head.log_size - 1, 30)
        yield engine


@pytest.fixture(scope="module")
def trust(chain):
    return trust_of(chain)


@pytest.fixture(scope="module")
def blocks(chain) -> list[Item]:
    """Blocks 2, 3 and 4; 2 has a payment."""
    found = EngineSource(chain).blocks(2, 0, 3)
    assert [bool(raws) for _, raws, _ in found] == [True, False, True]
    return found


def fork(blocks: list[Item], **fields: Any) -> ForkFile:
    honest = fork_file(decode_light_block(blocks[0][0]), decode_light_block(later(blocks[0], VALIDATOR)[0]))
    told = {name: value[0].hex() if isinstance(value, tuple) else value for name, value in fields.items()}
    return msgspec.structs.replace(honest, **told)


def result(blocks: list[Item], **fields: Any) -> ResultFile:
    pair = fields.pop("pair", (blocks[0], signed_anew(blocks[1], VALIDATOR, app_hash=WRONG)))
    block, following = (decode_light_block(item[0]) for item in pair)
    return msgspec.structs.replace(result_file("app-hash", RIGHT, block, pair[0][1], following), **fields)


def step_of(file: EvidenceFile | bytes, trust: Any) -> str:
    with pytest.raises(VerificationError) as refused:
        verify_evidence(file if isinstance(file, bytes) else encode_evidence(file), trust)
    return refused.value.step


def test_two_signed_blocks_of_one_height_are_evidence(blocks, trust):
    found = verify_evidence(encode_evidence(fork(blocks)), trust)
    assert isinstance(found, SignedTwice)
    assert found.height == 2
    assert found.hashes[0] == decode_light_block(blocks[0][0]).commit.block_id.hash != found.hashes[1]
    assert found.times_ms[1] == found.times_ms[0] + 1


def test_a_result_that_was_signed_is_evidence_with_all_that_it_takes_to_carry_the_block_out(blocks, trust):
    found = verify_evidence(encode_evidence(result(blocks)), trust)
    assert found == SignedResult(2, "app-hash", RIGHT, WRONG, 1)
    other = signed_anew(blocks[1], VALIDATOR, last_results_hash=WRONG)
    found = verify_evidence(encode_evidence(result(blocks, step="results-hash", pair=(blocks[0], other))), trust)
    assert found == SignedResult(2, "results-hash", RIGHT, WRONG, 1)


def test_refuses_a_fork_that_is_none(blocks, trust):
    assert step_of(fork(blocks, theirs=blocks[0]), trust) == "evidence-same"
    assert step_of(fork(blocks, theirs=blocks[1]), trust) == "evidence-height"
    assert step_of(fork(blocks, height=3), trust) == "evidence-height"
    assert step_of(fork(blocks, theirs=later(blocks[0], Signer(new_seed()))), trust) == "validators"
    assert step_of(fork(blocks, ours=signed_anew(blocks[0], VALIDATOR, chain_id="elsewhere")), trust) == "chain-id"
    assert step_of(fork(blocks, chain_id="elsewhere"), trust) == "chain-id"
    assert step_of(fork(blocks, theirs=(b"x", [], [])), trust) == "decode"
    spoiled = bytearray(later(blocks[0], VALIDATOR)[0])
    at = spoiled.index(decode_light_block(bytes(spoiled)).commit.signatures[0].signature)
    spoiled[at] ^= 1
    assert step_of(fork(blocks, theirs=(bytes(spoiled), [], [])), trust) == "commit-signature"


def test_refuses_a_result_that_shows_nothing(blocks, trust):
    honest = decode_light_block(blocks[1][0]).header.app_hash.hex()
    assert step_of(result(blocks, ours=WRONG.hex()), trust) == "evidence-same"
    assert step_of(result(blocks, pair=(blocks[0], blocks[1]), ours=honest), trust) == "evidence-same"
    assert step_of(result(blocks, transactions=()), trust) == "evidence-data"
    assert step_of(result(blocks, pair=(blocks[0], blocks[2])), trust) == "evidence-height"
    assert step_of(result(blocks, pair=(later(blocks[0], VALIDATOR), blocks[1])), trust) == "evidence-parent"


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[]", b'{"format":"fujie-trust-1"}', b"\xff", b"[" * 100_000])
def test_refuses_what_is_no_file_of_evidence(data, trust):
    assert step_of(data, trust) == "evidence-form"


def test_names_the_format_of_what_is_no_evidence(trust):
    with pytest.raises(VerificationError, match=r"its format is 'fujie-trust-1'$"):
        verify_evidence(b'{"format": "fujie-trust-1"}', trust)


@pytest.mark.parametrize("text", ["0", "0G", "AB", "0x"])
def test_refuses_what_is_no_hexadecimal(text, blocks, trust):
    assert step_of(encode_evidence(fork(blocks)).replace(blocks[0][0].hex().encode(), text.encode()), trust) == (
        "evidence-form"
    )
