"""Three organisations found a chain without a dealer; a fourth follows it, gets a vote by vote, and loses it again."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fujie.client.client import Client
from fujie.client.http import HttpTransport
from fujie.client.verifier import VerifiedRecord, verify_file
from fujie.core.encoding import encode
from fujie.modules.identity.queries import IdentityQuery
from fujie.node.cometbft_home import comet_status
from fujie.node.doctor.scene import Scene
from fujie.node.folder import Folder
from fujie.proof.light import verify_root
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import TrustRoot, decode_trust
from tests.e2e.cli_node import START_S, CliNode, free_port
from tests.verifier.second import assert_agreement

pytestmark = [pytest.mark.go, pytest.mark.slow]

FOUNDERS = ("east", "mint", "west")


class Organisation(CliNode):
    """An organisation with a folder, keys and a node of its own; files go from one to another by hand."""

    def __init__(self, place: Path, name: str) -> None:
        super().__init__(place / name)
        self.name = name
        self.address = f"127.0.0.1:{free_port()}"
        self.environment["XDG_DATA_HOME"] = str(place / "user")
        self.request = place / f"{name}.join"
        self.run(
            "network", "request", "town", "--organisation", name, "--address", self.address, "--file", str(self.request)
        )

    @property
    def folder(self) -> Folder:
        return Folder(self.home)

    @property
    def peer(self) -> str:
        return f"{self.json('network', 'show')['node_id']}@{self.address}"

    def power(self) -> int:
        return comet_status(self.folder).power


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def founders(place: Path) -> Iterator[dict[str, Organisation]]:
    """Three organisations whose nodes run on a chain that they merged, each by itself."""
    found = {name: Organisation(place, name) for name in FOUNDERS}
    requests = [str(each.request) for each in found.values()]
    terms = ["--central-bank", "mint", "--institution", "east", "--institution", "west", "--root-authority", "mint"]
    chains = {each.json("network", "genesis", *requests, *terms)["chain_id"] for each in found.values()}
    assert len(chains) == 1
    for each in found.values():
        assert each.json("network", "join", "town.network")["chain_id"] in chains
        each.launch()
    yield found
    for each in found.values():
        if each.process is not None:
            assert each.stop(signal.SIGTERM) == 0


def vote(founders: dict[str, Organisation], action: str) -> None:
    """Have an action proposed by one organisation and carried by two, each at its own node with its own key."""
    [first, second, _] = founders.values()
    identifier = first.json("proposal", "new", first.name, action)["id"]
    first.run("proposal", "vote", first.name, identifier)
    assert "the proposal is carried" in second.run("proposal", "vote", second.name, identifier)


def validators_of(node: Organisation) -> str:
    """The hash of the validators that signed the newest block of a node."""
    header = Scene(node.folder).stored.header
    return "" if header is None else header.validators_hash.hex()


def saved_and_shown(node: Organisation, changes: int) -> None:
    """What a node proves under the trust root of the founding day is saved, and checked by others without any node."""
    root, works = node.folder.trust_path, node.work
    trust = decode_trust(root.read_bytes())
    node.run("resolve", "ZZ.000.GAS", "--save", "gas.fujie")
    address = node.json("status")["url"] + "/ids/ZZ.000.GAS.fujie"
    (works / "served.fujie").write_bytes(httpx.get(address, params={"since": trust.validators_hash}).content)
    for name in ("gas.fujie", "served.fujie"):
        said = node.json("verify", name, "--trust", str(root), "--strict")
        assert said["items"][0]["record"]["name"] == "Gas works"
        assert len(said["validators"]["changes"]) == changes, name
        assert said["validators"]["within_trust_period"] is True
        data = (works / name).read_bytes()
        case = {"judge": "file", "bytes": data.hex(), "trust": root.read_text(), "at_ms": None}
        assert_agreement([case], lambda case: judged_file(bytes.fromhex(case["bytes"]), trust))
    unknown = httpx.get(address, params={"since": "00" * 32})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/VALIDATORS_UNKNOWN")


def follows_from(validators_hash: str, node: Organisation) -> None:
    """Whoever was handed a root of a day between others goes on from it, and asks the node alone."""
    root = msgspec.structs.replace(decode_trust(node.folder.trust_path.read_bytes()), validators_hash=validators_hash)
    transport = HttpTransport(node.json("status")["url"])
    told = transport.last_of(bytes.fromhex(validators_hash))
    assert told is not None
    last = decode_light_block(told)
    verify_root(root, last)
    assert last.header.next_validators_hash.hex() != validators_hash
    with Client(transport, root) as client:
        found = client.read(IdentityQuery("ZZ.000.GAS"))
    assert found.record is not None
    assert found.record.name == "Gas works"
    assert found.height > last.header.height


def judged_file(data: bytes, trust: TrustRoot) -> list[Any]:
    """What the Python verifier says of a file with one record, in the form of ``tests/verifier/judge.mjs``."""
    [item] = verify_file(data, trust)
    assert isinstance(item, VerifiedRecord)
    assert item.record is not None
    return [item.header_hash.hex(), item.time_ms, [encode(item.record).hex()]]


def test_a_chain_without_a_dealer_takes_in_another_validator_and_lets_it_go(
    place: Path, founders: dict[str, Organisation]
) -> None:
    for each in founders.values():
        until(each.is_ready)
    east, mint = founders["east"], founders["mint"]
    mint.run("id", "allocate", "ZZ.000", "GAS", "--kind", "department", "--name", "Gas works")
    until(lambda: Scene(east.folder).stored.head.log_size == Scene(mint.folder).stored.head.log_size)
    assert east.json("resolve", "ZZ.000.GAS")["record"]["name"] == "Gas works"
    assert [each.power() for each in founders.values()] == [10, 10, 10]

    new = Organisation(place, "north")
    admit, validate = east.json("network", "show", str(new.request))["actions"]
    vote(founders, admit)
    mint.run("genesis", "export", str(place / "town.genesis"))
    peers = [option for each in founders.values() for option in ("--peer", each.peer)]
    listen = ("--listen", new.address)
    new.run("network", "join", str(place / "town.genesis"), *listen, *peers, code=1)
    new.run("network", "join", str(place / "town.genesis"), *listen, *peers, "--replica")
    for each in founders.values():
        assert new.peer in each.json("network", "peer", "add", new.peer)["peers"]
    new.start()
    try:
        until(lambda: new.power() == 0 and not comet_status(new.folder).catching_up)
        assert new.json("resolve", "ZZ.000.GAS")["record"]["name"] == "Gas works"

        founding = validators_of(east)
        vote(founders, validate)
        until(lambda: new.power() == 10)
        until(lambda: validators_of(east) != founding)
        saved_and_shown(east, 1)
        of_that_day = validators_of(east)
        founders["west"].stop()  # three of four powers go on deciding, so the new one's vote counts
        vote(founders, json.dumps({**json.loads(validate), "power": 0}))
        until(lambda: new.power() == 0)
        founders["west"].launch()
        until(founders["west"].is_ready)
        until(lambda: comet_status(founders["west"].folder).height >= comet_status(east.folder).height)
        until(lambda: validators_of(east) == founding)
        saved_and_shown(east, 0)  # those of the founding day sign again, and vouch for themselves
        follows_from(of_that_day, east)
        assert new.process is not None
        assert new.process.poll() is None, "without a vote it goes on as a replica"
    finally:
        assert new.stop() == 0
    until(lambda: Scene(east.folder).stored.head.app_hash == Scene(founders["west"].folder).stored.head.app_hash)
