"""Flood control by minute of block time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.errors import Refused
from fujie.core.meter import UNUSED, WINDOW_MS, Meter, charged
from fujie.core.reasons import TransactionReason


def test_operations_of_one_minute_add_up_to_the_limit_and_not_beyond() -> None:
    meter = UNUSED
    for used in range(1, 6):
        meter = charged(meter, 7 * WINDOW_MS + used, 1, 5)
        assert meter == Meter(7, used)
    with pytest.raises(Refused) as refused:
        charged(meter, 8 * WINDOW_MS - 1, 1, 5)
    assert refused.value.reason is TransactionReason.QUOTA_EXCEEDED
    assert charged(meter, 8 * WINDOW_MS, 5, 5) == Meter(8, 5)


def test_a_charge_above_the_limit_is_refused_in_a_fresh_minute_too() -> None:
    with pytest.raises(Refused):
        charged(UNUSED, WINDOW_MS, 6, 5)
    with pytest.raises(Refused):
        charged(UNUSED, 0, 1, 0)


@given(st.lists(st.tuples(st.integers(0, 10 * WINDOW_MS), st.integers(1, 64)), max_size=60), st.integers(1, 100))
def test_no_minute_ever_has_more_than_its_limit(charges: list[tuple[int, int]], limit: int) -> None:
    meter, taken = UNUSED, dict[int, int]()
    for time_ms, count in sorted(charges):
        minute = time_ms // WINDOW_MS
        try:
            meter = charged(meter, time_ms, count, limit)
        except Refused:
            assert taken.get(minute, 0) + count > limit
        else:
            taken[minute] = taken.get(minute, 0) + count
            assert meter == Meter(minute, taken[minute])
    assert all(used <= limit for used in taken.values())
