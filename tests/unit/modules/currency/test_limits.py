"""Limits are dated data, and a day begins at midnight of the chain's offset."""

import json
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

import fujie
from fujie.modules.currency import operations as ops
from fujie.modules.currency import state_keys
from fujie.modules.currency.genesis import GenesisLimits
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import LimitEntry, limits_in_force
from fujie.modules.currency.transitions.payments import day_number
from tests.unit.modules.currency.world import (
    ALPHA,
    BANK,
    FRIEND,
    LATER_MS,
    RICH,
    SMALL,
    WEAK,
    WEAK_ONE,
    wallet_id,
    world,
)
from tests.unit.modules.harness import GENESIS_MS

MIDNIGHT_MS = GENESIS_MS + 3_200_000  # 2025-06-15 16:00:00 UTC, which is midnight at +08:00
HOUR_MS = 3_600_000


def test_effective_date_is_crossed_within_one_sequence_of_blocks():
    made = world()
    date_ms = GENESIS_MS + 10_000_000
    tighter = LimitEntry(date_ms, 10_000, 100, None, None)
    made.run(ops.SetLimits("CNY", WEAK, (SMALL, tighter)), BANK)
    made.pay(WEAK_ONE, FRIEND, 2_000, time_ms=date_ms - 1)
    made.refuse_payment(CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED, WEAK_ONE, FRIEND, 101, time_ms=date_ms)
    made.pay(WEAK_ONE, FRIEND, 100, time_ms=date_ms)
    made.pay(WEAK_ONE, FRIEND, 100, time_ms=date_ms + 10**12)


def test_holding_limit_follows_the_payees_class_and_the_date():
    made = world()
    date_ms = GENESIS_MS + 10_000_000
    made.run(ops.SetLimits("CNY", WEAK, (SMALL, LimitEntry(date_ms, None, 2_000, 5_000, 4))), BANK)
    made.pay(RICH, WEAK_ONE, 5_000, time_ms=date_ms - 2)
    made.refuse_payment(CurrencyReason.PAYEE_HOLDING_LIMIT_EXCEEDED, FRIEND, WEAK_ONE, 1, time_ms=date_ms - 1)
    made.pay(FRIEND, WEAK_ONE, 1, time_ms=date_ms)


def test_entry_in_force_is_the_last_that_has_begun():
    entries = tuple(LimitEntry(date_ms, date_ms, None, None, None) for date_ms in (0, 10, 20))
    for time_ms, begins_ms in ((0, 0), (9, 0), (10, 10), (19, 10), (20, 20), (10**15, 20)):
        assert limits_in_force(entries, time_ms).effective_from_ms == begins_ms


def test_day_begins_at_midnight_of_the_chains_offset():
    made = world()
    made.run(ops.Distribute("alpha", wallet_id(WEAK_ONE), "CNY", 5_000), ALPHA)
    for amount_minor in (2_000, 2_000, 1_000):
        made.pay(WEAK_ONE, FRIEND, amount_minor, time_ms=MIDNIGHT_MS - 10)
    made.refuse_payment(CurrencyReason.PAYER_DAY_LIMIT_EXCEEDED, WEAK_ONE, FRIEND, 1, time_ms=MIDNIGHT_MS - 1)
    made.pay(WEAK_ONE, FRIEND, 2_000, time_ms=MIDNIGHT_MS)
    balance = made.get(state_keys.balance(wallet_id(WEAK_ONE), "CNY"))
    assert (balance.spent_today_minor, balance.payments_today) == (2_000, 1)
    for amount_minor in (2_000, 1_000):
        made.pay(WEAK_ONE, FRIEND, amount_minor, time_ms=MIDNIGHT_MS + 8 * HOUR_MS - 1)
    # Midnight in Greenwich is not where the day of this chain ends.
    made.refuse_payment(CurrencyReason.PAYER_DAY_LIMIT_EXCEEDED, WEAK_ONE, RICH, 1, time_ms=MIDNIGHT_MS + 8 * HOUR_MS)


def test_the_same_day_ends_eight_hours_later_on_a_chain_at_greenwich():
    made = world(utc_offset_minutes=0)
    for _ in range(4):
        made.pay(WEAK_ONE, FRIEND, 1, time_ms=MIDNIGHT_MS)
    after_ms = MIDNIGHT_MS + 8 * HOUR_MS
    made.refuse_payment(CurrencyReason.PAYER_DAY_COUNT_EXCEEDED, WEAK_ONE, FRIEND, 1, time_ms=after_ms - 1)
    made.pay(WEAK_ONE, FRIEND, 1, time_ms=after_ms)


@pytest.mark.parametrize(
    ("time_ms", "offset_minutes", "day"),
    [(0, 0, 0), (86_399_999, 0, 0), (86_400_000, 0, 1), (57_600_000, 480, 1), (57_599_999, 480, 0), (0, -720, -1)],
)
def test_day_number(time_ms: int, offset_minutes: int, day: int):
    assert day_number(time_ms, offset_minutes) == day


def test_receiving_does_not_count_as_spending():
    made = world()
    made.pay(RICH, WEAK_ONE, 5_000)
    balance = made.get(state_keys.balance(wallet_id(WEAK_ONE), "CNY"))
    assert (balance.spent_today_minor, balance.payments_today) == (0, 0)


def test_zero_allows_nothing_and_none_is_no_limit():
    made = world()
    date_ms = GENESIS_MS + 10_000_000
    made.run(ops.SetLimits("CNY", WEAK, (SMALL, LimitEntry(date_ms, None, None, None, 0))), BANK)
    made.refuse_payment(CurrencyReason.PAYER_DAY_COUNT_EXCEEDED, WEAK_ONE, FRIEND, 1, time_ms=date_ms)


def test_public_limits_of_the_demonstration_are_limits():
    path = Path(fujie.__path__[0]) / "data" / "limits" / "e-cny.json"
    data = json.loads(path.read_text("utf-8"))
    assert data["source"]
    classes = []
    for entry in data["classes"]:
        entries = tuple(LimitEntry(**limits) for limits in entry["entries"])
        limits = GenesisLimits(data["instrument"], entry["wallet_class"], entries)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(limits), type=GenesisLimits) == limits
        classes.append(limits.wallet_class)
        assert entries[0].effective_from_ms == 0
    assert all(a < b for a, b in pairwise(classes))
    by_class = {entry["name"]: entry["entries"][0] for entry in data["classes"]}
    assert by_class["IV"]["balance_max_minor"] == 10_000_00
    assert by_class["II"]["day_max_minor"] == 100_000_00
    assert LATER_MS > GENESIS_MS
