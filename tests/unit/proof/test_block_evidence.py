"""Evidence of misbehaviour in a block: bytes, JSON, and what it tells. What CometBFT itself makes is in tests/abci."""

import msgspec
import pytest

from fujie.core.errors import DecodeError
from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.proof.block_evidence import (
    LightClientAttack,
    decode_block_evidence,
    decode_evidence_list,
    encode_block_evidence,
    encode_evidence_list,
    evidence_hash,
    misbehaviour_in,
)
from fujie.proof.comet_evidence import EvidenceJson, read_evidence, write_evidence
from fujie.proof.comet_json import read_time
from fujie.proof.header import EMPTY_EVIDENCE_HASH
from fujie.proof.validators import validator_address
from fujie.proof.wire import TIME_NS_MAX, TIME_NS_MIN
from tests.engine.several import voted_twice
from tests.light.embedded_chain import make_chain
from tests.world import START_MS, VALIDATOR

BLOCK = make_chain([{1: 10, 2: 7, 3: 5}])[0]
ATTACK = LightClientAttack(BLOCK, 3, BLOCK.validators.validators[:2], 22, 1_700_000_000_123_456_789)
ITEMS = [voted_twice(VALIDATOR, 7), encode_block_evidence(ATTACK)]


@pytest.mark.parametrize("item", ITEMS)
def test_bytes_and_json_say_the_same(item: bytes) -> None:
    evidence = decode_block_evidence(item)
    text = msgspec.json.encode(write_evidence(evidence))
    assert read_evidence(msgspec.json.decode(text, type=EvidenceJson)) == evidence
    assert encode_block_evidence(evidence) == item


@pytest.mark.parametrize("time_ns", [TIME_NS_MIN, -1, 0, 951_782_400 * 10**9, 4_107_542_400 * 10**9 - 1, TIME_NS_MAX])
def test_every_time_is_written_as_it_is_read(time_ns: int) -> None:
    told = write_evidence(msgspec.structs.replace(ATTACK, time_ns=time_ns))["value"]["Timestamp"]
    assert read_time(told) == time_ns
    assert len(told) == len("1970-01-01T00:00:00.000000000Z")


def test_tells_who_did_what_in_the_order_of_the_block() -> None:
    assert misbehaviour_in(ITEMS) == (
        Misbehaviour(MisbehaviourKind.DUPLICATE_VOTE, validator_address(VALIDATOR.public_key), 7, START_MS, 10),
        *(
            Misbehaviour(MisbehaviourKind.LIGHT_CLIENT_ATTACK, each.address, 3, 1_700_000_000_123, each.voting_power)
            for each in ATTACK.byzantine
        ),
    )


def test_a_block_without_evidence_has_the_hash_of_none() -> None:
    assert evidence_hash([]) == EMPTY_EVIDENCE_HASH
    assert encode_evidence_list([]) == b""
    assert decode_evidence_list(b"") == ()


def test_order_and_number_change_the_hash() -> None:
    hashes = {evidence_hash(items) for items in (ITEMS, ITEMS[::-1], ITEMS[:1], [*ITEMS, ITEMS[0]])}
    assert len(hashes) == 4


@pytest.mark.parametrize("data", [b"", b"\x0a\x00", b"\x1a\x00", ITEMS[0] + b"\x0a\x00", ITEMS[0][:-1]])
def test_refuses_what_is_no_evidence(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_block_evidence(data)
