"""The processes beside the ledger's: what ends at once, cannot be started or hangs is tried again, less and less often."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fujie.node import processes
from fujie.node.processes import HOPELESS_LIVES, Child, Children

GIVE_UP_S = 60.0  # after which a test gives up waiting; nothing is measured by it
ENDS = "raise SystemExit(3)"
WORKS = """
from fujie.node.child import child_stop, say_ready
stop = child_stop()
say_ready()
stop.wait()
"""
ENDS_AFTER_READY = "from fujie.node.child import say_ready\nsay_ready()\nraise SystemExit(4)"


@pytest.fixture(autouse=True)
def _modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name, text in (("ends", ENDS), ("works", WORKS), ("ends_after_ready", ENDS_AFTER_READY)):
        (tmp_path / f"{name}_for_tests.py").write_text(text, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    caplog.set_level(logging.INFO, "fujie.node.processes")


@pytest.fixture
def children() -> Iterator[Children]:
    children = Children()
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
        "last_code": 3,
    }
    assert len(texts(caplog, logging.WARNING)) == HOPELESS_LIVES - 1
    errors = texts(caplog, logging.ERROR)
    assert len(errors) == 6 - HOPELESS_LIVES + 1
    assert errors[-1] == "reader-1 ended with code 3, 6 times in a row; it is tried again in 3600.0 s"


def test_the_pauses_grow_and_stay_at_the_longest() -> None:
    assert list(processes.BACK_OFF_S) == sorted(processes.BACK_OFF_S)
    assert processes.BACK_OFF_S[0] == 0, "one that was killed is replaced at once"
    child = Child("projector", "ends_for_tests", [], ())
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
    children.judge({"reader-1": 0.0})
    children.stop()
    assert pid is not None
    assert child.describe()["starts"] == 1
    assert not child.describe()["running"]


@pytest.mark.parametrize("following", [{}, {"reader-1": 3_600.0}], ids=["gone from the link", "takes nothing"])
def test_one_that_stands_still_is_killed_and_replaced(
    following: dict[str, float],
    children: Children,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    child = children.add("reader-1", "works_for_tests", [])
    until(lambda: child._begun, "being ready")
    children.judge({"reader-1": 0.0})
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    children.judge({"reader-1": processes.SILENT_S / 2})
    assert child.pid == pid, "it may be slow for a while"
    monkeypatch.setattr(child, "_heard_s", child._heard_s - processes.SILENT_S)
    children.judge(following)
    until(lambda: child.pid not in (None, pid) and child._begun, "its successor")
    assert any("has not followed the ledger" in text for text in texts(caplog, logging.ERROR))
    assert child._last_code == -signal.SIGKILL
    children.judge({})
    assert child.describe()["starts"] == 2, "the successor has its own time"


def test_one_that_has_not_begun_is_left_to_begin(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "SILENT_S", -1.0)
    child = Child("reader-1", "works_for_tests", [], ())
    child.look_after()
    try:
        pid = child.pid
        child._begun = False
        child.judge(None)
        until(child.ready.is_set, "being ready")
        assert (child.pid, child.starts) == (pid, 1)
    finally:
        child.terminate()
        child.wait(time.monotonic() + GIVE_UP_S)
