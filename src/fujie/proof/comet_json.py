"""Signed headers and validator sets as CometBFT's RPC tells them in JSON, read into the types that are verified here.

Whole numbers of 64 bits stand there as text, hashes and addresses in upper-case hexadecimal, keys and signatures in
base64, times after RFC 3339 with up to nine digits of a second; what is empty may be ``null`` or missing. Nothing is
believed for having this form: hashes and signatures are checked by ``proof.commit`` and ``proof.light``.

Source: CometBFT 0.38, ``openapi.yaml`` of its RPC, ``/commit`` and ``/validators``.
"""

import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from fujie.core.errors import DecodeError
from fujie.core.signing import SIGNATURE_BYTES
from fujie.proof.header import NIL_BLOCK_ID, BlockID, Header, PartSetHeader, block_id_problem, header_problem
from fujie.proof.validators import VALIDATORS_MAX, Validator, ValidatorSet, validator_set_problem
from fujie.proof.vote import BlockIDFlag, Commit, CommitSig, commit_problem
from fujie.proof.wire import INT32_MAX, INT64_MAX, NANOSECONDS, TIME_NS_MIN, UINT32_MAX, UINT64_MAX

T = TypeVar("T")

ED25519_TYPE: Final = "tendermint/PubKeyEd25519"

_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))\Z",
    re.ASCII,
)
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Number = Annotated[str, Meta(pattern=r"\A(?:0|-?[1-9][0-9]{0,19})\Z")]
Hex = Annotated[str, Meta(pattern=r"\A(?:[0-9A-F]{2}){0,64}\Z")]
Base64 = Annotated[
    str, Meta(pattern=r"\A(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?\Z", max_length=200)
]
Time = Annotated[str, Meta(max_length=35)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of what is hashed or signed: a field that is not known here could not be checked."""


class _Parts(_Strict, frozen=True):
    total: Annotated[int, Meta(ge=0, le=UINT32_MAX)] = 0
    hash: Hex | None = None


class BlockIDJson(_Strict, frozen=True):
    """``block_id``: hash of a header, and the parts of its block."""

    hash: Hex | None = None
    parts: _Parts | None = None


class _Version(_Strict, frozen=True):
    block: Number = "0"
    app: Number = "0"


class HeaderJson(_Strict, frozen=True):
    """``header`` of a block."""

    version: _Version
    chain_id: str
    height: Number
    time: Time
    last_block_id: BlockIDJson | None = None
    last_commit_hash: Hex | None = None
    data_hash: Hex | None = None
    validators_hash: Hex | None = None
    next_validators_hash: Hex | None = None
    consensus_hash: Hex | None = None
    app_hash: Hex | None = None
    last_results_hash: Hex | None = None
    evidence_hash: Hex | None = None
    proposer_address: Hex | None = None


class _Entry(_Strict, frozen=True):
    block_id_flag: Annotated[int, Meta(ge=1, le=3)]
    timestamp: Time | None = None
    validator_address: Hex | None = None
    signature: Base64 | None = None


class CommitJson(_Strict, frozen=True):
    """``commit``: the votes for one block."""

    height: Number
    block_id: BlockIDJson
    round: Annotated[int, Meta(ge=0, le=INT32_MAX)] = 0
    signatures: Annotated[list[_Entry], Meta(max_length=VALIDATORS_MAX)] | None = None


class SignedHeaderJson(_Strict, frozen=True):
    """``signed_header``, as ``/commit`` answers it."""

    header: HeaderJson
    commit: CommitJson


class _Key(_Strict, frozen=True):
    type: str
    value: Base64


class ValidatorJson(_Strict, frozen=True):
    """One of ``validators``, as ``/validators`` answers them."""

    pub_key: _Key
    voting_power: Number
    address: Hex | None = None
    proposer_priority: Number | None = None
    name: str = ""  # what generators of tests add


def decode_json(data: bytes, form: type[T]) -> T:
    """Return JSON text of at most a form. Raises :class:`DecodeError`."""
    try:
        return msgspec.json.decode(data, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not what CometBFT answers: {error}") from None


def read_header(told: HeaderJson) -> Header:
    """Return a well-formed header. Raises :class:`DecodeError`."""
    header = Header(
        block_protocol=read_number(told.version.block, 0, UINT64_MAX),
        app_version=read_number(told.version.app, 0, UINT64_MAX),
        chain_id=told.chain_id,
        height=read_number(told.height, 1, INT64_MAX),
        time_ns=read_time(told.time),
        last_block_id=NIL_BLOCK_ID if told.last_block_id is None else read_block_id(told.last_block_id),
        last_commit_hash=read_hex(told.last_commit_hash),
        data_hash=read_hex(told.data_hash),
        validators_hash=read_hex(told.validators_hash),
        next_validators_hash=read_hex(told.next_validators_hash),
        consensus_hash=read_hex(told.consensus_hash),
        app_hash=read_hex(told.app_hash),
        last_results_hash=read_hex(told.last_results_hash),
        evidence_hash=read_hex(told.evidence_hash),
        proposer_address=read_hex(told.proposer_address),
    )
    if problem := header_problem(header):
        raise DecodeError(f"header: {problem}")
    return header


def read_commit(told: CommitJson) -> Commit:
    """Return a well-formed commit. Raises :class:`DecodeError`."""
    commit = Commit(
        read_number(told.height, 0, INT64_MAX),
        told.round,
        read_block_id(told.block_id),
        tuple(
            CommitSig(
                BlockIDFlag(entry.block_id_flag),
                read_hex(entry.validator_address),
                TIME_NS_MIN if entry.timestamp is None else read_time(entry.timestamp),
                read_base64(entry.signature or ""),
            )
            for entry in told.signatures or ()
        ),
    )
    if problem := commit_problem(commit):
        raise DecodeError(f"commit: {problem}")
    return commit


def read_validators(told: Sequence[ValidatorJson]) -> ValidatorSet:
    """Return a well-formed set, in the order told. Raises :class:`DecodeError`.

    Who proposes is not told. The first stands there, as CometBFT reads no set without a proposer.
    """
    listed = tuple(read_validator(each) for each in told)
    validators = ValidatorSet(listed, listed[0] if listed else None)
    if problem := validator_set_problem(validators):
        raise DecodeError(f"validators: {problem}")
    for each, address in zip(told, validators.addresses, strict=True):
        if each.address is not None and read_hex(each.address) != address:
            raise DecodeError("validators: an address is not that of its key")
    return validators


def read_time(text: str) -> int:
    """Return a time after RFC 3339, without leap seconds, in nanoseconds since 1970. Raises :class:`DecodeError`."""
    match = _TIME.match(text)
    if match is None:
        raise DecodeError("a time is not written after RFC 3339")
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    leap = month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    zone_hour, zone_minute = int(match[9] or 0), int(match[10] or 0)
    if (
        not (year >= 1 and 1 <= month <= 12 and 1 <= day <= _MONTH_DAYS[month - 1] + leap)
        or max(hour, zone_hour) > 23
        or max(minute, second, zone_minute) > 59
    ):
        raise DecodeError("a time is none of the calendar")
    zone_minutes = (zone_hour * 60 + zone_minute) * (-1 if match[8] == "-" else 1)
    seconds = ((_days(year, month, day) * 24 + hour) * 60 + minute - zone_minutes) * 60 + second
    return seconds * NANOSECONDS + int((match[7] or "").ljust(9, "0"))


def _days(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01 of a date of the Gregorian calendar: years begin in March, leap days end them."""
    since_march = year - (month <= 2)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return since_march * 365 + since_march // 4 - since_march // 100 + since_march // 400 + day_of_year - 719_468


def read_validator(told: ValidatorJson) -> Validator:
    """Return a validator, who may be of any power. Raises :class:`DecodeError`."""
    if told.pub_key.type != ED25519_TYPE:
        raise DecodeError("validators: a key is not of Ed25519")
    return Validator(
        read_base64(told.pub_key.value),
        read_number(told.voting_power, 0, INT64_MAX),
        read_number(told.proposer_priority or "0", -INT64_MAX - 1, INT64_MAX),
    )


def read_block_id(told: BlockIDJson) -> BlockID:
    """Return a well-formed block id, or the nil id. Raises :class:`DecodeError`."""
    parts = told.parts or _Parts()
    block_id = BlockID(read_hex(told.hash), PartSetHeader(parts.total, read_hex(parts.hash)))
    if problem := block_id_problem(block_id):
        raise DecodeError(f"block id: {problem}")
    return block_id


def read_number(text: str, least: int, most: int) -> int:
    """Return a whole number within bounds. Raises :class:`DecodeError`."""
    value = int(text)
    if not least <= value <= most:
        raise DecodeError(f"a number lies outside {least} to {most}")
    return value


def read_hex(text: str | None) -> bytes:
    """Return the bytes of hexadecimal text that has the form of ``Hex``."""
    return bytes.fromhex(text or "")


def read_base64(text: str) -> bytes:
    """Return at most as many bytes as a signature has. Raises :class:`DecodeError`."""
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise DecodeError("text is not base64") from None
    if len(data) > SIGNATURE_BYTES:
        raise DecodeError(f"{len(data)} bytes in base64 are longer than a signature")
    return data
