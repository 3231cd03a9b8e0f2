"""A late node begins from a snapshot of its peers, with the program as people run it and a real CometBFT."""

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fujie.client.http import HttpTransport
from fujie.core.reasons import TransactionReason
from fujie.engine.cometbft.rpc import Rpc
from fujie.engine.executor import LOG_ENTRY
from fujie.node.cometbft_file import read_comet_file, write_comet_file
from fujie.node.cometbft_home import RPC_NAME
from fujie.node.folder import Folder
from fujie.node.state_sync import read_progress
from fujie.proof.validators import ValidatorSet
from fujie.store.layout import Table
from fujie.store.reading import open_for_reading
from fujie.store.snapshot import META_ORIGIN, read_origin
from tests.e2e.cli_network import GIVE_UP_S, CliNetwork
from tests.e2e.cli_node import free_port

pytestmark = [pytest.mark.go, pytest.mark.slow]

EVERY_S = 3
GONE = "http://127.0.0.1:1"  # where nobody listens


class TwoNodes(CliNetwork):
    """A network of two validators that take snapshots often, and a third folder that comes late."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, "two", 2)
        for node in ("node1", "node2"):
            with (self.folder(node).home / "fujie.toml").open("a") as file:
                file.write(f"[snapshots]\nevery_s = {EVERY_S}\n")
        self.run("network", "start", "two")

    def pay_until_snapshot(self) -> dict[str, Any]:
        """Make payments until a snapshot of what came after the first one may be offered; return the first one."""
        paid = self.at("node1", "pay", "alice", "shop", "12.50")
        give_up = time.monotonic() + GIVE_UP_S
        while not has_snapshot(self.folder("node1"), paid["height"]):
            assert time.monotonic() < give_up
            self.at("node1", "pay", "bob", "shop", "0.01")
        for _ in range(2):
            self.at("node1", "pay", "bob", "shop", "0.01")
        return paid

    def kill_while_it_begins(self, late: Folder) -> None:
        """Start the late node, and kill it as soon as it looks for a snapshot."""
        with (self.work / "late.out").open("w") as out:
            process = subprocess.Popen(
                [*self.program, "--home", str(late.home), "up"],
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        give_up = time.monotonic() + GIVE_UP_S
        while not read_progress(late):
            assert time.monotonic() < give_up
            assert process.poll() is None, (self.work / "late.out").read_text("utf-8")
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)  # it goes no further while it is asked
        for command in ("status", "doctor"):
            assert "a snapshot" in self.run("--home", str(late.home), command, code=command == "status"), command
        assert f"named with --state-sync does not serve: {GONE}" in self.run("--home", str(late.home), "doctor")
        [state] = self.json("--home", str(late.home), "network", "status")["nodes"]
        assert "a snapshot" in state["problem"]
        process.kill()
        process.wait(GIVE_UP_S)

    def join_late(self) -> Folder:
        """Have node3 join as a replica that begins from a snapshot. Of three nodes that it asks for headers, one is away by then."""
        late, genesis = self.folder("node3"), self.home / "two.genesis"
        first = self.folder("node1").home
        self.run("--home", str(first), "genesis", "export", str(genesis))
        peers: list[str] = []
        urls: list[str] = []
        for node in ("node1", "node2"):
            shown = self.json("--home", str(self.folder(node).home), "network", "show")
            peers += ["--peer", f"{shown['node_id']}@{shown['listen']}"]
            urls += ["--state-sync", self.states()[node]["url"]]
        self.run(
            "--home", str(late.home), "network", "join", str(genesis), "--replica", *peers,
            "--listen", f"127.0.0.1:{free_port()}", *urls,
        )  # fmt: skip
        file = read_comet_file(late)
        assert file.state_sync is not None
        one_more = msgspec.structs.replace(file.state_sync, servers=(GONE, *file.state_sync.servers))
        write_comet_file(late, msgspec.structs.replace(file, state_sync=one_more))
        shown = self.json("--home", str(late.home), "network", "show")
        for node in ("node1", "node2"):
            own = ("--home", str(self.folder(node).home))
            self.run(*own, "network", "peer", "add", f"{shown['node_id']}@{shown['listen']}")
        (late.home / "fujie.toml").write_text(
            f"[http]\nport = {free_port()}\nreaders = 1\n[snapshots]\nevery_s = {EVERY_S}\n"
        )
        return late


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    network = TwoNodes(tmp_path_factory.mktemp("sync"))
    yield network
    network.run("network", "stop", "two")


def test_a_late_node_begins_from_a_snapshot_and_is_a_node_like_every_other(two: TwoNodes) -> None:
    paid = two.pay_until_snapshot()
    late = two.join_late()
    two.kill_while_it_begins(late)
    two.run("network", "start", "two")
    states = two.wait(agree)
    assert [state["problem"] for state in states.values()] == [""] * 3
    assert read_comet_file(late).state_sync is None
    height = began_at(late)
    assert height > paid["height"]

    # It has no block from before, says so, and proves what stands as the others do.
    url = states["node3"]["url"]
    for missing in (1, height - 1):
        assert httpx.get(f"{url}/blocks/{missing}").json()["type"].endswith("/problems/BLOCK_ABSENT")
    for there in (height, height + 1):
        assert httpx.get(f"{url}/blocks/{there}").status_code == httpx.codes.OK
    read = [two.at(node, "wallet", "balance", "shop") for node in ("node1", "node3")]
    assert read[0]["record"] == read[1]["record"]
    assert read[1]["proof"]["verified"] is True

    # CometBFT takes turns there as everywhere: nobody signs for that.
    common = min(state["height"] for state in states.values())
    turns = [turns_at(two.folder(node), common) for node in ("node1", "node3")]
    assert turns[0] == turns[1]

    # What was carried out before it began is not carried out again, and it takes and proves what is new.
    index, raw = logged(two.folder("node1"), paid["transaction_id"])
    # (Where the machine is slow it has expired by now; tests/abci/test_state_sync.py repeats in time.)
    transport = HttpTransport(url)
    refused = {TransactionReason.TRANSACTION_REPEATED, TransactionReason.TRANSACTION_EXPIRED}
    assert transport.dry_run(raw).code in refused
    [again] = transport.submit([raw])
    assert (again.code, again.log_index) in {(0, index), (TransactionReason.OUTCOME_NOT_KEPT, None)}
    transport.close()
    entries = two.states()["node1"]["log_size"]
    after = two.at("node3", "pay", "bob", "shop", "0.02")
    assert after["proof"]["verified"] is True
    states = two.wait(agree)
    assert states["node3"]["log_size"] == entries + 1


def test_it_keeps_snapshots_itself_and_its_folder_is_whole(two: TwoNodes) -> None:
    late = two.folder("node3")
    give_up = time.monotonic() + GIVE_UP_S
    while not has_snapshot(late, began_at(late)):
        assert time.monotonic() < give_up
        two.at("node1", "pay", "bob", "shop", "0.01")
    two.run("network", "stop", "two")
    for node in ("node1", "node3"):
        checked = two.json("--home", str(two.folder(node).home), "check")
        assert checked["findings"] == []


def has_snapshot(folder: Folder, above: int) -> bool:
    return any(int(path.stem) > above for path in folder.snapshots.glob("*.contents"))


def agree(states: dict[str, dict[str, Any]]) -> bool:
    """Tell whether all nodes stand at one height with one app hash."""
    return len({(each["height"], each["app_hash"]) for each in states.values()}) == 1


def began_at(folder: Folder) -> int:
    """Return the block with which the chain of a folder begins."""
    store = open_for_reading("sqlite", folder.chain)
    origin = store.get(Table.META, META_ORIGIN)
    store.close()
    assert origin is not None
    return read_origin(origin).height


def logged(folder: Folder, identifier: str) -> tuple[int, bytes]:
    """Return the place of a transaction in the log, and its bytes."""
    store = open_for_reading("sqlite", folder.chain)
    index = store.get(Table.TRANSACTION_INDEX, bytes.fromhex(identifier))
    assert index is not None
    entry = store.get(Table.LOG_ENTRIES, index)
    store.close()
    assert entry is not None
    return int.from_bytes(index, "big"), LOG_ENTRY.decode(entry).transaction


def turns_at(folder: Folder, height: int) -> ValidatorSet:
    """Return the validators of a height with their priorities, as the CometBFT of a node knows them."""
    rpc = Rpc(folder.home / "run" / RPC_NAME)
    try:
        return rpc.validators(height)
    finally:
        rpc.close()
