"""Protobuf of headers, commits and validator sets: every value has one encoding, and only that one is read."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.errors import DecodeError
from fujie.proof import wire
from fujie.proof.header import (
    APP_HASH_BYTES_MAX,
    NIL_BLOCK_ID,
    BlockID,
    Header,
    PartSetHeader,
    decode_header,
    encode_header,
)
from fujie.proof.light_block import (
    LIGHT_BLOCK_BYTES_MAX,
    LightBlock,
    decode_light_block,
    encode_light_block,
)
from fujie.proof.validators import (
    Validator,
    ValidatorSet,
    decode_validator_set,
    encode_validator_set,
)
from fujie.proof.vote import ABSENT, EMPTY_COMMIT, BlockIDFlag, Commit, CommitSig, decode_commit, encode_commit
from tests.light import comet_light

Decoder = Callable[[bytes], Any]

digests = st.binary(min_size=32, max_size=32)
digests_or_none = digests | st.just(b"")
addresses = st.binary(min_size=20, max_size=20)
heights = st.integers(1, wire.INT64_MAX)
times_ns = st.integers(wire.TIME_NS_MIN, wire.TIME_NS_MAX)
complete_block_ids = st.builds(BlockID, digests, st.builds(PartSetHeader, st.integers(1, wire.UINT32_MAX), digests))

headers = st.builds(
    Header,
    app_version=st.integers(0, wire.UINT64_MAX),
    chain_id=st.text(max_size=50).filter(lambda text: len(text.encode()) <= 50),
    height=heights,
    time_ns=times_ns,
    last_block_id=complete_block_ids | st.just(NIL_BLOCK_ID),
    last_commit_hash=digests_or_none,
    data_hash=digests_or_none,
    validators_hash=digests,
    next_validators_hash=digests,
    consensus_hash=digests_or_none,
    app_hash=st.binary(max_size=APP_HASH_BYTES_MAX),
    last_results_hash=digests_or_none,
    evidence_hash=digests_or_none,
    proposer_address=addresses,
)
entries = st.just(ABSENT) | st.builds(
    CommitSig,
    st.sampled_from([BlockIDFlag.COMMIT, BlockIDFlag.NIL]),
    addresses,
    times_ns,
    st.binary(min_size=1, max_size=64),
)
commits = st.just(EMPTY_COMMIT) | st.builds(
    Commit,
    heights,
    st.integers(0, wire.INT32_MAX),
    complete_block_ids,
    st.lists(entries, min_size=1, max_size=5).map(tuple),
)
validator_lists = st.lists(
    st.builds(Validator, digests, st.integers(1, 2**50), st.integers(-wire.INT64_MAX - 1, wire.INT64_MAX)),
    min_size=1,
    max_size=5,
    unique_by=lambda validator: validator.public_key,
)
validator_sets = validator_lists.map(ValidatorSet.of) | validator_lists.map(
    lambda validators: ValidatorSet(ValidatorSet.of(validators).validators)
)
light_blocks = st.builds(LightBlock, headers, commits, validator_sets)

CODECS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bytes], Decoder]] = {
    "header": (headers, encode_header, decode_header),
    "commit": (commits, encode_commit, decode_commit),
    "validators": (validator_sets, encode_validator_set, decode_validator_set),
    "light block": (light_blocks, encode_light_block, decode_light_block),
}


@pytest.mark.parametrize("kind", CODECS)
def test_round_trip(kind: str) -> None:
    values, encode, decode = CODECS[kind]

    @given(values)
    def holds(value: Any) -> None:
        assert decode(encode(value)) == value

    holds()


@pytest.mark.parametrize("kind", CODECS)
def test_mutated_bytes_are_refused_or_are_the_one_encoding_of_something_else(kind: str) -> None:
    values, encode, decode = CODECS[kind]

    @given(values, st.data())
    def holds(value: Any, data: st.DataObject) -> None:
        encoded = bytearray(encode(value))
        position = data.draw(st.integers(0, len(encoded) - 1))
        change = data.draw(st.sampled_from(["flip", "insert", "delete", "truncate", "double"]))
        if change == "flip":
            encoded[position] ^= data.draw(st.integers(1, 255))
        elif change == "insert":
            encoded[position:position] = data.draw(st.binary(min_size=1, max_size=4))
        elif change == "delete":
            del encoded[position]
        elif change == "truncate":
            del encoded[position:]
        else:
            encoded += encoded[position:]
        try:
            read = decode(bytes(encoded))
        except DecodeError:
            return
        assert encode(read) == bytes(encoded)

    holds()


@pytest.mark.parametrize("kind", CODECS)
def test_arbitrary_bytes_raise_nothing_but_decode_errors(kind: str) -> None:
    _, encode, decode = CODECS[kind]

    @given(st.binary(max_size=300))
    def holds(noise: bytes) -> None:
        try:
            read = decode(noise)
        except DecodeError:
            return
        assert encode(read) == noise

    holds()


VECTORS: dict[str, Any] = json.loads(comet_light.VECTORS.read_text())
HEADER = bytes.fromhex(VECTORS["headers"][0]["encoded"])
COMMIT = bytes.fromhex(VECTORS["commits"][0]["encoded"])
SET = bytes.fromhex(VECTORS["validator_sets"][2]["encoded"])
VERSION_END = 2 + HEADER[1]

FORGERIES: list[tuple[str, Decoder, bytes]] = [
    ("unknown field", decode_header, HEADER + b"\x78\x01"),
    ("field number above 15", decode_header, HEADER + b"\x80\x01\x01"),
    ("field twice", decode_header, HEADER + HEADER[-22:]),
    ("field before its place", decode_header, HEADER[VERSION_END:] + HEADER[:VERSION_END]),
    ("wrong wire type", decode_header, b"\x09" + bytes(8) + HEADER),
    ("over-long varint", decode_header, HEADER[:1] + bytes([HEADER[1] | 128, 0]) + HEADER[2:]),
    ("length past the end", decode_header, b"\x0a\x7f" + HEADER[2:]),
    ("varint of eleven bytes", decode_commit, b"\x08" + b"\x80" * 10 + b"\x01"),
    ("varint of 65 bits", decode_commit, b"\x08" + b"\xff" * 9 + b"\x02"),
    ("varint cut short", decode_commit, b"\x08\x80"),
    ("zero written", decode_commit, b"\x08\x00" + wire.encode_message(3, b"\x12\x00")),
    ("empty bytes written", decode_commit, wire.encode_message(3, b"\x0a\x00\x12\x00")),
    ("block id missing", decode_commit, b"\x08\x01"),
    ("negative height", decode_commit, b"\x08" + wire.encode_varint(-1) + wire.encode_message(3, b"\x12\x00")),
    ("no signatures", decode_commit, COMMIT[: COMMIT.index(b"\x22", 60)]),
    ("commit for nil", decode_commit, b"\x08\x01\x1a\x02\x12\x00"),
    ("total power written", decode_validator_set, SET + b"\x18\x01"),
    ("empty set", decode_validator_set, b""),
    ("trailing byte", decode_validator_set, SET + b"\x00"),
    ("light block without validators", decode_light_block, wire.encode_message(1, b"")),
    ("light block too long", decode_light_block, bytes(LIGHT_BLOCK_BYTES_MAX + 1)),
]


@pytest.mark.parametrize(("what", "decode", "data"), FORGERIES, ids=[row[0] for row in FORGERIES])
def test_refuses_another_spelling(what: str, decode: Decoder, data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_the_forgeries_are_made_of_bytes_that_do_decode() -> None:
    decode_header(HEADER)
    decode_commit(COMMIT)
    decode_validator_set(SET)


def test_refuses_too_many_elements() -> None:
    reader = wire.Reader(b"\x0a\x00" * 3, "List")
    with pytest.raises(DecodeError, match="more than 2 elements"):
        reader.repeated(1, 2)


def test_refuses_a_key_of_another_algorithm_and_a_foreign_address() -> None:
    key = Validator(bytes(range(32)), 1)
    other = wire.encode_bytes(1, key.address) + wire.encode_message(2, wire.encode_bytes(2, bytes(33))) + b"\x18\x01"
    with pytest.raises(DecodeError):
        decode_validator_set(wire.encode_message(1, other))
    foreign = encode_validator_set(ValidatorSet((key,))).replace(key.address, bytes(20))
    with pytest.raises(DecodeError, match="address"):
        decode_validator_set(foreign)


@given(st.integers(-wire.INT64_MAX - 1, wire.UINT64_MAX))
def test_varints_are_the_shortest(value: int) -> None:
    encoded = wire.encode_varint(value)
    assert len(encoded) == max(1, -(-(value % 2**64).bit_length() // 7))
    if value:
        assert wire.Reader(b"\x08" + encoded, "Varint").unsigned(1, wire.UINT64_MAX) == value % 2**64
