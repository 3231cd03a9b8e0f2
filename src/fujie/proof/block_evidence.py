"""Evidence of misbehaviour as a block of CometBFT carries it: what it holds, its bytes, and what the header says of it.

A header commits to the evidence of its block by ``evidence_hash``. What the rules of a chain are told of it, who did
what and when, follows from the bytes alone.

Source: CometBFT 0.38 specification, "Data structures", section "Evidence"; ``tendermint.types.Evidence``.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from fujie.core.errors import DecodeError
from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.core.signing import SIGNATURE_BYTES
from fujie.proof.header import ADDRESS_BYTES, NANOSECONDS_PER_MS, BlockID, decode_block_id, encode_block_id
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.simple_merkle import merkle_root
from fujie.proof.validators import VALIDATORS_MAX, Validator, decode_validator, encode_validator
from fujie.proof.wire import (
    INT32_MAX,
    INT64_MAX,
    Reader,
    decode_time,
    encode_bytes,
    encode_integer,
    encode_message,
    encode_time,
)

ITEMS_MAX: Final = 100_000  # in one block; CometBFT bounds their bytes, by a parameter of a tenth of the block
EXTENSION_BYTES_MAX: Final = 1_048_576  # chains of ours add nothing to votes

_DUPLICATE_VOTE: Final = 1  # fields of tendermint.types.Evidence
_LIGHT_CLIENT_ATTACK: Final = 2


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One vote: for a block, or for none (the nil id). ``kind`` 1 is a prevote, 2 a precommit."""

    kind: int
    height: int
    round: int
    block_id: BlockID
    time_ns: int
    address: bytes
    index: int
    signature: bytes
    extension: bytes = b""
    extension_signature: bytes = b""


class DuplicateVote(msgspec.Struct, frozen=True):
    """Two votes of one validator in one round, for different blocks. The time is that of the block of their height."""

    vote_a: Vote
    vote_b: Vote
    total_power: int
    power: int
    time_ns: int


class LightClientAttack(msgspec.Struct, frozen=True):
    """A header that the chain does not have, and who of the validators of ``common_height`` signed it.

    ``total_power`` and ``time_ns`` are those of the validators, and of the block, at that height.
    """

    block: LightBlock
    common_height: int
    byzantine: tuple[Validator, ...]
    total_power: int
    time_ns: int


BlockEvidence = DuplicateVote | LightClientAttack


def evidence_hash(items: Iterable[bytes]) -> bytes:
    """Return the 32-byte root that a header has for the evidence of its block, each as of :func:`encode_block_evidence`.

    Raises :class:`DecodeError` for what is no evidence.
    """
    return merkle_root(_opened(item)[1] for item in items)


def misbehaviour_in(items: Sequence[bytes]) -> tuple[Misbehaviour, ...]:
    """Return what the evidence of a block tells of validators, in its order. Raises :class:`DecodeError`."""
    return tuple(act for item in items for act in acts(decode_block_evidence(item)))


def acts(evidence: BlockEvidence) -> tuple[Misbehaviour, ...]:
    """Return who did what, as CometBFT tells the application of it."""
    time_ms = evidence.time_ns // NANOSECONDS_PER_MS
    if isinstance(evidence, DuplicateVote):
        vote = evidence.vote_a
        return (Misbehaviour(MisbehaviourKind.DUPLICATE_VOTE, vote.address, vote.height, time_ms, evidence.power),)
    return tuple(
        Misbehaviour(
            MisbehaviourKind.LIGHT_CLIENT_ATTACK, each.address, evidence.common_height, time_ms, each.voting_power
        )
        for each in evidence.byzantine
    )


def encode_block_evidence(evidence: BlockEvidence) -> bytes:
    """Return the bytes of ``tendermint.types.Evidence``."""
    if isinstance(evidence, DuplicateVote):
        body = (
            encode_message(1, _encode_vote(evidence.vote_a)),
            encode_message(2, _encode_vote(evidence.vote_b)),
            encode_integer(3, evidence.total_power),
            encode_integer(4, evidence.power),
            encode_message(5, encode_time(evidence.time_ns)),
        )
        return encode_message(_DUPLICATE_VOTE, b"".join(body))
    body = (
        encode_message(1, encode_light_block(evidence.block)),
        encode_integer(2, evidence.common_height),
        b"".join(encode_message(3, encode_validator(each)) for each in evidence.byzantine),
        encode_integer(4, evidence.total_power),
        encode_message(5, encode_time(evidence.time_ns)),
    )
    return encode_message(_LIGHT_CLIENT_ATTACK, b"".join(body))


def decode_block_evidence(data: bytes) -> BlockEvidence:
    """Return the evidence of canonical bytes of ``tendermint.types.Evidence``. Raises :class:`DecodeError`."""
    kind, body = _opened(data)
    evidence = _decode_duplicate_vote(body) if kind == _DUPLICATE_VOTE else _decode_attack(body)
    if encode_block_evidence(evidence) != data:
        raise DecodeError("not the canonical encoding of this evidence")
    return evidence


def encode_evidence_list(items: Iterable[bytes]) -> bytes:
    """Return the bytes of ``tendermint.types.EvidenceList``: what a block holds, and a store keeps."""
    return b"".join(encode_message(1, item) for item in items)


def decode_evidence_list(data: bytes) -> tuple[bytes, ...]:
    """Return the evidence of a block, each as bytes. Raises :class:`DecodeError`."""
    reader = Reader(data, "EvidenceList")
    items = tuple(reader.repeated(1, ITEMS_MAX))
    reader.finish()
    return items


def _opened(data: bytes) -> tuple[int, bytes]:
    """Return the kind of an ``Evidence``, and the bytes inside, which a header's hash is over."""
    reader = Reader(data, "Evidence")
    for kind in (_DUPLICATE_VOTE, _LIGHT_CLIENT_ATTACK):
        body = reader.message(kind)
        if body is not None:
            reader.finish()
            return kind, body
    raise DecodeError("Evidence: of no kind that is known")


def _decode_duplicate_vote(body: bytes) -> DuplicateVote:
    reader = Reader(body, "DuplicateVoteEvidence")
    evidence = DuplicateVote(
        _decode_vote(reader.required(1, "vote_a")),
        _decode_vote(reader.required(2, "vote_b")),
        reader.unsigned(3, INT64_MAX),
        reader.unsigned(4, INT64_MAX),
        decode_time(reader.required(5, "timestamp")),
    )
    reader.finish()
    if len(evidence.vote_a.address) != ADDRESS_BYTES:
        raise DecodeError("DuplicateVoteEvidence: a vote names nobody")
    return evidence


def _decode_attack(body: bytes) -> LightClientAttack:
    reader = Reader(body, "LightClientAttackEvidence")
    block = reader.message(1)
    if block is None:
        raise DecodeError("LightClientAttackEvidence: the block is missing")
    evidence = LightClientAttack(
        decode_light_block(block),
        reader.unsigned(2, INT64_MAX),
        tuple(decode_validator(item) for item in reader.repeated(3, VALIDATORS_MAX)),
        reader.unsigned(4, INT64_MAX),
        decode_time(reader.required(5, "timestamp")),
    )
    reader.finish()
    return evidence


def _encode_vote(vote: Vote) -> bytes:
    return b"".join(
        (
            encode_integer(1, vote.kind),
            encode_integer(2, vote.height),
            encode_integer(3, vote.round),
            encode_message(4, encode_block_id(vote.block_id)),
            encode_message(5, encode_time(vote.time_ns)),
            encode_bytes(6, vote.address),
            encode_integer(7, vote.index),
            encode_bytes(8, vote.signature),
            encode_bytes(9, vote.extension),
            encode_bytes(10, vote.extension_signature),
        )
    )


def _decode_vote(reader: Reader) -> Vote:
    vote = Vote(
        kind=reader.unsigned(1, INT32_MAX),
        height=reader.unsigned(2, INT64_MAX),
        round=reader.unsigned(3, INT32_MAX),
        block_id=decode_block_id(reader.required(4, "block_id")),
        time_ns=decode_time(reader.required(5, "timestamp")),
        address=reader.byte_string(6, ADDRESS_BYTES),
        index=reader.unsigned(7, INT32_MAX),
        signature=reader.byte_string(8, SIGNATURE_BYTES),
        extension=reader.byte_string(9, EXTENSION_BYTES_MAX),
        extension_signature=reader.byte_string(10, SIGNATURE_BYTES),
    )
    reader.finish()
    return vote
