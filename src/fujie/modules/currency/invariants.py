"""What must hold in every state of the currency (README.md, "Invariants"), checked in one pass over all leaves.

There may be millions of wallets. A wallet and its balance each wait for the other and are forgotten once they have met,
so the memory needed is that of the pairs of which one half was seen so far, in whatever order the leaves come.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fujie.core.encoding import Record
from fujie.core.finding import Finding
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency import state_keys
from fujie.modules.currency.records import (
    Balance,
    ClassLimits,
    Institution,
    Instrument,
    Issuance,
    Redemption,
    Supply,
    Vault,
    Wallet,
    WalletStatus,
    dates_ascend,
    status_under,
)

ROOM_PREFIX: Final = "currency/"
_WALLET: Final = "currency/wallet/"
_BALANCE: Final = "currency/balance/"
_CLOSED: Final = WalletStatus.CLOSED


class _Totals:
    """Sums of one instrument."""

    __slots__ = ("held_minor", "issuances_minor", "redemptions_minor", "vaults_issued_minor", "vaults_redeemed_minor")

    def __init__(self) -> None:
        self.held_minor = 0
        self.vaults_issued_minor = 0
        self.vaults_redeemed_minor = 0
        self.issuances_minor: dict[str, int] = defaultdict(int)  # by institution
        self.redemptions_minor: dict[str, int] = defaultdict(int)  # by institution


class Checker:
    """Implements ``core.finding.InvariantChecker`` for the currency."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._totals: dict[str, _Totals] = defaultdict(_Totals)
        self._instruments: dict[str, Instrument] = {}
        self._supplies: dict[str, Supply] = {}
        self._institutions: dict[str, Institution] = {}  # by "<account>/<instrument>"
        self._vaults: dict[str, Vault] = {}  # by "<account>/<instrument>"
        self._classes_limited: dict[str, None] = {}  # "<instrument>/<class>"
        self._classes_used: dict[str, str] = {}  # "<instrument>/<class>" → path of a wallet
        self._serving: dict[str, str] = {}  # "<account>/<instrument>" → path of a wallet
        self._wallets_waiting: dict[str, bool] = {}  # "<hex>/<instrument>" of no balance so far → closed
        self._balances_waiting: dict[str, int] = {}  # "<hex>/<instrument>" of no wallet so far → amount

        self._see: Mapping[type[Record], Callable[[str, Any], None]] = {
            Balance: self._see_balance,
            Wallet: self._see_wallet,
            Issuance: self._see_issuance,
            Redemption: self._see_redemption,
            Vault: self._see_vault,
            Institution: self._see_institution,
            ClassLimits: self._see_limits,
            Supply: self._see_supply,
            Instrument: self._see_instrument,
        }

    def see(self, path: str, record: Record) -> None:
        """See :class:`InvariantChecker`."""
        if path.startswith(ROOM_PREFIX):
            prefix = path[: path.index("/", len(ROOM_PREFIX)) + 1]
            codec = state_keys.PATHS.get(prefix)
            if codec is None or codec.type is not type(record):
                self._find("leaf-at-its-path", path, f"a {type(record).__name__} stands here")
            else:
                self._see[type(record)](path, record)

    def findings(self) -> Iterator[Finding]:
        """See :class:`InvariantChecker`."""
        yield from self._findings
        yield from self._unpaired()
        yield from self._policies_missing()
        yield from self._vaults_wrong()
        yield from self._supplies_wrong()

    # Leaves by themselves.

    def _see_balance(self, path: str, balance: Balance) -> None:
        pair = path[len(_BALANCE) :]
        self._totals[pair[33:]].held_minor += balance.amount_minor  # 32 characters of id and a slash stand before
        self._check_amounts(path, balance.amount_minor, balance.spent_today_minor)
        if balance.spent_today_minor and not balance.payments_today:
            self._find("day-counters-agree", path, f"{balance.spent_today_minor} spent in no payment")
        closed = self._wallets_waiting.pop(pair, None)
        if closed is None:
            self._balances_waiting[pair] = balance.amount_minor
        elif closed and balance.amount_minor:
            self._find("closed-wallet-is-empty", path, f"{balance.amount_minor} in a closed wallet")

    def _see_wallet(self, path: str, wallet: Wallet) -> None:
        identifier = path[len(_WALLET) :]
        closed = wallet.status is _CLOSED
        for instrument in wallet.instruments:
            pair = f"{identifier}/{instrument}"
            amount_minor = self._balances_waiting.pop(pair, None)
            if amount_minor is None:
                self._wallets_waiting[pair] = closed
            elif closed and amount_minor:
                self._find("closed-wallet-is-empty", f"{_BALANCE}{pair}", f"{amount_minor} in a closed wallet")
            self._classes_used.setdefault(f"{instrument}/{wallet.wallet_class:02d}", path)
            self._serving.setdefault(f"{wallet.institution}/{instrument}", path)
        if closed:
            if wallet.freezes:
                self._find("status-follows-freezes", path, "a closed wallet has freezes")
        elif wallet.status is not status_under(wallet.freezes):
            self._find("status-follows-freezes", path, f"{wallet.status.name} under {len(wallet.freezes)} freezes")
        authorities = [freeze.authority for freeze in wallet.freezes]
        if authorities != sorted(dict.fromkeys(authorities)):
            self._find("status-follows-freezes", path, "freezes are not one for each authority, in order")
        if wallet.policy.threshold > len(wallet.policy.keys):
            self._find("wallet-can-be-used", path, "fewer keys than must sign")

    def _see_issuance(self, path: str, issuance: Issuance) -> None:
        self._check_amounts(path, issuance.amount_minor)
        self._totals[issuance.instrument].issuances_minor[issuance.institution] += issuance.amount_minor

    def _see_redemption(self, path: str, redemption: Redemption) -> None:
        self._check_amounts(path, redemption.amount_minor)
        self._totals[redemption.instrument].redemptions_minor[redemption.institution] += redemption.amount_minor

    def _see_vault(self, path: str, vault: Vault) -> None:
        _, _, name, instrument = path.split("/")
        self._check_amounts(path, vault.balance_minor, vault.issued_minor, vault.redeemed_minor)
        totals = self._totals[instrument]
        totals.held_minor += vault.balance_minor
        totals.vaults_issued_minor += vault.issued_minor
        totals.vaults_redeemed_minor += vault.redeemed_minor
        self._vaults[f"{name}/{instrument}"] = vault

    def _see_institution(self, path: str, institution: Institution) -> None:
        _, _, name, instrument = path.split("/")
        self._check_amounts(path, institution.quota_minor)
        self._institutions[f"{name}/{instrument}"] = institution

    def _see_limits(self, path: str, limits: ClassLimits) -> None:
        self._classes_limited[path.removeprefix("currency/limits/")] = None
        if not limits.entries or not dates_ascend(limits.entries):
            self._find("limits-are-in-force", path, "the dates do not ascend")
        elif limits.entries[0].effective_from_ms > limits.standing.since_ms:
            self._find("limits-are-in-force", path, "nothing was in force when these limits were set")

    def _see_supply(self, path: str, supply: Supply) -> None:
        self._check_amounts(path, supply.issued_minor, supply.redeemed_minor)
        self._supplies[path.removeprefix("currency/supply/")] = supply

    def _see_instrument(self, path: str, instrument: Instrument) -> None:
        self._instruments[path.removeprefix("currency/instrument/")] = instrument

    # What needs the whole state.

    def _unpaired(self) -> Iterator[Finding]:
        for pair in self._balances_waiting:
            yield Finding("balance-has-its-wallet", f"{_BALANCE}{pair}", "no wallet lists this balance")
        for pair in self._wallets_waiting:
            identifier, instrument = pair.split("/")
            yield Finding(
                "wallet-has-its-balances", f"{_WALLET}{identifier}", f"the balance of {instrument} is missing"
            )

    def _policies_missing(self) -> Iterator[Finding]:
        for name, path in self._classes_used.items():
            if name not in self._classes_limited:
                yield Finding("limits-are-in-force", path, f"the wallet's class has no limits: {name}")
        for name, path in self._serving.items():
            if name not in self._vaults:
                yield Finding("institution-is-complete", path, f"the wallet's institution has no vault: {name}")

    def _vaults_wrong(self) -> Iterator[Finding]:
        for name, institution in self._institutions.items():
            vault = self._vaults.get(name)
            path = f"currency/institution/{name}"
            if vault is None:
                yield Finding("institution-is-complete", path, "the vault is missing")
            elif vault.issued_minor - vault.redeemed_minor > institution.quota_minor:
                outstanding_minor = vault.issued_minor - vault.redeemed_minor
                yield Finding(
                    "institution-within-quota",
                    path,
                    f"{outstanding_minor} outstanding, quota {institution.quota_minor}",
                )
        for name, vault in self._vaults.items():
            path = f"currency/vault/{name}"
            account, code = name.split("/")
            issued_minor = self._totals[code].issuances_minor.pop(account, 0)
            redeemed_minor = self._totals[code].redemptions_minor.pop(account, 0)
            if name not in self._institutions:
                yield Finding("institution-is-complete", path, "the quota is missing")
            if issued_minor != vault.issued_minor:
                yield Finding("every-issue-is-recorded", path, f"{vault.issued_minor} issued, {issued_minor} on record")
            if redeemed_minor != vault.redeemed_minor:
                yield Finding(
                    "every-redemption-is-recorded", path, f"{vault.redeemed_minor} redeemed, {redeemed_minor} on record"
                )
        for code, totals in self._totals.items():
            for account in (*totals.issuances_minor, *totals.redemptions_minor):
                path = f"currency/vault/{account}/{code}"
                yield Finding("institution-is-complete", path, "money was issued or redeemed without a vault")

    def _supplies_wrong(self) -> Iterator[Finding]:
        for code in dict.fromkeys((*self._instruments, *self._supplies, *self._totals)):
            path = f"currency/supply/{code}"
            supply = self._supplies.get(code)
            if supply is None or code not in self._instruments:
                yield Finding("instrument-has-its-supply", path, "instrument or supply is missing")
                continue
            totals = self._totals[code]
            circulating_minor = supply.issued_minor - supply.redeemed_minor
            if circulating_minor != totals.held_minor:
                yield Finding("supply-is-held", path, f"{circulating_minor} in circulation, {totals.held_minor} held")
            if supply.issued_minor != totals.vaults_issued_minor:
                detail = f"{supply.issued_minor} issued, {totals.vaults_issued_minor} to institutions"
                yield Finding("supply-is-the-sum-of-institutions", path, detail)
            if supply.redeemed_minor != totals.vaults_redeemed_minor:
                detail = f"{supply.redeemed_minor} redeemed, {totals.vaults_redeemed_minor} by institutions"
                yield Finding("supply-is-the-sum-of-institutions", path, detail)

    def _check_amounts(self, path: str, *amounts_minor: int) -> None:
        for amount_minor in amounts_minor:
            if not 0 <= amount_minor <= AMOUNT_MINOR_MAX:
                self._find("amounts-within-bounds", path, f"{amount_minor} is no amount")

    def _find(self, invariant: str, path: str, detail: str) -> None:
        self._findings.append(Finding(invariant, path, detail))
