"""What happened, as it stands in receipts, and the balanced postings that follow from it.

Every event moves money between ledger accounts or moves none. Ledger accounts are ``wallet/<hex>``, ``vault/<account>``
and ``issued``; a debit adds to a wallet or vault, and ``issued`` stands on the other side: a credit adds to it. So the
sum of debits equals the sum of credits in every event, for every instrument, and every balance follows from postings
alone (docs/spec, "Postings").
"""

from typing import Final, NamedTuple

from fujie.core.room import Event
from fujie.core.units import AccountName, AmountMinor, WalletId
from fujie.modules.currency.records import FreezeScope, InstrumentCode, Reference, WalletClass


class InstitutionAdmitted(Event, tag=3001):
    """An institution was admitted for an instrument."""

    institution: AccountName
    instrument: InstrumentCode
    quota_minor: AmountMinor


class InstitutionQuotaSet(Event, tag=3002):
    """An institution's quota was changed."""

    institution: AccountName
    instrument: InstrumentCode
    quota_minor: AmountMinor


class LimitsSet(Event, tag=3003):
    """The limits of a class were set; they stand in state."""

    instrument: InstrumentCode
    wallet_class: WalletClass


class Issued(Event, tag=3004):
    """Money was created in a vault."""

    institution: AccountName
    instrument: InstrumentCode
    amount_minor: AmountMinor
    reference: Reference


class Redeemed(Event, tag=3005):
    """Money was destroyed in a vault."""

    institution: AccountName
    instrument: InstrumentCode
    amount_minor: AmountMinor
    reference: Reference


class Distributed(Event, tag=3006):
    """Money went from a vault to a wallet."""

    institution: AccountName
    wallet: WalletId
    instrument: InstrumentCode
    amount_minor: AmountMinor


class Returned(Event, tag=3007):
    """Money went from a wallet to the vault of its institution."""

    institution: AccountName
    wallet: WalletId
    instrument: InstrumentCode
    amount_minor: AmountMinor


class WalletOpened(Event, tag=3008):
    """A wallet was opened."""

    institution: AccountName
    wallet: WalletId
    instrument: InstrumentCode
    wallet_class: WalletClass


class WalletUpgraded(Event, tag=3009):
    """A wallet changed its class."""

    wallet: WalletId
    wallet_class: WalletClass


class WalletKeysRotated(Event, tag=3010):
    """A wallet has new keys."""

    wallet: WalletId


class WalletFrozen(Event, tag=3011):
    """An authority froze a wallet; the legal basis stands in state."""

    wallet: WalletId
    authority: AccountName
    scope: FreezeScope


class WalletUnfrozen(Event, tag=3012):
    """An authority lifted its freeze; other authorities' freezes stay."""

    wallet: WalletId
    authority: AccountName


class WalletClosed(Event, tag=3013):
    """A wallet was closed."""

    wallet: WalletId


class Paid(Event, tag=3014):
    """Money went from one wallet to another."""

    payer: WalletId
    payee: WalletId
    instrument: InstrumentCode
    amount_minor: AmountMinor


class Posting(NamedTuple):
    """One line of double entry: exactly one of the two amounts is not zero."""

    ledger_account: str
    instrument: str
    debit_minor: int
    credit_minor: int


VAULT: Final = "vault/"
"""How the name of a vault's ledger account begins; the name of its institution follows."""

ISSUED: Final = "issued"
"""The ledger account that all money comes from and goes back to."""


def postings(event: Event) -> tuple[Posting, ...]:
    """Return the postings of an event: one debit and one credit of the same amount, or none for an event without money."""
    match event:
        case Paid(payer, payee, instrument, amount_minor):
            return _move(wallet_account(payer), wallet_account(payee), instrument, amount_minor)
        case Distributed(institution, wallet, instrument, amount_minor):
            return _move(vault_account(institution), wallet_account(wallet), instrument, amount_minor)
        case Returned(institution, wallet, instrument, amount_minor):
            return _move(wallet_account(wallet), vault_account(institution), instrument, amount_minor)
        case Issued(institution, instrument, amount_minor, _):
            return _move(ISSUED, vault_account(institution), instrument, amount_minor)
        case Redeemed(institution, instrument, amount_minor, _):
            return _move(vault_account(institution), ISSUED, instrument, amount_minor)
        case _:
            return ()


def wallet_account(wallet: bytes) -> str:
    """Return the ledger account of a wallet (16-byte id)."""
    return f"wallet/{wallet.hex()}"


def vault_account(institution: str) -> str:
    """Return the ledger account of an institution's vault."""
    return f"{VAULT}{institution}"


def _move(credited: str, debited: str, instrument: str, amount_minor: int) -> tuple[Posting, ...]:
    return (Posting(debited, instrument, amount_minor, 0), Posting(credited, instrument, 0, amount_minor))
