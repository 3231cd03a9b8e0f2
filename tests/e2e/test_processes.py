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


SILENT_S = 8  # the least that leaves room for everything else that is slow


@pytest.fixture
def watchful(tmp_path: Path) -> Iterator[CliNode]:
    """A running node that does not wait for long when a process is silent."""
    node = CliNode(tmp_path)
    node.environment["FUJIE_PROCESSES_SILENT_S"] = str(SILENT_S)
    node.run("init")
    node.start()
    try:
        until(lambda: len(status(node).processes) == 2 and all_ready(node), "the start of all processes")
        yield node
    finally:
        if node.process is not None:
            node.stop()


def all_ready(node: CliNode) -> bool:
    return all(process["ready"] for process in status(node).processes)


def said_of(node: CliNode, name: str, what: str) -> int:
    [found] = [process[what] for process in status(node).processes if process["name"] == name]
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("name", ["reader-1", "projector"])
def test_a_process_that_stands_still_beside_an_idle_ledger_is_replaced(name: str, watchful: CliNode) -> None:
    pid = pid_of(watchful, name)
    os.kill(pid, signal.SIGSTOP)
    until(lambda: said_of(watchful, name, "starts") == 2, "its successor")
    until(lambda: not is_alive(pid), "its end")
    until(watchful.is_ready, "serving")
    assert said_of(watchful, name, "silences") == 1
    lines = (watchful.home / "log" / "node.log").read_text("utf-8").splitlines()
    told = [line for line in lines if f"{name} has given no sign of life for {SILENT_S} s" in line]
    assert len(told) == 1
    assert [said_of(watchful, other, "silences") for other in ("reader-1", "projector") if other != name] == [0]


def test_when_the_whole_node_was_stopped_and_goes_on_nobody_is_replaced(watchful: CliNode) -> None:
    assert watchful.process is not None
    pids = [pid_of(watchful, name) for name in ("reader-1", "projector")]
    for pid in [*pids, watchful.process.pid]:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(SILENT_S + 2)
    os.kill(watchful.process.pid, signal.SIGCONT)
    time.sleep(1.0)  # it goes on first, and looks at the others twice
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    until(watchful.is_ready, "serving again")
    time.sleep(1.0)
    assert [said_of(watchful, name, "starts") for name in ("reader-1", "projector")] == [1, 1]
    assert [pid_of(watchful, name) for name in ("reader-1", "projector")] == pids


def test_a_stopped_process_ends_with_a_killed_node(watchful: CliNode) -> None:
    pids = [pid_of(watchful, name) for name in ("reader-1", "projector")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    assert watchful.process is not None
    watchful.process.kill()
    watchful.process.wait()
    until(lambda: not any(is_alive(pid) for pid in pids), "the end of the others")
    watchful.start()


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


@pytest.mark.parametrize(
    "name",
    ["two words", "城市 ü '\"$HOME`;", "x" * 200 + "/" + "y" * 200, os.fsdecode(b"not utf-8 \xff")],
    ids=["spaces", "signs", "longer than the path of a socket", "bytes that are no text"],
)
def test_a_node_runs_in_a_folder_of_any_name(name: str, tmp_path: Path) -> None:
    node = CliNode(tmp_path / name)
    node.run("init")
    node.start()
    until(lambda: len(status(node).processes) == 2 and all_ready(node), "the start of all processes")
    assert node.json("status")["height"] >= 1
    assert node.stop() == 0
    for log in (node.home / "log").iterdir():
        assert "ERROR" not in log.read_text("utf-8"), log


@pytest.mark.parametrize("host", ["::1", "::", "localhost"])
def test_a_node_is_found_at_any_address_of_its_machine(host: str, tmp_path: Path) -> None:
    node = CliNode(tmp_path)
    node.environment["FUJIE_HTTP_HOST"] = host
    node.run("init")
    node.launch()
    try:
        until(lambda: "Ctrl-C stops" in node.log.read_text("utf-8"), "serving")
        url = (node.home / "run" / "url").read_text("ascii").strip()
        assert url == ("http://localhost:%d" if host == "localhost" else "http://[::1]:%d") % node.port
        assert url in node.run("status")
    finally:
        assert node.stop() == 0


def test_of_two_nodes_on_one_port_only_one_serves(tmp_path: Path) -> None:
    nodes = [CliNode(tmp_path / "first"), CliNode(tmp_path / "second")]
    for node in nodes:
        node.port = nodes[0].port
        node.environment["FUJIE_PORT"] = str(node.port)
        node.run("init")
    try:
        processes = [node.launch() for node in nodes]  # at once: each may find the port free
        until(lambda: any(process.poll() is not None for process in processes), "the end of one")
        [stopped] = [node for node, process in zip(nodes, processes, strict=True) if process.poll() is not None]
        assert "is in use" in stopped.log.read_text("utf-8")
        until(nodes[1 - nodes.index(stopped)].is_ready, "serving")
        assert sorted(process.poll() or 0 for process in processes) == [0, 1]
    finally:
        for node in nodes:
            if node.process is not None:
                node.stop()
