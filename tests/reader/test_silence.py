"""Who follows gives signs of life: a process that stands still falls silent also beside an idle ledger, a busy one does not."""

import signal
import threading
from pathlib import Path

import pytest

from fujie.engine.link import server
from fujie.engine.link.awake import STEP_MAX_S, AwakeClock
from tests.reader.ledgers import Program, eventually, linked, replicated

NAME = "process"  # of a follower that has no other
LONG_S = 1_000.0


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PULSE_S", 0.02)
    monkeypatch.setattr(server, "PROBE_S", 0.05)


def heard(link: server.LinkServer) -> bool:
    """Tell whether a follower that was silent for long has said something."""
    return link.following[NAME] < LONG_S


def make_silent(link: server.LinkServer) -> None:
    [follower] = link._followers
    follower.silent_s = LONG_S


def test_a_stopped_reader_falls_silent_on_an_idle_ledger_and_is_heard_when_it_goes_on(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path) as (_, link):
        reader = Program("reader", str(tmp_path))
        try:
            assert int(reader.line()) >= 1
            make_silent(link)
            eventually(lambda: heard(link), "a sign of life")
            reader.process.send_signal(signal.SIGSTOP)
            eventually(lambda: link.following[NAME] > 20 * server.PROBE_S, "silence")
            make_silent(link)
            reader.process.send_signal(signal.SIGCONT)
            eventually(lambda: heard(link), "a sign of life")
        finally:
            reader.kill()


def test_a_reader_that_computes_is_heard(tmp_path: Path) -> None:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(10_000))

    with linked("sqlite", tmp_path) as (_, link), replicated(tmp_path):
        busy = [threading.Thread(target=compute) for _ in range(3)]
        for thread in busy:
            thread.start()
        try:
            for _ in range(3):
                make_silent(link)
                eventually(lambda: heard(link), "a sign of life")
        finally:
            over.set()
            for thread in busy:
                thread.join()


def test_a_reader_whose_own_work_stands_still_is_silent_and_goes_on_to_follow(tmp_path: Path) -> None:
    works = False
    with linked("sqlite", tmp_path) as (_, link), replicated(tmp_path, works=lambda: works) as replica:
        eventually(lambda: link.following, "following")
        eventually(lambda: link.following[NAME] > 20 * server.PROBE_S, "silence")
        assert replica.connected
        make_silent(link)
        works = True
        eventually(lambda: heard(link), "a sign of life")


def test_time_that_this_process_slept_through_does_not_count() -> None:
    times = iter([100.0, 100.25, 100.5, 90_000.0, 90_000.25])
    clock = AwakeClock(lambda: next(times))
    steps = [clock.advance() for _ in range(4)]
    assert steps == [0.25, 0.25, STEP_MAX_S, 0.25]
    assert clock.now_s == sum(steps)


@pytest.fixture
def broken_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_clock: AwakeClock) -> float:
        raise RuntimeError("a fault")

    monkeypatch.setattr(AwakeClock, "advance", fail)


@pytest.mark.usefixtures("broken_loop")
def test_a_link_that_ends_by_itself_says_so_and_can_be_closed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with linked("sqlite", tmp_path) as (_, link):
        eventually(lambda: link.failed, "the end of the link")
        assert any("the link stops" in record.getMessage() for record in caplog.records)
        link.close()
        assert not link.failed
        assert not (tmp_path / "run" / "node.sock").exists()
