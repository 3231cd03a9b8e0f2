"""Evidence of misbehaviour as CometBFT's RPC tells it in JSON, read and written (``comet_json`` says how JSON is there).

``/block`` answers with it, ``/broadcast_evidence`` takes it.

Source: CometBFT 0.38, ``openapi.yaml`` of its RPC, and the names of the fields of its types.
"""

from base64 import b64encode
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from fujie.proof.block_evidence import BlockEvidence, DuplicateVote, LightClientAttack, Vote
from fujie.proof.comet_json import (
    ED25519_TYPE,
    Base64,
    BlockIDJson,
    Hex,
    Number,
    SignedHeaderJson,
    Time,
    ValidatorJson,
    read_base64,
    read_block_id,
    read_commit,
    read_header,
    read_hex,
    read_number,
    read_time,
    read_validator,
    read_validators,
)
from fujie.proof.header import BlockID, Header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import Validator, ValidatorSet
from fujie.proof.vote import Commit
from fujie.proof.wire import INT32_MAX, INT64_MAX, NANOSECONDS

DUPLICATE_VOTE_TYPE: Final = "tendermint/DuplicateVoteEvidence"
ATTACK_TYPE: Final = "tendermint/LightClientAttackEvidence"


class _Vote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: Annotated[int, Meta(ge=0, le=INT32_MAX)]
    height: Number
    round: Annotated[int, Meta(ge=0, le=INT32_MAX)]
    block_id: BlockIDJson
    timestamp: Time
    validator_address: Hex
    validator_index: Annotated[int, Meta(ge=0, le=INT32_MAX)]
    signature: Base64 | None = None
    extension: Base64 | None = None
    extension_signature: Base64 | None = None


class _DuplicateVote(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    vote_a: _Vote = msgspec.field(name="vote_a")
    vote_b: _Vote = msgspec.field(name="vote_b")
    total_voting_power: Number
    validator_power: Number
    timestamp: Time


class _Set(msgspec.Struct, frozen=True):
    validators: list[ValidatorJson]
    proposer: ValidatorJson | None = None


class _Block(msgspec.Struct, frozen=True):
    signed_header: SignedHeaderJson
    validator_set: _Set


class _Attack(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    conflicting_block: _Block
    common_height: Number
    byzantine_validators: list[ValidatorJson] | None
    total_voting_power: Number
    timestamp: Time


class DuplicateVoteJson(msgspec.Struct, frozen=True, tag_field="type", tag=DUPLICATE_VOTE_TYPE):
    """One of ``evidence``: two votes of a validator."""

    value: _DuplicateVote


class AttackJson(msgspec.Struct, frozen=True, tag_field="type", tag=ATTACK_TYPE):
    """One of ``evidence``: a header that the chain does not have."""

    value: _Attack


EvidenceJson = DuplicateVoteJson | AttackJson


def read_evidence(told: EvidenceJson) -> BlockEvidence:
    """Return the evidence that CometBFT tells. Raises :class:`DecodeError`."""
    value = told.value
    power, time_ns = read_number(value.total_voting_power, 0, INT64_MAX), read_time(value.timestamp)
    if isinstance(value, _DuplicateVote):
        own = read_number(value.validator_power, 0, INT64_MAX)
        return DuplicateVote(_read_vote(value.vote_a), _read_vote(value.vote_b), power, own, time_ns)
    told_block, told_set = value.conflicting_block.signed_header, value.conflicting_block.validator_set
    listed = read_validators(told_set.validators)
    if told_set.proposer is not None:
        listed = msgspec.structs.replace(listed, proposer=read_validator(told_set.proposer))
    return LightClientAttack(
        LightBlock(read_header(told_block.header), read_commit(told_block.commit), listed),
        read_number(value.common_height, 1, INT64_MAX),
        tuple(map(read_validator, value.byzantine_validators or ())),
        power,
        time_ns,
    )


def write_evidence(evidence: BlockEvidence) -> dict[str, Any]:
    """Return the evidence as CometBFT's RPC takes it."""
    if isinstance(evidence, DuplicateVote):
        value: dict[str, Any] = {
            "vote_a": _vote(evidence.vote_a),
            "vote_b": _vote(evidence.vote_b),
            "TotalVotingPower": str(evidence.total_power),
            "ValidatorPower": str(evidence.power),
            "Timestamp": _time(evidence.time_ns),
        }
        return {"type": DUPLICATE_VOTE_TYPE, "value": value}
    block = evidence.block
    proposer = block.validators.proposer
    value = {
        "ConflictingBlock": {
            "signed_header": write_signed_header(block),
            "validator_set": {
                "validators": write_validators(block.validators),
                "proposer": None if proposer is None else _validator(proposer),
            },
        },
        "CommonHeight": str(evidence.common_height),
        "ByzantineValidators": [_validator(each) for each in evidence.byzantine],
        "TotalVotingPower": str(evidence.total_power),
        "Timestamp": _time(evidence.time_ns),
    }
    return {"type": ATTACK_TYPE, "value": value}


def write_signed_header(block: LightBlock) -> dict[str, Any]:
    """Return ``signed_header`` as CometBFT's RPC answers ``/commit`` with it."""
    return {"header": _header(block.header), "commit": _commit(block.commit)}


def write_validators(validators: ValidatorSet) -> list[dict[str, Any]]:
    """Return ``validators`` as CometBFT's RPC answers ``/validators`` with them."""
    return [_validator(each) for each in validators.validators]


def _read_vote(told: _Vote) -> Vote:
    return Vote(
        kind=told.type,
        height=read_number(told.height, 0, INT64_MAX),
        round=told.round,
        block_id=read_block_id(told.block_id),
        time_ns=read_time(told.timestamp),
        address=read_hex(told.validator_address),
        index=told.validator_index,
        signature=read_base64(told.signature or ""),
        extension=read_base64(told.extension or ""),
        extension_signature=read_base64(told.extension_signature or ""),
    )


def _vote(vote: Vote) -> dict[str, Any]:
    return {
        "type": vote.kind,
        "height": str(vote.height),
        "round": vote.round,
        "block_id": _block_id(vote.block_id),
        "timestamp": _time(vote.time_ns),
        "validator_address": _hex(vote.address),
        "validator_index": vote.index,
        "signature": _base64(vote.signature),
        "extension": _base64(vote.extension),
        "extension_signature": _base64(vote.extension_signature),
    }


def _header(header: Header) -> dict[str, Any]:
    return {
        "version": {"block": str(header.block_protocol), "app": str(header.app_version)},
        "chain_id": header.chain_id,
        "height": str(header.height),
        "time": _time(header.time_ns),
        "last_block_id": _block_id(header.last_block_id),
        "last_commit_hash": _hex(header.last_commit_hash),
        "data_hash": _hex(header.data_hash),
        "validators_hash": _hex(header.validators_hash),
        "next_validators_hash": _hex(header.next_validators_hash),
        "consensus_hash": _hex(header.consensus_hash),
        "app_hash": _hex(header.app_hash),
        "last_results_hash": _hex(header.last_results_hash),
        "evidence_hash": _hex(header.evidence_hash),
        "proposer_address": _hex(header.proposer_address),
    }


def _commit(commit: Commit) -> dict[str, Any]:
    entries = [
        {
            "block_id_flag": int(entry.flag),
            "validator_address": _hex(entry.validator_address),
            "timestamp": _time(entry.time_ns),
            "signature": _base64(entry.signature) if entry.signature else None,
        }
        for entry in commit.signatures
    ]
    block_id = _block_id(commit.block_id)
    return {"height": str(commit.height), "round": commit.round, "block_id": block_id, "signatures": entries}


def _validator(validator: Validator) -> dict[str, Any]:
    return {
        "address": _hex(validator.address),
        "pub_key": {"type": ED25519_TYPE, "value": _base64(validator.public_key)},
        "voting_power": str(validator.voting_power),
        "proposer_priority": str(validator.proposer_priority),
    }


def _block_id(block_id: BlockID) -> dict[str, Any]:
    parts = block_id.part_set_header
    return {"hash": _hex(block_id.hash), "parts": {"total": parts.total, "hash": _hex(parts.hash)}}


def _hex(data: bytes) -> str:
    return data.hex().upper()


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _time(time_ns: int) -> str:
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    days, second = divmod(seconds, 86_400)
    year, month, day = _date(days)
    clock = f"{second // 3_600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"{year:04}-{month:02}-{day:02}T{clock}.{nanoseconds:09}Z"


def _date(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the Gregorian calendar, so many days after 1970-01-01; years begin in March within."""
    era, of_era = divmod(days + 719_468, 146_097)  # days in 400 years
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    return 400 * era + year + (month > 9), month + 3 if month < 10 else month - 9, day
