"""The processes of a cluster: found by a word in their environment, which everything that a node starts inherits.

The word begins with the number of the test's process, so that what an interrupted run left behind is known, and ended by the
next one.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

VARIABLE: Final = "CLUSTER_OF_TESTS"
GIVE_UP_S: Final = 60.0


def find(mark: str) -> list[int]:
    """Return the processes whose mark is ``mark``, or stands below it: a node's, or all those of a cluster."""
    return sorted(process for process, found in _marked().items() if found == mark or found.startswith(f"{mark}/"))


def send(mark: str, number: int) -> None:
    """Send a signal to all of them."""
    for process in find(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def end(mark: str) -> None:
    """End all of them, at once and without asking, and wait until they are gone."""
    give_up = time.monotonic() + GIVE_UP_S
    while left := find(mark):  # one may just have started another
        assert time.monotonic() < give_up, f"processes {left} do not end"
        send(mark, signal.SIGKILL)
        time.sleep(0.02)


def marks_of_the_dead() -> list[str]:
    """Return the marks of clusters whose test has ended without ending them."""
    return sorted({mark.partition("/")[0] for mark in _marked().values() if is_of_the_dead(mark)})


def is_of_the_dead(mark: str) -> bool:
    """Tell whether the test that made a name such as ``1234-0…`` has ended."""
    number = mark.partition("-")[0]
    return number.isdigit() and not Path("/proc", number).exists()


def _marked() -> dict[int, str]:
    """Return the mark of every process that has one."""
    found = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            for value in (place / "environ").read_bytes().split(b"\0"):
                name, _, mark = value.decode("utf-8", "replace").partition("=")
                if name == VARIABLE:
                    found[int(place.name)] = mark
    return found
