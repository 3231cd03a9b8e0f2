"""The processes of a node: each may die, and the node serves on, on the same port."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fujie.client.keys import save_key
from fujie.engine.link.connection import Requests
from fujie.node.control import NodeStatus, is_running, node_status
from fujie.node.folder import Folder
from fujie.node.founding import found_from
from fujie.store.opening import StoreKind
from tests.e2e.cli_node import START_S, CliNode
from tests.world import VALIDATOR, Signing, funded, holder
from tests.world import pay as payment


@pytest.fixture(params=["sqlite", "rocks"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CliNode]:
    """A running node over the chain of the tests' world."""
    kind: StoreKind = request.param
    node = CliNode(tmp_path)
    folder = Folder(node.home)
    folder.validator_key.parent.mkdir(mode=0o700, parents=True)
    save_key(folder.validator_key, VALIDATOR.seed, None, label="validator")
    found_from(folder, kind, "plain", funded())
    node.start()
    try:
        yield node
    finally:
        if node.process is not None:
            node.stop()


def status(node: CliNode) -> NodeStatus:
    return node_status(Folder(node.home))


def pid_of(node: CliNode, name: str) -> int:
    [found] = [process["pid"] for process in status(node).processes if process["name"] == name]
    assert isinstance(found, int)
    return found


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(holds: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < give_up, f"{what} did not happen"
        time.sleep(0.02)


def pay(node: CliNode, signing: Signing, requests: Requests, count: int) -> None:
    """Have the ledger carry out payments, whatever becomes of the readers."""
    expires_ms = int(time.time() * 1000) + 300_000
    batch = [signing.sign(payment(0, 1), holder(0), expires_at_ms=expires_ms) for _ in range(count)]
    assert {outcome.code for outcome in requests.submit(batch).result(START_S)} == {0}


def test_a_killed_reader_is_replaced_on_the_same_port_while_the_ledger_goes_on(node: CliNode) -> None:
    requests = Requests(node.home)
    signing = Signing(status(node).chain_id)
    try:
        for _ in range(2):
            height = status(node).head.height
            pid = pid_of(node, "reader-1")
            os.kill(pid, signal.SIGKILL)
            for _ in range(5):
                pay(node, signing, requests, 20)
            until(node.is_ready, "serving again")
            assert pid_of(node, "reader-1") != pid
            assert status(node).head.height > height
    finally:
        requests.close()
    assert [process["starts"] for process in status(node).processes if process["name"] == "reader-1"] == [3]


def test_a_stopped_reader_does_not_stop_the_ledger(node: CliNode) -> None:
    requests = Requests(node.home)
    signing = Signing(status(node).chain_id)
    pid = pid_of(node, "reader-1")
    os.kill(pid, signal.SIGSTOP)
    try:
        height = status(node).head.height
        for _ in range(5):
            pay(node, signing, requests, 20)
        assert status(node).head.height >= height + 5
    finally:
        os.kill(pid, signal.SIGCONT)
        requests.close()
    until(node.is_ready, "serving again")
    assert pid_of(node, "reader-1") == pid


def test_what_the_processes_write_is_for_their_user_alone(node: CliNode) -> None:
    projection = node.home / "projection.sqlite"
    until(projection.exists, "the projection")
    written = [
        projection,
        *(node.home / "log").iterdir(),
        node.home / "run" / "node.sock",
        node.home / "keys" / "log.key",
    ]
    written += (node.home / "chain").glob("store.sqlite-*")
    assert [path.name for path in written if path.stat().st_mode & 0o077] == []
    for folder in (node.home / "chain", node.home / "log", node.home / "run"):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_nothing_outlives_a_killed_node_and_the_next_takes_its_port(node: CliNode) -> None:
    pids = [process["pid"] for process in status(node).processes]
    assert node.process is not None
    node.process.kill()
    node.process.wait()
    until(lambda: not any(is_alive(pid) for pid in pids), "the end of the others")
    assert not is_running(Folder(node.home))
    node.start()
    assert status(node).chain_id


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_whole_group_is_a_clean_stop(node: CliNode, number: int) -> None:
    pids = [process["pid"] for process in status(node).processes]
    assert node.process is not None
    os.killpg(node.process.pid, number)  # as a terminal does
    assert node.process.wait(START_S) == 0
    node.process = None
    shown = node.log.read_text("utf-8")
    assert "Everything is on disk" in shown
    assert "Traceback" not in shown
    assert not any(is_alive(pid) for pid in pids)
    assert not (node.home / "run" / "node.sock").exists()
    assert not (node.home / "chain" / "store.sqlite-wal").exists(), "the readers let go of the store before it closed"


def test_a_node_that_the_network_reaches_says_so_in_its_log(tmp_path: Path) -> None:
    node = CliNode(tmp_path)
    node.run("init")
    for host, warned in (("127.0.0.1", False), ("0.0.0.0", True)):
        node.environment["FUJIE_HTTP_HOST"] = host
        node.start()
        assert node.stop() == 0
        lines = (node.home / "log" / "node.log").read_text("utf-8").splitlines()
        assert any("WARNING" in line and "without TLS" in line for line in lines) == warned
