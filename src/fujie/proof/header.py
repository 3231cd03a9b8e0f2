"""The block header in CometBFT 0.38's exact form: what it holds, its bytes and its hash.

One form serves the embedded engine and CometBFT, so one verifier serves both, and a chain that grows from one into the
other crosses over by ordinary header verification. Times are nanoseconds since 1970 here because CometBFT's are; what
Fujie makes itself is in whole milliseconds.

Source: CometBFT 0.38 specification, "Data structures", sections "Header" and "BlockID"; ``tendermint.types.Header``.
"""

from hashlib import sha256
from typing import Final

import msgspec

from fujie.core.errors import DecodeError
from fujie.core.hashing import DIGEST_BYTES
from fujie.proof.simple_merkle import EMPTY_ROOT, merkle_root
from fujie.proof.wire import (
    INT64_MAX,
    TIME_NS_MAX,
    TIME_NS_MIN,
    UINT32_MAX,
    UINT64_MAX,
    Reader,
    decode_time,
    encode_bytes,
    encode_integer,
    encode_message,
    encode_time,
)

BLOCK_PROTOCOL: Final = 11  # CometBFT's number for the form of blocks, constant through 0.34 to 0.38
CHAIN_ID_BYTES_MAX: Final = 50  # CometBFT's MaxChainIDLen
ADDRESS_BYTES: Final = 20
APP_HASH_BYTES_MAX: Final = 64  # CometBFT leaves the length open; ours has 32 bytes, others that one may meet up to 64
EMPTY_EVIDENCE_HASH: Final = EMPTY_ROOT
NANOSECONDS_PER_MS: Final = 1_000_000

_DIGEST_OR_NONE: Final = (0, DIGEST_BYTES)
_HASH_LENGTHS: Final = {
    "last_commit_hash": _DIGEST_OR_NONE,
    "data_hash": _DIGEST_OR_NONE,
    "validators_hash": (DIGEST_BYTES,),
    "next_validators_hash": (DIGEST_BYTES,),
    "consensus_hash": _DIGEST_OR_NONE,
    "app_hash": range(APP_HASH_BYTES_MAX + 1),
    "last_results_hash": _DIGEST_OR_NONE,
    "evidence_hash": _DIGEST_OR_NONE,
    "proposer_address": (ADDRESS_BYTES,),
}


class PartSetHeader(msgspec.Struct, frozen=True, gc=False):
    """Number of 65,536-byte parts of an encoded block, and the 32-byte root over them. Empty in the nil id."""

    total: int = 0
    hash: bytes = b""


class BlockID(msgspec.Struct, frozen=True):
    """What validators sign: the 32-byte hash of a header, and the parts of its block. Both empty in the nil id."""

    hash: bytes = b""
    part_set_header: PartSetHeader = PartSetHeader()


NIL_BLOCK_ID: Final = BlockID()


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A block header. Hashes have 32 bytes or, where CometBFT allows it, none; the app hash is of the block before."""

    block_protocol: int = BLOCK_PROTOCOL
    app_version: int = 0
    chain_id: str
    height: int
    time_ns: int
    last_block_id: BlockID
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes = EMPTY_EVIDENCE_HASH
    proposer_address: bytes

    @property
    def time_ms(self) -> int:
        """Block time in whole milliseconds since 1970, rounded down."""
        return self.time_ns // NANOSECONDS_PER_MS


def make_header(
    *,
    chain_id: str,
    height: int,
    time_ms: int,
    last_block_id: BlockID,
    last_commit_hash: bytes,
    data_hash: bytes,
    validators_hash: bytes,
    next_validators_hash: bytes,
    consensus_hash: bytes,
    app_hash: bytes,
    last_results_hash: bytes,
    proposer_address: bytes,
    app_version: int = 0,
) -> Header:
    """Return a header of the embedded engine: time in milliseconds, no evidence.

    Raises ValueError when CometBFT would not take it: the engine made a mistake, no input did.
    """
    header = Header(
        app_version=app_version,
        chain_id=chain_id,
        height=height,
        time_ns=time_ms * NANOSECONDS_PER_MS,
        last_block_id=last_block_id,
        last_commit_hash=last_commit_hash,
        data_hash=data_hash,
        validators_hash=validators_hash,
        next_validators_hash=next_validators_hash,
        consensus_hash=consensus_hash,
        app_hash=app_hash,
        last_results_hash=last_results_hash,
        proposer_address=proposer_address,
    )
    if problem := header_problem(header):
        raise ValueError(problem)
    return header


def header_hash(header: Header) -> bytes:
    """Return the 32-byte hash of a header: the Merkle root over its 14 fields, each in protobuf.

    Plain values are wrapped as the single field of a message (``google.protobuf.StringValue`` and its sisters), so an
    empty one is an empty leaf.
    """
    return merkle_root(
        (
            _encode_version(header),
            encode_bytes(1, header.chain_id.encode()),
            encode_integer(1, header.height),
            encode_time(header.time_ns),
            encode_block_id(header.last_block_id),
            encode_bytes(1, header.last_commit_hash),
            encode_bytes(1, header.data_hash),
            encode_bytes(1, header.validators_hash),
            encode_bytes(1, header.next_validators_hash),
            encode_bytes(1, header.consensus_hash),
            encode_bytes(1, header.app_hash),
            encode_bytes(1, header.last_results_hash),
            encode_bytes(1, header.evidence_hash),
            encode_bytes(1, header.proposer_address),
        )
    )


def consensus_params_hash(block_bytes_max: int, block_gas_max: int) -> bytes:
    """Return the 32-byte hash of the two consensus parameters that a header commits to; gas -1 means no bound.

    Source: ``tendermint.types.HashedParams``; it is a plain sha256, not a tree.
    """
    return sha256(encode_integer(1, block_bytes_max) + encode_integer(2, block_gas_max)).digest()


def header_problem(header: Header) -> str | None:
    """Say what makes a header unacceptable by itself, or None.

    The rules are CometBFT's ``Header.ValidateBasic``, and three stricter ones: both validator hashes are present, the
    app hash has at most 64 bytes, and numbers and times fit their fields.
    """
    if header.block_protocol != BLOCK_PROTOCOL:
        return f"block protocol {header.block_protocol} is not {BLOCK_PROTOCOL}"
    if not 0 <= header.app_version <= UINT64_MAX:
        return "app version out of range"
    if not is_chain_id(header.chain_id):
        return f"chain id is not UTF-8 of at most {CHAIN_ID_BYTES_MAX} bytes"
    if not 1 <= header.height <= INT64_MAX:
        return "height out of range"
    if not TIME_NS_MIN <= header.time_ns <= TIME_NS_MAX:
        return "time outside the years 1 to 9999"
    if problem := block_id_problem(header.last_block_id):
        return f"last block id: {problem}"
    for name, lengths in _HASH_LENGTHS.items():
        if (length := len(getattr(header, name))) not in lengths:
            return f"{name} has {length} bytes"
    return None


def block_id_problem(block_id: BlockID) -> str | None:
    """Say what makes a block id unacceptable by itself, or None. It is either nil or complete."""
    parts = block_id.part_set_header
    if block_id == NIL_BLOCK_ID:
        return None
    if len(block_id.hash) != DIGEST_BYTES or len(parts.hash) != DIGEST_BYTES:
        return "hashes do not have 32 bytes"
    if not 1 <= parts.total <= UINT32_MAX:
        return "number of parts out of range"
    return None


def is_chain_id(chain_id: str) -> bool:
    """Tell whether a chain id fits into a header: UTF-8 of at most 50 bytes."""
    try:
        return len(chain_id.encode()) <= CHAIN_ID_BYTES_MAX
    except UnicodeEncodeError:
        return False


def encode_header(header: Header) -> bytes:
    """Return the bytes of ``tendermint.types.Header``."""
    return b"".join(
        (
            encode_message(1, _encode_version(header)),
            encode_bytes(2, header.chain_id.encode()),
            encode_integer(3, header.height),
            encode_message(4, encode_time(header.time_ns)),
            encode_message(5, encode_block_id(header.last_block_id)),
            encode_bytes(6, header.last_commit_hash),
            encode_bytes(7, header.data_hash),
            encode_bytes(8, header.validators_hash),
            encode_bytes(9, header.next_validators_hash),
            encode_bytes(10, header.consensus_hash),
            encode_bytes(11, header.app_hash),
            encode_bytes(12, header.last_results_hash),
            encode_bytes(13, header.evidence_hash),
            encode_bytes(14, header.proposer_address),
        )
    )


def decode_header(data: bytes) -> Header:
    """Return the header of canonical bytes of ``tendermint.types.Header``. Raises :class:`DecodeError`."""
    reader = Reader(data, "Header")
    version = reader.required(1, "version")
    header = Header(
        block_protocol=version.unsigned(1, UINT64_MAX),
        app_version=version.unsigned(2, UINT64_MAX),
        chain_id=reader.text(2, CHAIN_ID_BYTES_MAX),
        height=reader.unsigned(3, INT64_MAX),
        time_ns=decode_time(reader.required(4, "time")),
        last_block_id=decode_block_id(reader.required(5, "last_block_id")),
        last_commit_hash=reader.byte_string(6, DIGEST_BYTES),
        data_hash=reader.byte_string(7, DIGEST_BYTES),
        validators_hash=reader.byte_string(8, DIGEST_BYTES),
        next_validators_hash=reader.byte_string(9, DIGEST_BYTES),
        consensus_hash=reader.byte_string(10, DIGEST_BYTES),
        app_hash=reader.byte_string(11, APP_HASH_BYTES_MAX),
        last_results_hash=reader.byte_string(12, DIGEST_BYTES),
        evidence_hash=reader.byte_string(13, DIGEST_BYTES),
        proposer_address=reader.byte_string(14, ADDRESS_BYTES),
    )
    version.finish()
    reader.finish()
    if problem := header_problem(header):
        raise DecodeError(problem)
    if encode_header(header) != data:
        raise DecodeError("not the canonical encoding of this header")
    return header


def encode_block_id(block_id: BlockID) -> bytes:
    """Return the bytes of ``tendermint.types.BlockID``, which are those of ``CanonicalBlockID`` as well."""
    parts = block_id.part_set_header
    return encode_bytes(1, block_id.hash) + encode_message(
        2, encode_integer(1, parts.total) + encode_bytes(2, parts.hash)
    )


def decode_block_id(reader: Reader) -> BlockID:
    """Return the block id that stands in ``reader``. Raises :class:`DecodeError`."""
    hash_ = reader.byte_string(1, DIGEST_BYTES)
    parts = reader.required(2, "part_set_header")
    block_id = BlockID(hash_, PartSetHeader(parts.unsigned(1, UINT32_MAX), parts.byte_string(2, DIGEST_BYTES)))
    parts.finish()
    reader.finish()
    if problem := block_id_problem(block_id):
        raise DecodeError(f"block id: {problem}")
    return block_id


def _encode_version(header: Header) -> bytes:
    return encode_integer(1, header.block_protocol) + encode_integer(2, header.app_version)
