"""Virtual time: one heap of events, one source of chance, one trace. Nothing here knows what is simulated."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from hashlib import sha256
from typing import Final

TOLD_MAX: Final = 40  # newest lines of the trace that a failure shows


class Scheduler:
    """Runs events in the order of their times; of equal ones, in the order in which they were planned.

    All chance of a run comes from ``random``, so that the seed decides everything; ``trace`` is a digest of what happened.
    """

    def __init__(self, seed: int, start_ms: int) -> None:
        self.random = random.Random(seed)
        self.now_ms = start_ms
        self.newest: deque[str] = deque(maxlen=TOLD_MAX)
        self._start_ms = start_ms
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._trace = sha256()

    @property
    def trace(self) -> str:
        """A digest of everything that was noted."""
        return self._trace.hexdigest()

    def note(self, what: str) -> None:
        """Add a line to the trace."""
        line = f"{self.now_ms - self._start_ms:>7} ms  {what}"
        self.newest.append(line)
        self._trace.update(line.encode() + b"\n")

    def chance(self, probability: float) -> bool:
        """Draw whether something with this probability happens."""
        return self.random.random() < probability

    def after(self, delay_ms: int, event: Callable[[], None]) -> None:
        """Plan an event."""
        self._number += 1
        heapq.heappush(self._planned, (self.now_ms + delay_ms, self._number, event))

    def run(self, until: Callable[[], bool], give_up_ms: int) -> bool:
        """Let time pass until something holds; False when it does not within so much virtual time."""
        end_ms = self.now_ms + give_up_ms
        while not until():
            if not self._planned or self._planned[0][0] > end_ms:
                return False
            self.now_ms, _, event = heapq.heappop(self._planned)
            event()
        return True
