"""A cluster in virtual time, in whatever weather, keeps its promises; and a bug that breaks one of them is found.

`python -m tests.simulation --seeds 1000` runs more seeds than the ordinary test, and keeps those that fail.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.simulation import regression
from tests.simulation.__main__ import INTERRUPTED, main
from tests.simulation.cluster import Outcome, cluster
from tests.simulation.planted import BUGS
from tests.simulation.regression import kept_seeds

ROOT: Final = Path(__file__).resolve().parents[2]
SEEDS: Final = [*((seed, 4) for seed in range(16)), (0, 1), (1, 1), (0, 3), (1, 3), (0, 7)]
FEW_DOZEN: Final = 48  # seeds within which a planted bug must be found
FOUND: Final = "light-announced: not the validators that the header before announces"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Nodes say much of faults that are meant."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def simulate(seed: int, replicas: int, folder: Path) -> Outcome:
    with cluster(seed, replicas, folder) as made:
        return made.run()


@pytest.mark.parametrize(("seed", "replicas"), SEEDS)
def test_nothing_is_violated(seed: int, replicas: int, tmp_path: Path) -> None:
    assert simulate(seed, replicas, tmp_path).transactions


def test_nothing_is_violated_any_more(tmp_path: Path) -> None:
    for seed, replicas in kept_seeds():
        simulate(seed, replicas, tmp_path / f"{seed}-{replicas}")


def test_a_seed_repeats_exactly_in_another_process(tmp_path: Path) -> None:
    seeds = (7, 8)
    program = [sys.executable, "-m", "tests.simulation", "--trace", "--from", "7", "--seeds", "2"]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    told = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [f"{seed} {simulate(seed, 4, tmp_path / str(seed)).trace}" for seed in seeds]


def test_several_processes_run_the_same_seeds(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.simulation", "--trace", "--from", "7", "--seeds", "2", "--workers", "2"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == [
        f"{seed} {simulate(seed, 4, tmp_path / str(seed)).trace}" for seed in (7, 8)
    ]
    assert "2 of 2 seeds" in done.stderr
    assert "0 failed" in done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_ends_a_run_and_says_which_seeds_are_done(workers: str) -> None:
    program = [sys.executable, "-u", "-m", "tests.simulation", "--seeds", "100000", "--workers", workers, "--trace"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        seed = running.stdout.readline().split()[0]  # the first is done
        running.send_signal(signal.SIGINT)
        rest, told = running.communicate(timeout=300)
    assert running.returncode == INTERRUPTED
    assert "Traceback" not in told + rest
    [done] = [line for line in told.splitlines() if line.startswith("interrupted; done: ")]
    spans = [span.split("-") for span in done.removeprefix("interrupted; done: ").split(", ")]
    assert any(int(span[0]) <= int(seed) <= int(span[-1]) for span in spans)


def test_the_seeds_reach_what_they_are_meant_to_reach(tmp_path: Path) -> None:
    outcomes = [simulate(seed, 4, tmp_path / str(seed)) for seed in (1, 7)]
    assert len({outcome.trace for outcome in outcomes}) == len(outcomes)
    assert all(outcome.outcomes and outcome.proofs and outcome.empty_rounds for outcome in outcomes)
    assert any(outcome.starts > 16 for outcome in outcomes), "no process is started again but for the calm"
    assert any(outcome.outdated for outcome in outcomes), "no replica stops before rules that it lacks"
    assert any(outcome.sets > 1 for outcome in outcomes), "no validator comes or goes"


@pytest.mark.parametrize("bug", BUGS)
def test_finds_the_planted_bug(bug: str, tmp_path: Path) -> None:
    for seed in range(FEW_DOZEN):
        try:
            with BUGS[bug]():
                simulate(seed, 4, tmp_path / f"{seed} with bug")
        except Exception:  # noqa: BLE001 - however it shows, it is found
            simulate(seed, 4, tmp_path / f"{seed} without")  # which finds nothing
            return
    pytest.fail(f"{FEW_DOZEN} seeds do not find it")


def test_a_seed_that_fails_is_told_and_kept_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "seeds.txt"
    path.write_text("# seeds\n1 4 something\n", "utf-8")
    monkeypatch.setattr(regression, "SEEDS", path)
    with BUGS["validators_a_block_early"]():
        for _ in range(2):
            assert main(["--seeds", "1", "--from", "0"]) == 1
    told = capsys.readouterr()
    assert FOUND in told.out
    assert "repeat: python -m tests.simulation --seeds 1 --from 0 --replicas 4" in told.out
    assert "1 failed" in told.err
    assert path.read_text("utf-8").splitlines()[2:] == [f"0 4 {FOUND}"]
    assert kept_seeds() == [(1, 4), (0, 4)]
