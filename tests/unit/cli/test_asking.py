"""What cannot be undone is asked about on a terminal, a real one here; elsewhere it must be said in advance."""

import os
import pty
import subprocess
import sys

import pytest

PROGRAM = (
    "import sys; from fujie.cli.output import require_yes; require_yes('Sure?', '--yes' in sys.argv); print('done')"
)
WAIT_S = 60


def run_on_a_terminal(answer: str, *arguments: str) -> tuple[int, str]:
    """Run the program with a terminal as its input, answer, and return exit code and output."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stdout


@pytest.mark.parametrize(("answer", "goes_on"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_terminal_is_asked_and_nothing_is_done_without_a_yes(answer: str, goes_on: bool) -> None:
    code, printed = run_on_a_terminal(answer)
    assert (code == 0, "done" in printed) == (goes_on, goes_on)


def test_nobody_is_asked_with_the_option() -> None:
    assert run_on_a_terminal("", "--yes") == (0, "done\n")


def test_a_script_says_it_or_nothing_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode
    assert "done" not in done.stdout
    assert "say --yes" in done.stderr
