"""Pay: the operation that a currency chain spends its time on."""

from collections.abc import Mapping
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.reasons import TransactionReason
from fujie.core.room import Handler, Operation
from fujie.core.state import Key, State
from fujie.modules.currency import state_keys
from fujie.modules.currency.events import Paid
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import WalletStatus
from fujie.modules.currency.transitions.access import charge_wallet
from fujie.modules.currency.transitions.money import (
    after_payment,
    after_receipt,
    check_may_receive,
    class_limits,
    refuse_to_give,
)
from fujie.modules.membership.queries import parameters

_ACTIVE = WalletStatus.ACTIVE
_MINUTE_MS = 60_000
_DAY_MS = 86_400_000


def day_number(time_ms: int, utc_offset_minutes: int) -> int:
    """Return the number of the day at ``time_ms``, counted from 1970-01-01 at the given offset."""
    return (time_ms + utc_offset_minutes * _MINUTE_MS) // _DAY_MS


def _authorise(state: State, context: Context, operation: Pay) -> None:
    """Refuses, in order: PAYER_WALLET_NOT_FOUND, POLICY_NOT_SATISFIED."""
    payer = state.get(state_keys.wallet(operation.payer))
    if payer is None:
        raise Refused(CurrencyReason.PAYER_WALLET_NOT_FOUND)
    if not payer.policy.satisfied_by(context.signers):
        raise Refused(TransactionReason.POLICY_NOT_SATISFIED)


def _charge(state: State, context: Context, operation: Pay, count: int) -> None:
    charge_wallet(state, context, operation.payer, operation.instrument, count)


def pay(state: State, context: Context, operation: Pay) -> Paid:
    """Move money from a wallet to another; writes their two balances and nothing else.

    Refuses, in order: PAYER_WALLET_NOT_FOUND, PAYEE_WALLET_NOT_FOUND, PAYER_AND_PAYEE_ARE_THE_SAME, AMOUNT_IS_ZERO,
    PAYER_WALLET_CLOSED, PAYER_WALLET_FROZEN, PAYEE_WALLET_CLOSED, PAYEE_WALLET_FROZEN, PAYER_DOES_NOT_HOLD_INSTRUMENT,
    PAYEE_DOES_NOT_HOLD_INSTRUMENT, PAYER_PAYMENT_LIMIT_EXCEEDED, PAYER_DAY_LIMIT_EXCEEDED, PAYER_DAY_COUNT_EXCEEDED,
    PAYER_BALANCE_INSUFFICIENT, PAYEE_HOLDING_LIMIT_EXCEEDED.
    """
    get = state.get
    payer_id, payee_id = operation.payer, operation.payee
    instrument, amount_minor = operation.instrument, operation.amount_minor
    time_ms = context.time_ms

    payer = get(state_keys.wallet(payer_id))
    if payer is None:
        raise Refused(CurrencyReason.PAYER_WALLET_NOT_FOUND)
    payee = get(state_keys.wallet(payee_id))
    if payee is None:
        raise Refused(CurrencyReason.PAYEE_WALLET_NOT_FOUND)
    if payer_id == payee_id:
        raise Refused(CurrencyReason.PAYER_AND_PAYEE_ARE_THE_SAME)
    if amount_minor == 0:
        raise Refused(CurrencyReason.AMOUNT_IS_ZERO)
    if payer.status is not _ACTIVE:
        refuse_to_give(payer.status)
    if payee.status is not _ACTIVE:
        check_may_receive(payee.status)

    payer_key = state_keys.balance(payer_id, instrument)
    payer_before = get(payer_key)
    if payer_before is None:
        raise Refused(CurrencyReason.PAYER_DOES_NOT_HOLD_INSTRUMENT)
    payee_key = state_keys.balance(payee_id, instrument)
    payee_before = get(payee_key)
    if payee_before is None:
        raise Refused(CurrencyReason.PAYEE_DOES_NOT_HOLD_INSTRUMENT)

    limits = class_limits(state, instrument, payer.wallet_class, time_ms)
    day = day_number(time_ms, parameters(state).utc_offset_minutes)
    payer_after = after_payment(payer_before, amount_minor, day, limits)
    if payee.wallet_class != payer.wallet_class:
        limits = class_limits(state, instrument, payee.wallet_class, time_ms)
    payee_after = after_receipt(payee_before, amount_minor, limits)

    # From here nothing may refuse.
    state.put(payer_key, payer_after)
    state.put(payee_key, payee_after)
    return Paid(payer_id, payee_id, instrument, amount_minor)


def _touches(operation: Pay) -> tuple[Key[Any], ...]:
    payer, payee, instrument = operation.payer, operation.payee, operation.instrument
    return (
        state_keys.wallet(payer),
        state_keys.wallet(payee),
        state_keys.balance(payer, instrument),
        state_keys.balance(payee, instrument),
    )


HANDLERS: Final[Mapping[type[Operation], Handler]] = {Pay: Handler(_authorise, _charge, pay, _touches)}
