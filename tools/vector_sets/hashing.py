"""Vectors of every derived digest: what is hashed, and what comes out."""

from typing import Any, Final

import msgspec

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
from fujie.core.policy import single
from fujie.core.transaction import transaction_id
from fujie.core.versions import skip_target
from fujie.machine.genesis import Genesis, GenesisLeaf, chain_id, compose
from fujie.modules.membership.genesis import GenesisAccount, GenesisOrganisation, GenesisRule, MembershipGenesis
from fujie.modules.membership.records import ParameterValues, Role, Validator, Visibility
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.proof.merkle_log import EMPTY_ROOT, leaf_hash, node_hash
from fujie.proof.merkle_state import empty_digests, key_hash, value_digest
from tools.vector_sets.common import VALID, Case, VectorSet, case, key_pair, noise, vector_set

_TIME_MS: Final = 1_750_000_000_000


def small_genesis() -> Genesis:
    """Return the genesis of a chain with one organisation, one account and one validator."""
    values = ParameterValues(480, 600_000, 600, 1, 86_400_000, 4, Visibility.PUBLIC)
    part = MembershipGenesis(
        values,
        (GenesisOrganisation("city", "City"),),
        (GenesisAccount("registrar", "city", single(key_pair(1).public_key), (Role.GOVERNOR,), 0),),
        (Validator(key_pair(101).public_key, 10, "city"),),
        (GenesisRule("membership", 1),),
    )
    return compose("vectors", _TIME_MS, [("membership", part)])


def build_genesis() -> VectorSet:
    """Return vectors/genesis.json."""
    good = small_genesis()
    first, second, *rest = good.leaves
    change = msgspec.structs.replace
    data = encode(good)
    wallet = GenesisLeaf("zzz/unknown", b"", b"\x91\x01")
    refused: list[tuple[str, str, Genesis | bytes]] = [
        ("trailing byte", "decode", data + b"\x00"),
        ("name with a capital", "decode", change(good, name="Vectors")),
        ("name with a line feed", "decode", change(good, name="vectors\n")),
        ("leaves in another order", "genesis-order", change(good, leaves=(second, first, *rest))),
        ("leaf twice", "genesis-order", change(good, leaves=(first, first, second, *rest))),
        ("old versions in another order", "genesis-order", change(good, archive=(b"\x92", b"\x91"))),
        ("salt of 16 bytes", "genesis-salt", change(good, leaves=(change(first, salt=bytes(16)), second, *rest))),
        ("path that no room has", "decode", change(good, leaves=(*good.leaves, wallet))),
        (
            "record with a trailing byte",
            "decode",
            change(good, leaves=(change(first, record=first.record + b"\x00"), second, *rest)),
        ),
        (
            "no parameters",
            "genesis-membership",
            change(good, leaves=tuple(leaf for leaf in good.leaves if leaf.path != PARAMETERS_KEY.path)),
        ),
    ]
    return vector_set(
        "Genesis files and the chain id that follows from them. Steps: docs/spec/03-state.md, 'Genesis and chain id'.",
        [
            case("one organisation", VALID, genesis=data, chain_id=chain_id(good)),
            *(case(name, step, genesis=one if isinstance(one, bytes) else encode(one)) for name, step, one in refused),
        ],
    )


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
