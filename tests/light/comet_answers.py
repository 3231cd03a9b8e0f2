"""What CometBFT's RPC would tell of a light block, in JSON."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

from fujie.proof.header import BlockID
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet
from fujie.proof.vote import BlockIDFlag
from fujie.proof.wire import NANOSECONDS, TIME_NS_MIN


def rfc3339(time_ns: int) -> str:
    """A time as Go writes it: no zeros at the end of a fraction."""
    seconds, fraction = divmod(time_ns - TIME_NS_MIN, NANOSECONDS)
    moment = datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    written = f".{fraction:09}".rstrip("0").rstrip(".")
    return f"{moment.replace(tzinfo=None).isoformat()}{written}Z"


def signed_header(block: LightBlock) -> dict[str, Any]:
    """``signed_header`` of ``/commit``."""
    header, commit = block.header, block.commit
    return {
        "header": {
            "version": {"block": str(header.block_protocol)}
            | ({"app": str(header.app_version)} if header.app_version else {}),
            "chain_id": header.chain_id,
            "height": str(header.height),
            "time": rfc3339(header.time_ns),
            "last_block_id": _block_id(header.last_block_id),
            **{
                name: getattr(header, name).hex().upper()
                for name in (
                    "last_commit_hash",
                    "data_hash",
                    "validators_hash",
                    "next_validators_hash",
                    "consensus_hash",
                    "app_hash",
                    "last_results_hash",
                    "evidence_hash",
                    "proposer_address",
                )
            },
        },
        "commit": {
            "height": str(commit.height),
            "round": commit.round,
            "block_id": _block_id(commit.block_id),
            "signatures": [
                {
                    "block_id_flag": int(entry.flag),
                    "validator_address": entry.validator_address.hex().upper(),
                    "timestamp": rfc3339(entry.time_ns),
                    "signature": None if entry.flag == BlockIDFlag.ABSENT else _base64(entry.signature),
                }
                for entry in commit.signatures
            ],
        },
    }


def validators(listed: ValidatorSet) -> list[dict[str, Any]]:
    """``validators`` of ``/validators``, all of them."""
    return [
        {
            "address": each.address.hex().upper(),
            "pub_key": {"type": "tendermint/PubKeyEd25519", "value": _base64(each.public_key)},
            "voting_power": str(each.voting_power),
            "proposer_priority": str(each.proposer_priority),
        }
        for each in listed.validators
    ]


def _block_id(block_id: BlockID) -> dict[str, Any]:
    parts = block_id.part_set_header
    return {"hash": block_id.hash.hex().upper(), "parts": {"total": parts.total, "hash": parts.hash.hex().upper()}}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
