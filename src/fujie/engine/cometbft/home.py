"""The folder that CometBFT works in: its configuration, genesis file and keys, written from what Fujie knows.

Everything that is not written here is CometBFT's default. Why these values: docs/adr/0018.

Source: CometBFT 0.38, "Configuration", "Genesis", "Validator signing" (``privval`` files).
"""

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from fujie.core.limits import (
    BLOCK_BYTES_MAX,
    HEARTBEAT_MS,
    PENDING_BYTES_MAX,
    PENDING_TRANSACTIONS_MAX,
    TRANSACTION_BYTES_MAX,
)
from fujie.core.signing import Signer
from fujie.engine.cometbft.rpc import BROADCAST_MAX
from fujie.proof.validators import Validator, validator_address

GENESIS_FILE: Final = "config/genesis.json"
CONFIG_FILE: Final = "config/config.toml"
NODE_KEY_FILE: Final = "config/node_key.json"
VALIDATOR_KEY_FILE: Final = "config/priv_validator_key.json"
VALIDATOR_STATE_FILE: Final = "data/priv_validator_state.json"
STANDARD_INPUT: Final = "/dev/stdin"

PUBLIC_KEY: Final = "tendermint/PubKeyEd25519"
PRIVATE_KEY: Final = "tendermint/PrivKeyEd25519"

EVIDENCE_BLOCKS: Final = 100_000
EVIDENCE_NS: Final = 14 * 86_400 * 10**9  # the trust period: for so long a validator can be held to account
DISCOVERY_TIME: Final = "5s"  # the least that CometBFT lets peers have to tell of their snapshots, again and again
CHUNK_TIMEOUT: Final = "10s"  # for 4 MiB, before another peer is asked
BROADCAST_BYTES_MAX: Final = 2 * BROADCAST_MAX * TRANSACTION_BYTES_MAX  # in base64, and what stands around it

Settings = dict[str, dict[str, Any]]


class Peer(msgspec.Struct, frozen=True):
    """Another node: its id (40 hexadecimal digits) and where it listens for peers (``host:port``)."""

    node_id: str
    address: str


class StateSync(NamedTuple):
    """How CometBFT begins from a snapshot of its peers: two or more ``servers`` that answer its light client, and the header
    that it believes, by height and 32-byte hash, for as long as the trust period.
    """

    servers: tuple[str, ...]
    height: int
    hash: bytes
    period_ms: int


def node_id(public_key: bytes) -> str:
    """Return the id by which peers know a node with this key."""
    return validator_address(public_key).hex()


def settings(
    abci: Path,
    rpc: Path,
    moniker: str,
    listen: str,
    peers: Sequence[Peer],
    metrics: str = "",
    validator_key: str = VALIDATOR_KEY_FILE,
    state_sync: StateSync | None = None,
) -> Settings:
    """Return the configuration of a node, by section; the keys of no section stand under the empty name.

    ``listen`` is ``host:port`` for peers, ``metrics`` the same for Prometheus, or empty for none. ``validator_key`` is
    where it reads the key that signs votes: a file in its folder, or ``STANDARD_INPUT``. With ``state_sync`` a node without
    blocks begins from a snapshot.
    """
    return {
        "": {
            "proxy_app": f"unix://{abci}",
            "abci": "socket",
            "moniker": moniker,
            "priv_validator_key_file": validator_key,
            "log_level": "info",
            "log_format": "json",
            "filter_peers": True,  # it asks whether a node may be a peer: `engine.cometbft.peers`
        },
        "rpc": {
            "laddr": f"unix://{rpc}",
            "unsafe": True,  # nobody but the node reaches it, which empties the mempool of what no block may have
            "max_request_batch_size": BROADCAST_MAX,
            "max_body_bytes": BROADCAST_BYTES_MAX,
        },
        "p2p": {
            "laddr": f"tcp://{listen}",
            "persistent_peers": ",".join(f"{peer.node_id}@{peer.address}" for peer in peers),
            "pex": False,
            "addr_book_strict": False,  # validators may stand in private networks
            "allow_duplicate_ip": True,
            "flush_throttle_timeout": "10ms",
            "send_rate": 20_480_000,
            "recv_rate": 20_480_000,
        },
        "mempool": {
            "recheck": False,
            "size": PENDING_TRANSACTIONS_MAX,
            "max_txs_bytes": PENDING_BYTES_MAX,
            "cache_size": 2 * PENDING_TRANSACTIONS_MAX,
            "max_tx_bytes": TRANSACTION_BYTES_MAX,
        },
        "consensus": {
            "timeout_propose": "1s",
            "timeout_propose_delta": "500ms",
            "timeout_prevote": "500ms",
            "timeout_prevote_delta": "250ms",
            "timeout_precommit": "500ms",
            "timeout_precommit_delta": "250ms",
            "timeout_commit": "50ms",
            "create_empty_blocks": False,
            "create_empty_blocks_interval": f"{HEARTBEAT_MS}ms",
            "peer_gossip_sleep_duration": "10ms",
            "peer_query_maj23_sleep_duration": "500ms",
        },
        "statesync": _state_sync(state_sync),
        "storage": {"discard_abci_responses": True},
        "tx_index": {"indexer": "null"},
        "instrumentation": {"prometheus": bool(metrics), "prometheus_listen_addr": metrics or "127.0.0.1:0"},
    }


def _state_sync(wanted: StateSync | None) -> dict[str, Any]:
    if wanted is None:
        return {"enable": False}
    return {
        "enable": True,
        "rpc_servers": ",".join(wanted.servers),
        "trust_height": wanted.height,
        "trust_hash": wanted.hash.hex().upper(),
        "trust_period": f"{wanted.period_ms}ms",
        "discovery_time": DISCOVERY_TIME,
        "chunk_request_timeout": CHUNK_TIMEOUT,
    }


def config_text(sections: Settings) -> bytes:
    """Return the text of a configuration file."""
    lines = ["# Written by Fujie at every start; what is changed here is lost. See `fujie network --help`."]
    for name, values in sections.items():
        if name:
            lines += ["", f"[{name}]"]
        lines += [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
    return "\n".join(lines).encode() + b"\n"


def genesis_text(
    chain_id: str, time: str, initial_height: int, app_hash: bytes, validators: Sequence[Validator]
) -> bytes:
    """Return the text of a genesis file. ``time`` is that of the first block, after RFC 3339.

    ``app_hash`` (32 bytes) is that of the state which the first block of CometBFT follows.
    """
    return _json(
        {
            "genesis_time": time,
            "chain_id": chain_id,
            "initial_height": str(initial_height),
            "consensus_params": consensus_params(),
            "validators": [
                {
                    "address": validator.address.hex().upper(),
                    "pub_key": _public(validator.public_key),
                    "power": str(validator.voting_power),
                    "name": "",
                }
                for validator in validators
            ],
            "app_hash": app_hash.hex().upper(),
        }
    )


def consensus_params() -> dict[str, Any]:
    """Return what all validators of a chain must agree on beside its state; no block changes it."""
    return {
        "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": "-1"},
        "evidence": {
            "max_age_num_blocks": str(EVIDENCE_BLOCKS),
            "max_age_duration": str(EVIDENCE_NS),
            "max_bytes": "1048576",
        },
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": "0"},
        "abci": {"vote_extensions_enable_height": "0"},
    }


def node_key_text(signer: Signer) -> bytes:
    """Return the text of the file with the key by which peers know a node."""
    return _json({"priv_key": _private(signer)})


def validator_key_text(signer: Signer) -> bytes:
    """Return the text of the file with the key that signs votes."""
    return _json(
        {
            "address": validator_address(signer.public_key).hex().upper(),
            "pub_key": _public(signer.public_key),
            "priv_key": _private(signer),
        }
    )


def validator_state_text(height: int = 0) -> bytes:
    """Return the text of the file that keeps a key from voting twice: nothing was signed above ``height``."""
    return _json({"height": str(height), "round": 0, "step": 0 if height == 0 else 3})


def _public(public_key: bytes) -> dict[str, str]:
    return {"type": PUBLIC_KEY, "value": b64encode(public_key).decode()}


def _private(signer: Signer) -> dict[str, str]:
    return {"type": PRIVATE_KEY, "value": b64encode(signer.seed + signer.public_key).decode()}


def _json(content: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
