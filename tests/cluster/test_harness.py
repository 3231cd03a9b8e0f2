"""What the other tests stand on: nothing is left behind, and a ledger that does not fit what was told is found out."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import links, processes
from tests.cluster.bank import Bank, Seen
from tests.cluster.harness import Cluster
from tests.cluster.ledgers import Ledger, compare
from tests.conftest import ROOT

pytestmark = [pytest.mark.go, pytest.mark.slow]

INTERRUPTED = """
import sys, time
from pathlib import Path
from tests.cluster.harness import Cluster

cluster = Cluster(Path(sys.argv[1]), validators=1)
cluster.start()
print(cluster.mark, flush=True)
time.sleep(3_600)
"""


def test_what_a_killed_run_leaves_behind_is_removed_by_the_next(tmp_path: Path) -> None:
    for name in ("first", "next"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "first")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        mark = run.stdout.readline().strip()
        assert mark
        run.send_signal(signal.SIGKILL)
    assert processes.find(mark), "its node runs on"
    with Cluster(tmp_path / "next", validators=1) as cluster:
        assert processes.find(mark) == []
        assert links.left_of(mark) == []
        cluster.start()
        own = cluster.mark
    assert processes.find(own) == []
    assert links.left_of(own) == []


def test_two_chains_are_not_taken_for_one(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        Cluster(tmp_path / "one", validators=1) as one,
        Cluster(tmp_path / "other", validators=1) as other,
        pytest.raises(AssertionError, match="node1 has another state after block 0"),
    ):
        compare([*one.nodes, *other.nodes])


def lost(ledger: Ledger, place: int) -> None:
    del ledger.entries[place]


def doubled(ledger: Ledger, place: int) -> None:
    ledger.entries[max(ledger.entries) + 1] = ledger.entries[place]


def moved(ledger: Ledger, place: int) -> None:
    ledger.places.update({identifier: place + 1 for identifier, at in ledger.places.items() if at == place})


def told_otherwise(ledger: Ledger, place: int) -> None:
    ledger.entries[place] = ledger.entries[place - 1]


TAMPERING: list[tuple[Callable[[Ledger, int], None], str]] = [
    (lost, "lacks"),
    (doubled, "carried out twice"),
    (moved, "elsewhere"),
    (told_otherwise, "otherwise"),
]


def test_the_check_of_the_bank_finds_what_does_not_fit(tmp_path: Path) -> None:
    with Cluster(tmp_path, validators=1) as cluster:
        cluster.start()
        bank = Bank(cluster, 1)
        with bank.open():
            bank.busy()
        bank.check(cluster.agree())
        told = [each for teller in bank.tellers for each in teller.told.values() if each[0].outcome.code == 0]
        place = told[-1][0].outcome.log_index
        assert place
        for tamper, found in TAMPERING:
            [ledger] = cluster.agree()
            tamper(ledger, place)
            with pytest.raises(AssertionError, match=found):
                bank.check([ledger])
        bank.tellers[0].seen.append(Seen(cluster.height(), 1))
        with pytest.raises(AssertionError, match="wallet 0 was shown as"):
            bank.check(cluster.agree())
