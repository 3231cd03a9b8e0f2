"""``apply_block``: pure, atomic by transaction, and precise about what stays of one that is refused."""

from collections.abc import Callable
from typing import Any

import pytest

from fujie.core.encoding import Record
from fujie.core.errors import Reason
from fujie.core.meter import WINDOW_MS as MINUTE_MS
from fujie.core.policy import single
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedBlock
from fujie.engine.admission import verify_transaction
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import compose
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.machine.transition import BlockResult, apply_block
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.events import Paid
from fujie.modules.currency.operations import Issue, RotateWalletKeys
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.membership import state_keys as membership_keys
from fujie.modules.membership.records import ActivateRules
from fujie.store.sqlite import SqliteStore
from tests import world
from tests.world import (
    BANK,
    FUNDS_MINOR,
    INSTITUTION,
    INSTRUMENT,
    ROOT,
    START_MS,
    WINDOW_MS,
    MemoryChain,
    Signing,
    allocate,
    funded,
    holder,
    pay,
    wallet_id,
)

STRANGER = world.signer("stranger")


@pytest.fixture
def chain() -> MemoryChain:
    return MemoryChain(funded())


def with_quota(operations_per_minute: int) -> MemoryChain:
    """A funded chain on which wallets may ask for so many operations in a minute."""
    chain = MemoryChain(compose("world", START_MS, world.parts(operations_per_minute=operations_per_minute)))
    for number in range(2):
        chain.carry_out(chain.signing.sign(world.open_wallet(number), INSTITUTION), time_ms=chain.time_ms + MINUTE_MS)
    return chain


def amount_of(chain: MemoryChain, number: int) -> int:
    amount: int = chain.get(currency_keys.balance(wallet_id(number), INSTRUMENT)).amount_minor
    return amount


def written(result: BlockResult) -> list[tuple[str, bytes, Record]]:
    """Path, salt and record of everything that a block changes, in order."""
    return [(path, leaf.salt, leaf.record) for path, (_, leaf) in result.changes.items()]


# Pure.


def test_the_same_block_on_the_same_snapshot_gives_the_same_result(chain: MemoryChain) -> None:
    signing = chain.signing
    block = chain.block(
        signing.pay(0, 1, 5),
        signing.pay(1, 2, FUNDS_MINOR + 6),
        signing.sign(allocate("1301"), ROOT),
        signing.sign(pay(0, 1), STRANGER),
    )
    first, second = chain.apply(block), chain.apply(block)
    assert written(first) == written(second), "what is written, or its order, differs"
    assert first[1:] == second[1:]
    assert [receipt.code for receipt in first.receipts] == [
        0,
        CurrencyReason.PAYER_BALANCE_INSUFFICIENT,
        0,
        TransactionReason.POLICY_NOT_SATISFIED,
    ]


def test_leaves_the_snapshot_untouched(chain: MemoryChain) -> None:
    before = chain.image()
    chain.apply(chain.block(chain.signing.pay(0, 1, 5), chain.signing.sign(allocate("1301"), ROOT)))
    assert chain.image() == before
    assert len(chain.window) == 0


def test_an_empty_block_changes_nothing(chain: MemoryChain) -> None:
    result = chain.apply(chain.block())
    assert (result.changes, result.archive, result.receipts, result.remembered) == ({}, {}, [], {})


def test_an_empty_block_leaves_the_app_hash_as_it_was() -> None:
    store = SqliteStore.open(None)
    found(store, funded())
    executor = Executor(store)
    first = executor.head
    for height in range(1, 4):
        block = VerifiedBlock(executor.chain_id, height, first.time_ms + height * 60_000, ())
        executor.commit(executor.stage(block, executor.apply(block)))
        assert executor.head.app_hash == first.app_hash
        assert (executor.head.height, executor.head.time_ms) == (height, block.time_ms)
    store.close()


# Precedence: each row breaks the rule that it names and every one after it that can be broken at the same time.

Row = Callable[[], tuple[MemoryChain, bytes, int]]


def _without_currency() -> MemoryChain:
    return MemoryChain(world.composed("membership", "identity"))


def _exhausted() -> MemoryChain:
    """A chain on which wallet 0 has nothing left of its quota and no money either."""
    chain = with_quota(1)
    refused = chain.run(chain.signing.pay(0, 1))[0]
    assert refused.code == CurrencyReason.PAYER_BALANCE_INSUFFICIENT
    return chain


def _chain_id_differs() -> tuple[MemoryChain, bytes, int]:
    chain = _without_currency()
    expired = chain.time_ms
    return chain, Signing("another-chain").sign(pay(0, 1, 0), STRANGER, expires_at_ms=expired), chain.time_ms + 1


def _expired() -> tuple[MemoryChain, bytes, int]:
    chain = _without_currency()
    raw = chain.signing.sign(pay(0, 1, 0), STRANGER, expires_at_ms=START_MS + 5_000)
    chain.window.remember({verify_transaction(raw).id: START_MS + 5_000})
    return chain, raw, START_MS + 5_000  # the expiry itself is too late


def _too_far() -> tuple[MemoryChain, bytes, int]:
    chain = _without_currency()
    expires_at_ms = START_MS + 1 + WINDOW_MS + 1
    raw = chain.signing.sign(pay(0, 1, 0), STRANGER, expires_at_ms=expires_at_ms)
    chain.window.remember({verify_transaction(raw).id: expires_at_ms})
    return chain, raw, START_MS + 1


def _repeated() -> tuple[MemoryChain, bytes, int]:
    chain = _without_currency()
    raw = chain.signing.sign(pay(0, 1, 0), STRANGER)
    chain.window.remember({verify_transaction(raw).id: world.EXPIRES_MS})
    return chain, raw, START_MS + 1


def _room_not_active() -> tuple[MemoryChain, bytes, int]:
    chain = _without_currency()
    return chain, chain.signing.sign(pay(0, 1, 0), STRANGER), START_MS + 1


def _policy_not_satisfied() -> tuple[MemoryChain, bytes, int]:
    chain = _exhausted()
    return chain, chain.signing.sign(pay(0, 0, 0), STRANGER), chain.time_ms + 1


def _quota_exceeded() -> tuple[MemoryChain, bytes, int]:
    chain = _exhausted()
    return chain, chain.signing.sign(pay(0, 0, 0), holder(0)), chain.time_ms + 1


ROWS: dict[Reason, Row] = {
    TransactionReason.CHAIN_ID_DIFFERS: _chain_id_differs,
    TransactionReason.TRANSACTION_EXPIRED: _expired,
    TransactionReason.EXPIRY_TOO_FAR: _too_far,
    TransactionReason.TRANSACTION_REPEATED: _repeated,
    TransactionReason.ROOM_NOT_ACTIVE: _room_not_active,
    TransactionReason.POLICY_NOT_SATISFIED: _policy_not_satisfied,
    TransactionReason.QUOTA_EXCEEDED: _quota_exceeded,
}
NEED_NO_STATE = {TransactionReason.TRANSACTION_MALFORMED, TransactionReason.SIGNATURE_INVALID}  # engine.admission
OF_ONE_NODE = {  # engine.intake, engine.embedded, engine.outcomes
    TransactionReason.ADMISSION_QUEUE_FULL,
    TransactionReason.EXECUTION_FAILED,
    TransactionReason.OUTCOME_NOT_KEPT,
}


def test_every_reason_of_the_machine_has_a_row_and_rows_descend_the_precedence() -> None:
    assert list(ROWS) == [reason for reason in TransactionReason if reason not in NEED_NO_STATE | OF_ONE_NODE]


@pytest.mark.parametrize("reason", ROWS, ids=lambda reason: reason.name)
def test_refuses_for_the_first_reason_and_leaves_no_trace(reason: Reason) -> None:
    chain, raw, time_ms = ROWS[reason]()
    remembered = len(chain.window)
    result = chain.apply(chain.block(raw, time_ms=time_ms))
    receipt = result.receipts[0]
    assert receipt.code == reason
    assert not receipt.authorised
    assert (receipt.events, receipt.operation) == ((), 0)
    assert (result.changes, result.archive, result.remembered) == ({}, {}, {})
    assert len(chain.window) == remembered


def test_accepts_an_expiry_at_either_end_of_the_window(chain: MemoryChain) -> None:
    now_ms = chain.time_ms + 1
    nearest = chain.signing.sign(pay(0, 1), holder(0), expires_at_ms=now_ms + 1)
    farthest = chain.signing.sign(pay(0, 1), holder(0), expires_at_ms=now_ms + WINDOW_MS)
    chain.carry_out(nearest, farthest, time_ms=now_ms)


# Several operations.


def test_operations_succeed_together_with_one_event_each(chain: MemoryChain) -> None:
    receipt = chain.carry_out(chain.signing.sign([pay(0, 1, 7), pay(0, 2, 8)], holder(0)))[0]
    assert receipt.events == (
        Paid(wallet_id(0), wallet_id(1), INSTRUMENT, 7),
        Paid(wallet_id(0), wallet_id(2), INSTRUMENT, 8),
    )
    assert [amount_of(chain, number) - FUNDS_MINOR for number in range(3)] == [-15, 7, 8]


def test_a_later_operation_sees_what_an_earlier_one_wrote(chain: MemoryChain) -> None:
    both = [pay(0, 1, FUNDS_MINOR), pay(1, 2, 2 * FUNDS_MINOR)]
    chain.carry_out(chain.signing.sign(both, holder(0), holder(1)))
    assert amount_of(chain, 2) == 3 * FUNDS_MINOR


def test_when_the_third_operation_is_refused_nothing_but_the_charge_stands(chain: MemoryChain) -> None:
    key = currency_keys.balance(wallet_id(0), INSTRUMENT)
    before = chain.leaf(key)
    assert before is not None
    three = [pay(0, 1, 7), pay(0, 2, 8), pay(0, 3, FUNDS_MINOR)]
    block = chain.block(chain.signing.sign(three, holder(0)))
    result = chain.apply(block)
    receipt = result.receipts[0]
    assert (receipt.code, receipt.operation) == (CurrencyReason.PAYER_BALANCE_INSUFFICIENT, 2)
    assert receipt.authorised
    assert receipt.events == ()
    assert list(result.changes) == [key.path], "something else than the payer's meter was written"
    charged: Any = result.changes[key.path][1].record
    assert charged.meter.used == 3
    assert charged.amount_minor == FUNDS_MINOR
    assert charged.spent_today_minor == before.record.spent_today_minor  # type: ignore[attr-defined]
    assert list(result.remembered) == [receipt.transaction_id]


def test_an_operation_of_somebody_who_did_not_sign_refuses_them_all(chain: MemoryChain) -> None:
    receipt = chain.run(chain.signing.sign([pay(0, 1, 7), pay(1, 0, 7)], holder(0)))[0]
    assert (receipt.code, receipt.operation) == (TransactionReason.POLICY_NOT_SATISFIED, 1)
    assert receipt.authorised, "the first operation was his to ask, so he is charged"
    assert amount_of(chain, 0) == amount_of(chain, 1) == FUNDS_MINOR


def test_an_operation_of_a_room_that_does_not_run_refuses_them_all() -> None:
    chain = _without_currency()
    before = set(chain.leaves)
    receipt = chain.run(chain.signing.sign([allocate("1301"), pay(0, 1)], ROOT, holder(0)))[0]
    assert (receipt.code, receipt.operation) == (TransactionReason.ROOM_NOT_ACTIVE, 1)
    assert chain.get(identity_keys.identity(f"{world.CITY}.1301")) is None
    assert set(chain.leaves) - before == {membership_keys.meter("root").path}, "only the charge stands"


# The charge.


def test_the_charge_of_a_refused_transaction_is_there_the_next_time() -> None:
    chain = with_quota(2)
    for _ in range(2):
        assert chain.run(chain.signing.pay(0, 1))[0].code == CurrencyReason.PAYER_BALANCE_INSUFFICIENT
    assert chain.run(chain.signing.pay(0, 1))[0].code == TransactionReason.QUOTA_EXCEEDED
    later = chain.time_ms + MINUTE_MS
    assert chain.run(chain.signing.pay(0, 1), time_ms=later)[0].code == CurrencyReason.PAYER_BALANCE_INSUFFICIENT


def test_the_charge_of_a_refused_transaction_is_there_for_the_next_in_the_same_block() -> None:
    chain = with_quota(2)
    three = [chain.signing.pay(0, 1) for _ in range(3)]
    codes = [receipt.code for receipt in chain.run(*three)]
    assert codes == [CurrencyReason.PAYER_BALANCE_INSUFFICIENT] * 2 + [TransactionReason.QUOTA_EXCEEDED]


def test_every_operation_of_a_transaction_is_charged() -> None:
    chain = with_quota(2)
    three = chain.signing.sign([pay(0, 1)] * 3, holder(0))
    assert chain.run(three)[0].code == TransactionReason.QUOTA_EXCEEDED
    two = chain.signing.sign([pay(0, 1)] * 2, holder(0))
    assert chain.run(two)[0].code == CurrencyReason.PAYER_BALANCE_INSUFFICIENT
    assert chain.run(chain.signing.pay(0, 1))[0].code == TransactionReason.QUOTA_EXCEEDED


# Who may send, and the id.


def test_an_unauthorised_transaction_does_not_burn_its_id(chain: MemoryChain) -> None:
    raw = chain.signing.sign(pay(0, 1, 9), STRANGER)
    assert chain.run(raw)[0].code == TransactionReason.POLICY_NOT_SATISFIED
    rotation = RotateWalletKeys(wallet_id(0), single(STRANGER.public_key))
    chain.carry_out(chain.signing.sign(rotation, holder(0)))
    chain.carry_out(raw)  # the same bytes, now that the keys are his
    assert amount_of(chain, 1) == FUNDS_MINOR + 9


def test_a_transaction_beyond_the_quota_does_not_burn_its_id() -> None:
    chain = _exhausted()
    raw = chain.signing.sign(pay(0, 1), holder(0))
    assert chain.run(raw)[0].code == TransactionReason.QUOTA_EXCEEDED
    receipt = chain.run(raw, time_ms=chain.time_ms + MINUTE_MS)[0]
    assert receipt.code == CurrencyReason.PAYER_BALANCE_INSUFFICIENT


def test_a_refused_but_authorised_transaction_does_burn_its_id(chain: MemoryChain) -> None:
    raw = chain.signing.pay(0, 1, FUNDS_MINOR + 1)
    assert chain.run(raw)[0].code == CurrencyReason.PAYER_BALANCE_INSUFFICIENT
    assert chain.run(raw)[0].code == TransactionReason.TRANSACTION_REPEATED


def test_refuses_a_repeat_in_the_same_block(chain: MemoryChain) -> None:
    raw = chain.signing.pay(0, 1, 9)
    codes = [receipt.code for receipt in chain.run(raw, chain.signing.pay(2, 3), raw)]
    assert codes == [0, 0, TransactionReason.TRANSACTION_REPEATED]
    assert amount_of(chain, 1) == FUNDS_MINOR + 9


def test_refuses_a_repeat_in_every_later_block_until_it_expires(chain: MemoryChain) -> None:
    expires_at_ms = chain.time_ms + WINDOW_MS
    raw = chain.signing.sign(pay(0, 1, 9), holder(0), expires_at_ms=expires_at_ms)
    chain.carry_out(raw)
    while chain.time_ms < expires_at_ms - 1:
        time_ms = min(chain.time_ms + 37_000, expires_at_ms - 1)
        assert chain.run(raw, time_ms=time_ms)[0].code == TransactionReason.TRANSACTION_REPEATED
    for _ in range(20):
        assert chain.run(raw)[0].code == TransactionReason.TRANSACTION_EXPIRED
    assert amount_of(chain, 1) == FUNDS_MINOR + 9
    assert len(chain.window) == 0, "an id is still remembered long after it expired"


def test_two_equal_payments_differ_by_their_nonce(chain: MemoryChain) -> None:
    chain.carry_out(chain.signing.pay(0, 1, 9), chain.signing.pay(0, 1, 9))
    assert amount_of(chain, 1) == FUNDS_MINOR + 18


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        ([0], TransactionReason.POLICY_NOT_SATISFIED),
        ([0, 1], 0),
        ([1, 2], 0),
        ([0, 2], 0),
        ([0, 1, 2], 0),
    ],
    ids=str,
)
def test_two_of_three_keys_of_the_central_bank_must_sign(chain: MemoryChain, signers: list[int], code: int) -> None:
    issue = Issue("institution", INSTRUMENT, 1, world.nonce(77))
    assert chain.run(chain.signing.sign(issue, *[BANK[number] for number in signers]))[0].code == code


def test_a_foreign_signature_does_not_count_towards_the_threshold(chain: MemoryChain) -> None:
    issue = Issue("institution", INSTRUMENT, 1, world.nonce(77))
    receipt = chain.run(chain.signing.sign(issue, BANK[0], STRANGER))[0]
    assert receipt.code == TransactionReason.POLICY_NOT_SATISFIED
    assert chain.run(chain.signing.sign(issue, BANK[0], BANK[1], STRANGER))[0].code == 0


# The state that later transactions of a block see.


def test_a_later_transaction_of_a_block_sees_what_an_earlier_one_wrote(chain: MemoryChain) -> None:
    chain.carry_out(chain.signing.pay(0, 1, FUNDS_MINOR), chain.signing.pay(1, 2, 2 * FUNDS_MINOR))
    codes = [receipt.code for receipt in chain.run(chain.signing.pay(1, 0, 1), chain.signing.pay(2, 1, 1))]
    assert codes == [CurrencyReason.PAYER_BALANCE_INSUFFICIENT, 0]


def test_one_block_and_many_blocks_leave_the_same_records() -> None:
    together, apart = MemoryChain(funded()), MemoryChain(funded())
    raws = [together.signing.pay(number % 3, 3, number) for number in range(1, 20)]
    together.carry_out(*raws, time_ms=together.time_ms + 19)
    for raw in raws:
        apart.carry_out(raw, time_ms=apart.time_ms + 1)
    assert together.image() == apart.image(), "records or salts depend on how transactions are cut into blocks"


def test_salts_advance_with_every_write_of_a_salted_record(chain: MemoryChain) -> None:
    key = currency_keys.balance(wallet_id(0), INSTRUMENT)
    salts = []
    for _ in range(3):
        leaf = chain.leaf(key)
        assert leaf is not None
        salts.append(leaf.salt)
        chain.run(chain.signing.pay(0, 1, FUNDS_MINOR + 1))  # refused: the charge alone
    assert len(set(salts)) == 3
    assert all(len(salt) == 32 for salt in salts)


def test_rules_are_those_that_stood_before_the_block(chain: MemoryChain) -> None:
    height = chain.height + 4
    transactions = chain.signing.decide(ActivateRules("currency", 0, height), 1)
    chain.carry_out(*transactions)  # proposal and both votes in one block
    assert chain.get(membership_keys.rules("currency")).versions[-1].from_height == height
    while chain.height < height - 1:
        chain.carry_out(chain.signing.pay(0, 1))
    assert chain.run(chain.signing.pay(0, 1))[0].code == TransactionReason.ROOM_NOT_ACTIVE


# What consensus tells besides transactions.


def test_misbehaviour_is_recorded_before_the_transactions_and_leaves_no_receipt(chain: MemoryChain) -> None:
    act = world.misbehaviour(3)
    quiet = chain.block(chain.signing.pay(0, 1, 5))
    told, silent = chain.apply(quiet._replace(misbehaviour=(act,))), chain.apply(quiet)
    assert told.receipts == silent.receipts
    assert written(told)[1:] == written(silent)
    path, salt, record = written(told)[0]
    assert (path, salt) == (membership_keys.misbehaviour(act.address).path, b"")
    assert getattr(record, "first", None) == act


def test_a_block_that_tells_of_no_misbehaviour_and_has_no_transactions_writes_nothing(chain: MemoryChain) -> None:
    assert written(chain.apply(chain.block())) == []


def test_rules_without_a_beginning_of_a_block_pass_misbehaviour_over(chain: MemoryChain) -> None:
    rooms = {**SCHEDULE.rooms, "membership": {1: SCHEDULE.rooms["membership"][1]._replace(begin_block=None)}}
    block = chain.block()._replace(misbehaviour=(world.misbehaviour(3),))
    assert written(apply_block(chain, block, Schedule(rooms))) == []
