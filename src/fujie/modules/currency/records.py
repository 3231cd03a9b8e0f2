"""What stands in state: instruments and supply, institutions and vaults, limits, wallets and balances.

Policy (who may, how much) and counters (how much so far) stand in different records, so that a payment never rewrites a
policy and a policy keeps its history in a version chain.
"""

from enum import IntEnum
from itertools import pairwise
from typing import Annotated, Final

from msgspec import Meta

from fujie.core.encoding import Record
from fujie.core.meter import Meter
from fujie.core.policy import KeyPolicy
from fujie.core.units import AccountName, AmountMinor, Count, Height, ShortText, TimeMs
from fujie.core.versions import Standing

# Bounds of the room, fixed by rule version 1.
LIMIT_ENTRIES_MAX: Final = 32
"""Dated entries of one class: several years of changes. Older ones may be dropped; the version chain keeps them."""

INSTRUMENTS_PER_WALLET_MAX: Final = 32
"""Instruments that one wallet holds: plain money and a drawer of vouchers. Bounds the cost of closing a wallet."""

FREEZES_PER_WALLET_MAX: Final = 8
"""Freezes in force on one wallet at once, one for each authority."""

InstrumentCode = Annotated[str, Meta(min_length=3, max_length=24, pattern=r"\A[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*\Z")]
"""Code of an instrument: an ISO 4217 code such as ``CNY``, or capitals, digits and inner hyphens."""

WalletClass = Annotated[int, Meta(ge=1, le=99)]
"""Strength of identification behind a wallet: 1 is the strongest (e-CNY: I), larger numbers are weaker."""

DayNumber = Annotated[int, Meta(ge=-1, le=2**53)]
"""Days since 1970-01-01 at the chain's UTC offset (-1 only in the first hours of 1970, west of Greenwich)."""

LegalBasis = Annotated[str, Meta(min_length=1, max_length=100)]
"""Reference of the legal act behind a freeze: the file number of an order, not its text."""

Reference = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""Id of the bank message behind an issue or a redemption: a UETR (RFC 9562 UUID) as 16 bytes, chosen by the caller."""


# Two wallets are decoded for every payment, and matching patterns takes three quarters of that time. What a wallet names
# was matched when an operation brought it in, so in this one record the bounds are enough.
_KnownAccount = Annotated[str, Meta(min_length=1, max_length=64)]
_KnownInstrument = Annotated[str, Meta(min_length=3, max_length=24)]


class InstrumentKind(IntEnum):
    """What money an instrument is. Numbers are permanent."""

    PLAIN = 1


class WalletKind(IntEnum):
    """Whose wallet it is. Numbers are permanent."""

    PERSONAL = 1
    CORPORATE = 2


class WalletStatus(IntEnum):
    """What a wallet may do. Numbers are permanent and ascend with what is forbidden."""

    ACTIVE = 1
    DEBITS_FROZEN = 2  # receives, does not pay
    FROZEN = 3  # neither
    CLOSED = 4  # for ever


class FreezeScope(IntEnum):
    """How much a freeze forbids. The number is that of the status it leads to."""

    DEBITS = 2
    ALL = 3


class Instrument(Record, tag=1):
    """One kind of money. ``issuer`` is the account of the central bank that issues it; ``decimals`` places are minor."""

    title: ShortText
    decimals: Annotated[int, Meta(ge=0, le=8)]
    issuer: AccountName
    kind: InstrumentKind


class Supply(Record, tag=1):
    """All that was ever issued and redeemed of an instrument; both only grow, and the difference is in circulation."""

    issued_minor: AmountMinor
    redeemed_minor: AmountMinor


class Institution(Record, tag=1):
    """Policy: the net amount of an instrument that may stand issued to an operating institution."""

    quota_minor: AmountMinor
    standing: Standing


class Vault(Record, tag=1):
    """Counters: what an institution holds, and what was ever issued to it and redeemed by it.

    ``redeemed_minor`` may exceed ``issued_minor``: money that another institution was issued can arrive by payments.
    """

    balance_minor: AmountMinor
    issued_minor: AmountMinor
    redeemed_minor: AmountMinor


class Issuance(Record, tag=1):
    """What was issued under a reference; the reference is in the key."""

    instrument: InstrumentCode
    institution: AccountName
    amount_minor: AmountMinor
    height: Height
    time_ms: TimeMs


class Redemption(Record, tag=1):
    """What was redeemed under a reference; the reference is in the key."""

    instrument: InstrumentCode
    institution: AccountName
    amount_minor: AmountMinor
    height: Height
    time_ms: TimeMs


class LimitEntry(Record, tag=1):
    """Limits in force from ``effective_from_ms`` (block time) until the next entry. None is no limit; 0 allows nothing.

    ``balance_max_minor`` bounds what a wallet may hold after receiving, ``payment_max_minor`` one payment,
    ``day_max_minor`` and ``payments_per_day_max`` the payments of one day at the chain's UTC offset.
    """

    effective_from_ms: TimeMs
    balance_max_minor: AmountMinor | None
    payment_max_minor: AmountMinor | None
    day_max_minor: AmountMinor | None
    payments_per_day_max: Count | None


LimitEntries = Annotated[tuple[LimitEntry, ...], Meta(min_length=1, max_length=LIMIT_ENTRIES_MAX)]


class ClassLimits(Record, tag=1):
    """Policy: the limits of a wallet class, dates ascending. The first entry is always in force already."""

    entries: LimitEntries
    standing: Standing


class Freeze(Record, tag=1):
    """One authority's freeze. A wallet has at most one of each authority, and only that authority lifts it."""

    authority: AccountName
    scope: FreezeScope
    basis: LegalBasis
    since_ms: TimeMs


class Wallet(Record, tag=1):
    """Who serves a wallet, who may act for it, and what it may do; its id, 128 random bits, is in the key.

    ``instruments`` are those it has a balance of, the one it was opened for first; ``freezes`` are in force now, ordered
    by authority. ``status`` follows from the freezes unless the wallet is closed. The link to a person is kept by the
    institution and never on the ledger.
    """

    institution: _KnownAccount
    wallet_class: WalletClass
    kind: WalletKind
    status: WalletStatus
    policy: KeyPolicy
    instruments: Annotated[tuple[_KnownInstrument, ...], Meta(min_length=1, max_length=INSTRUMENTS_PER_WALLET_MAX)]
    freezes: Annotated[tuple[Freeze, ...], Meta(max_length=FREEZES_PER_WALLET_MAX)]
    opened_height: Height
    opened_ms: TimeMs


class Balance(Record, tag=1):
    """What a wallet holds of an instrument, what it paid on ``day``, and its flood meter.

    The counters stand here and not in the wallet, so that a plain payment writes two leaves. They belong to ``day`` only
    and count as zero on any other.
    """

    amount_minor: AmountMinor
    day: DayNumber
    spent_today_minor: AmountMinor
    payments_today: Count
    meter: Meter


def limits_in_force(entries: tuple[LimitEntry, ...], time_ms: int) -> LimitEntry:
    """Return the entry in force at ``time_ms``: the last that begins there or before. ``entries`` of a ClassLimits."""
    for entry in reversed(entries):
        if entry.effective_from_ms <= time_ms:
            return entry
    raise AssertionError("the first entry that stands in state is in force since it stands")


def dates_ascend(entries: tuple[LimitEntry, ...]) -> bool:
    """Tell whether every entry begins after the one before it."""
    return all(a.effective_from_ms < b.effective_from_ms for a, b in pairwise(entries))


def status_under(freezes: tuple[Freeze, ...]) -> WalletStatus:
    """Return the status of an open wallet: that of the widest freeze in force."""
    return WalletStatus(max((int(freeze.scope) for freeze in freezes), default=int(WalletStatus.ACTIVE)))
