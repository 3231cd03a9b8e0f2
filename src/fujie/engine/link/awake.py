"""Time as this process has lived it, for judging others.

A machine that sleeps, a container that is paused, a group of processes that is stopped: whoever goes on first would find
that the others had been silent for hours. What it slept through itself does not count.
"""

import time
from collections.abc import Callable
from typing import Final

STEP_MAX_S: Final = 1.0  # between two looks at the clock; of more, this process or its machine stood still


class AwakeClock:
    """One thread advances it, several times a second; any reads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_s = clock()
        self.now_s = 0.0

    def advance(self) -> float:
        """Count the time since the last call, and return it: at most ``STEP_MAX_S``."""
        now_s = self._clock()
        step_s = min(now_s - self._looked_s, STEP_MAX_S)
        self._looked_s = now_s
        self.now_s += step_s
        return step_s
