"""The owner of an embedded chain and three organisations grow it together, each on its own folder, with the program as people run it.

Who comes later begins from a snapshot of the chain that has grown, knowing the trust root from before; a mirror follows from before.
"""

import json
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fujie.client.client import Client
from fujie.client.http import HttpTransport
from fujie.engine.pivots import kept_changes
from fujie.engine.stored_block import light_block_at
from fujie.node.cometbft_file import read_comet_file
from fujie.node.cometbft_home import comet_status
from fujie.node.doctor.scene import Scene
from fujie.node.folder import Folder
from fujie.node.handover import ended_in, handover_folder
from fujie.proof.changes import verify_newest
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import encode_trust
from fujie.store.layout import Table
from fujie.store.reading import open_for_reading
from tests.e2e.cli_node import START_S
from tests.e2e.test_ceremony import Organisation, until
from tests.e2e.test_cli_mirror import CliMirror
from tests.e2e.test_state_sync import began_at, has_snapshot
from tests.light import comet_light

pytestmark = [pytest.mark.go, pytest.mark.slow]

OTHERS = ("east", "north", "west")
DAY_MS = 86_400_000
OFTEN = "[snapshots]\nevery_s = 3\n"


class Town:
    """All of them, and a mirror that began with the embedded chain. ``height`` is that of the last embedded block."""

    def __init__(self, place: Path) -> None:
        self.owner = Organisation(place, "owner")
        self.others = [Organisation(place, name) for name in OTHERS]
        self.owner.run("init", "--name", "town", "--public")
        for each in self.all:
            (each.home / "fujie.toml").write_text(OFTEN)
        self.owner.launch()
        until(self.owner.is_ready)
        self.trust = self.owner.folder.trust()
        allocated = self.owner.json("id", "allocate", "ZZ.000", "GAS", "--kind", "department", "--name", "Gas works")
        self.first = bytes.fromhex(allocated["transaction_id"])
        self.height = 0
        self.twin = CliMirror(place / "mirror", self.url(self.owner))
        self.twin.launch(self.twin.url, "--trust", str(self.owner.folder.trust_path))
        until(lambda: self.twin.height() > 0)

    @property
    def all(self) -> list[Organisation]:
        return [self.owner, *self.others]

    def requests(self) -> list[str]:
        return [str(each.request) for each in self.all]

    def url(self, of: Organisation) -> str:
        return f"http://127.0.0.1:{of.port}"

    def client(self, of: Organisation) -> Client:
        """A client that knows the trust root from before it grew, and nothing else."""
        return Client(HttpTransport(self.url(of)), self.trust)

    def state_sync(self, *of: Organisation) -> list[str]:
        """The options with which a node begins from a snapshot, when each of the nodes offers one of after it grew."""
        count = 0
        while not all(has_snapshot(each.folder, self.height) for each in of):
            count += 1
            self.allocate(f"S{count}X{Scene(self.owner.folder).stored.head.height}")
        for more in ("P", "Q"):  # what proves the newest
            self.allocate(f"{more}{Scene(self.owner.folder).stored.head.height}")
        return [option for each in of for option in ("--state-sync", self.url(each))]

    def allocate(self, code: str) -> None:
        self.owner.run("id", "allocate", "ZZ.000", code, "--kind", "department", "--name", f"The {code}")

    def agree(self) -> bool:
        return len({Scene(each.folder).stored.head.app_hash for each in self.all}) == 1


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The chain when it has grown, and all four nodes run."""
    found = Town(tmp_path_factory.mktemp("town"))
    owner = found.owner
    try:
        assert "too few" in owner.run("network", "grow", found.requests()[0], code=1)
        assert owner.is_ready(), "what is refused changes nothing"
        said = owner.json("network", "grow", *found.requests(), "--yes")
        assert owner.process is not None
        assert owner.process.wait(START_S) == 0, "the node ends when it has handed over"
        assert said["validators"] == sorted(each.name for each in found.all)
        found.height = said["height"]
        for each in found.others:
            joined = each.json("network", "join", str(handover_folder(owner.folder)))
            assert joined["chain_id"] == found.trust.chain_id
            assert each.folder.trust() == found.trust
        for each in found.all:
            each.launch()
        for each in found.all:
            until(each.is_ready)
        yield found
    finally:
        if found.twin.process is not None and found.twin.process.poll() is None:
            found.twin.end(signal.SIGKILL)
        for each in found.all:
            if each.process is not None and each.process.poll() is None:
                each.stop()


def test_all_of_them_make_blocks_and_clients_keep_url_and_trust_root(town: Town) -> None:
    town.owner.run("id", "allocate", "ZZ.000", "WATER", "--kind", "department", "--name", "Water works")
    until(town.agree)
    assert [comet_status(each.folder).power for each in town.all] == [10] * 4
    for each in town.all:
        with town.client(each) as client:
            assert client.resolve("ZZ.000.WATER").record is not None
            receipt = client.receipt(town.first)
            assert receipt is not None
            assert receipt.header.height > town.height >= receipt.receipt.height


def test_the_light_client_of_cometbft_crosses_over(town: Town) -> None:
    with town.client(town.owner) as client:
        newest = client.parameters().header.height
        found = [client.transport.light_block(height) for height in range(1, newest + 1)]
    blocks = [data for data in found if data is not None]
    assert len(blocks) == newest
    now_ms = decode_light_block(blocks[-1]).header.time_ms + 1_000
    counts = comet_light.verify(town.trust.chain_id, blocks, now_ms=now_ms, trusting_period_ms=14 * DAY_MS)
    assert counts["sequential_client_height"] == counts["skipping_client_height"] == newest
    assert counts["adjacent"] == newest - 1


def test_events_and_lists_run_across_the_change(town: Town) -> None:
    url = f"http://127.0.0.1:{town.owner.port}"
    heights: list[int] = []
    with urllib.request.urlopen(f"{url}/events?after=0.0", timeout=START_S) as stream:
        for line in stream:
            if line.startswith(b"data: ") and b'"app_hash"' in line:
                heights.append(int(json.loads(line[6:])["height"]))
                if heights[-1] > town.height:
                    break
    assert heights == list(range(1, town.height + 2))
    give_up = time.monotonic() + START_S
    while True:
        lists = town.owner.json("proposal", "list")["proposals"]
        if len(lists) == 7 and {each["status"] for each in lists} == {"carried"}:
            break
        assert time.monotonic() < give_up, lists
        time.sleep(0.2)


def test_nothing_is_wrong_with_any_of_the_nodes(town: Town) -> None:
    until(town.agree)
    for each in town.all:
        assert each.json("check")["findings"] == []
        found = each.json("doctor")["findings"]
        assert [one for one in found if one["verdict"] == "fail"] == []


def test_the_command_may_be_run_again_and_changes_nothing(town: Town) -> None:
    until(town.agree)
    before = ended_in(town.owner.folder)
    said = town.owner.json("network", "grow")
    assert said["height"] == town.height
    assert ended_in(town.owner.folder) == before
    assert town.owner.is_ready()


def test_a_node_that_lost_its_chain_is_recovered_from_what_was_handed_over(town: Town) -> None:
    west = town.others[-1]
    west.stop()
    head = Scene(town.owner.folder).stored.head.height
    handover = handover_folder(town.owner.folder)
    assert "--handover" in west.run("network", "recover", "--above", str(head + 5), code=1)
    west.run("network", "recover", "--above", str(head + 5), "--handover", str(handover))
    west.launch()
    until(west.is_ready)
    town.owner.run("id", "allocate", "ZZ.000", "POST", "--kind", "department", "--name", "Post office")
    until(town.agree)
    assert west.json("check")["findings"] == []


def test_a_snapshot_of_the_chain_that_grew_loads_with_the_trust_root_from_before(town: Town) -> None:
    until(town.agree)
    path = town.owner.work / "grown.snapshot"
    town.owner.run("snapshot", "save", str(path))
    loaded = town.owner.work / "loaded"
    trust = town.owner.work / "before.json"
    trust.write_bytes(encode_trust(town.trust))
    town.owner.run("--home", str(loaded), "snapshot", "load", str(path), "--trust", str(trust))
    assert Folder(loaded).trust() == town.trust
    assert town.owner.json("--home", str(loaded), "check")["findings"] == []
    store = open_for_reading("sqlite", Folder(loaded).chain)
    try:
        [[height, _]] = store.scan(Table.BLOCKS)
        newest = light_block_at(store.get, int.from_bytes(height, "big"))
        assert newest is not None
        changes = kept_changes(store)
        assert [block.header.height for block in changes] == [town.height, town.height + 1]
        verify_newest(town.trust, [*changes, newest])
    finally:
        store.close()


def proves(town: Town, client: Client, identifier: str) -> None:
    """Wait until a node proves a name under a header that others signed than the validators of the trust root."""
    until(lambda: client.resolve(identifier).record is not None)
    assert client.resolve(identifier).header.validators_hash.hex() != town.trust.validators_hash


def test_a_late_node_begins_from_a_snapshot_and_the_trust_root_from_before(town: Town, tmp_path: Path) -> None:
    late = Organisation(tmp_path, "late")
    syncing = town.state_sync(town.owner, town.others[0])
    peers = [option for each in town.all for option in ("--peer", each.peer)]
    joining = ("network", "join", str(handover_folder(town.owner.folder)), "--replica", "--listen", late.address)
    late.run(*joining, *peers, *syncing)
    assert late.folder.trust() == town.trust
    for each in town.all:
        each.run("network", "peer", "add", late.peer)
    late.launch()
    try:
        until(late.is_ready)
        assert read_comet_file(late.folder).state_sync is None
        assert began_at(late.folder) > town.height
        town.allocate("LATE")
        until(lambda: Scene(late.folder).stored.head.app_hash == Scene(town.owner.folder).stored.head.app_hash)
        with town.client(late) as client:
            proves(town, client, "ZZ.000.LATE")
        assert late.json("check")["findings"] == []
    finally:
        assert late.stop() == 0


def test_a_node_with_the_genesis_alone_ends_and_says_how_to_begin(town: Town, tmp_path: Path) -> None:
    late, genesis = Organisation(tmp_path, "early"), tmp_path / "town.genesis"
    assert town.owner.json("genesis", "export", str(genesis))["grew_at"] == town.height + 1
    late.run("network", "join", str(genesis), "--replica", "--listen", late.address, "--peer", town.owner.peer)
    town.owner.run("network", "peer", "add", late.peer)
    late.launch()
    assert late.process is not None
    assert late.process.wait(START_S) == 1
    said = late.run("log", "show", "--process", "node")
    assert "their chain grew out of an embedded one" in said
    late.run("network", "recover", "--above", "1", "--handover", str(handover_folder(town.owner.folder)))
    late.launch()
    try:
        until(late.is_ready)
        until(lambda: Scene(late.folder).stored.head.app_hash == Scene(town.owner.folder).stored.head.app_hash)
    finally:
        assert late.stop() == 0


def test_a_validator_that_lost_its_chain_is_recovered_from_a_snapshot(town: Town) -> None:
    until(town.agree)
    north = town.others[1]
    syncing = town.state_sync(town.owner, town.others[0])
    north.stop()
    above = Scene(town.owner.folder).stored.head.height + 5
    handover = ("--handover", str(handover_folder(town.owner.folder)))
    north.run("network", "recover", "--above", str(above), *handover, *syncing)
    north.launch()
    until(north.is_ready)
    assert began_at(north.folder) > town.height
    assert north.folder.trust() == town.trust
    while comet_status(north.folder).height <= above:
        town.allocate(f"R{Scene(town.owner.folder).stored.head.height}")
    east = town.others[0]
    east.stop()  # three of four powers are more than two thirds only if the recovered one votes again
    town.allocate("VOTES")
    east.launch()
    until(east.is_ready)
    until(town.agree)
    assert north.json("check")["findings"] == []


def test_a_mirror_from_before_follows_through_the_change_and_goes_on_after_a_restart(town: Town) -> None:
    until(town.agree)
    twin, source = town.twin, Scene(town.owner.folder)
    until(lambda: twin.height() >= source.stored.head.height > town.height)
    assert twin.end() == 0
    town.allocate("MIRROR")
    twin.launch()
    until(lambda: Scene(Folder(twin.home)).stored.head.app_hash == Scene(town.owner.folder).stored.head.app_hash)
    assert Folder(twin.home).trust() == town.trust
    with Client(HttpTransport(f"http://127.0.0.1:{twin.port}"), town.trust) as client:
        proves(town, client, "ZZ.000.MIRROR")
        receipt = client.receipt(town.first)
        assert receipt is not None
        assert receipt.header.height > town.height >= receipt.receipt.height
    assert twin.end() == 0
    assert json.loads(twin.run("check", "--json"))["findings"] == []
