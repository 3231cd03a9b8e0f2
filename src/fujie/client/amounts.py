"""Amounts as people write them, ``12.50``, and as the ledger counts them, 1250.

One amount has one canonical spelling with all its decimals; a reader also takes fewer. Nothing is rounded or guessed.
"""

import re
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.core.wording import quoted

DECIMALS_MAX: Final = 8
AMOUNT_CHARACTERS_MAX: Final = 32  # 2^63 has 19 digits; the rest is for zeros in front of and behind a point

_AMOUNT: Final = re.compile(r"([0-9]{1,31})(?:\.([0-9]{1,31}))?", re.ASCII)


class AmountError(OperationalError):
    """A text is not an amount."""


def parse_amount(text: str, decimals: int) -> int:
    """Return the amount in minor units of ``text``: digits, and a point with at most ``decimals`` (0 to 8) more.

    Raises :class:`AmountError`, in order: not plain digits with at most one point (signs, spaces, separators, exponents
    and digits of other scripts are none); more decimals than the instrument has; more than 2^63 - 1.
    """
    if not 0 <= decimals <= DECIMALS_MAX:
        raise ValueError(f"an instrument has 0 to {DECIMALS_MAX} decimals, not {decimals}")
    found = _AMOUNT.fullmatch(text) if len(text) <= AMOUNT_CHARACTERS_MAX else None
    if found is None:
        raise AmountError(
            f"{quoted(text, 40)} is not an amount.", f"Write digits and a point, such as {_example(decimals)}."
        )
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > decimals:
        raise AmountError(
            f"{text} has {len(fraction)} decimals, the instrument has {decimals}.",
            f"Write an amount such as {_example(decimals)}; nothing is rounded.",
        )
    amount = int(whole + fraction.ljust(decimals, "0"))
    if amount > AMOUNT_MINOR_MAX:
        raise AmountError(
            f"{text} is more than an amount can express.", f"Write at most {format_amount(AMOUNT_MINOR_MAX, decimals)}."
        )
    return amount


def format_amount(amount_minor: int, decimals: int) -> str:
    """Return the canonical text of an amount (0 or more): 1250 with 2 decimals is ``12.50``."""
    if amount_minor < 0 or not 0 <= decimals <= DECIMALS_MAX:
        raise ValueError("an amount is zero or more, with 0 to 8 decimals")
    if decimals == 0:
        return str(amount_minor)
    digits = str(amount_minor).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"


def _example(decimals: int) -> str:
    return format_amount(1250 * 10 ** max(decimals - 2, 0) if decimals >= 2 else 12 * 10**decimals, decimals)
