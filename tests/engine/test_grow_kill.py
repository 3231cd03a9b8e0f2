"""``kill -9`` at every moment of growing: what is left is an embedded chain that goes on, or one that the same command completes."""

import multiprocessing
import shutil
from pathlib import Path

import pytest

from fujie.client.client import named
from fujie.core.errors import OperationalError
from fujie.node import grow
from fujie.node.ceremony import join_grown
from fujie.node.check import check_folder
from fujie.node.cometbft_file import has_cometbft, read_comet_file
from fujie.node.folder import Folder
from fujie.node.founding import open_engine
from fujie.node.handover import ended_in, handover_folder, read_handover
from fujie.node.keyring import validator_signer
from fujie.node.ledger import open_ledger
from tests.engine.killed_growing import LISTEN, run
from tests.growing import requests, town

SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it
KILLED = -9

# Every process is forked from one that has imported everything and started nothing.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.engine.killed_growing"])


def dies(what: str, home: Path, moment: int, *asking: object) -> bool:
    """Have ``what`` carried out by a process that is killed at ``moment``; False when it was done before."""
    process = PROCESSES.Process(target=run, args=(what, home, moment, list(asking)))
    process.start()
    process.join(SECONDS_MAX)
    assert process.exitcode in (0, KILLED)
    return process.exitcode == KILLED


@pytest.mark.slow
def test_a_chain_whose_growing_is_killed_goes_on_or_is_completed_by_the_same_command(tmp_path: Path) -> None:
    asking = requests(tmp_path)
    clean = town(tmp_path / "clean")
    with open_ledger(clean.home) as ledger:
        ledger.allocate("ZZ.000", named("GAS", "department", "Gas works"))
    went_on = completed = moment = 0
    alive = True
    while alive:
        moment += 1
        folder = Folder(tmp_path / "old")
        shutil.rmtree(folder.home, ignore_errors=True)
        shutil.copytree(clean.home, folder.home)
        alive = dies("grow", folder.home, moment, *asking)
        if ended_in(folder) is None:
            assert not has_cometbft(folder)
            with open_ledger(folder.home) as ledger:
                ledger.allocate("ZZ.000", named("WATER", "department", "Water works"))
            went_on += 1
        elif not has_cometbft(folder):
            with pytest.raises(OperationalError, match="network grow"):
                open_engine(folder, validator_signer(folder))
            completed += 1
        again = grow.plan(folder, asking, listen=LISTEN)
        handover = grow.carry_out(folder, again).handover
        ended = ended_in(folder)
        assert ended is not None
        assert read_comet_file(folder).initial_height == ended.header.height + 1
        assert read_handover(handover.place) == handover
        assert [path for path in handover.place.iterdir() if path.name.startswith(".")] == []
        assert check_folder(folder).findings == []
    assert went_on > 2
    assert completed > 2


@pytest.mark.slow
def test_a_node_whose_joining_is_killed_joins_by_the_same_command(tmp_path: Path) -> None:
    asking = requests(tmp_path)
    folder = town(tmp_path / "old")
    grow.carry_out(folder, grow.plan(folder, asking, listen=LISTEN))
    shutil.copytree(tmp_path / "east", tmp_path / "clean")
    east = Folder(tmp_path / "east")
    moment, alive = 0, True
    while alive:
        moment += 1
        shutil.rmtree(east.home)
        shutil.copytree(tmp_path / "clean", east.home)
        alive = dies("join", tmp_path, moment)
        if not east.chain.exists():
            join_grown(east, handover_folder(folder), "sqlite")
        assert ended_in(east) == ended_in(folder)
        assert read_comet_file(east).moniker == "east"
        assert check_folder(east).findings == []
        assert not list(east.home.glob(".chain.*"))
    assert moment > 5
