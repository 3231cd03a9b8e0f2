"""Amounts: one reading, nothing rounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.client.amounts import AmountError, format_amount, parse_amount
from fujie.core.units import AMOUNT_MINOR_MAX


@pytest.mark.parametrize(
    ("text", "decimals", "minor"),
    [
        ("12.50", 2, 1250),
        ("12.5", 2, 1250),
        ("12", 2, 1200),
        ("0.01", 2, 1),
        ("0", 2, 0),
        ("007.10", 2, 710),
        ("5", 0, 5),
        ("0.00000001", 8, 1),
        ("92233720368547758.07", 2, AMOUNT_MINOR_MAX),
    ],
)
def test_reads_an_amount(text, decimals, minor):
    assert parse_amount(text, decimals) == minor


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "12.505", "1.000", "-1", "+1", " 1", "1 ", "1\n", "1,000", "1'000", "1_000", "1e3", "0x10", "NaN"),
        *(".5", "1.", "1..5", "1.5.0", "inf", "１２", "١٢", "¥12", "12,50", "٣.٥", "1\u00a0000", "²"),
        *("92233720368547758.08", "9" * 31, "9" * 10_000, "0" * 10_000 + "1"),
    ],
)
def test_refuses_what_is_no_amount_of_two_decimals(text):
    with pytest.raises(AmountError) as error:
        parse_amount(text, 2)
    assert error.value.do


def test_refuses_any_decimal_of_an_instrument_without():
    with pytest.raises(AmountError, match="has 0"):
        parse_amount("1.0", 0)


@given(st.integers(0, AMOUNT_MINOR_MAX), st.integers(0, 8))
def test_reads_back_what_it_writes(minor, decimals):
    assert parse_amount(format_amount(minor, decimals), decimals) == minor


@given(st.text(max_size=40), st.integers(0, 8))
def test_raises_nothing_but_its_own_error(text, decimals):
    try:
        minor = parse_amount(text, decimals)
    except AmountError:
        return
    assert 0 <= minor <= AMOUNT_MINOR_MAX
    assert text.replace(".", "").isascii()
