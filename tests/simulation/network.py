"""A network that loses, doubles, delays and reorders messages, and falls apart for a while."""

from collections.abc import Callable
from typing import Final

from tests.simulation.scheduler import Scheduler

NEAR_MS: Final = 5
FAR_MS: Final = 80
STUCK_MS: Final = 2_500  # a message that comes long after the ones sent behind it
STUCK: Final = 0.02  # part of messages that do, where any are lost


class Network:
    """Carries messages between named ends. Ends that were never divided reach one another."""

    def __init__(self, scheduler: Scheduler, lost: float, doubled: float) -> None:
        self.lost = lost
        self.doubled = doubled
        self._scheduler = scheduler
        self._sides: dict[str, int] = {}

    def divide(self, sides: dict[str, int]) -> None:
        """Let ends of different sides reach one another no more."""
        self._sides = sides

    def heal(self) -> None:
        """Carry everything to everybody from now on."""
        self.lost = self.doubled = 0.0
        self._sides = {}

    def send(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        """Have ``deliver`` called when the message arrives: once, twice or never."""
        scheduler = self._scheduler
        if source == target:
            scheduler.after(0, deliver)
            return
        for _ in range(2 if scheduler.chance(self.doubled) else 1):
            if scheduler.chance(self.lost):
                continue
            stuck = self.lost > 0 and scheduler.chance(STUCK)
            delay_ms = scheduler.random.randint(NEAR_MS, STUCK_MS if stuck else FAR_MS)
            scheduler.after(delay_ms, lambda: self._arrive(source, target, deliver))

    def _arrive(self, source: str, target: str, deliver: Callable[[], None]) -> None:
        if self._sides.get(source, 0) == self._sides.get(target, 0):
            deliver()
