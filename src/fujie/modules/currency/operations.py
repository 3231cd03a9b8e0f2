"""What can be asked of the room. Tags are permanent (room 3, operations 3001 to 3099)."""

from fujie.core.policy import KeyPolicy
from fujie.core.room import Operation
from fujie.core.units import AccountName, AmountMinor, Digest, WalletId
from fujie.modules.currency.records import (
    FreezeScope,
    InstrumentCode,
    LegalBasis,
    LimitEntries,
    Reference,
    WalletClass,
    WalletKind,
)


class AdmitInstitution(Operation, tag=3001):
    """The issuer admits an account as operating institution of an instrument.

    ``salt_seed`` is 32 random bytes, known to the issuer and the institution: it hides the vault's leaf.
    """

    institution: AccountName
    instrument: InstrumentCode
    quota_minor: AmountMinor
    salt_seed: Digest


class SetInstitutionQuota(Operation, tag=3002):
    """The issuer changes the net amount that may stand issued to an institution."""

    institution: AccountName
    instrument: InstrumentCode
    quota_minor: AmountMinor


class SetLimits(Operation, tag=3003):
    """The issuer sets the dated limits of a class. Entries of the past stay as they were, except that old ones may go."""

    instrument: InstrumentCode
    wallet_class: WalletClass
    entries: LimitEntries


class Issue(Operation, tag=3004):
    """The issuer creates money in an institution's vault, for one settled bank message."""

    institution: AccountName
    instrument: InstrumentCode
    amount_minor: AmountMinor
    reference: Reference


class Redeem(Operation, tag=3005):
    """Institution and issuer together destroy money in the institution's vault, for one bank message."""

    institution: AccountName
    instrument: InstrumentCode
    amount_minor: AmountMinor
    reference: Reference


class Distribute(Operation, tag=3006):
    """An institution moves money from its vault to a wallet that it serves."""

    institution: AccountName
    wallet: WalletId
    instrument: InstrumentCode
    amount_minor: AmountMinor


class Return(Operation, tag=3007):
    """A wallet gives money back to the vault of its institution."""

    wallet: WalletId
    instrument: InstrumentCode
    amount_minor: AmountMinor


class OpenWallet(Operation, tag=3008):
    """An institution opens a wallet for one instrument.

    ``wallet`` is 16 random bytes; ``salt_seed`` is 32 random bytes, known to the institution and the holder: it hides
    the leaves of wallet and balance.
    """

    institution: AccountName
    wallet: WalletId
    instrument: InstrumentCode
    wallet_class: WalletClass
    kind: WalletKind
    policy: KeyPolicy
    salt_seed: Digest


class UpgradeWallet(Operation, tag=3009):
    """The wallet's institution changes its class, up or down, as the identification behind it changes."""

    wallet: WalletId
    wallet_class: WalletClass


class RotateWalletKeys(Operation, tag=3010):
    """The holder replaces the keys of a wallet."""

    wallet: WalletId
    policy: KeyPolicy


class FreezeWallet(Operation, tag=3011):
    """The wallet's institution or a regulator freezes payments from a wallet, or also those to it."""

    wallet: WalletId
    authority: AccountName
    scope: FreezeScope
    basis: LegalBasis


class UnfreezeWallet(Operation, tag=3012):
    """An authority lifts the freeze that it put on a wallet itself."""

    wallet: WalletId
    authority: AccountName
    basis: LegalBasis


class CloseWallet(Operation, tag=3013):
    """The wallet's institution closes an empty wallet for ever."""

    wallet: WalletId


class Pay(Operation, tag=3014):
    """A wallet pays another wallet."""

    payer: WalletId
    payee: WalletId
    instrument: InstrumentCode
    amount_minor: AmountMinor
