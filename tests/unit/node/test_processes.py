"""The processes beside the ledger's: what ends at once, cannot be started or hangs is tried again, less and less often."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fujie.node import processes
from fujie.node.child import Turns
from fujie.node.processes import BEGIN_S, HOPELESS_LIVES, Child, Children

SILENT_S = 30.0
GIVE_UP_S = 60.0  # after which a test gives up waiting; nothing is measured by it
ENDS = "raise SystemExit(3)"
WORKS = """
from fujie.node.child import child_stop, say_ready
stop = child_stop()
say_ready()
stop.wait()
"""
NEVER_READY = """
from fujie.node.child import child_stop
child_stop().wait()
"""
ENDS_AFTER_READY = "from fujie.node.child import say_ready\nsay_ready()\nraise SystemExit(4)"


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    programs = {"ends": ENDS, "works": WORKS, "never_ready": NEVER_READY, "ends_after_ready": ENDS_AFTER_READY}
    for name, text in programs.items():
        (tmp_path / f"{name}_for_tests.py").write_text(text, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    caplog.set_level(logging.INFO, "fujie.node.processes")


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children(SILENT_S)
    yield children
    children.stop()


def until(holds: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + GIVE_UP_S
    while not holds():
        assert time.monotonic() < give_up, f"{what} did not happen"
        time.sleep(0.01)


def texts(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_what_ends_at_once_is_started_again_until_its_pause_is_long(
    children: Children, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(processes, "BACK_OFF_S", (0.0, 0.0, 0.0, 0.0, 0.0, 3_600.0))
    child = children.add("reader-1", "ends_for_tests", [])
    until(lambda: child.short_lives == 6, "ending six times")
    assert child.hopeless
    for _ in range(20):  # its time is an hour away, however often somebody looks
        child.look_after()
    assert child.describe() == {
        "name": "reader-1",
        "pid": None,
        "running": False,
        "ready": False,
        "starts": 6,
        "short_lives": 6,
        "silences": 0,
        "last_code": 3,
    }
    assert len(texts(caplog, logging.WARNING)) == HOPELESS_LIVES - 1
    errors = texts(caplog, logging.ERROR)
    assert len(errors) == 6 - HOPELESS_LIVES + 1
    assert errors[-1] == "reader-1 ended with code 3, 6 times in a row; it is tried again in 3600.0 s"


def test_the_pauses_grow_and_stay_at_the_longest() -> None:
    assert list(processes.BACK_OFF_S) == sorted(processes.BACK_OFF_S)
    assert processes.BACK_OFF_S[0] == 0, "one that was killed is replaced at once"
    child = Child("projector", "ends_for_tests", [], (), SILENT_S)
    pauses = []
    for lives in range(1, 9):
        child.short_lives = lives
        child._put_off(0.0, "ended")
        pauses.append(child._due_s)
    assert pauses == [*processes.BACK_OFF_S, processes.BACK_OFF_S[-1], processes.BACK_OFF_S[-1]]


def test_what_was_ready_once_is_never_hopeless(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "BACK_OFF_S", (0.0,) * 5 + (3_600.0,))
    child = children.add("reader-1", "ends_after_ready_for_tests", [])
    until(lambda: child.short_lives == 6 and child.ready.is_set(), "ending six times")
    assert not child.hopeless


def test_what_cannot_be_started_is_put_off_and_told_once_for_each_attempt(
    children: Children, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "BACK_OFF_S", (0.0, 0.0, 0.0, 0.0, 0.0, 3_600.0))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    child = children.add("projector", "works_for_tests", [])
    until(lambda: child.short_lives == 6, "failing six times")
    for _ in range(20):
        child.look_after()
    assert child.describe()["starts"] == 0
    assert child.hopeless
    told = texts(caplog, logging.WARNING) + texts(caplog, logging.ERROR)
    assert len(told) == 6
    assert all("could not be started" in text and "no-python" in text for text in told)


def test_a_process_that_works_stays_and_ends_with_the_node(children: Children) -> None:
    child = children.add("reader-1", "works_for_tests", [])
    until(child.ready.is_set, "being ready")
    pid = child.pid
    children.judge({"reader-1": 0.0}, 0.0)
    children.judge({"reader-1": 1.0}, 1_000.0)
    children.stop()
    assert pid is not None
    assert child.describe()["starts"] == 1
    assert not child.describe()["running"]


@pytest.mark.parametrize("follows", [False, True], ids=["gone from the link", "says nothing"])
def test_one_that_stands_still_is_killed_once_and_replaced(
    follows: bool, children: Children, caplog: pytest.LogCaptureFixture
) -> None:
    child = children.add("reader-1", "works_for_tests", [])
    until(lambda: child._begun, "being ready")
    pid = child.pid
    assert pid is not None

    def judge(silent_s: float) -> None:
        children.judge({"reader-1": silent_s} if follows else {}, 1_000.0 + silent_s)

    judge(0.0)
    os.kill(pid, signal.SIGSTOP)
    judge(SILENT_S)
    assert child.pid == pid, "it may be slow for a while"
    for _ in range(3):
        judge(SILENT_S + 1)
    until(lambda: child.pid not in (None, pid) and child._begun, "its successor")
    told = [text for text in texts(caplog, logging.ERROR) if "has given no sign of life for 30 s" in text]
    assert len(told) == 1
    assert child._last_code == -signal.SIGKILL
    children.judge({}, 5_000.0)
    children.judge({}, 5_000.0 + SILENT_S)
    assert child.describe()["starts"] == 2, "the successor has its own time"
    assert child.describe()["silences"] == 1


def test_one_that_has_not_begun_has_longer_and_its_time_starts_anew_when_it_has(children: Children) -> None:
    child = children.add("reader-1", "never_ready_for_tests", [])
    pid = child.pid
    children.judge({}, 0.0)
    children.judge({"reader-1": BEGIN_S}, BEGIN_S)  # it attaches, and has no time for questions
    assert (child.pid, child.silences) == (pid, 0)
    child._begun = True
    children.judge({}, BEGIN_S + 1)
    assert child.silences == 0
    child._begun = False
    children.judge({}, BEGIN_S + 2)
    children.judge({}, 2 * BEGIN_S + 3)
    assert child.silences == 1
    until(lambda: child.pid not in (None, pid), "its successor")
    assert child._last_code == -signal.SIGKILL


def test_turns_that_go_on_are_a_sign_of_life_and_none_is_owed_before_the_first() -> None:
    now_s = 100.0
    turns = Turns(30.0, lambda: now_s)
    now_s = 1_000.0
    assert turns.go_on()
    turns.turned()
    now_s += 29.0
    assert turns.go_on()
    now_s += 2.0
    assert not turns.go_on()
    turns.turned()
    assert turns.go_on()


def test_a_reader_loads_no_client_before_it_serves() -> None:
    loaded = "import sys, fujie.node.web, fujie.api.server, fujie.reader.replica; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", "it takes a tenth of a reader's start"
