"""A sparkline as the rectangles of an inline SVG: no script, no style."""

from collections.abc import Sequence
from typing import Final, NamedTuple

HEIGHT: Final = 40
STEP: Final = 4
_GAP: Final = 1


class Bar(NamedTuple):
    """One minute: where its rectangle stands, in units of the view box, and its value."""

    x: int
    y: float
    width: int
    height: float
    value: int


def bars(values: Sequence[int]) -> list[Bar]:
    """Return a bar for each value, the highest :data:`HEIGHT` tall. Nothing is one tenth of a unit, so that it is seen."""
    top = max((*values, 1))
    found = []
    for place, value in enumerate(values):
        tall = round(max(HEIGHT * value / top, 0.6 if not value else 2.0), 1)
        found.append(Bar(place * STEP, round(HEIGHT - tall, 1), STEP - _GAP, tall, value))
    return found
