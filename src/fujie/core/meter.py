"""Flood control: how many operations an actor has asked for in the current minute of block time."""

from typing import Final

from fujie.core.encoding import Record
from fujie.core.errors import Refused
from fujie.core.reasons import TransactionReason
from fujie.core.units import Count

WINDOW_MS: Final = 60_000


class Meter(Record, tag=1):
    """Operations ``used`` in minute ``window`` (block time in ms divided by 60,000, rounded down)."""

    window: Count
    used: Count


UNUSED: Final = Meter(0, 0)


def charged(meter: Meter, time_ms: int, count: int, limit: int) -> Meter:
    """Return ``meter`` after ``count`` more operations at ``time_ms``.

    Raises ``Refused(QUOTA_EXCEEDED)`` when more than ``limit`` operations would fall into the current minute.
    """
    window = time_ms // WINDOW_MS
    used = count if meter.window != window else meter.used + count
    if used > limit:
        raise Refused(TransactionReason.QUOTA_EXCEEDED)
    return Meter(window, used)
