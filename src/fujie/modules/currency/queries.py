"""What may be read of the room with proof, and by whom."""

from typing import ClassVar, Final

from fujie.core.query import Audience, Query
from fujie.core.state import Key, StateRead
from fujie.core.units import AccountName, WalletId
from fujie.modules.currency import state_keys
from fujie.modules.currency.records import (
    Balance,
    ClassLimits,
    Institution,
    Instrument,
    InstrumentCode,
    Issuance,
    Redemption,
    Reference,
    Supply,
    Vault,
    Wallet,
    WalletClass,
)

_ANYONE: Final = frozenset({Audience.ANYONE})
_OWN: Final = frozenset({Audience.HOLDER, Audience.AUDITOR})
_SERVED: Final = frozenset({Audience.HOLDER, Audience.INSTITUTION, Audience.AUDITOR})
_BANKS: Final = frozenset({Audience.INSTITUTION, Audience.AUDITOR})


class WalletQuery(Query, tag=3001):
    """A wallet: its institution, class, keys and status."""

    audience: ClassVar[frozenset[Audience]] = _SERVED
    wallet: WalletId

    def key(self) -> Key[Wallet]:
        """See :class:`Query`."""
        return state_keys.wallet(self.wallet)

    def holder(self) -> str:
        """See :class:`Query`."""
        return f"wallet/{self.wallet.hex()}"

    def institution(self, state: StateRead) -> str | None:
        """See :class:`Query`."""
        return _institution_of(state, self.wallet)


class BalanceQuery(Query, tag=3002):
    """What a wallet holds of an instrument, and what it spent today."""

    audience: ClassVar[frozenset[Audience]] = _SERVED
    wallet: WalletId
    instrument: InstrumentCode

    def key(self) -> Key[Balance]:
        """See :class:`Query`."""
        return state_keys.balance(self.wallet, self.instrument)

    def holder(self) -> str:
        """See :class:`Query`."""
        return f"wallet/{self.wallet.hex()}"

    def institution(self, state: StateRead) -> str | None:
        """See :class:`Query`."""
        return _institution_of(state, self.wallet)


class InstrumentQuery(Query, tag=3003):
    """An instrument: its title, decimals and issuer."""

    audience: ClassVar[frozenset[Audience]] = _ANYONE
    instrument: InstrumentCode

    def key(self) -> Key[Instrument]:
        """See :class:`Query`."""
        return state_keys.instrument(self.instrument)


class SupplyQuery(Query, tag=3004):
    """All that was ever issued and redeemed of an instrument."""

    audience: ClassVar[frozenset[Audience]] = _ANYONE
    instrument: InstrumentCode

    def key(self) -> Key[Supply]:
        """See :class:`Query`."""
        return state_keys.supply(self.instrument)


class LimitsQuery(Query, tag=3005):
    """The dated limits of a class of wallets in an instrument."""

    audience: ClassVar[frozenset[Audience]] = _ANYONE
    instrument: InstrumentCode
    wallet_class: WalletClass

    def key(self) -> Key[ClassLimits]:
        """See :class:`Query`."""
        return state_keys.limits(self.instrument, self.wallet_class)


class InstitutionQuery(Query, tag=3006):
    """The quota of an institution in an instrument."""

    audience: ClassVar[frozenset[Audience]] = _OWN
    account: AccountName
    instrument: InstrumentCode

    def key(self) -> Key[Institution]:
        """See :class:`Query`."""
        return state_keys.institution(self.account, self.instrument)

    def holder(self) -> str:
        """See :class:`Query`."""
        return f"account/{self.account}"


class VaultQuery(Query, tag=3007):
    """What an institution holds of an instrument, and what was issued to it and redeemed by it."""

    audience: ClassVar[frozenset[Audience]] = _OWN
    account: AccountName
    instrument: InstrumentCode

    def key(self) -> Key[Vault]:
        """See :class:`Query`."""
        return state_keys.vault(self.account, self.instrument)

    def holder(self) -> str:
        """See :class:`Query`."""
        return f"account/{self.account}"


class IssueQuery(Query, tag=3008):
    """What was issued under the id of a bank message."""

    audience: ClassVar[frozenset[Audience]] = _BANKS
    reference: Reference

    def key(self) -> Key[Issuance]:
        """See :class:`Query`."""
        return state_keys.issue(self.reference)

    def institution(self, state: StateRead) -> str | None:
        """See :class:`Query`."""
        issuance = state.get(self.key())
        return None if issuance is None else issuance.institution


class RedemptionQuery(Query, tag=3009):
    """What was redeemed under the id of a bank message."""

    audience: ClassVar[frozenset[Audience]] = _BANKS
    reference: Reference

    def key(self) -> Key[Redemption]:
        """See :class:`Query`."""
        return state_keys.redemption(self.reference)

    def institution(self, state: StateRead) -> str | None:
        """See :class:`Query`."""
        redemption = state.get(self.key())
        return None if redemption is None else redemption.institution


def _institution_of(state: StateRead, wallet: bytes) -> str | None:
    """Return the institution that serves a wallet, or None where there is no such wallet."""
    found = state.get(state_keys.wallet(wallet))
    return None if found is None else found.institution
