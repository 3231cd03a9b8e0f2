"""Votes and the commits made of them, in CometBFT 0.38's exact form: what they hold, their bytes and hashes, what is signed.

Source: CometBFT 0.38 specification, "Data structures", sections "Commit", "CommitSig" and "Vote"; ``CanonicalVote``.
"""

from enum import IntEnum
from typing import Final

import msgspec

from fujie.core.errors import DecodeError
from fujie.core.signing import SIGNATURE_BYTES
from fujie.proof.header import (
    ADDRESS_BYTES,
    NANOSECONDS_PER_MS,
    NIL_BLOCK_ID,
    BlockID,
    block_id_problem,
    decode_block_id,
    encode_block_id,
)
from fujie.proof.simple_merkle import merkle_root
from fujie.proof.validators import VALIDATORS_MAX
from fujie.proof.wire import (
    INT32_MAX,
    INT64_MAX,
    TIME_NS_MAX,
    TIME_NS_MIN,
    Reader,
    decode_time,
    encode_bytes,
    encode_integer,
    encode_message,
    encode_sfixed64,
    encode_time,
    encode_varint,
)

_PRECOMMIT: Final = 2  # SIGNED_MSG_TYPE_PRECOMMIT


class BlockIDFlag(IntEnum):
    """What a validator's entry in a commit says."""

    ABSENT = 1
    COMMIT = 2
    NIL = 3


class CommitSig(msgspec.Struct, frozen=True, gc=False):
    """One validator's entry: address (20 bytes), time of its vote, signature (64 bytes). An absent one has none."""

    flag: BlockIDFlag
    validator_address: bytes
    time_ns: int
    signature: bytes

    @property
    def time_ms(self) -> int:
        """Time of the vote in whole milliseconds since 1970, rounded down."""
        return self.time_ns // NANOSECONDS_PER_MS


ABSENT: Final = CommitSig(BlockIDFlag.ABSENT, b"", TIME_NS_MIN, b"")


class Commit(msgspec.Struct, frozen=True):
    """Entries for one block id at one height and round, one per validator in the order of the set."""

    height: int
    round: int
    block_id: BlockID
    signatures: tuple[CommitSig, ...]


EMPTY_COMMIT: Final = Commit(0, 0, NIL_BLOCK_ID, ())  # stands in the first block of a chain


class VoteTemplate:
    """What all precommits for one block have in common; only their time differs. A nil block id is left out.

    The bytes are those of ``CanonicalVote``, its length first.
    """

    __slots__ = ("_head", "_tail")

    def __init__(self, chain_id: str, height: int, round_: int, block_id: BlockID) -> None:
        nil_or_id = b"" if block_id == NIL_BLOCK_ID else encode_message(4, encode_block_id(block_id))
        numbers = encode_integer(1, _PRECOMMIT) + encode_sfixed64(2, height) + encode_sfixed64(3, round_)
        self._head = numbers + nil_or_id
        self._tail = encode_bytes(6, chain_id.encode())

    def sign_bytes(self, time_ns: int) -> bytes:
        """Return what a validator signs whose vote is of ``time_ns``."""
        vote = self._head + encode_message(5, encode_time(time_ns)) + self._tail
        return encode_varint(len(vote)) + vote


def commit_sign_bytes(chain_id: str, commit: Commit, index: int) -> bytes:
    """Return what the validator of entry ``index`` signed: a vote for the block, or for nil."""
    entry = commit.signatures[index]
    block_id = commit.block_id if entry.flag == BlockIDFlag.COMMIT else NIL_BLOCK_ID
    return VoteTemplate(chain_id, commit.height, commit.round, block_id).sign_bytes(entry.time_ns)


def commit_hash(commit: Commit) -> bytes:
    """Return the 32-byte root over the encoded entries: ``last_commit_hash`` of the next header."""
    return merkle_root(_encode_entry(entry) for entry in commit.signatures)


def commit_problem(commit: Commit) -> str | None:
    """Say what makes a commit unacceptable by itself, or None. Height 0 is the empty commit of a first block."""
    if commit == EMPTY_COMMIT:
        return None
    if not 1 <= commit.height <= INT64_MAX or not 0 <= commit.round <= INT32_MAX:
        return "height or round out of range"
    if commit.block_id == NIL_BLOCK_ID:
        return "a commit is for a block"
    if problem := block_id_problem(commit.block_id):
        return f"block id: {problem}"
    if not 1 <= len(commit.signatures) <= VALIDATORS_MAX:
        return f"{len(commit.signatures)} entries are not 1 to {VALIDATORS_MAX}"
    for index, entry in enumerate(commit.signatures):
        if problem := _entry_problem(entry):
            return f"entry {index}: {problem}"
    return None


def _entry_problem(entry: CommitSig) -> str | None:
    if entry.flag not in tuple(BlockIDFlag):
        return "unknown flag"
    if entry.flag == BlockIDFlag.ABSENT:
        return None if entry == ABSENT else "an absent vote has an address, a time or a signature"
    if len(entry.validator_address) != ADDRESS_BYTES:
        return f"address has {len(entry.validator_address)} bytes"
    if not TIME_NS_MIN <= entry.time_ns <= TIME_NS_MAX:
        return "time outside the years 1 to 9999"
    if not 1 <= len(entry.signature) <= SIGNATURE_BYTES:
        return f"signature has {len(entry.signature)} bytes"
    return None


def encode_commit(commit: Commit) -> bytes:
    """Return the bytes of ``tendermint.types.Commit``."""
    return b"".join(
        (
            encode_integer(1, commit.height),
            encode_integer(2, commit.round),
            encode_message(3, encode_block_id(commit.block_id)),
            *(encode_message(4, _encode_entry(entry)) for entry in commit.signatures),
        )
    )


def decode_commit(data: bytes) -> Commit:
    """Return the commit of canonical bytes of ``tendermint.types.Commit``. Raises :class:`DecodeError`."""
    reader = Reader(data, "Commit")
    commit = Commit(
        reader.unsigned(1, INT64_MAX),
        reader.unsigned(2, INT32_MAX),
        decode_block_id(reader.required(3, "block_id")),
        tuple(_decode_entry(item) for item in reader.repeated(4, VALIDATORS_MAX)),
    )
    reader.finish()
    if problem := commit_problem(commit):
        raise DecodeError(problem)
    if encode_commit(commit) != data:
        raise DecodeError("not the canonical encoding of this commit")
    return commit


def _encode_entry(entry: CommitSig) -> bytes:
    return b"".join(
        (
            encode_integer(1, entry.flag),
            encode_bytes(2, entry.validator_address),
            encode_message(3, encode_time(entry.time_ns)),
            encode_bytes(4, entry.signature),
        )
    )


def _decode_entry(data: bytes) -> CommitSig:
    reader = Reader(data, "CommitSig")
    flag = reader.unsigned(1, BlockIDFlag.NIL)
    if flag == 0:
        raise DecodeError("CommitSig: flag is missing")
    entry = CommitSig(
        BlockIDFlag(flag),
        reader.byte_string(2, ADDRESS_BYTES),
        decode_time(reader.required(3, "timestamp")),
        reader.byte_string(4, SIGNATURE_BYTES),
    )
    reader.finish()
    return entry
