"""Four validators on one machine, made, started, killed and stopped with the program as people run it."""

import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from fujie.engine.cometbft.home import VALIDATOR_STATE_FILE
from fujie.node.network import holder
from tests.e2e.cli_network import GIVE_UP_S, CliNetwork, agree, free_ports
from tests.e2e.cli_node import CliNode, free_port

pytestmark = [pytest.mark.go, pytest.mark.slow]

NODES = ("node1", "node2", "node3", "node4")


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliNetwork]:
    network = CliNetwork(tmp_path_factory.mktemp("network"), "four", 4)
    yield network
    network.run("network", "stop", "four")


@pytest.fixture
def four(founded: CliNetwork) -> CliNetwork:
    """The network with every node running."""
    founded.run("network", "start", "four")
    return founded


def test_a_payment_through_one_node_is_proven_by_another(four: CliNetwork) -> None:
    states = four.wait(agree)
    assert [state["running"] for state in states.values()] == [True] * 4
    assert [state["power"] for state in states.values()] == [1] * 4
    before = four.at("node3", "wallet", "balance", "shop")
    paid = four.at("node1", "pay", "alice", "shop", "12.50")
    four.wait(lambda now: now["node3"]["height"] >= paid["height"] + 1)
    after = four.at("node3", "wallet", "balance", "shop")
    assert int(after["record"]["amount_minor"]) == int(before["record"]["amount_minor"]) + 1_250
    assert after["proof"]["verified"] is True


def test_no_secret_of_a_validator_stands_in_the_folder_of_its_cometbft(four: CliNetwork) -> None:
    for node in NODES:
        folder = four.folder(node)
        seed = json.loads(folder.validator_key.read_bytes())["secret"]["seed"]
        files = [path for path in folder.cometbft_home.rglob("*") if path.is_file()]
        assert not [path for path in files if "priv_validator_key" in path.name]
        spellings = (seed.encode(), b64encode(bytes.fromhex(seed))[:40], bytes.fromhex(seed))
        logs = [path for path in folder.log.parent.iterdir() if path.is_file()]
        assert not [path for path in files + logs for each in spellings if each in path.read_bytes()]
        assert [path for path in files if path.stat().st_mode & 0o077 and path.parent.name == "config"] == []


def test_a_killed_node_takes_its_cometbft_along_and_catches_up_later(four: CliNetwork) -> None:
    node2 = four.folder("node2")
    process = holder(node2)
    comet = int((node2.cometbft_home / "lock").read_text("ascii"))
    assert process is not None
    os.kill(process, signal.SIGKILL)
    give_up = time.monotonic() + GIVE_UP_S
    while Path(f"/proc/{comet}").exists():
        assert time.monotonic() < give_up, "its cometbft lives on"
        time.sleep(0.05)
    for _ in range(3):
        four.at("node4", "pay", "bob", "shop", "0.01")
    states = four.states()
    assert states["node2"]["running"] is False
    entries = states["node4"]["log_size"]
    four.run("network", "start", "four")
    states = four.wait(lambda now: (now["node2"]["log_size"] or 0) >= entries and agree(now))
    assert states["node2"]["catching_up"] is False


def test_a_network_that_was_stopped_goes_on_where_it_was(four: CliNetwork) -> None:
    before = four.wait(agree)
    said = four.run("network", "stop", "four")
    assert [f"{node}: stopped" in said for node in NODES] == [True] * 4
    assert [state["running"] for state in four.states().values()] == [False] * 4
    assert "does not run" in four.run("network", "stop", "four")
    for node in NODES:
        checked = four.json("--home", str(four.folder(node).home), "check")
        assert checked["findings"] == []
    four.run("network", "start", "four")
    assert "runs already" in four.run("network", "start", "four", "--node", "node3")
    after = four.wait(agree)
    assert after["node1"]["height"] >= before["node1"]["height"]
    four.at("node2", "pay", "carol", "shop", "0.05")


def test_the_logs_of_all_nodes_are_shown_with_what_cometbft_says(four: CliNetwork) -> None:
    records = four.json("network", "logs", "four", "--lines", "2000")["records"]
    assert {f"{node}/cometbft" for node in NODES} <= {record["process"] for record in records}
    [one] = four.json("--home", str(four.folder("node1").home), "log", "show", "--process", "cometbft", "-n", "1")[
        "records"
    ]
    assert (one["process"], one["level"]) == ("cometbft", "info")


def test_the_doctor_finds_nothing_wrong_with_a_validator(four: CliNetwork) -> None:
    four.wait(agree)
    found = four.json("--home", str(four.folder("node3").home), "doctor")
    assert [each for each in found["findings"] if each["verdict"] == "fail"] == []
    assert {"cometbft", "votes", "peers"} <= {each["check"] for each in found["findings"]}


def test_half_of_the_validators_make_no_block_and_what_is_paid_meanwhile_is_paid_once(four: CliNetwork) -> None:
    four.wait(lambda states: all(state["peers"] == 3 for state in states.values()) and agree(states))
    own = ("--home", str(four.folder("node1").home))
    before = four.json(*own, "wallet", "balance", "shop")
    four.run("network", "stop", "four", "--node", "node3", "--node", "node4")
    four.wait(lambda states: states["node1"]["peers"] == states["node2"]["peers"] == 1)

    # It is said at once, while the newest block is young.
    assert "together at most 2 of 4 of the voting power" in four.run("network", "status", "four")
    assert "unless these reach others, no block can be made" in four.run(*own, "status")
    assert "warn  peers" in four.run(*own, "doctor")

    error = four.json(*own, "pay", "alice", "shop", "12.50", code=1)["error"]
    identifier = error["transaction_id"]
    assert (error["kind"], "makes no block now" in error["what"]) == ("pending", True)
    assert "The payment may still be made" in error["do"]
    assert f"fujie {shlex.join(own)} transaction resend {identifier}" in error["do"]
    again = subprocess.Popen(
        [*four.program, *own, "transaction", "resend", identifier], env=four.environment, cwd=four.work
    )
    kept = ("transaction", "pending")
    give_up = time.monotonic() + GIVE_UP_S
    while four.json(*own, *kept)["pending"][0]["state"] != "waited for":
        assert time.monotonic() < give_up
        assert again.poll() is None, "it waits for a block"
    again.kill()
    again.wait(GIVE_UP_S)
    assert [each["state"] for each in four.json(*own, *kept)["pending"]] == ["open"]
    assert four.json(*own, "status")["pending"] == 1
    assert "is not in a block (yet)" in four.run(*own, "receipt", identifier, code=1)

    four.run("network", "start", "four", "--node", "node3")
    assert four.json(*own, "transaction", "resend", identifier)["code"] == 0
    assert four.json(*own, *kept)["pending"] == []
    after = four.json(*own, "wallet", "balance", "shop")
    assert int(after["record"]["amount_minor"]) == int(before["record"]["amount_minor"]) + 1_250
    four.wait(lambda states: states["node1"]["too_few"] == "")
    assert four.json("network", "status", "four")["findings"] == []


def test_a_node_that_nobody_joins_says_what_it_waits_for(four: CliNetwork) -> None:
    alone = CliNode(four.work / "alone")
    alone.environment["XDG_DATA_HOME"] = four.environment["XDG_DATA_HOME"]
    alone.run("network", "create", "lone", "--validators", "4", "--port-base", str(free_ports()))
    own = ("--home", str(alone.home / "networks" / "lone" / "node2"))
    said = b""
    terminal, end = pty.openpty()
    up = subprocess.Popen([*alone.program, *own, "up"], env=alone.environment, stdout=end, stderr=end)
    os.close(end)
    while said.count(b"waits for validators: 0 of 3 peers connected") < 3:
        said += os.read(terminal, 65_536)
    assert said.count(b"\n") == 0, "it is one line"
    assert "does not serve yet: it waits for validators" in alone.run(*own, "status", code=1)
    assert "waits for validators" in alone.run("network", "status")
    assert alone.json(*own, "network", "status")["nodes"][0]["problem"].startswith("waits for validators")
    up.terminate()
    assert up.wait(GIVE_UP_S) == 0
    os.close(terminal)

    shutil.rmtree(alone.home / "networks" / "lone" / "node4")
    [finding] = alone.json("network", "status", "lone")["findings"]
    assert finding.startswith("node4: the others know it at")


def test_a_copy_of_a_folder_does_not_sign_beside_the_first(four: CliNetwork, tmp_path: Path) -> None:
    four.run("network", "stop", "four", "--node", "node2")
    copy = tmp_path / "copy"
    shutil.copytree(four.folder("node2").home, copy, ignore=shutil.ignore_patterns("*.sock", "lock"))
    four.run("network", "start", "four")
    said = four.run("--home", str(copy), "up", "--port", str(free_port()), code=1)
    assert "signs already, for the data folder" in said


def test_a_validator_that_does_not_know_what_it_signed_does_not_start_and_can_be_recovered(four: CliNetwork) -> None:
    node4 = four.folder("node4")
    four.run("network", "stop", "four", "--node", "node4")
    state = node4.cometbft_home / VALIDATOR_STATE_FILE
    state.unlink()
    assert "what this validator signed last is not known" in four.run(
        "network", "start", "four", "--node", "node4", code=1
    )
    assert "network recover --above" in four.run("--home", str(node4.home), "doctor", code=1)
    assert not state.exists()
    head = four.states()["node1"]["height"]
    assert "stands at block" in four.run("--home", str(node4.home), "network", "recover", "--above", "1", code=1)
    four.run("--home", str(node4.home), "network", "recover", "--above", str(head + 2))
    four.run("network", "start", "four")
    for _ in range(3):
        four.at("node1", "pay", "bob", "shop", "0.01")
    states = four.wait(lambda now: agree(now) and now["node4"]["height"] > head + 2)
    assert states["node4"]["power"] == 1
    assert int(json.loads(state.read_bytes())["height"]) >= head + 2


def test_a_network_is_made_once(founded: CliNetwork) -> None:
    assert "There is a network called four already." in founded.run("network", "create", "four", code=1)
    assert "has no node 'node9'" in founded.run("network", "start", "four", "--node", "node9", code=1)
    assert "There is no network called fuor" in founded.run("network", "status", "fuor", code=1)
    assert "is no name for a network" in founded.run("network", "create", "Four!", code=1)
