"""The projector of a real node: lists are there soon, come back after every mishap, and never trouble the ledger."""

import contextlib
import os
import signal
import time

import pytest

from fujie.node.control import node_status
from fujie.node.folder import Folder
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.rows import ProjectionUnavailable
from fujie.reader.projection.schema import FILE_NAME, REBUILD_NAME
from tests.e2e.cli_node import START_S, CliNode


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A demonstration that runs."""
    started = CliNode(tmp_path_factory.mktemp("projector"))
    started.start()
    yield started
    started.stop()


def eventually(happens):
    """Wait until ``happens()``; nothing is measured by it."""
    give_up = time.monotonic() + START_S
    while not happens():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.02)


def caught_up(node):
    """Tell whether the lists have all that the ledger has."""
    lists = Lists.open(node.home / FILE_NAME)
    with contextlib.suppress(ProjectionUnavailable), contextlib.closing(lists):
        return lists.position().log_size == node_status(Folder(node.home)).head.log_size
    return False


def projector(node):
    """Return the number of the projector's process, or None."""
    found = [each for each in node_status(Folder(node.home)).processes if each["name"] == "projector"]
    return found[0]["pid"] if found and found[0]["ready"] else None


def test_the_demonstration_is_listed_and_found(node):
    eventually(lambda: caught_up(node))
    with contextlib.closing(Lists.open(node.home / FILE_NAME)) as lists:
        totals = lists.statistics()
        assert (totals.identifiers, totals.wallets, totals.accounts) == (3_215, 4, 5)
        assert lists.place_count("ZZ.156") == 34
        [match, *_] = lists.search("石家庄", 5)
        assert (match.kind, match.key) == ("name", "ZZ.156.1301")
        assert lists.search("130100", 5)[0].key == "ZZ.156.1301"
        assert lists.search("栾城", 5)[0].key == "ZZ.156.1301.11"
    node.run("pay", "alice", "shop", "1.50")
    eventually(lambda: caught_up(node))
    with contextlib.closing(Lists.open(node.home / FILE_NAME)) as lists:
        [newest] = lists.transactions(None, 1).rows
        assert (newest.operations, newest.amount_minor, newest.instrument) == (("pay",), 150, "CNY")
        assert "account/bank-east" in newest.parties


def test_a_projector_that_is_killed_comes_back_and_goes_on(node):
    eventually(lambda: projector(node) is not None)
    first = projector(node)
    os.kill(first, signal.SIGKILL)
    node.run("pay", "alice", "shop", "1.00")  # the ledger does not wait for it
    eventually(lambda: projector(node) not in (None, first))
    eventually(lambda: caught_up(node))


def test_a_rebuild_is_done_beside_the_running_node(node):
    eventually(lambda: caught_up(node))
    asked = node.json("projection", "rebuild")
    assert asked["asked"]
    eventually(lambda: not (node.home / REBUILD_NAME).exists())
    eventually(lambda: caught_up(node))
    for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm"):
        (node.home / name).unlink(missing_ok=True)
    eventually(lambda: caught_up(node))
    said = node.json("projection", "status")
    assert (said["present"], said["running"], said["behind"]) == (True, True, 0)
