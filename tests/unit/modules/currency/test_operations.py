"""What each operation does when nothing stands against it."""

from typing import Any, Union

from fujie.core.encoding import Codec, encode
from fujie.core.reasons import TransactionReason
from fujie.core.state import BlockOverlay, Key, Overlay
from fujie.modules.currency import events, state_keys
from fujie.modules.currency import operations as ops
from fujie.modules.currency.records import FreezeScope, Issuance, LimitEntry, Redemption, Supply, Vault, WalletStatus
from fujie.modules.currency.transitions import ROOM_V1
from tests.unit.modules.currency.test_reasons import ROWS
from tests.unit.modules.currency.world import (
    ALPHA,
    AT_BETA,
    BANK,
    BETA,
    COURT,
    DEBITS_FROZEN,
    EMPTY,
    FRIEND,
    FROZEN,
    GAMMA,
    LATER_MS,
    PLENTY,
    REGULATOR,
    RICH,
    STRONG,
    WEAK,
    WEAK_ONE,
    World,
    holder,
    opening,
    reference,
    wallet_id,
    world,
)
from tests.unit.modules.harness import policy_of


def status(made: World, number: int) -> WalletStatus:
    return made.get(state_keys.wallet(wallet_id(number))).status


def test_admitted_institution_has_quota_and_empty_vault():
    made = world()
    event = made.run(ops.AdmitInstitution("gamma", "CNY", 77, bytes(32)), BANK)
    assert event == events.InstitutionAdmitted("gamma", "CNY", 77)
    assert made.get(state_keys.institution("gamma", "CNY")).quota_minor == 77
    assert made.get(state_keys.vault("gamma", "CNY")) == Vault(0, 0, 0)
    made.run(ops.Issue("gamma", "CNY", 77, reference(9)), BANK)


def test_quota_can_fall_to_what_is_outstanding_and_its_history_stays():
    made = world()
    key = state_keys.institution("alpha", "CNY")
    before = made.get(key)
    assert made.run(ops.SetInstitutionQuota("alpha", "CNY", 300_000), BANK) == events.InstitutionQuotaSet(
        "alpha", "CNY", 300_000
    )
    after = made.get(key)
    assert (after.quota_minor, after.standing.number) == (300_000, 2)
    assert made.bench.archived(after.standing.previous) == encode(before)


def test_issue_fills_the_vault_and_is_tied_to_its_bank_message():
    made = world()
    assert made.run(ops.Issue("alpha", "CNY", 5, reference(9)), BANK) == events.Issued("alpha", "CNY", 5, reference(9))
    assert made.get(state_keys.supply("CNY")) == Supply(500_005, 0)
    assert made.get(state_keys.vault("alpha", "CNY")) == Vault(275_005, 300_005, 0)
    assert made.get(state_keys.issue(reference(9))) == Issuance(
        "CNY", "alpha", 5, made.bench.height, made.bench.time_ms
    )


def test_redemption_empties_the_vault_and_gives_quota_back():
    made = world()
    both = [*BANK, *ALPHA]
    assert made.run(ops.Redeem("alpha", "CNY", 275_000, reference(1)), both) == events.Redeemed(
        "alpha", "CNY", 275_000, reference(1)
    )
    assert made.get(state_keys.supply("CNY")) == Supply(500_000, 275_000)
    assert made.get(state_keys.vault("alpha", "CNY")) == Vault(0, 300_000, 275_000)
    assert made.get(state_keys.redemption(reference(1))) == Redemption(
        "CNY", "alpha", 275_000, made.bench.height, made.bench.time_ms
    )
    made.run(ops.Issue("alpha", "CNY", 975_000, reference(9)), BANK)


def test_institution_redeems_money_that_payments_brought():
    made = world()
    made.pay(RICH, AT_BETA, 5_000)
    made.run(ops.Return(wallet_id(AT_BETA), "CNY", 10_000), holder(AT_BETA))
    made.run(ops.Redeem("beta", "CNY", 205_000, reference(9)), [*BANK, *BETA])
    assert made.get(state_keys.vault("beta", "CNY")) == Vault(0, 200_000, 205_000)


def test_distribution_and_return_move_money_between_vault_and_wallet():
    made = world()
    assert made.run(ops.Distribute("alpha", wallet_id(EMPTY), "CNY", 40), ALPHA) == events.Distributed(
        "alpha", wallet_id(EMPTY), "CNY", 40
    )
    assert made.amount(EMPTY) == 40
    assert made.get(state_keys.vault("alpha", "CNY")).balance_minor == 274_960
    assert made.run(ops.Return(wallet_id(EMPTY), "CNY", 40), holder(EMPTY)) == events.Returned(
        "alpha", wallet_id(EMPTY), "CNY", 40
    )
    assert made.amount(EMPTY) == 0
    assert made.get(state_keys.vault("alpha", "CNY")).balance_minor == 275_000


def test_wallet_frozen_for_debits_still_receives():
    made = world()
    made.run(ops.Distribute("alpha", wallet_id(DEBITS_FROZEN), "CNY", 1), ALPHA)
    made.pay(RICH, DEBITS_FROZEN, 1)
    assert made.amount(DEBITS_FROZEN) == 5_002


def test_opened_wallet_is_empty_and_remembers_when():
    made = world()
    event = made.run(opening(20, wallet_class=WEAK), ALPHA)
    assert event == events.WalletOpened("alpha", wallet_id(20), "CNY", WEAK)
    wallet = made.get(state_keys.wallet(wallet_id(20)))
    assert (wallet.opened_height, wallet.opened_ms) == (made.bench.height, made.bench.time_ms)
    assert (wallet.status, wallet.instruments, wallet.freezes) == (WalletStatus.ACTIVE, ("CNY",), ())
    assert made.amount(20) == 0


def test_two_wallets_opened_with_the_same_record_have_different_salts():
    made = world()
    made.run(opening(20), ALPHA)
    made.run(opening(21, policy=policy_of(holder(20))), ALPHA)
    salts = set()
    for number in (20, 21):
        keys: list[Key[Any]] = [state_keys.wallet(wallet_id(number)), state_keys.balance(wallet_id(number), "CNY")]
        for key in keys:
            leaf = made.bench.leaf(key)
            assert leaf is not None
            salts.add(leaf.salt)
    assert len(salts) == 4


def test_open_and_pay_in_one_transaction():
    made = world()
    made.bench.run(
        ROOM_V1,
        opening(20),
        ops.Distribute("alpha", wallet_id(20), "CNY", 10),
        ops.Pay(wallet_id(20), wallet_id(RICH), "CNY", 10),
        signers=[*ALPHA, *holder(20)],
    )
    assert made.amount(RICH) == 5_010


def test_upgraded_wallet_may_hold_more():
    made = world()
    made.run(ops.UpgradeWallet(wallet_id(WEAK_ONE), STRONG), ALPHA)
    made.run(ops.Distribute("alpha", wallet_id(WEAK_ONE), "CNY", 100_000), ALPHA)
    assert made.amount(WEAK_ONE) == 105_000


def test_rotated_keys_replace_the_old_ones():
    made = world()
    event = made.run(ops.RotateWalletKeys(wallet_id(RICH), policy_of(GAMMA)), holder(RICH))
    assert event == events.WalletKeysRotated(wallet_id(RICH))
    pay = ops.Pay(wallet_id(RICH), wallet_id(FRIEND), "CNY", 1)
    made.bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, pay, signers=holder(RICH))
    made.run(pay, GAMMA)


def test_keys_of_a_frozen_wallet_can_be_rotated():
    made = world()
    made.run(ops.RotateWalletKeys(wallet_id(FROZEN), policy_of(GAMMA)), holder(FROZEN))
    assert status(made, FROZEN) is WalletStatus.FROZEN


def test_freezes_of_two_authorities_are_independent():
    made = world()
    made.run(ops.FreezeWallet(wallet_id(FROZEN), "court", FreezeScope.DEBITS, "order 3"), COURT)
    made.run(ops.FreezeWallet(wallet_id(FROZEN), "alpha", FreezeScope.DEBITS, "order 4"), ALPHA)
    freezes = made.get(state_keys.wallet(wallet_id(FROZEN))).freezes
    assert [(freeze.authority, freeze.basis) for freeze in freezes] == [
        ("alpha", "order 4"),
        ("court", "order 3"),
        ("regulator", "order 2"),
    ]
    event = made.run(ops.UnfreezeWallet(wallet_id(FROZEN), "regulator", "order 5"), REGULATOR)
    assert event == events.WalletUnfrozen(wallet_id(FROZEN), "regulator")
    assert status(made, FROZEN) is WalletStatus.DEBITS_FROZEN
    made.run(ops.UnfreezeWallet(wallet_id(FROZEN), "court", "order 6"), COURT)
    assert status(made, FROZEN) is WalletStatus.DEBITS_FROZEN
    made.run(ops.UnfreezeWallet(wallet_id(FROZEN), "alpha", "order 7"), ALPHA)
    assert status(made, FROZEN) is WalletStatus.ACTIVE


def test_an_authority_changes_the_extent_of_its_freeze():
    made = world()
    made.run(ops.FreezeWallet(wallet_id(FROZEN), "regulator", FreezeScope.DEBITS, "order 3"), REGULATOR)
    assert status(made, FROZEN) is WalletStatus.DEBITS_FROZEN
    made.run(ops.FreezeWallet(wallet_id(FROZEN), "regulator", FreezeScope.ALL, "order 4"), REGULATOR)
    assert status(made, FROZEN) is WalletStatus.FROZEN


def test_closed_wallet_stays_closed():
    made = world()
    assert made.run(ops.CloseWallet(wallet_id(EMPTY)), ALPHA) == events.WalletClosed(wallet_id(EMPTY))
    assert status(made, EMPTY) is WalletStatus.CLOSED


def test_payment_moves_money_across_institutions_and_writes_two_leaves():
    made = world()
    before = made.bench.image()
    assert made.pay(RICH, AT_BETA, 1_234) == events.Paid(wallet_id(RICH), wallet_id(AT_BETA), "CNY", 1_234)
    after = made.bench.image()
    assert (made.amount(RICH), made.amount(AT_BETA)) == (3_766, 6_234)
    written = {path for path in after if after[path] != before.get(path)}
    assert written == {state_keys.balance(wallet_id(number), "CNY").path for number in (RICH, AT_BETA)}


def test_payment_reads_what_it_says_it_touches():
    made = world()
    read: set[str] = set()

    class Listening(Overlay):
        def get(self, key: Any) -> Any:
            read.add(key.path)
            return super().get(key)

    state, context = Listening(BlockOverlay(made.bench)), made.bench.context(holder(RICH))
    operation = ops.Pay(wallet_id(RICH), wallet_id(FRIEND), "CNY", 1)
    handler = ROOM_V1.handlers[ops.Pay]
    handler.authorise(state, context, operation)
    handler.charge(state, context, operation, 1)
    handler.transition(state, context, operation)
    hot = {"currency/limits/CNY/01", "membership/parameters"}
    assert read == {key.path for key in handler.touches(operation)} | hot


def test_every_hint_can_be_computed_and_names_keys_of_the_room_or_membership():
    for row in ROWS:
        for key in ROOM_V1.handlers[type(row.operation)].touches(row.operation):
            assert key.path.startswith(("currency/", "membership/"))


def test_set_limits_can_drop_old_entries_and_add_later_ones():
    made = world()
    key = state_keys.limits("CNY", STRONG)
    tight = LimitEntry(LATER_MS, 1, 1, 1, 1)
    assert made.run(ops.SetLimits("CNY", STRONG, (PLENTY, tight)), BANK) == events.LimitsSet("CNY", STRONG)
    assert made.get(key).standing.number == 2
    made.bench.time_ms = LATER_MS
    made.run(ops.SetLimits("CNY", STRONG, (tight, LimitEntry(LATER_MS + 10**9, None, None, None, None))), BANK)
    assert made.get(key).entries[0] == tight
    made.run(ops.SetLimits("CNY", 7, (PLENTY,)), BANK)
    assert made.get(state_keys.limits("CNY", 7)).standing.number == 1


def test_every_operation_and_event_decodes_to_itself():
    kinds: Any = Union[tuple(ROOM_V1.handlers)]  # noqa: UP007 - built from a tuple at run time
    codec: Codec[Any] = Codec(kinds)
    for row in ROWS:
        assert codec.decode(encode(row.operation)) == row.operation
