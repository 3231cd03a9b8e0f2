"""A small currency to try rules on: a central bank, two institutions, a regulator, and wallets with money."""

from typing import Any

from fujie.core.room import Event, Operation
from fujie.core.signing import Signer
from fujie.core.state import Key, T
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency import operations as ops
from fujie.modules.currency import state_keys
from fujie.modules.currency.genesis import CurrencyGenesis, GenesisInstitution, GenesisInstrument, GenesisLimits
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import FreezeScope, InstrumentKind, LimitEntry, WalletKind
from fujie.modules.currency.transitions import ROOM_V1
from tests.unit.modules.harness import Bench, Member, key_pair, keys, policy_of, with_membership

BANK = keys(2, 10)  # two must sign
ALPHA, BETA, GAMMA = keys(1, 20), keys(1, 21), keys(1, 22)
REGULATOR = keys(1, 30)
COURT = keys(1, 31)

PLENTY = LimitEntry(0, None, None, None, None)
SMALL = LimitEntry(0, 10_000, 2_000, 5_000, 4)
STRONG, WEAK, UNLIMITED_BUT_UNSET = 1, 4, 9
QUOTA = 1_000_000
LATER_MS = 1_760_000_000_000  # a date well after the bench's genesis

MEMBERS = {
    "central-bank": Member("central-bank", BANK, ("central-bank", "governor")),
    "alpha": Member("alpha", ALPHA, ("institution",)),
    "beta": Member("beta", BETA, ("institution",)),
    "gamma": Member("gamma", GAMMA, ("institution",)),  # an institution by role, admitted for nothing
    "regulator": Member("regulator", REGULATOR, ("regulator",)),
    "court": Member("court", COURT, ("regulator",)),
}

GENESIS = CurrencyGenesis(
    (
        GenesisInstrument("CNY", "Digital yuan", 2, "central-bank", InstrumentKind.PLAIN),
        GenesisInstrument("ZZD", "Demonstration dollar", 2, "central-bank", InstrumentKind.PLAIN),
    ),
    (
        GenesisInstitution("alpha", "CNY", QUOTA, bytes([1]) * 32),
        GenesisInstitution("alpha", "ZZD", AMOUNT_MINOR_MAX, bytes([2]) * 32),
        GenesisInstitution("beta", "CNY", QUOTA, bytes([3]) * 32),
        GenesisInstitution("beta", "ZZD", AMOUNT_MINOR_MAX, bytes([4]) * 32),
    ),
    (
        GenesisLimits("CNY", STRONG, (PLENTY,)),
        GenesisLimits("CNY", WEAK, (SMALL,)),
        GenesisLimits("ZZD", STRONG, (PLENTY,)),
    ),
)


def wallet_id(number: int) -> bytes:
    """The id of the wallet with this number."""
    return bytes([number]) * 16


def holder(number: int) -> list[Signer]:
    """Who signs for the wallet with this number."""
    return [key_pair(100 + number)]


def reference(number: int) -> bytes:
    """The id of the bank message with this number."""
    return number.to_bytes(16, "big")


def opening(number: int, institution: str = "alpha", wallet_class: int = STRONG, **changes: Any) -> ops.OpenWallet:
    """The operation that opens the wallet with this number."""
    fields: dict[str, Any] = {
        "institution": institution,
        "wallet": wallet_id(number),
        "instrument": "CNY",
        "wallet_class": wallet_class,
        "kind": WalletKind.PERSONAL,
        "policy": policy_of(holder(number)),
        "salt_seed": bytes([number]) * 32,
    }
    return ops.OpenWallet(**fields | changes)


# Wallets of the world. Those at alpha hold 5,000 of CNY unless their name says otherwise.
RICH, FRIEND, WEAK_ONE, AT_BETA, EMPTY, CLOSED, DEBITS_FROZEN, FROZEN, DOLLARS = range(1, 10)
NOBODY = 99


class World:
    """The bench with the currency's room, and short ways to act on it."""

    def __init__(self, **parameters: Any) -> None:
        self.bench: Bench = with_membership(MEMBERS, "currency", **{"utc_offset_minutes": 480} | parameters)
        self.bench.found(ROOM_V1, GENESIS)

    def run(self, operation: Operation, signers: list[Signer], time_ms: int | None = None) -> Event:
        """Carry out one operation."""
        return self.bench.run(ROOM_V1, operation, signers=signers, time_ms=time_ms)

    def get(self, key: Key[T]) -> T:
        """The record at a key, which exists."""
        record = self.bench.get(key)
        assert record is not None, key.path
        return record

    def amount(self, number: int, instrument: str = "CNY") -> int:
        """What the wallet with this number holds."""
        return self.get(state_keys.balance(wallet_id(number), instrument)).amount_minor

    def pay(self, payer: int, payee: int, amount_minor: int, time_ms: int | None = None) -> Event:
        """Pay from wallet to wallet."""
        operation = ops.Pay(wallet_id(payer), wallet_id(payee), "CNY", amount_minor)
        return self.run(operation, holder(payer), time_ms)

    def refuse_payment(
        self, reason: CurrencyReason, payer: int, payee: int, amount_minor: int, time_ms: int | None = None
    ) -> None:
        """Expect a payment to be refused."""
        operation = ops.Pay(wallet_id(payer), wallet_id(payee), "CNY", amount_minor)
        self.bench.refuses(reason, ROOM_V1, operation, signers=holder(payer), time_ms=time_ms)


def world(**parameters: Any) -> World:
    """The world: 300,000 issued to alpha and 200,000 to beta, and every wallet above."""
    made = World(**parameters)
    made.run(ops.Issue("alpha", "CNY", 300_000, reference(1)), BANK)
    made.run(ops.Issue("beta", "CNY", 200_000, reference(2)), BANK)
    made.run(ops.Issue("alpha", "ZZD", 100_000, reference(3)), BANK)
    for number in (RICH, FRIEND, EMPTY, CLOSED, DEBITS_FROZEN, FROZEN):
        made.run(opening(number), ALPHA)
    made.run(opening(WEAK_ONE, wallet_class=WEAK), ALPHA)
    made.run(opening(AT_BETA, "beta"), BETA)
    made.run(opening(DOLLARS, instrument="ZZD"), ALPHA)
    for number in (RICH, FRIEND, WEAK_ONE, DEBITS_FROZEN, FROZEN):
        made.run(ops.Distribute("alpha", wallet_id(number), "CNY", 5_000), ALPHA)
    made.run(ops.Distribute("beta", wallet_id(AT_BETA), "CNY", 5_000), BETA)
    made.run(ops.CloseWallet(wallet_id(CLOSED)), ALPHA)
    made.run(ops.FreezeWallet(wallet_id(DEBITS_FROZEN), "alpha", FreezeScope.DEBITS, "order 1"), ALPHA)
    made.run(ops.FreezeWallet(wallet_id(FROZEN), "regulator", FreezeScope.ALL, "order 2"), REGULATOR)
    return made
