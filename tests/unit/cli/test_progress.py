"""What is waited for is said where nobody looks, but not over and over."""

from itertools import pairwise

import pytest

from fujie.cli import output, progress
from fujie.cli.progress import REPEATED_S, REPEATED_S_MAX, said_if_slow, waiting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr("fujie.cli.progress.time.monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_when_the_text_changes_and_else_ever_more_rarely(clock, capsys):
    with waiting() as say:
        say("waits for peers: 0 of 3")
        said_at = [clock[0]]
        assert capsys.readouterr().out == "  waits for peers: 0 of 3\n"
        while clock[0] < 1_000 + 100 * REPEATED_S_MAX:
            clock[0] += 5
            say("waits for peers: 0 of 3")
            if capsys.readouterr().out:
                said_at.append(clock[0])
        pauses = [later - earlier for earlier, later in pairwise(said_at)]
        assert pauses[:3] == [REPEATED_S, 2 * REPEATED_S, 4 * REPEATED_S]
        assert set(pauses[8:]) == {REPEATED_S_MAX}
        clock[0] += REPEATED_S
        say("waits for peers: 1 of 3")
        say("waits for peers: 1 of 3")
        assert capsys.readouterr().out == "  waits for peers: 1 of 3\n"
        for of_3 in (2, 3):
            say(f"waits for peers: {of_3} of 3")
            assert capsys.readouterr().out == "", "numbers change every moment"
        say("")
        say("waits for peers: 1 of 3")
        assert capsys.readouterr().out == "  waits for peers: 1 of 3\n", "it is waited for anew"
    assert capsys.readouterr().out == ""


def test_json_is_not_interrupted(capsys, monkeypatch):
    monkeypatch.setattr(output._Mode, "json", True)
    with waiting() as say:
        say("waits for peers")
    assert capsys.readouterr().out == ""


def test_what_is_slow_is_explained_and_what_is_not_is_not(monkeypatch, capsys):
    with said_if_slow("No block has it yet."):
        pass
    monkeypatch.setattr(progress, "SLOW_S", 0.01)
    shown = ""
    with said_if_slow("No block has it yet."):
        while not shown:
            shown = capsys.readouterr().out
    assert shown == "  No block has it yet.\n"
