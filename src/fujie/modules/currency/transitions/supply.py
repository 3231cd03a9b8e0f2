"""Money between the central bank, the vaults of institutions and the wallets they serve."""

from collections.abc import Mapping
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.room import Handler, Operation
from fujie.core.state import Key, State
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency import state_keys
from fujie.modules.currency.events import Distributed, Issued, Redeemed, Returned
from fujie.modules.currency.operations import Distribute, Issue, Redeem, Return
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import Issuance, Redemption, Supply, Vault, WalletStatus
from fujie.modules.currency.transitions.access import (
    authorise_issuer,
    authorise_wallet,
    charge_issuer,
    charge_wallet,
    existing_instrument,
)
from fujie.modules.currency.transitions.money import (
    after_giving,
    after_receipt,
    check_may_receive,
    class_limits,
    refuse_to_give,
)
from fujie.modules.membership.queries import Role, authorise_account, charge_account, touched_by


def issue(state: State, context: Context, operation: Issue) -> Issued:
    """Create money in an institution's vault.

    Refuses, in order: AMOUNT_IS_ZERO, ISSUE_REFERENCE_HAS_ANOTHER_BODY, ISSUE_ALREADY_MADE, INSTITUTION_NOT_ADMITTED,
    SUPPLY_WOULD_OVERFLOW, INSTITUTION_QUOTA_EXCEEDED.
    """
    name, instrument, amount_minor = operation.institution, operation.instrument, operation.amount_minor
    if amount_minor == 0:
        raise Refused(CurrencyReason.AMOUNT_IS_ZERO)
    record_key = state_keys.issue(operation.reference)
    made = state.get(record_key)
    if made is not None:
        if (made.institution, made.instrument, made.amount_minor) != (name, instrument, amount_minor):
            raise Refused(CurrencyReason.ISSUE_REFERENCE_HAS_ANOTHER_BODY)
        raise Refused(CurrencyReason.ISSUE_ALREADY_MADE)
    policy = state.get(state_keys.institution(name, instrument))
    vault_key = state_keys.vault(name, instrument)
    vault = state.get(vault_key)
    if policy is None or vault is None:
        raise Refused(CurrencyReason.INSTITUTION_NOT_ADMITTED)
    supply_key, supply = _supply(state, instrument)
    if supply.issued_minor + amount_minor > AMOUNT_MINOR_MAX:
        raise Refused(CurrencyReason.SUPPLY_WOULD_OVERFLOW)
    if vault.issued_minor - vault.redeemed_minor + amount_minor > policy.quota_minor:
        raise Refused(CurrencyReason.INSTITUTION_QUOTA_EXCEEDED)
    # From here nothing may refuse.
    state.put(supply_key, Supply(supply.issued_minor + amount_minor, supply.redeemed_minor))
    state.put(
        vault_key,
        Vault(vault.balance_minor + amount_minor, vault.issued_minor + amount_minor, vault.redeemed_minor),
    )
    state.put(record_key, Issuance(instrument, name, amount_minor, context.height, context.time_ms))
    return Issued(name, instrument, amount_minor, operation.reference)


def redeem(state: State, context: Context, operation: Redeem) -> Redeemed:
    """Destroy money in an institution's vault.

    Refuses, in order: AMOUNT_IS_ZERO, REDEMPTION_REFERENCE_HAS_ANOTHER_BODY, REDEMPTION_ALREADY_MADE,
    INSTITUTION_NOT_ADMITTED, VAULT_BALANCE_INSUFFICIENT.
    """
    name, instrument, amount_minor = operation.institution, operation.instrument, operation.amount_minor
    if amount_minor == 0:
        raise Refused(CurrencyReason.AMOUNT_IS_ZERO)
    record_key = state_keys.redemption(operation.reference)
    made = state.get(record_key)
    if made is not None:
        if (made.institution, made.instrument, made.amount_minor) != (name, instrument, amount_minor):
            raise Refused(CurrencyReason.REDEMPTION_REFERENCE_HAS_ANOTHER_BODY)
        raise Refused(CurrencyReason.REDEMPTION_ALREADY_MADE)
    vault_key = state_keys.vault(name, instrument)
    vault = state.get(vault_key)
    if vault is None:
        raise Refused(CurrencyReason.INSTITUTION_NOT_ADMITTED)
    if amount_minor > vault.balance_minor:
        raise Refused(CurrencyReason.VAULT_BALANCE_INSUFFICIENT)
    supply_key, supply = _supply(state, instrument)
    # From here nothing may refuse.
    state.put(supply_key, Supply(supply.issued_minor, supply.redeemed_minor + amount_minor))
    state.put(
        vault_key,
        Vault(vault.balance_minor - amount_minor, vault.issued_minor, vault.redeemed_minor + amount_minor),
    )
    state.put(record_key, Redemption(instrument, name, amount_minor, context.height, context.time_ms))
    return Redeemed(name, instrument, amount_minor, operation.reference)


def distribute(state: State, context: Context, operation: Distribute) -> Distributed:
    """Move money from an institution's vault to a wallet that it serves.

    Refuses, in order: PAYEE_WALLET_NOT_FOUND, AMOUNT_IS_ZERO, INSTITUTION_NOT_ADMITTED,
    WALLET_SERVED_BY_ANOTHER_INSTITUTION, PAYEE_WALLET_CLOSED, PAYEE_WALLET_FROZEN, PAYEE_DOES_NOT_HOLD_INSTRUMENT,
    VAULT_BALANCE_INSUFFICIENT, PAYEE_HOLDING_LIMIT_EXCEEDED.
    """
    name, instrument, amount_minor = operation.institution, operation.instrument, operation.amount_minor
    wallet = state.get(state_keys.wallet(operation.wallet))
    if wallet is None:
        raise Refused(CurrencyReason.PAYEE_WALLET_NOT_FOUND)
    if amount_minor == 0:
        raise Refused(CurrencyReason.AMOUNT_IS_ZERO)
    vault_key = state_keys.vault(name, instrument)
    vault = state.get(vault_key)
    if vault is None:
        raise Refused(CurrencyReason.INSTITUTION_NOT_ADMITTED)
    if wallet.institution != name:
        raise Refused(CurrencyReason.WALLET_SERVED_BY_ANOTHER_INSTITUTION)
    check_may_receive(wallet.status)
    balance_key = state_keys.balance(operation.wallet, instrument)
    balance = state.get(balance_key)
    if balance is None:
        raise Refused(CurrencyReason.PAYEE_DOES_NOT_HOLD_INSTRUMENT)
    if amount_minor > vault.balance_minor:
        raise Refused(CurrencyReason.VAULT_BALANCE_INSUFFICIENT)
    limits = class_limits(state, instrument, wallet.wallet_class, context.time_ms)
    after = after_receipt(balance, amount_minor, limits)
    # From here nothing may refuse.
    state.put(vault_key, Vault(vault.balance_minor - amount_minor, vault.issued_minor, vault.redeemed_minor))
    state.put(balance_key, after)
    return Distributed(name, operation.wallet, instrument, amount_minor)


def give_back(state: State, _context: Context, operation: Return) -> Returned:
    """Move money from a wallet to the vault of its institution. No limit counts it: the money stays the holder's.

    Refuses, in order: PAYER_WALLET_NOT_FOUND, AMOUNT_IS_ZERO, PAYER_WALLET_CLOSED, PAYER_WALLET_FROZEN,
    PAYER_DOES_NOT_HOLD_INSTRUMENT, PAYER_BALANCE_INSUFFICIENT.
    """
    instrument, amount_minor = operation.instrument, operation.amount_minor
    wallet = state.get(state_keys.wallet(operation.wallet))
    if wallet is None:
        raise Refused(CurrencyReason.PAYER_WALLET_NOT_FOUND)
    if amount_minor == 0:
        raise Refused(CurrencyReason.AMOUNT_IS_ZERO)
    if wallet.status is not WalletStatus.ACTIVE:
        refuse_to_give(wallet.status)
    balance_key = state_keys.balance(operation.wallet, instrument)
    balance = state.get(balance_key)
    if balance is None:
        raise Refused(CurrencyReason.PAYER_DOES_NOT_HOLD_INSTRUMENT)
    after = after_giving(balance, amount_minor)
    vault_key = state_keys.vault(wallet.institution, instrument)
    vault = state.get(vault_key)
    assert vault is not None, "a wallet holds only instruments that its institution is admitted for"
    # From here nothing may refuse.
    state.put(balance_key, after)
    state.put(vault_key, Vault(vault.balance_minor + amount_minor, vault.issued_minor, vault.redeemed_minor))
    return Returned(wallet.institution, operation.wallet, instrument, amount_minor)


def _supply(state: State, instrument: str) -> tuple[Key[Supply], Supply]:
    """Return key and record of the supply of an instrument that exists."""
    key = state_keys.supply(instrument)
    supply = state.get(key)
    assert supply is not None, "every instrument has a supply"
    return key, supply


def _authorise_redeem(state: State, context: Context, operation: Redeem) -> None:
    """Both must sign. Refuses: INSTRUMENT_NOT_FOUND, as ``authorise_account`` for the institution, then the issuer."""
    issuer = existing_instrument(state, operation.instrument).issuer
    authorise_account(state, context, operation.institution)
    authorise_account(state, context, issuer, Role.CENTRAL_BANK)


def _authorise_distribute(state: State, context: Context, operation: Distribute) -> None:
    authorise_account(state, context, operation.institution, Role.INSTITUTION)


def _charge_institution(state: State, context: Context, operation: Redeem | Distribute, count: int) -> None:
    charge_account(state, context, operation.institution, count)


def _authorise_return(state: State, context: Context, operation: Return) -> None:
    authorise_wallet(state, context, operation.wallet, CurrencyReason.PAYER_WALLET_NOT_FOUND)


def _charge_return(state: State, context: Context, operation: Return, count: int) -> None:
    charge_wallet(state, context, operation.wallet, operation.instrument, count)


def _touches_issue(operation: Issue) -> tuple[Key[Any], ...]:
    return (*_touches_bank(operation), state_keys.issue(operation.reference))


def _touches_redeem(operation: Redeem) -> tuple[Key[Any], ...]:
    return (*_touches_bank(operation), state_keys.redemption(operation.reference))


def _touches_bank(operation: Issue | Redeem) -> tuple[Key[Any], ...]:
    name, instrument = operation.institution, operation.instrument
    return (
        state_keys.instrument(instrument),
        state_keys.supply(instrument),
        state_keys.institution(name, instrument),
        state_keys.vault(name, instrument),
    )


def _touches_distribute(operation: Distribute) -> tuple[Key[Any], ...]:
    return (
        *touched_by(operation.institution),
        state_keys.vault(operation.institution, operation.instrument),
        state_keys.wallet(operation.wallet),
        state_keys.balance(operation.wallet, operation.instrument),
    )


def _touches_return(operation: Return) -> tuple[Key[Any], ...]:
    return state_keys.wallet(operation.wallet), state_keys.balance(operation.wallet, operation.instrument)


HANDLERS: Final[Mapping[type[Operation], Handler]] = {
    Issue: Handler(authorise_issuer, charge_issuer, issue, _touches_issue),
    Redeem: Handler(_authorise_redeem, _charge_institution, redeem, _touches_redeem),
    Distribute: Handler(_authorise_distribute, _charge_institution, distribute, _touches_distribute),
    Return: Handler(_authorise_return, _charge_return, give_back, _touches_return),
}
