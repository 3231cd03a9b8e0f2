"""What a node says of whom it reaches: never more than CometBFT lets it know."""

import logging
import threading
import time

import msgspec
import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft.output import last_words
from fujie.engine.cometbft.rpc import NodeStatus
from fujie.node import reach
from fujie.node.cometbft_file import read_comet_file, write_comet_file
from fujie.node.folder import Folder
from fujie.node.missing_nodes import missing_nodes
from fujie.node.network import create
from fujie.node.ports import NODES_MAX, PEER_PORTS
from fujie.node.reach import Lasting, Reach, lacks_first_block, told, too_few, waits_for, watched
from tests.e2e.cli_network import free_ports

FAR_MS = 10**15  # no block will be older


def seen(peers, known, most, total, heard=0, *, power=1, catching_up=False, is_young=False):
    time_ms = FAR_MS if is_young else 0  # rows are made when tests are collected, long before they run
    return Reach(NodeStatus(46, catching_up, peers, power, time_ms), known, 47, total, most, heard)


@pytest.mark.parametrize(
    ("reached", "enough"),
    [
        (seen(3, 3, 4, 4), True),
        (seen(2, 3, 3, 4), True),
        (seen(1, 3, 2, 4), False),
        (seen(0, 3, 1, 4), False),
        (seen(0, 3, 0, 4, power=0), False),
        (seen(1, 2, 2, 3), False),  # two thirds are not more than two thirds
        (seen(1, 1, 2, 4), True),  # all that it knows are connected: they may pass on what others say
        (seen(0, 0, 1, 1), True),
        (seen(0, 1, 1, 1), True),  # a replica is away
        (seen(1, 3, 2, 4, catching_up=True), True),
        (seen(3, 3, 4, 4, heard=2), False),
        (seen(3, 3, 4, 4, heard=3), True),
        (seen(3, 3, 4, 4, heard=2, is_young=True), True),  # two have begun with the next block before the others
        (seen(2, 3, 3, 4, heard=2, is_young=True), False),
        (seen(3, 3, None, None), True),  # before the first block of a chain that grew, nobody can say
        (seen(0, 3, None, None), False),
    ],
)
def test_too_few_are_reached_where_what_is_known_cannot_be_more_than_two_thirds(reached, enough):
    assert (too_few(reached) == "") is enough


def test_it_is_said_how_much_is_reached():
    assert too_few(seen(1, 3, 2, 4)) == (
        "1 of 3 peers connected, together at most 2 of 4 of the voting power: unless these reach others, no block can be made."
    )
    assert too_few(seen(3, 3, 4, 4, heard=2)) == (
        "3 of 3 peers connected, votes on block 47 from 2 of 4: no block is made before the votes of more than two thirds of "
        "the power arrive."
    )


def test_votes_that_are_on_their_way_are_waited_for(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    looks = [seen(3, 3, 4, 4, heard=2), seen(3, 3, 4, 4, heard=2)._replace(height=48)]
    monkeypatch.setattr(reach, "VOTES_S", 0.0)
    monkeypatch.setattr(reach, "look", lambda _: looks.pop(0))
    assert too_few(reach.reach_of(folder)) == ""
    looks += [seen(3, 3, 4, 4, heard=2)] * 2
    assert too_few(reach.reach_of(folder)) != ""


def test_only_votes_that_stay_away_from_the_same_round_are_told(monkeypatch):
    monkeypatch.setattr(reach, "VOTES_S", 0.0)
    lasting = Lasting()
    few = seen(3, 3, 4, 4, heard=1)._replace(round=0)
    for now in (few, few._replace(power_heard=2), few._replace(power_heard=2, round=1), few._replace(height=48)):
        assert too_few(lasting.judge(now)) == "", "something has come since the look before"
    assert too_few(lasting.judge(few._replace(height=48))) != ""
    assert lasting.judge(few._replace(power_heard=4)).power_heard == 4
    assert too_few(lasting.judge(few._replace(height=48))) == "", "it is looked anew after all have voted"
    monkeypatch.setattr(reach, "VOTES_S", 60.0)
    assert too_few(lasting.judge(few._replace(height=48))) == "", "too soon to tell"


@pytest.mark.parametrize(
    ("height", "power", "said"),
    [(9, 10, "10"), (9, 0, "none: it follows"), (0, 0, "not known before CometBFT's first block")],
)
def test_a_node_before_the_first_block_is_not_called_one_without_a_vote(height, power, said):
    assert Reach(NodeStatus(height, False, 3, power), 3).role().startswith(said)


def test_a_node_that_never_gets_block_1_gives_up_and_says_how_to_begin(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(reach, "FIRST_S", 0.01)
    monkeypatch.setattr(reach, "AGAIN_S", 0.01)
    monkeypatch.setattr(reach, "FRUITLESS_S", 0.1)
    ahead: list[int | None] = [40]
    monkeypatch.setattr(reach, "lacks_first_block", lambda _: ahead[0])
    folder = create(tmp_path, "town", 4, free_ports(), "sqlite").folders()["node1"]
    gave_up = threading.Event()
    with caplog.at_level(logging.ERROR), told(folder, lambda _: None, gave_up.set):
        assert gave_up.wait(60)
    said = [record.message for record in caplog.records if record.name == reach.__name__]
    assert f"fujie --home {folder.home} network recover --above 1 --handover FOLDER" in said[0]
    assert "--state-sync URL --state-sync URL" in said[0]


def test_whoever_begins_otherwise_than_at_block_1_waits_for_no_block_1(tmp_path):
    folder = create(tmp_path, "town", 4, free_ports(), "sqlite").folders()["node1"]
    assert lacks_first_block(folder) == 0, "its cometbft does not run"
    file = read_comet_file(folder)
    write_comet_file(folder, msgspec.structs.replace(file, initial_height=12))
    assert lacks_first_block(folder) is None


def test_a_node_whose_cometbft_does_not_answer_waits_for_that(tmp_path):
    folder = create(tmp_path, "town", 4, free_ports(), "sqlite").folders()["node1"]
    assert waits_for(folder) == "waits for its cometbft to answer"


def until(condition):
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_what_is_waited_for_is_said_again_and_again_and_logged_now_and_then(tmp_path, monkeypatch, caplog):
    for name in ("FIRST_S", "AGAIN_S"):
        monkeypatch.setattr(reach, name, 0.01)
    folder = create(tmp_path, "town", 4, free_ports(), "sqlite").folders()["node1"]
    said: list[str] = []
    with caplog.at_level(logging.INFO), told(folder, said.append):
        until(lambda: len(said) > 2)
    assert set(said[:-1]) == {"waits for its cometbft to answer"}
    assert said[-1] == ""
    assert [record.message for record in caplog.records if record.name == reach.__name__] == [
        "the node does not serve yet: it waits for its cometbft to answer"
    ]


def test_a_node_that_serves_tells_of_lost_peers_once_and_when_they_are_back(tmp_path, monkeypatch, caplog):
    now = [seen(3, 3, 4, 4)]
    monkeypatch.setattr(reach, "WATCHED_S", 0.01)
    monkeypatch.setattr(reach, "look", lambda _: now[0])
    said: list[str] = []
    with caplog.at_level(logging.INFO), watched(Folder(tmp_path), said.append, lambda: False):
        now[0] = seen(1, 3, 2, 4)
        until(lambda: len(said) > 1)
        now[0] = seen(3, 3, 4, 4)
        until(lambda: said[-1] == "")
    assert set(said) == {too_few(seen(1, 3, 2, 4)), ""}
    assert [record.message for record in caplog.records if record.name == reach.__name__] == [
        too_few(seen(1, 3, 2, 4)),
        "enough is reached for blocks again: 3 of 3 peers connected",
    ]


def test_a_node_whose_cometbft_does_not_run_says_so_and_why_unless_it_ends(tmp_path, monkeypatch):
    gone = OperationalError("CometBFT does not answer.", "See its log.")
    now: list[Reach | OperationalError] = [gone]

    def looked(_folder: Folder) -> Reach:
        if isinstance(now[0], OperationalError):
            raise now[0]
        return now[0]

    monkeypatch.setattr(reach, "WATCHED_S", 0.01)
    monkeypatch.setattr(reach, "look", looked)
    said: list[str] = []
    ends = threading.Event()
    with watched(Folder(tmp_path), said.append, ends.is_set):
        until(lambda: len(said) > 1)
        now[0] = seen(3, 3, 4, 4)
        until(lambda: said[-1] == "")
        assert set(said) == {"CometBFT does not answer. See its log.", ""}
        ends.set()
        before = len(said)
        now[0] = gone
        time.sleep(0.1)
        assert len(said) == before


def test_what_cometbft_ended_with_is_its_last_word_until_it_begins_again(tmp_path):
    log = tmp_path / "cometbft.log"
    assert last_words(log) == ""
    begins = '{"level":"info","module":"proxy","msg":"Starting multiAppConn service"}\n'
    log.write_text(begins + "ERROR: failed to start node: listen tcp\x1b[31m\n" + '{"msg":"serve"}\n')
    assert last_words(log) == "failed to start node: listen tcp\\x1b[31m"
    log.write_text(log.read_text() + begins + "panic: state (45) and store (0)\n\ngoroutine 1 [running]:\n")
    assert last_words(log) == "state (45) and store (0)"
    log.write_text(log.read_text() + begins)
    assert last_words(log) == ""


def test_a_node_whose_folder_is_gone_or_not_whole_is_named(tmp_path):
    base = free_ports()
    town = create(tmp_path, "town", 4, base, "sqlite")
    assert missing_nodes(town) == []
    town.folders()["node4"].home.rename(tmp_path / "elsewhere")
    town.folders()["node3"].cometbft.unlink()
    not_whole, gone = missing_nodes(town)
    assert not_whole.startswith("node3: ")
    assert "has no cometbft.json" in not_whole
    assert gone.startswith(f"node4: the others know it at 127.0.0.1:{base + PEER_PORTS + 4}")


def test_a_peer_elsewhere_is_no_missing_node(tmp_path):
    base = free_ports()
    town = create(tmp_path, "town", 2, base, "sqlite")
    folder = town.folders()["node1"]
    file = read_comet_file(folder)
    above = base + PEER_PORTS + NODES_MAX + 1
    others = ("ab" * 20 + f"@127.0.0.1:{above}", "cd" * 20 + f"@north.example:{base + PEER_PORTS + 4}")
    write_comet_file(folder, msgspec.structs.replace(file, peers=(*file.peers, *others)))
    assert missing_nodes(town) == []
