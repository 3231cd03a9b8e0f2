"""Who may act: a wallet's holder, the institution that serves it, the issuer of an instrument; and whom it is charged to."""

from typing import Protocol

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.meter import charged
from fujie.core.reasons import TransactionReason
from fujie.core.state import State
from fujie.modules.currency import state_keys
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import Balance, Instrument, Wallet, WalletStatus
from fujie.modules.membership.queries import Role, authorise_account, charge_account, parameters


class _AboutInstrument(Protocol):
    """An operation that names an instrument."""

    @property
    def instrument(self) -> str: ...


class _AboutWallet(Protocol):
    """An operation about one wallet."""

    @property
    def wallet(self) -> bytes: ...


def authorise_issuer(state: State, context: Context, operation: _AboutInstrument) -> None:
    """Check that the central bank of the operation's instrument acts.

    Refuses, in order: INSTRUMENT_NOT_FOUND, then as ``authorise_account`` with the role of central bank.
    """
    issuer = existing_instrument(state, operation.instrument).issuer
    authorise_account(state, context, issuer, Role.CENTRAL_BANK)


def charge_issuer(state: State, context: Context, operation: _AboutInstrument, count: int) -> None:
    """Charge the central bank of the operation's instrument. Refuses with QUOTA_EXCEEDED."""
    charge_account(state, context, existing_instrument(state, operation.instrument).issuer, count)


def authorise_server(state: State, context: Context, operation: _AboutWallet) -> None:
    """Check that the institution that serves the wallet acts.

    Refuses, in order: WALLET_NOT_FOUND, then as ``authorise_account``.
    """
    authorise_account(state, context, existing_wallet(state, operation.wallet).institution)


def charge_server(state: State, context: Context, operation: _AboutWallet, count: int) -> None:
    """Charge the institution that serves the wallet. Refuses with QUOTA_EXCEEDED."""
    charge_account(state, context, existing_wallet(state, operation.wallet).institution, count)


def authorise_wallet(state: State, context: Context, wallet: bytes, missing: CurrencyReason) -> None:
    """Check that the transaction may act for ``wallet``. Refuses, in order: ``missing``, POLICY_NOT_SATISFIED."""
    found = state.get(state_keys.wallet(wallet))
    if found is None:
        raise Refused(missing)
    if not found.policy.satisfied_by(context.signers):
        raise Refused(TransactionReason.POLICY_NOT_SATISFIED)


def charge_wallet(state: State, context: Context, wallet: bytes, instrument: str, count: int) -> None:
    """Charge ``count`` operations to the meter of a wallet, which exists. Refuses with QUOTA_EXCEEDED.

    The meter is that of its balance of ``instrument``: the leaf that a payment writes anyway. Where the wallet does not
    hold that instrument, so that the operation is going to be refused, the balance it was opened with is charged.
    """
    key = state_keys.balance(wallet, instrument)
    before = state.get(key)
    if before is None:
        key = state_keys.balance(wallet, first_instrument(state, wallet))
        before = state.get(key)
        assert before is not None, "a wallet has a balance of every instrument that it lists"
    meter = charged(before.meter, context.time_ms, count, parameters(state).operations_per_minute)
    state.put(key, Balance(before.amount_minor, before.day, before.spent_today_minor, before.payments_today, meter))


def first_instrument(state: State, wallet: bytes) -> str:
    """Return the instrument that a wallet was opened for. The wallet exists: it was authorised."""
    found = state.get(state_keys.wallet(wallet))
    assert found is not None, "a wallet is charged after it was authorised"
    return found.instruments[0]


def existing_instrument(state: State, code: str) -> Instrument:
    """Return an instrument. Refuses with INSTRUMENT_NOT_FOUND."""
    found = state.get(state_keys.instrument(code))
    if found is None:
        raise Refused(CurrencyReason.INSTRUMENT_NOT_FOUND)
    return found


def existing_wallet(state: State, wallet: bytes) -> Wallet:
    """Return a wallet. Refuses with WALLET_NOT_FOUND."""
    found = state.get(state_keys.wallet(wallet))
    if found is None:
        raise Refused(CurrencyReason.WALLET_NOT_FOUND)
    return found


def open_wallet(state: State, wallet: bytes) -> Wallet:
    """Return a wallet that is not closed. Refuses, in order: WALLET_NOT_FOUND, WALLET_CLOSED."""
    found = existing_wallet(state, wallet)
    if found.status is WalletStatus.CLOSED:
        raise Refused(CurrencyReason.WALLET_CLOSED)
    return found
