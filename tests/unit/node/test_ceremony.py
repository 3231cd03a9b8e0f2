"""Founding without a dealer: requests prove what they say, and merging them gives everybody the same chain, or a reason."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fujie.core.errors import OperationalError, VerificationError
from fujie.core.signing import Signer
from fujie.engine.executor import Executor
from fujie.machine.genesis import chain_id, founding_record
from fujie.modules.membership import queries as membership
from fujie.modules.membership.state_keys import GOVERNORS_KEY, PARAMETERS_KEY, VALIDATORS_KEY
from fujie.node.ceremony import Terms, encode_network, join, make_request, merge, read_founding
from fujie.node.cometbft_file import read_comet_file
from fujie.node.folder import Folder
from fujie.node.join_request import JoinRequest, decode_request, encode_request, sign_request
from fujie.store.opening import open_store

NAMES = ("east", "mint", "west")
TERMS = Terms(network="town", threshold=2, root_authority="mint", central_bank="mint", institutions=("east", "west"))
IDENTITY_POINT = bytes([1, *bytes(31)])  # of small order: some libraries take any signature under it


def signer(text: str) -> Signer:
    return Signer(text.encode().ljust(32, b"."))


def request_of(name: str, **changed: Any) -> JoinRequest:
    """Return a signed request of an organisation whose keys follow from its name."""
    account, validator, node = (signer(f"{name} {purpose}") for purpose in ("account", "validator", "node"))
    plain = JoinRequest(
        network="town",
        organisation=name,
        title=f"The {name}",
        account_key=account.public_key.hex(),
        validator_key=validator.public_key.hex(),
        node_key=node.public_key.hex(),
        address=f"{name}.example:26656",
        fujie="0.1.0",
        cometbft="0.38.25",
        rules={"currency": 1, "identity": 1, "membership": 1},
        created_ms=1_700_000_000_000,
    )
    return sign_request(msgspec.structs.replace(plain, **changed), account, validator, node)


def founders() -> list[JoinRequest]:
    return [request_of(name) for name in NAMES]


def test_a_request_reads_as_it_was_written_and_holds_no_key(tmp_path):
    folder = Folder(tmp_path / "east")
    made = make_request(folder, "town", "east", "The east", "east.example:26656")
    data = encode_request(made)
    assert decode_request(data, "it") == made
    seeds = [json.loads(path.read_bytes())["secret"]["seed"] for path in folder.key_files()]
    assert len(seeds) == 3
    assert [seed for seed in seeds if seed.encode() in data] == []
    network = encode_network(
        Terms(network="town", threshold=1), [made], merge(Terms(network="town", threshold=1), [made])
    )
    assert [seed for seed in seeds if seed.encode() in network] == []
    again = make_request(folder, "town", "east", "The east", "east.example:26656")
    assert (again.account_key, again.validator_key, again.node_key) == (
        made.account_key,
        made.validator_key,
        made.node_key,
    )


@pytest.mark.parametrize("field", ["organisation", "title", "address", "network", "cometbft", "created_ms", "rules"])
def test_what_was_changed_after_it_was_signed_is_refused(field):
    changed = {"created_ms": 1, "rules": {"membership": 9}}.get(field, "other")
    content = json.loads(encode_request(request_of("east")))
    content[field] = "other.example:1" if field == "address" else changed
    with pytest.raises(VerificationError) as raised:
        decode_request(json.dumps(content).encode(), "it")
    assert raised.value.step == "join-signature"


@pytest.mark.parametrize("purpose", ["account", "validator", "node"])
def test_a_key_of_another_cannot_be_asked_for(purpose):
    stolen = signer("somebody else").public_key.hex()
    with pytest.raises(VerificationError) as raised:
        decode_request(encode_request(request_of("east", **{f"{purpose}_key": stolen})), "it")
    assert (raised.value.step, purpose in raised.value.detail) == ("join-signature", True)


@pytest.mark.parametrize("purpose", ["account", "validator", "node"])
@pytest.mark.parametrize("key", [IDENTITY_POINT, bytes(32), bytes([255] * 32)])
def test_a_key_outside_the_prime_order_group_is_refused(purpose, key):
    with pytest.raises(VerificationError) as raised:
        decode_request(encode_request(request_of("east", **{f"{purpose}_key": key.hex()})), "it")
    assert raised.value.step == "join-key"


@pytest.mark.parametrize(
    ("data", "step"),
    [
        (b"", "join-form"),
        (b"[]", "join-form"),
        (b'{"format": "fujie-join-2"}', "join-form"),
        (encode_request(request_of("east")).replace(b'"title"', b'"titel"'), "join-form"),
        (encode_request(request_of("east")).replace(b".example:26656", b".example:0"), "join-form"),
        (encode_request(msgspec.structs.replace(request_of("east"), signatures=None)), "join-signature"),
    ],
)
def test_what_is_no_request_is_refused_by_its_step(data, step):
    with pytest.raises(VerificationError) as raised:
        decode_request(data, "it")
    assert raised.value.step == step


def test_one_key_for_two_purposes_is_refused():
    both = signer("east validator").public_key.hex()
    with pytest.raises(VerificationError, match="two purposes"):
        decode_request(encode_request(request_of("east", node_key=both)), "it")


def test_whoever_merges_the_same_requests_gets_the_same_chain():
    genesis = merge(TERMS, founders())
    assert merge(TERMS, reversed(founders())) == genesis
    assert chain_id(genesis).startswith("town-")
    validators = founding_record(genesis, VALIDATORS_KEY).members
    assert sorted((each.organisation, each.power) for each in validators) == [(name, 10) for name in NAMES]
    assert founding_record(genesis, GOVERNORS_KEY).accounts == NAMES
    assert founding_record(genesis, PARAMETERS_KEY).governance_threshold == 2
    assert chain_id(merge(TERMS, [*founders()[:2], request_of("west", title="Another")])) != chain_id(genesis)


@pytest.mark.parametrize(
    ("requests", "detail"),
    [
        ([], "0 requests"),
        ([request_of("east"), request_of("east", title="Twice")], "organisation east"),
        ([request_of("east"), request_of("mint", address="east.example:26656")], "address east.example:26656"),
        ([request_of("east"), request_of("mint", network="city")], "asks to join 'city'"),
        ([request_of("east"), request_of("mint", rules={"membership": 1})], "lacks the rules of currency, identity"),
    ],
)
def test_requests_that_do_not_go_together_are_refused(requests, detail):
    terms = Terms(network="town", threshold=1, root_authority="east", central_bank="east")
    with pytest.raises(VerificationError, match=detail) as raised:
        merge(terms, requests)
    assert raised.value.step == "join-merge"


def test_two_organisations_cannot_bring_one_validator_key():
    account, validator, node = signer("thief account"), signer("east validator"), signer("thief node")
    thief = msgspec.structs.replace(
        request_of("thief"), validator_key=validator.public_key.hex(), node_key=node.public_key.hex()
    )
    colluding = sign_request(thief, account, validator, node)
    with pytest.raises(VerificationError, match=f"two requests have the key {validator.public_key.hex()}"):
        merge(Terms(network="town", threshold=1), [request_of("east"), colluding])


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"central_bank": "nobody"}, "No request is of nobody"),
        ({"institutions": ("east", "north")}, "No request is of north"),
        ({"central_bank": None}, "need a central bank"),
        ({"threshold": 4}, "4 votes cannot carry"),
    ],
)
def test_terms_that_do_not_fit_the_founders_are_refused(changed, what):
    with pytest.raises(OperationalError, match=what):
        merge(msgspec.structs.replace(TERMS, **changed), founders())


def network_file(place: Path) -> Path:
    """Three organisations make requests in folders of their own, and one of them merges."""
    requests = [
        make_request(Folder(place / name), "town", name, name, f"127.0.0.1:{26_000 + number}")
        for number, name in enumerate(NAMES)
    ]
    path = place / "town.network"
    path.write_bytes(encode_network(TERMS, requests, merge(TERMS, requests)))
    return path


def test_every_founder_joins_the_same_chain_with_keys_of_its_own(tmp_path):
    path = network_file(tmp_path)
    ids = set()
    for number, name in enumerate(NAMES):
        folder = Folder(tmp_path / name)
        ids.add(chain_id(join(folder, path, "sqlite")))
        file = read_comet_file(folder)
        assert (file.initial_height, file.listen, file.moniker) == (1, f"127.0.0.1:{26_000 + number}", name)
        assert len(file.peers) == 2
        assert folder.trust().chain_id in ids
        store = open_store("sqlite", folder.chain)
        known = {each.public_key for each in membership.validators(Executor(store).live).members}
        store.close()
        assert len(known) == 3
    assert len(ids) == 1
    with pytest.raises(OperationalError, match=r"has joined .* already"):
        join(Folder(tmp_path / "east"), path, "sqlite")


def test_a_genesis_that_its_requests_do_not_give_is_refused(tmp_path):
    path = network_file(tmp_path)
    content = json.loads(path.read_bytes())
    content["terms"]["threshold"] = 1
    path.write_text(json.dumps(content))
    with pytest.raises(VerificationError) as raised:
        read_founding(path)
    assert raised.value.step == "join-merge"


def test_a_stranger_joins_as_a_replica_or_not_at_all(tmp_path):
    path = network_file(tmp_path)
    folder = Folder(tmp_path / "stranger")
    with pytest.raises(OperationalError, match="not among those"):
        join(folder, path, "sqlite", listen="127.0.0.1:26009")
    assert folder.describe() is None
    with pytest.raises(OperationalError, match="where this node waits"):
        join(folder, path, "sqlite", replica=True)
    join(folder, path, "sqlite", replica=True, listen="127.0.0.1:26009")
    assert len(read_comet_file(folder).peers) == 3
