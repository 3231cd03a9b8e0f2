"""Every reason of the room, in a table. Rows of one operation descend the precedence."""

from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import pytest

from fujie.core.errors import Reason
from fujie.core.policy import KeyPolicy
from fujie.core.reasons import TransactionReason
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.units import AMOUNT_MINOR_MAX
from fujie.modules.currency import operations as ops
from fujie.modules.currency import state_keys
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import FREEZES_PER_WALLET_MAX, Freeze, FreezeScope, LimitEntry, WalletStatus
from fujie.modules.currency.transitions import ROOM_V1
from fujie.modules.membership.queries import MembershipReason
from tests.unit.modules.currency.world import (
    ALPHA,
    AT_BETA,
    BANK,
    BETA,
    CLOSED,
    COURT,
    DEBITS_FROZEN,
    DOLLARS,
    EMPTY,
    FRIEND,
    FROZEN,
    GAMMA,
    LATER_MS,
    NOBODY,
    PLENTY,
    QUOTA,
    REGULATOR,
    RICH,
    SMALL,
    STRONG,
    UNLIMITED_BUT_UNSET,
    WEAK,
    WEAK_ONE,
    World,
    holder,
    opening,
    reference,
    wallet_id,
    world,
)
from tests.unit.modules.harness import GENESIS_MS, policy_of

R = CurrencyReason
M = MembershipReason
T = TransactionReason
UNSOUND = KeyPolicy(1, (bytes(32),))
SEED = bytes(32)


class Row(NamedTuple):
    reason: Reason
    operation: Operation
    signers: list[Signer]
    before: Callable[[World], Any] = lambda _world: None


def pay(payer: int, payee: int, amount_minor: int = 100, instrument: str = "CNY") -> ops.Pay:
    return ops.Pay(wallet_id(payer), wallet_id(payee), instrument, amount_minor)


def fill_freezes(made: World) -> None:
    """As many authorities as fit; they are planted, because the world has only two regulators."""
    key = state_keys.wallet(wallet_id(RICH))
    freezes = tuple(
        Freeze(f"authority-{number}", FreezeScope.ALL, "order", 0) for number in range(FREEZES_PER_WALLET_MAX)
    )
    made.bench.plant(key, msgspec.structs.replace(made.get(key), freezes=freezes, status=WalletStatus.FROZEN))


def pay_times(made: World, times: int) -> None:
    for _ in range(times):
        made.pay(WEAK_ONE, FRIEND, 100)


def pay_much(made: World) -> None:
    made.run(ops.Distribute("alpha", wallet_id(WEAK_ONE), "CNY", 1_000), ALPHA)
    for _ in range(2):
        made.pay(WEAK_ONE, FRIEND, 2_000)


def pay_away(made: World) -> None:
    made.pay(WEAK_ONE, FRIEND, 1_900)
    made.pay(WEAK_ONE, FRIEND, 1_900)
    made.run(ops.Return(wallet_id(WEAK_ONE), "CNY", 1_000), holder(WEAK_ONE))


def issue_nearly_all(made: World) -> None:
    made.run(ops.Issue("beta", "ZZD", AMOUNT_MINOR_MAX - 100_000, reference(50)), BANK)


ROWS = [
    Row(R.INSTRUMENT_NOT_FOUND, ops.AdmitInstitution("gamma", "XXX", 1, SEED), []),
    Row(T.POLICY_NOT_SATISFIED, ops.AdmitInstitution("gamma", "CNY", 1, SEED), BANK[:1]),
    Row(R.INSTITUTION_ACCOUNT_NOT_FOUND, ops.AdmitInstitution("delta", "CNY", 1, SEED), BANK),
    Row(R.INSTITUTION_ALREADY_ADMITTED, ops.AdmitInstitution("alpha", "CNY", 1, SEED), BANK),
    #
    Row(R.INSTRUMENT_NOT_FOUND, ops.SetInstitutionQuota("alpha", "XXX", 1), []),
    Row(T.POLICY_NOT_SATISFIED, ops.SetInstitutionQuota("alpha", "CNY", 1), ALPHA),
    Row(R.INSTITUTION_NOT_ADMITTED, ops.SetInstitutionQuota("gamma", "CNY", 1), BANK),
    Row(R.INSTITUTION_QUOTA_BELOW_OUTSTANDING, ops.SetInstitutionQuota("alpha", "CNY", 299_999), BANK),
    #
    Row(R.INSTRUMENT_NOT_FOUND, ops.SetLimits("XXX", STRONG, (PLENTY,)), []),
    Row(T.POLICY_NOT_SATISFIED, ops.SetLimits("CNY", STRONG, (PLENTY,)), ALPHA),
    Row(R.LIMITS_NOT_ASCENDING, ops.SetLimits("CNY", STRONG, (SMALL, PLENTY)), BANK),
    Row(R.LIMITS_NOT_IN_FORCE, ops.SetLimits("CNY", STRONG, (LimitEntry(LATER_MS, 1, 1, 1, 1),)), BANK),
    Row(R.LIMITS_REWRITE_THE_PAST, ops.SetLimits("CNY", STRONG, (SMALL,)), BANK),
    #
    Row(R.INSTRUMENT_NOT_FOUND, ops.Issue("alpha", "XXX", 1, reference(9)), []),
    Row(T.POLICY_NOT_SATISFIED, ops.Issue("alpha", "CNY", 1, reference(9)), BANK[1:]),
    Row(R.AMOUNT_IS_ZERO, ops.Issue("gamma", "CNY", 0, reference(1)), BANK),
    Row(R.ISSUE_REFERENCE_HAS_ANOTHER_BODY, ops.Issue("gamma", "CNY", 300_000, reference(1)), BANK),
    Row(R.ISSUE_ALREADY_MADE, ops.Issue("alpha", "CNY", 300_000, reference(1)), BANK),
    Row(R.INSTITUTION_NOT_ADMITTED, ops.Issue("gamma", "CNY", AMOUNT_MINOR_MAX, reference(9)), BANK),
    Row(R.SUPPLY_WOULD_OVERFLOW, ops.Issue("alpha", "ZZD", AMOUNT_MINOR_MAX, reference(9)), BANK, issue_nearly_all),
    Row(R.INSTITUTION_QUOTA_EXCEEDED, ops.Issue("alpha", "CNY", QUOTA - 299_999, reference(9)), BANK),
    #
    Row(R.INSTRUMENT_NOT_FOUND, ops.Redeem("alpha", "XXX", 1, reference(9)), []),
    Row(T.POLICY_NOT_SATISFIED, ops.Redeem("alpha", "CNY", 1, reference(9)), BANK),
    Row(T.POLICY_NOT_SATISFIED, ops.Redeem("alpha", "CNY", 1, reference(9)), ALPHA),
    Row(R.AMOUNT_IS_ZERO, ops.Redeem("gamma", "CNY", 0, reference(9)), [*BANK, *GAMMA]),
    Row(
        R.REDEMPTION_REFERENCE_HAS_ANOTHER_BODY,
        ops.Redeem("gamma", "CNY", 7, reference(9)),
        [*BANK, *GAMMA],
        lambda made: made.run(ops.Redeem("alpha", "CNY", 7, reference(9)), [*BANK, *ALPHA]),
    ),
    Row(
        R.REDEMPTION_ALREADY_MADE,
        ops.Redeem("alpha", "CNY", 7, reference(9)),
        [*BANK, *ALPHA],
        lambda made: made.run(ops.Redeem("alpha", "CNY", 7, reference(9)), [*BANK, *ALPHA]),
    ),
    Row(R.INSTITUTION_NOT_ADMITTED, ops.Redeem("gamma", "CNY", 1, reference(9)), [*BANK, *GAMMA]),
    Row(R.VAULT_BALANCE_INSUFFICIENT, ops.Redeem("alpha", "CNY", 275_001, reference(9)), [*BANK, *ALPHA]),
    #
    Row(T.POLICY_NOT_SATISFIED, ops.Distribute("alpha", wallet_id(RICH), "CNY", 1), BETA),
    Row(M.ACCOUNT_LACKS_ROLE, ops.Distribute("regulator", wallet_id(RICH), "CNY", 1), REGULATOR),
    Row(R.PAYEE_WALLET_NOT_FOUND, ops.Distribute("gamma", wallet_id(NOBODY), "CNY", 0), GAMMA),
    Row(R.AMOUNT_IS_ZERO, ops.Distribute("gamma", wallet_id(CLOSED), "CNY", 0), GAMMA),
    Row(R.INSTITUTION_NOT_ADMITTED, ops.Distribute("gamma", wallet_id(CLOSED), "CNY", 1), GAMMA),
    Row(R.WALLET_SERVED_BY_ANOTHER_INSTITUTION, ops.Distribute("beta", wallet_id(CLOSED), "CNY", 1), BETA),
    Row(R.PAYEE_WALLET_CLOSED, ops.Distribute("alpha", wallet_id(CLOSED), "ZZD", 1), ALPHA),
    Row(R.PAYEE_WALLET_FROZEN, ops.Distribute("alpha", wallet_id(FROZEN), "ZZD", 1), ALPHA),
    Row(R.PAYEE_DOES_NOT_HOLD_INSTRUMENT, ops.Distribute("alpha", wallet_id(RICH), "ZZD", 900_000), ALPHA),
    Row(R.VAULT_BALANCE_INSUFFICIENT, ops.Distribute("alpha", wallet_id(WEAK_ONE), "CNY", 275_001), ALPHA),
    Row(R.PAYEE_HOLDING_LIMIT_EXCEEDED, ops.Distribute("alpha", wallet_id(WEAK_ONE), "CNY", 5_001), ALPHA),
    #
    Row(R.PAYER_WALLET_NOT_FOUND, ops.Return(wallet_id(NOBODY), "CNY", 0), []),
    Row(T.POLICY_NOT_SATISFIED, ops.Return(wallet_id(RICH), "CNY", 0), ALPHA),
    Row(R.AMOUNT_IS_ZERO, ops.Return(wallet_id(CLOSED), "CNY", 0), holder(CLOSED)),
    Row(R.PAYER_WALLET_CLOSED, ops.Return(wallet_id(CLOSED), "ZZD", 1), holder(CLOSED)),
    Row(R.PAYER_WALLET_FROZEN, ops.Return(wallet_id(DEBITS_FROZEN), "ZZD", 1), holder(DEBITS_FROZEN)),
    Row(R.PAYER_DOES_NOT_HOLD_INSTRUMENT, ops.Return(wallet_id(RICH), "ZZD", 9_000), holder(RICH)),
    Row(R.PAYER_BALANCE_INSUFFICIENT, ops.Return(wallet_id(RICH), "CNY", 5_001), holder(RICH)),
    #
    Row(T.POLICY_NOT_SATISFIED, opening(20), BETA),
    Row(M.ACCOUNT_LACKS_ROLE, opening(20, "regulator"), REGULATOR),
    Row(R.INSTITUTION_NOT_ADMITTED, opening(RICH, "gamma", policy=UNSOUND), GAMMA),
    Row(R.WALLET_ALREADY_OPENED, opening(RICH, policy=UNSOUND), ALPHA),
    Row(R.WALLET_POLICY_UNSOUND, opening(20, wallet_class=UNLIMITED_BUT_UNSET, policy=UNSOUND), ALPHA),
    Row(R.WALLET_POLICY_UNSOUND, opening(20, policy=KeyPolicy(2, policy_of(holder(20)).keys)), ALPHA),
    Row(R.WALLET_CLASS_HAS_NO_LIMITS, opening(20, wallet_class=UNLIMITED_BUT_UNSET), ALPHA),
    #
    Row(R.WALLET_NOT_FOUND, ops.UpgradeWallet(wallet_id(NOBODY), STRONG), []),
    Row(T.POLICY_NOT_SATISFIED, ops.UpgradeWallet(wallet_id(RICH), WEAK), holder(RICH)),
    Row(R.WALLET_CLOSED, ops.UpgradeWallet(wallet_id(CLOSED), STRONG), ALPHA),
    Row(R.WALLET_CLASS_UNCHANGED, ops.UpgradeWallet(wallet_id(RICH), STRONG), ALPHA),
    Row(R.WALLET_CLASS_HAS_NO_LIMITS, ops.UpgradeWallet(wallet_id(DOLLARS), WEAK), ALPHA),
    Row(
        R.WALLET_BALANCE_ABOVE_CLASS_LIMIT,
        ops.UpgradeWallet(wallet_id(RICH), WEAK),
        ALPHA,
        lambda made: made.run(ops.Distribute("alpha", wallet_id(RICH), "CNY", 5_001), ALPHA),
    ),
    #
    Row(R.WALLET_NOT_FOUND, ops.RotateWalletKeys(wallet_id(NOBODY), UNSOUND), []),
    Row(T.POLICY_NOT_SATISFIED, ops.RotateWalletKeys(wallet_id(RICH), UNSOUND), ALPHA),
    Row(R.WALLET_POLICY_UNSOUND, ops.RotateWalletKeys(wallet_id(CLOSED), UNSOUND), holder(CLOSED)),
    Row(R.WALLET_CLOSED, ops.RotateWalletKeys(wallet_id(CLOSED), policy_of(ALPHA)), holder(CLOSED)),
    #
    Row(R.WALLET_NOT_FOUND, ops.FreezeWallet(wallet_id(NOBODY), "alpha", FreezeScope.ALL, "order"), []),
    Row(T.POLICY_NOT_SATISFIED, ops.FreezeWallet(wallet_id(RICH), "alpha", FreezeScope.ALL, "order"), BETA),
    Row(M.ACCOUNT_LACKS_ROLE, ops.FreezeWallet(wallet_id(RICH), "beta", FreezeScope.ALL, "order"), BETA),
    Row(R.WALLET_CLOSED, ops.FreezeWallet(wallet_id(CLOSED), "alpha", FreezeScope.ALL, "order"), ALPHA),
    Row(
        R.WALLET_FREEZE_UNCHANGED,
        ops.FreezeWallet(wallet_id(FROZEN), "regulator", FreezeScope.ALL, "another"),
        REGULATOR,
    ),
    Row(
        R.WALLET_FREEZES_TOO_MANY,
        ops.FreezeWallet(wallet_id(RICH), "court", FreezeScope.ALL, "order"),
        COURT,
        fill_freezes,
    ),
    #
    Row(R.WALLET_NOT_FOUND, ops.UnfreezeWallet(wallet_id(NOBODY), "alpha", "order"), []),
    Row(T.POLICY_NOT_SATISFIED, ops.UnfreezeWallet(wallet_id(FROZEN), "regulator", "order"), ALPHA),
    Row(R.WALLET_NOT_FROZEN_BY_AUTHORITY, ops.UnfreezeWallet(wallet_id(FROZEN), "court", "order"), COURT),
    Row(R.WALLET_NOT_FROZEN_BY_AUTHORITY, ops.UnfreezeWallet(wallet_id(FROZEN), "alpha", "order"), ALPHA),
    #
    Row(R.WALLET_NOT_FOUND, ops.CloseWallet(wallet_id(NOBODY)), []),
    Row(T.POLICY_NOT_SATISFIED, ops.CloseWallet(wallet_id(EMPTY)), BETA),
    Row(R.WALLET_CLOSED, ops.CloseWallet(wallet_id(CLOSED)), ALPHA),
    Row(R.WALLET_FROZEN, ops.CloseWallet(wallet_id(FROZEN)), ALPHA),
    Row(R.WALLET_BALANCE_NOT_ZERO, ops.CloseWallet(wallet_id(RICH)), ALPHA),
    #
    Row(R.PAYER_WALLET_NOT_FOUND, pay(NOBODY, NOBODY, 0), []),
    Row(T.POLICY_NOT_SATISFIED, pay(RICH, NOBODY, 0), holder(FRIEND)),
    Row(R.PAYEE_WALLET_NOT_FOUND, pay(CLOSED, NOBODY, 0), holder(CLOSED)),
    Row(R.PAYER_AND_PAYEE_ARE_THE_SAME, pay(CLOSED, CLOSED, 0), holder(CLOSED)),
    Row(R.AMOUNT_IS_ZERO, pay(CLOSED, FROZEN, 0), holder(CLOSED)),
    Row(R.PAYER_WALLET_CLOSED, pay(CLOSED, FROZEN, 1, "ZZD"), holder(CLOSED)),
    Row(R.PAYER_WALLET_FROZEN, pay(DEBITS_FROZEN, CLOSED, 1, "ZZD"), holder(DEBITS_FROZEN)),
    Row(R.PAYER_WALLET_FROZEN, pay(FROZEN, CLOSED, 1, "ZZD"), holder(FROZEN)),
    Row(R.PAYEE_WALLET_CLOSED, pay(RICH, CLOSED, 9_000, "ZZD"), holder(RICH)),
    Row(R.PAYEE_WALLET_FROZEN, pay(RICH, FROZEN, 9_000, "ZZD"), holder(RICH)),
    Row(R.PAYER_DOES_NOT_HOLD_INSTRUMENT, pay(RICH, FRIEND, 9_000, "ZZD"), holder(RICH)),
    Row(R.PAYER_DOES_NOT_HOLD_INSTRUMENT, pay(RICH, FRIEND, 9_000, "XXX"), holder(RICH)),
    Row(R.PAYEE_DOES_NOT_HOLD_INSTRUMENT, pay(WEAK_ONE, DOLLARS, 9_000), holder(WEAK_ONE)),
    Row(R.PAYER_PAYMENT_LIMIT_EXCEEDED, pay(WEAK_ONE, FRIEND, 20_000), holder(WEAK_ONE)),
    Row(R.PAYER_DAY_LIMIT_EXCEEDED, pay(WEAK_ONE, FRIEND, 1_001), holder(WEAK_ONE), pay_much),
    Row(
        R.PAYER_DAY_COUNT_EXCEEDED,
        pay(WEAK_ONE, FRIEND, 1_500),
        holder(WEAK_ONE),
        lambda made: pay_times(made, 4),
    ),
    Row(R.PAYER_BALANCE_INSUFFICIENT, pay(WEAK_ONE, FRIEND, 201), holder(WEAK_ONE), pay_away),
    Row(
        R.PAYEE_HOLDING_LIMIT_EXCEEDED,
        pay(AT_BETA, WEAK_ONE, 5_000),
        holder(AT_BETA),
        lambda made: made.pay(RICH, WEAK_ONE, 1),
    ),
]


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{type(row.operation).__name__}-{row.reason.name}-{at}" for at, row in enumerate(ROWS)]
)
def test_refuses(row: Row):
    made = world()
    row.before(made)
    made.bench.refuses(row.reason, ROOM_V1, row.operation, signers=row.signers)


def test_every_reason_has_a_row():
    missing = set(CurrencyReason) - {row.reason for row in ROWS} - {CurrencyReason.CURRENCY_GENESIS_INCONSISTENT}
    assert missing == set(), "the genesis has its own test"


def test_rows_of_each_operation_descend_the_precedence():
    order = list(CurrencyReason)
    for kind, rows in groupby(ROWS, key=lambda row: type(row.operation)):
        places = [order.index(row.reason) for row in rows if isinstance(row.reason, CurrencyReason)]
        assert places == sorted(places), kind.__name__


def test_every_operation_has_rows():
    assert {type(row.operation) for row in ROWS} == set(ROOM_V1.handlers)


def test_reasons_are_declared_in_the_order_of_their_numbers():
    assert [int(reason) for reason in CurrencyReason] == sorted(int(reason) for reason in CurrencyReason)


def test_faults_of_a_payment_come_to_light_one_after_the_other():
    """One payment with every fault that can be had at once; each is mended, and the next one is told."""
    made = world()
    key = holder(WEAK_ONE)
    pay_times(made, 3)
    made.pay(WEAK_ONE, RICH, 1_900)  # four payments, 2,800 left
    made.run(ops.FreezeWallet(wallet_id(WEAK_ONE), "alpha", FreezeScope.DEBITS, "order"), ALPHA)
    made.run(opening(30, wallet_class=WEAK), ALPHA)
    made.run(ops.Distribute("alpha", wallet_id(30), "CNY", 10_000), ALPHA)
    made.run(ops.FreezeWallet(wallet_id(30), "court", FreezeScope.ALL, "order"), COURT)

    def expect(reason: CurrencyReason, amount_minor: int, instrument: str = "CNY", time_ms: int | None = None) -> None:
        operation = pay(WEAK_ONE, 30, amount_minor, instrument)
        made.bench.refuses(reason, ROOM_V1, operation, signers=key, time_ms=time_ms)

    expect(R.AMOUNT_IS_ZERO, 0)
    expect(R.PAYER_WALLET_FROZEN, 20_000, "ZZD")
    made.run(ops.UnfreezeWallet(wallet_id(WEAK_ONE), "alpha", "order"), ALPHA)
    expect(R.PAYEE_WALLET_FROZEN, 20_000, "ZZD")
    made.run(ops.UnfreezeWallet(wallet_id(30), "court", "order"), COURT)
    expect(R.PAYER_DOES_NOT_HOLD_INSTRUMENT, 20_000, "ZZD")
    expect(R.PAYER_PAYMENT_LIMIT_EXCEEDED, 20_000)
    made.run(ops.Return(wallet_id(WEAK_ONE), "CNY", 2_700), key)
    made.run(
        ops.SetLimits("CNY", WEAK, (SMALL, LimitEntry(LATER_MS, 10_000, 20_000, 1_500, 2))),
        BANK,
    )
    made.pay(WEAK_ONE, RICH, 50, time_ms=LATER_MS)  # 50 left
    expect(R.PAYER_DAY_LIMIT_EXCEEDED, 1_451)
    made.pay(WEAK_ONE, RICH, 1)
    expect(R.PAYER_DAY_COUNT_EXCEEDED, 1_449)
    next_day_ms = LATER_MS + 86_400_000
    expect(R.PAYER_BALANCE_INSUFFICIENT, 1_449, time_ms=next_day_ms)
    expect(R.PAYEE_HOLDING_LIMIT_EXCEEDED, 49)
    made.run(ops.Return(wallet_id(30), "CNY", 49), holder(30))
    made.run(pay(WEAK_ONE, 30, 49), key)
    assert made.amount(WEAK_ONE) == 0
    assert made.amount(30) == 10_000


def test_quota_is_charged_to_the_payer_and_comes_back_with_the_next_minute():
    minute_ms = GENESIS_MS - GENESIS_MS % 60_000 + 60_000
    made = world(operations_per_minute=100)
    for number in range(100):
        made.pay(RICH, FRIEND, 1, time_ms=minute_ms + number)
    made.bench.refuses(
        T.QUOTA_EXCEEDED, ROOM_V1, pay(RICH, FRIEND, 1), signers=holder(RICH), time_ms=minute_ms + 59_999
    )
    made.pay(FRIEND, RICH, 1, time_ms=minute_ms + 59_999)
    made.pay(RICH, FRIEND, 1, time_ms=minute_ms + 60_000)


def test_an_unknown_instrument_does_not_escape_the_quota():
    made = world()
    overlay, context = made.bench.overlay(), made.bench.context(holder(RICH))
    operation = pay(RICH, FRIEND, 1, "XXX")
    ROOM_V1.handlers[ops.Pay].charge(overlay, context, operation, 7)
    charged = overlay.get(state_keys.balance(wallet_id(RICH), "CNY"))
    assert charged is not None
    assert charged.meter.used == 7
