"""What giving and receiving do to a balance: shared by payments, distribution and return.

Amounts cannot overflow here: no balance exceeds what is in circulation, and Issue bounds that.
"""

from fujie.core.errors import Refused
from fujie.core.state import State
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency import state_keys
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import Balance, LimitEntry, WalletStatus, limits_in_force

_DEBITS_FROZEN = WalletStatus.DEBITS_FROZEN
_CLOSED = WalletStatus.CLOSED


def refuse_to_give(status: WalletStatus) -> None:
    """Refuse for a wallet that is not active: PAYER_WALLET_CLOSED or PAYER_WALLET_FROZEN."""
    if status is _CLOSED:
        raise Refused(CurrencyReason.PAYER_WALLET_CLOSED)
    raise Refused(CurrencyReason.PAYER_WALLET_FROZEN)


def check_may_receive(status: WalletStatus) -> None:
    """Refuse for a wallet that may not receive: PAYEE_WALLET_CLOSED, then PAYEE_WALLET_FROZEN."""
    if status is _CLOSED:
        raise Refused(CurrencyReason.PAYEE_WALLET_CLOSED)
    if status > _DEBITS_FROZEN:
        raise Refused(CurrencyReason.PAYEE_WALLET_FROZEN)


def class_limits(state: State, instrument: str, wallet_class: int, time_ms: int) -> LimitEntry:
    """Return the limits in force at ``time_ms`` for a class that has wallets in ``instrument``."""
    found = state.get(state_keys.limits(instrument, wallet_class))
    assert found is not None, "a wallet is opened or upgraded only into a class with limits, which are never removed"
    return limits_in_force(found.entries, time_ms)


def after_payment(before: Balance, amount_minor: int, day: int, limits: LimitEntry) -> Balance:
    """Return the payer's balance after paying ``amount_minor`` on day number ``day``.

    Refuses, in order: PAYER_PAYMENT_LIMIT_EXCEEDED; PAYER_DAY_LIMIT_EXCEEDED, also where there is no limit and the sum
    of the day would not be an amount; PAYER_DAY_COUNT_EXCEEDED; PAYER_BALANCE_INSUFFICIENT.
    """
    spent_minor = amount_minor
    payments = 1
    if before.day == day:
        spent_minor += before.spent_today_minor
        payments += before.payments_today
    bound = limits.payment_max_minor
    if bound is not None and amount_minor > bound:
        raise Refused(CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED)
    bound = limits.day_max_minor
    if spent_minor > (AMOUNT_MINOR_MAX if bound is None else bound):
        raise Refused(CurrencyReason.PAYER_DAY_LIMIT_EXCEEDED)
    bound = limits.payments_per_day_max
    if bound is not None and payments > bound:
        raise Refused(CurrencyReason.PAYER_DAY_COUNT_EXCEEDED)
    if amount_minor > before.amount_minor:
        raise Refused(CurrencyReason.PAYER_BALANCE_INSUFFICIENT)
    return Balance(before.amount_minor - amount_minor, day, spent_minor, payments, before.meter)


def after_receipt(before: Balance, amount_minor: int, limits: LimitEntry) -> Balance:
    """Return a balance after receiving ``amount_minor``. Refuses with PAYEE_HOLDING_LIMIT_EXCEEDED."""
    amount_after = before.amount_minor + amount_minor
    bound = limits.balance_max_minor
    if bound is not None and amount_after > bound:
        raise Refused(CurrencyReason.PAYEE_HOLDING_LIMIT_EXCEEDED)
    return Balance(amount_after, before.day, before.spent_today_minor, before.payments_today, before.meter)


def after_giving(before: Balance, amount_minor: int) -> Balance:
    """Return a balance after giving money back, which no limit counts. Refuses with PAYER_BALANCE_INSUFFICIENT."""
    if amount_minor > before.amount_minor:
        raise Refused(CurrencyReason.PAYER_BALANCE_INSUFFICIENT)
    return Balance(
        before.amount_minor - amount_minor, before.day, before.spent_today_minor, before.payments_today, before.meter
    )
