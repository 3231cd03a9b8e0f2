"""What becomes of what is submitted where CometBFT loses it, has no room, or is away; a test decides when.

The real one is in ``test_real_submission``; it cannot be made to lose things when it is asked to.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.core.policy import single
from fujie.core.reasons import TransactionReason
from fujie.core.room import Room
from fujie.engine.base import Outcome
from fujie.engine.cometbft import mempool as mempools
from fujie.engine.cometbft import submission as submitting
from fujie.engine.cometbft.consensus import Block, Consensus
from fujie.engine.cometbft.mempool import CALL, STANDS_MS
from fujie.engine.cometbft.rpc import Unanswered
from fujie.engine.cometbft.submission import Submission
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor, found
from fujie.engine.intake import Intake
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.currency.operations import Distribute, Pay, RotateWalletKeys
from fujie.modules.currency.transitions import ROOM_V1
from fujie.store.base import WriteBatch
from fujie.store.layout import Table, number_key
from fujie.store.snapshot import META_ORIGIN, Origin
from fujie.store.sqlite import SqliteStore
from tests import world
from tests.engine.failing import failing_schedule
from tests.parity.one_node import SECONDS_MAX, wait
from tests.world import INSTITUTION, INSTRUMENT, Clock, Signing, funded, holder, open_wallet, pay, wallet_id

NEW = world.WALLETS + 1  # a wallet that is not open
LIVES_MS = 5_000  # until it expires
HALT_MS = 6_000  # outlasts that


def opening(signing: Signing, expires_at_ms: int) -> bytes:
    give = Distribute("institution", wallet_id(NEW), INSTRUMENT, 100)
    return signing.sign([open_wallet(NEW), give], INSTITUTION, expires_at_ms=expires_at_ms)


def paying(signing: Signing, expires_at_ms: int, amount_minor: int = 1, payer: int = NEW) -> bytes:
    return signing.sign(pay(payer, 0, amount_minor), holder(payer), expires_at_ms=expires_at_ms)


def by_stranger(signing: Signing, expires_at_ms: int) -> bytes:
    return signing.sign(pay(0, 1), holder(3), expires_at_ms=expires_at_ms)


def expiring(chain: "Chain") -> bytes:
    """A payment that expires soon."""
    return chain.signing.sign(pay(0, 1), holder(0), expires_at_ms=chain.executor.head.time_ms + LIVES_MS)


def _waiting(chain: "Chain", raw: bytes) -> bool:
    """Whether what was submitted so far waits for a block."""
    with chain.submission._lock:
        flights = list(chain.submission._flights.values())
    return [flight.transaction.raw for flight in flights] == [raw] and chain.intake.pending == len(flights[0].waiting)


# A CometBFT that loses things, in memory: what it takes is decided when the test says so.


class Lossy:
    """In place of ``Rpc``: keeps what is broadcast, or loses it, or says that it cannot take it."""

    def __init__(self) -> None:
        self.mempool: list[bytes] = []
        self.calls: list[list[bytes]] = []
        self.loses = False
        self.answers: Callable[[bytes], str] = lambda _raw: ""
        self.is_away = False
        self.flushed = 0

    def broadcast(self, transactions: Sequence[bytes]) -> list[str]:
        self.calls.append(list(transactions))
        if self.is_away:
            raise Unanswered("broadcast_tx_async", "it is away")
        problems = [self.answers(raw) for raw in transactions]
        if not self.loses:
            self.mempool += [raw for raw, problem in zip(transactions, problems, strict=True) if not problem]
        return problems

    def flush_mempool(self) -> None:
        if self.is_away:
            raise Unanswered("unsafe_flush_mempool", "it is away")
        self.mempool.clear()
        self.flushed += 1


class Chain:
    """A ledger in memory, its intake and its submission, all in this thread: a test says when each does its part."""

    def __init__(self, schedule: Schedule) -> None:
        self.store = SqliteStore.open(None)
        found(self.store, funded())
        self.clock = Clock()
        self.rpc = Lossy()
        self.start(schedule)
        self.clock.now_ms = self.executor.head.time_ms

    def start(self, schedule: Schedule = SCHEDULE) -> None:
        """Open what stands in the store."""
        self.executor = Executor(self.store, schedule)
        self.verification = Verification(use_worker=False)
        self.intake = Intake(use_worker=False, prepare=self.verification.remember)
        self.submission = Submission(
            self.executor, self.intake, self.rpc, self.clock, decided_ms=lambda: self.executor.head.time_ms
        )
        self.consensus = Consensus(self.executor, self.verification, self.submission.mempool.note_unfit)
        self.signing = Signing(self.executor.chain_id)
        self.threads = [
            threading.Thread(target=target) for target in (self.intake.verify_all, self.submission.send_all)
        ]
        for thread in self.threads:
            thread.start()

    @property
    def expires_ms(self) -> int:
        """An expiry some minutes ahead."""
        return self.executor.head.time_ms + 300_000

    def submit(self, *raws: bytes) -> "Pending":
        return Pending(self.intake.submit(list(raws)))

    def propose(self, *raws: bytes, after_ms: int = 1_000) -> Block:
        """Propose a block of the mempool, or of ``raws``."""
        head = self.executor.head
        offered = Block(head.height + 1, head.time_ms + after_ms, raws or tuple(self.rpc.mempool))
        return offered._replace(transactions=self.consensus.propose(offered, BLOCK_BYTES_MAX))

    def decide(self, *raws: bytes, after_ms: int = 1_000, moves_clock: bool = True) -> None:
        """Make a block of the mempool, or of ``raws``."""
        block = self.propose(*raws, after_ms=after_ms)
        if not raws:
            self.rpc.mempool = [raw for raw in self.rpc.mempool if raw not in block.transactions]
        carried_out = self.consensus.carry_out(block)
        self.consensus.commit(carried_out)
        if moves_clock:
            self.clock.now_ms = block.time_ms
        receipts = carried_out.staged.result.receipts
        self.submission.settle_block(self.executor.head.log_size - len(receipts), receipts)

    def stop(self) -> None:
        """End all but the store; what waits is forgotten, here and in the mempool."""
        self.rpc.mempool.clear()
        with self.intake.changed:
            self.intake.closing = True
            self.intake.changed.notify_all()
        for thread in self.threads:
            thread.join()
        self.verification.close()

    def close(self) -> None:
        self.stop()
        self.store.close()


class Pending:
    """Outcomes that are waited for."""

    def __init__(self, future: Any) -> None:
        self.future = future

    @property
    def outcomes(self) -> list[Outcome]:
        found: list[Outcome] = self.future.result(SECONDS_MAX)
        return found

    @property
    def codes(self) -> list[int]:
        return [outcome.code for outcome in self.outcomes]


@contextmanager
def chain_of(schedule: Schedule = SCHEDULE) -> Iterator[Chain]:
    chain = Chain(schedule)
    try:
        yield chain
    finally:
        chain.close()


@pytest.fixture
def chain() -> Iterator[Chain]:
    with chain_of() as opened:
        yield opened


def test_what_the_sender_is_not_entitled_to_is_turned_away_and_reaches_no_mempool(chain: Chain) -> None:
    pending = chain.submit(by_stranger(chain.signing, chain.expires_ms))
    [outcome] = pending.outcomes
    assert outcome.code == TransactionReason.POLICY_NOT_SATISFIED
    assert outcome.receipt is None
    assert chain.rpc.calls == []


def test_a_payment_from_a_wallet_that_is_being_opened_waits_for_it(chain: Chain) -> None:
    opened = chain.submit(opening(chain.signing, chain.expires_ms))
    wait(lambda: len(chain.rpc.mempool) == 1)
    paid = chain.submit(paying(chain.signing, chain.expires_ms))
    chain.decide()
    assert opened.codes == [0]
    wait(lambda: len(chain.rpc.mempool) == 1)
    chain.decide()
    assert paid.codes == [0]


def test_a_whole_row_that_depends_on_what_came_before_is_carried_out_in_its_order(chain: Chain) -> None:
    other = world.signer("another holder")
    expires_ms = chain.expires_ms
    rotate = chain.signing.sign(
        RotateWalletKeys(wallet_id(NEW), single(other.public_key)), holder(NEW), expires_at_ms=expires_ms
    )
    by_other = chain.signing.sign(pay(NEW, 0), other, expires_at_ms=expires_ms)
    pending = chain.submit(opening(chain.signing, expires_ms), rotate, by_other)
    for _ in range(3):
        wait(lambda: len(chain.rpc.mempool) == 1)
        chain.decide()
    assert pending.codes == [0, 0, 0]


def test_what_is_not_entitled_after_all_that_came_before_is_turned_away_whatever_came_later(chain: Chain) -> None:
    first = chain.submit(chain.signing.pay(0, 1))
    wait(lambda: len(chain.rpc.mempool) == 1)
    stranger = chain.submit(by_stranger(chain.signing, chain.expires_ms))
    wait(lambda: len(chain.submission._parked) == 1)
    later = chain.submit(chain.signing.pay(1, 2))
    wait(lambda: len(chain.rpc.mempool) == 2)
    chain.decide(chain.rpc.mempool.pop(0))
    assert first.codes == [0]
    assert stranger.codes == [TransactionReason.POLICY_NOT_SATISFIED]
    assert not later.future.done()
    chain.decide()
    assert later.codes == [0]


def test_repeats_are_answered_with_the_first_receipt(chain: Chain) -> None:
    raw = chain.signing.pay(0, 1)
    twice = chain.submit(raw, raw)
    wait(lambda: bool(chain.rpc.mempool))
    joined = chain.submit(raw)
    wait(lambda: chain.intake.pending == 3 and not chain.intake.verified)
    assert chain.rpc.mempool == [raw]
    chain.decide()
    later = chain.submit(raw)
    answers = [*twice.outcomes, *joined.outcomes, *later.outcomes]
    assert len(answers) == 4
    assert {(answer.code, answer.log_index) for answer in answers} == {(0, 0)}
    assert len({answer.receipt for answer in answers}) == 1


def test_one_that_another_node_had_carried_out_first_is_answered_with_that_receipt(chain: Chain) -> None:
    raw = chain.signing.pay(0, 1)
    pending = chain.submit(raw)
    wait(lambda: chain.rpc.mempool == [raw])
    flight = next(iter(chain.submission._flights.values()))
    with chain.submission._lock:
        chain.submission._flights.clear()  # as if it had come here after the block, and not before
    chain.decide()
    with chain.submission._lock:
        chain.submission._flights[flight.transaction.id] = flight
    chain.decide(raw)  # a second validator had it in its mempool still
    [outcome] = pending.outcomes
    assert (outcome.code, outcome.log_index) == (0, 0)


def test_what_is_lost_on_the_way_is_handed_over_again(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "AGAIN_S", 0.1)
    chain.rpc.loses = True
    pending = chain.submit(chain.signing.pay(0, 1))
    wait(lambda: len(chain.rpc.calls) >= 3)
    chain.rpc.loses = False
    wait(lambda: bool(chain.rpc.mempool))
    chain.decide()
    assert pending.codes == [0]


def test_a_full_mempool_and_one_that_is_away_are_waited_for(chain: Chain) -> None:
    chain.rpc.answers = lambda _raw: "mempool is full"
    raws = [chain.signing.pay(0, 1) for _ in range(5)]
    pending = chain.submit(*raws)
    wait(lambda: len(chain.rpc.calls) >= 2)
    chain.rpc.is_away = True
    asked = len(chain.rpc.calls)
    wait(lambda: len(chain.rpc.calls) >= asked + 2)
    assert not pending.future.done()
    chain.rpc.answers, chain.rpc.is_away = (lambda _raw: ""), False
    wait(lambda: len(chain.rpc.mempool) == 5)
    assert chain.rpc.mempool == raws
    chain.decide()
    assert pending.codes == [0] * 5


def test_what_the_mempool_has_already_is_not_handed_over_again_and_again(chain: Chain) -> None:
    chain.rpc.answers = lambda _raw: "tx already exists in cache"
    raw = chain.signing.pay(0, 1)
    pending = chain.submit(raw)
    wait(lambda: bool(chain.rpc.calls))
    chain.submit(by_stranger(chain.signing, chain.expires_ms))  # has the loop go round once more
    wait(lambda: len(chain.submission._parked) == 1)
    assert len(chain.rpc.calls) == 1
    chain.decide(raw)
    assert pending.codes == [0]


def test_what_no_block_takes_is_settled_when_block_time_has_passed_its_expiry(chain: Chain) -> None:
    chain.rpc.loses = True
    raw = expiring(chain)
    pending = chain.submit(raw)
    wait(lambda: bool(chain.rpc.calls))
    chain.decide(chain.signing.pay(2, 3), after_ms=LIVES_MS - 1)
    assert not pending.future.done()
    chain.decide(chain.signing.pay(2, 3), after_ms=1)
    assert pending.codes == [TransactionReason.TRANSACTION_EXPIRED]
    assert pending.outcomes[0].receipt is None


@pytest.mark.parametrize("asked", ["before it expired", "afterwards"])
def test_what_may_lie_before_the_first_entry_of_the_log_is_not_said_to_have_expired(chain: Chain, asked: str) -> None:
    early, late = expiring(chain), expiring(chain)
    chain.decide(early)
    chain.decide(chain.signing.pay(2, 3))
    batch = WriteBatch()  # as in a store that was loaded without the first entry
    batch.delete(Table.LOG_ENTRIES, number_key(0))
    batch.delete(Table.TRANSACTION_INDEX, chain.verification.transaction(early).id)
    batch.put(Table.META, META_ORIGIN, encode(Origin(2, 1)))
    chain.store.commit(batch)
    chain.rpc.loses = True
    pending = chain.submit(late) if asked == "before it expired" else None
    if pending is not None:
        wait(lambda: bool(chain.rpc.calls))
    chain.decide(chain.signing.pay(2, 3), after_ms=LIVES_MS)
    pending = pending or chain.submit(late)
    assert pending.codes == chain.submit(early).codes == [TransactionReason.OUTCOME_NOT_KEPT]
    assert pending.outcomes[0].receipt is None


@pytest.mark.parametrize("begun", ["here", "at another node", "here before a restart"])
def test_a_halt_that_outlasts_the_expiry_settles_nothing_until_block_time_has_passed_it(
    chain: Chain, begun: str
) -> None:
    """The first block after a halt has the time of the halt, and any node may have kept the transaction for it."""
    raw = expiring(chain)
    if begun != "at another node":
        chain.submit(raw)
        wait(lambda: chain.rpc.mempool == [raw])
    if begun == "here before a restart":
        chain.stop()
        chain.start()
    chain.clock.now_ms += HALT_MS
    chain.rpc.loses = True
    asked_again = chain.submit(raw)
    wait(lambda: asked_again.future.done() or _waiting(chain, raw))
    chain.submission.refuse(chain.verification.transaction(raw), TransactionReason.TRANSACTION_EXPIRED)
    assert not asked_again.future.done()
    chain.decide(raw)
    [outcome] = asked_again.outcomes
    assert (outcome.code, outcome.log_index) == (0, 0)


def test_one_that_no_node_kept_over_a_halt_has_expired_when_block_time_says_so(chain: Chain) -> None:
    raw = expiring(chain)
    chain.clock.now_ms += HALT_MS
    chain.rpc.loses = True
    pending = chain.submit(raw)
    wait(lambda: pending.future.done() or bool(chain.rpc.calls))
    chain.decide(chain.signing.pay(2, 3), after_ms=LIVES_MS - 1)
    assert not pending.future.done()
    chain.decide(chain.signing.pay(2, 3), after_ms=1)
    assert pending.codes == chain.submit(raw).codes == [TransactionReason.TRANSACTION_EXPIRED]
    assert pending.outcomes[0].receipt is None


def test_who_is_not_entitled_is_turned_away_during_a_halt_as_well(chain: Chain) -> None:
    raw = chain.signing.sign(pay(0, 1), holder(3), expires_at_ms=chain.executor.head.time_ms + LIVES_MS)
    chain.clock.now_ms += HALT_MS
    assert chain.submit(raw).codes == [TransactionReason.POLICY_NOT_SATISFIED]
    assert chain.rpc.calls == []


def test_the_first_refusal_of_checktx_settles_and_a_later_one_does_not(chain: Chain) -> None:
    """After the first time, other validators may have it, and a block may carry it out whatever we say."""
    transactions = [chain.signing.pay(0, 1), chain.signing.pay(1, 2)]
    first, second = (chain.submit(raw) for raw in transactions)
    wait(lambda: len(chain.rpc.mempool) == 2)
    chain.submission.refuse(chain.verification.transaction(transactions[0]), TransactionReason.EXECUTION_FAILED)
    assert first.codes == [TransactionReason.EXECUTION_FAILED]
    asked = len(chain.rpc.calls)
    chain.submission.send_again()
    wait(lambda: len(chain.rpc.calls) > asked)
    chain.submission.refuse(chain.verification.transaction(transactions[1]), TransactionReason.EXECUTION_FAILED)
    assert not second.future.done()
    chain.decide(transactions[1])
    assert second.codes == [0]


def test_a_transaction_at_which_a_rule_fails_is_turned_away_and_the_others_go_on() -> None:
    handler = ROOM_V1.handlers[Pay]

    def authorise_or_fail(state: Any, context: Any, operation: Pay) -> None:
        if operation.amount_minor == 13:
            raise ZeroDivisionError("a fault of the program")
        handler.authorise(state, context, operation)

    faulty = handler._replace(authorise=authorise_or_fail)
    room = Room("currency", 1, {**ROOM_V1.handlers, Pay: faulty}, ROOM_V1.genesis)
    with chain_of(Schedule({**SCHEDULE.rooms, "currency": {1: room}})) as chain:
        pending = chain.submit(chain.signing.pay(0, 1, 12), chain.signing.pay(0, 1, 13), chain.signing.pay(0, 1, 14))
        wait(lambda: len(chain.rpc.mempool) == 2)
        chain.decide()
        # What fails waits like what is not entitled: the fault may lie in a state that something before it changes.
        assert pending.codes == [0, TransactionReason.EXECUTION_FAILED, 0]


def test_a_mempool_with_what_is_never_proposed_is_emptied_and_the_rest_is_handed_over_again() -> None:
    with chain_of(failing_schedule(lambda _state, operation: operation.amount_minor == 13)) as chain:
        good, bad = chain.signing.pay(0, 1, 12), chain.signing.pay(0, 1, 13)
        pending, stuck = chain.submit(good), chain.submit(bad)
        wait(lambda: len(chain.rpc.mempool) == 2)
        chain.rpc.answers = lambda raw: "quarantined" if chain.consensus.quarantined(raw) else ""
        chain.rpc.is_away = True
        assert chain.propose().transactions == (good,)
        chain.rpc.is_away = False
        wait(lambda: chain.rpc.mempool == [good])
        assert chain.rpc.flushed == 1
        chain.decide()
        assert pending.codes == [0]
        assert not stuck.future.done(), "other validators may carry it out until it expires"
        assert chain.rpc.mempool == []


def test_a_chain_that_stands_still_is_called_and_the_call_forgotten_as_it_moves_on(chain: Chain) -> None:
    mempool = chain.submission.mempool
    chain.clock.now_ms += STANDS_MS
    assert mempool.call() == b""
    chain.clock.now_ms += 1
    call = CALL + (chain.executor.head.height + 1).to_bytes(8, "big")
    wait(lambda: chain.rpc.mempool == [call])
    assert mempool.admits(call)
    assert not mempool.admits(CALL + bytes(8))
    raw = chain.signing.pay(0, 1)
    pending = chain.submit(raw)
    wait(lambda: chain.rpc.mempool == [call, raw])
    assert chain.propose().transactions == (raw,), "a call is no transaction"
    assert chain.consensus.judge(Block(chain.executor.head.height + 1, chain.clock.now_ms, (call,))) is not None
    chain.decide(after_ms=STANDS_MS)
    chain.submission.move_on()
    wait(lambda: chain.rpc.mempool == [])
    assert pending.codes == [0]
    assert not mempool.admits(call)
    assert chain.rpc.flushed == 1


def test_who_fetches_older_blocks_calls_for_none(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempools, "STANDS_S", 0.6)
    chain.clock.now_ms = chain.executor.head.time_ms + 10 * STANDS_MS
    mempool = chain.submission.mempool
    for _ in range(5):
        chain.decide(chain.signing.pay(0, 1), moves_clock=False)
        wait(lambda: mempool._stands[0] == chain.executor.head.height)  # the thread has gone round since
    assert mempool.call()
    assert chain.rpc.calls == []
    wait(lambda: len(chain.rpc.mempool) == 1)


def test_a_call_that_was_emptied_with_the_rest_is_made_again(chain: Chain) -> None:
    chain.clock.now_ms += STANDS_MS + 1
    wait(lambda: len(chain.rpc.mempool) == 1)
    chain.submission.mempool.note_unfit()
    wait(lambda: chain.rpc.flushed == 1)
    wait(lambda: len(chain.rpc.mempool) == 1)


def test_what_the_others_have_lost_is_told_to_them_again(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("AGAIN_S", 0.1), ("STRANDED_S", 1.0)):
        monkeypatch.setattr(submitting, name, seconds)
    raw = chain.signing.pay(0, 1)
    chain.rpc.answers = lambda asked: "tx already exists in cache" if asked in chain.rpc.mempool else ""
    pending = chain.submit(raw)
    wait(lambda: len(chain.rpc.calls) > 2)
    time.sleep(1.2)
    assert chain.rpc.flushed == 0, "no block was made that it could have stood in"
    chain.decide(chain.signing.pay(2, 3))
    wait(lambda: chain.rpc.flushed == 1)
    wait(lambda: chain.rpc.mempool == [raw])
    chain.decide()
    assert pending.codes == [0]


def test_what_was_carried_out_is_not_proposed_again_and_leaves_the_mempool(chain: Chain) -> None:
    raw = chain.signing.pay(0, 1)
    chain.decide(raw)
    chain.rpc.mempool = [raw]  # as CometBFT may hold it after it was emptied while it came
    assert chain.propose().transactions == ()
    wait(lambda: chain.rpc.mempool == [])
