"""Vectors of every derived digest: what is hashed, and what comes out."""

from typing import Any, Final

from fujie.core.encoding import encode
from fujie.core.hashing import (
    TAG_LOG_ENTRY,
    TAG_LOG_SALT,
    TAG_SALT_FIRST,
    TAG_SALT_NEXT,
    app_hash,
    digest,
    version_digest,
)
from fujie.core.transaction import transaction_id
from fujie.core.versions import Standing, skip_target
from fujie.machine.genesis import Genesis, GenesisLeaf, chain_id
from fujie.modules.membership.records import ParameterValues, Visibility
from fujie.modules.membership.state_keys import PARAMETERS_KEY, Parameters
from fujie.proof.merkle_log import EMPTY_ROOT, leaf_hash, node_hash
from fujie.proof.merkle_state import empty_digests, key_hash, value_digest
from tools.vector_sets.common import VALID, Case, VectorSet, case, noise, vector_set

_VALUES: Final = ParameterValues(480, 600_000, 600, 1, 86_400_000, 4, Visibility.PUBLIC)


def small_genesis() -> Genesis:
    """Return a genesis of one leaf and one old version. No node would start from it; its digest is what counts."""
    standing = Standing(1, 0, 1_750_000_000_000, 0, 1_750_000_000_000, b"", b"")
    parameters = Parameters(
        _VALUES.utc_offset_minutes,
        _VALUES.transaction_window_ms,
        _VALUES.operations_per_minute,
        _VALUES.governance_threshold,
        _VALUES.proposal_period_max_ms,
        _VALUES.state_tree_depth,
        _VALUES.visibility,
        standing,
    )
    leaf = GenesisLeaf(PARAMETERS_KEY.path, b"", encode(parameters))
    return Genesis("vectors", 1_750_000_000_000, (leaf,), (b"\x91\x01",))


def build() -> VectorSet:
    """Return vectors/hashing.json."""
    path = b"currency/wallet/00112233445566778899aabbccddeeff"
    place, salt, nonce, seed = key_hash(path), noise("salt"), noise("nonce", 16), noise("seed")
    identifier = transaction_id(b"body")
    log_salt = digest(TAG_LOG_SALT, nonce, identifier)
    genesis = small_genesis()
    cases: list[Case] = []

    def add(function: str, output: bytes | str, name: str = "", **inputs: Any) -> None:
        label = f"{function}: {name}" if name else function
        cases.append(case(label, VALID, function=function, inputs=_shown(inputs), output=_shown({"": output})[""]))

    add("transaction-id", identifier, body=b"body")
    add("key-hash", place, path=path.decode())
    add("value-digest", value_digest(salt, b"record"), "salted", salt=salt, record=b"record")
    add("value-digest", value_digest(b"", b"record"), "unsalted", salt=b"", record=b"record")
    add("first-salt", digest(TAG_SALT_FIRST, seed, place), seed=seed, key_hash=place)
    add("next-salt", digest(TAG_SALT_NEXT, salt, nonce, place), salt=salt, nonce=nonce, key_hash=place)
    for height in (0, 1, 4, 18, 24):
        add("empty-subtree", empty_digests(24)[height], f"height {height}", height=height)
    add("app-hash", app_hash(place, salt, 0), "empty log", state_root=place, log_root=salt, log_size=0)
    add("app-hash", app_hash(place, salt, 2**40), "long log", state_root=place, log_root=salt, log_size=2**40)
    add("log-salt", log_salt, nonce=nonce, transaction_id=identifier)
    add(
        "log-entry",
        digest(TAG_LOG_ENTRY, log_salt, identifier, b"receipt"),
        salt=log_salt,
        transaction_id=identifier,
        receipt=b"receipt",
    )
    add("log-leaf", leaf_hash(place), entry=place)
    add("log-node", node_hash(place, salt), left=place, right=salt)
    add("log-empty-root", EMPTY_ROOT)
    add("version-digest", version_digest(b"\x91\x01"), record=b"\x91\x01")
    add("chain-id", chain_id(genesis), genesis=encode(genesis))
    for number in (1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 100, 10_000):
        add("skip-target", str(skip_target(number)), f"version {number}", number=number)
    return vector_set(
        "Derived values of docs/spec/01-hashing.md, 03-state.md and 04-proofs.md: `output` follows from `inputs` "
        "(hexadecimal; paths, names and chain ids are text).",
        cases,
    )


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in values.items()}
