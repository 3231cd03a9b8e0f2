"""What every process that a node starts beside its ledger owes it: to end when told, and not to outlive it.

Standard input is a pipe from the node: its end means that the node is gone, however it went. SIGTERM asks to finish.
Ctrl-C in a terminal is for the node alone.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

READY: Final = "ready"


def child_stop(on_orphaned: Callable[[], None] | None = None) -> threading.Event:
    """Return an event that SIGTERM sets, and the end of the node. First thing in a process, in its main thread.

    ``on_orphaned`` is called instead when the node is gone, in another thread.
    """
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())

    def watch() -> None:
        try:
            while os.read(0, 4_096):
                pass
        except OSError:
            pass  # there is no standard input: as good as its end
        if on_orphaned is not None:
            on_orphaned()
        stop.set()

    threading.Thread(target=watch, name="fujie-orphaned", daemon=True).start()
    return stop


class Turns:
    """Whether the work of a process goes round: it says so at every turn. One that has not begun is not judged."""

    def __init__(self, longest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``longest_s``: what one turn may take."""
        self._longest_s = longest_s
        self._clock = clock
        self._turned_s: float | None = None

    def turned(self) -> None:
        """Say that a turn is done."""
        self._turned_s = self._clock()

    def go_on(self) -> bool:
        """Tell whether there was one lately. Any thread."""
        return self._turned_s is None or self._clock() - self._turned_s < self._longest_s


def say_ready() -> None:
    """Tell the node that this process does its work now."""
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
