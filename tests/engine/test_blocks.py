"""How the embedded engine makes blocks: at once when idle, proven at once, together under load, and never in doubt."""

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.reasons import TransactionReason
from fujie.core.state import Key
from fujie.engine.base import Outcome
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor
from fujie.machine.genesis import compose, founding_record
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.membership.records import SetParameters, SetValidator
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.proof.bundle import Absent, Logged, Present, encode_bundle, verify
from tests import world
from tests.engine.failing import failing_schedule
from tests.world import (
    INSTRUMENT,
    KINDS,
    ON_DISK,
    START_MS,
    Clock,
    Kind,
    Signing,
    funded,
    holder,
    load_block,
    pay,
    running,
    trust_of,
    wallet_id,
)

SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it


def all_of(futures: list[Future[list[Outcome]]]) -> list[Outcome]:
    return [outcome for future in futures for outcome in future.result(SECONDS_MAX)]


def settle(engine: EmbeddedEngine, *raws: bytes) -> list[Outcome]:
    """Submit, and wait until the outcomes are proven."""
    outcomes = engine.submit(raws).result(SECONDS_MAX)
    for outcome in outcomes:
        if outcome.log_index is not None:
            assert engine.wait_proven(outcome.log_index, SECONDS_MAX)
    return outcomes


def counts(engine: EmbeddedEngine) -> list[int]:
    """How many transactions each block holds, by height."""
    return [load_block(engine.executor, height)[2].transactions for height in range(1, engine.head.height + 1)]


class Gate:
    """A clock that lets the ledger thread into a block only when the test says so: the time is asked for before it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.waiting = threading.Event()

    def __call__(self) -> int:
        if not self.open.is_set():
            self.waiting.set()
            assert self.open.wait(SECONDS_MAX)
        return 0

    def close(self, engine: EmbeddedEngine, raw: bytes) -> Future[list[Outcome]]:
        """Shut the gate and let the ledger thread run against it with ``raw``."""
        self.open.clear()
        self.waiting.clear()
        future = engine.submit([raw])
        assert self.waiting.wait(SECONDS_MAX)
        return future


# When blocks are made.


@pytest.mark.parametrize("kind", KINDS)
def test_an_idle_engine_makes_a_block_at_once_and_then_the_empty_one_that_proves_it(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        assert counts(engine) == [0], "the first block proves genesis"
        for number in range(3):
            outcome = settle(engine, signing.pay(0, 1))[0]
            assert outcome.receipt is not None
            assert outcome.receipt.height == 2 * number + 2
            assert engine.proven.head.height == outcome.receipt.height
            assert counts(engine) == [0, *[1, 0] * (number + 1)]
        # The header of the empty block carries the app hash of the state after the payment.
        header = load_block(engine.executor, engine.head.height).header
        assert header.app_hash == engine.head.app_hash == engine.proven.head.app_hash


def test_an_empty_block_leaves_the_app_hash_as_it_was(tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine:
        settle(engine, Signing(engine.chain_id).pay(0, 1))
        hashes = world.app_hashes(engine.executor)
        assert hashes[0] == hashes[1], "header 1 and header 2 stand for genesis and the empty block 1"
        assert hashes[2] == engine.head.app_hash != hashes[1]


def test_the_heartbeat_makes_empty_blocks_when_idle(tmp_path: Path) -> None:
    with running("memory", tmp_path, clock_ms=None, heartbeat_ms=5) as engine:
        first = engine.head
        beats = threading.Event()
        while engine.head.height < first.height + 3:
            beats.wait(0.002)
        assert engine.head.app_hash == first.app_hash
        assert set(counts(engine)) == {0}
        times = [load_block(engine.executor, height)[0].time_ms for height in range(1, first.height + 3)]
        assert times == sorted(set(times))


def test_there_is_no_heartbeat_before_it_is_due(tmp_path: Path) -> None:
    clock = Clock(START_MS + 10_000)
    with running("memory", tmp_path, clock_ms=clock, heartbeat_ms=60_000) as engine:
        settle(engine, Signing(engine.chain_id).pay(0, 1))
        assert counts(engine) == [0, 1, 0]


@pytest.mark.parametrize("now_ms", [0, START_MS - 86_400_000, START_MS + 10_000])
def test_block_time_follows_the_clock_and_never_stands_or_goes_back(now_ms: int, tmp_path: Path) -> None:
    clock = Clock(now_ms)
    with running("memory", tmp_path, clock_ms=clock) as engine:
        signing = Signing(engine.chain_id)
        for step_ms in (0, 7_000, -3_000, 1):
            clock.now_ms += step_ms
            settle(engine, signing.pay(0, 1))
        times = [load_block(engine.executor, height)[0].time_ms for height in range(1, engine.head.height + 1)]
    assert times == sorted(set(times))
    assert times[0] == max(now_ms, funded().time_ms + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_under_load_goes_into_one_block_and_one_commit(kind: Kind, tmp_path: Path) -> None:
    gate = Gate()
    with running(kind, tmp_path, clock_ms=gate) as engine:
        signing = Signing(engine.chain_id)
        first = gate.close(engine, signing.pay(0, 1))
        futures = [engine.submit([signing.pay(n % 4, (n + 1) % 4)]) for n in range(300)]
        last = engine.submit([signing.pay(0, 1)])
        while len(engine._intake.verified) < 301:
            threading.Event().wait(0.001)
        gate.open.set()
        assert {outcome.code for outcome in all_of([first, *futures, last])} == {0}
        assert engine.wait_proven(301, SECONDS_MAX)
        assert counts(engine) == [0, 1, 301, 0], "301 submissions in one block, and no proving block in between"


def test_outcomes_stand_in_the_order_of_submission(tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine:
        signing = Signing(engine.chain_id)
        good = [signing.pay(0, 1, n + 1) for n in range(20)]
        poor = signing.pay(2, 1, 10**12)
        stranger = signing.sign(pay(0, 1), holder(3))
        raws = [*good[:7], b"", poor, *good[7:15], stranger, good[0], *good[15:]]
        outcomes = engine.submit(raws).result(SECONDS_MAX)
        codes = {
            7: TransactionReason.TRANSACTION_MALFORMED,
            8: CurrencyReason.PAYER_BALANCE_INSUFFICIENT,
            17: TransactionReason.POLICY_NOT_SATISFIED,
        }
        assert [outcome.code for outcome in outcomes] == [codes.get(place, 0) for place in range(len(raws))]
        amounts = [
            outcome.receipt.events[0].amount_minor for outcome in outcomes if outcome.receipt and not outcome.code
        ]
        assert amounts == [*range(1, 16), 1, *range(16, 21)]
        indices = [outcome.log_index for outcome in outcomes if outcome.log_index is not None]
        assert indices == [*range(16), 0, *range(16, 21)], "the repeat is answered with the place of the first"


def test_an_empty_submission_is_answered_at_once(tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine:
        assert engine.submit([]).result(0) == []


# What gets no place on the ledger.


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_was_entitled_to_send_makes_no_block(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        settle(engine, signing.pay(0, 1))
        before = engine.head
        stranger = [signing.sign(pay(0, 1), holder(3)) for _ in range(5)]
        other_chain = Signing("another-chain").pay(0, 1)
        for _ in range(3):
            outcomes = engine.submit([*stranger, other_chain]).result(SECONDS_MAX)
            assert [outcome.code for outcome in outcomes] == [TransactionReason.POLICY_NOT_SATISFIED] * 5 + [
                TransactionReason.CHAIN_ID_DIFFERS
            ]
            assert all(outcome.receipt is None and outcome.log_index is None for outcome in outcomes)
        assert engine.head == before, "whoever may not act can still make the chain grow"


def test_what_nobody_was_entitled_to_send_does_not_delay_the_proof_of_the_rest(tmp_path: Path) -> None:
    gate = Gate()
    with running("memory", tmp_path, clock_ms=gate) as engine:
        signing = Signing(engine.chain_id)
        first = gate.close(engine, signing.pay(0, 1))
        refused = engine.submit([signing.sign(pay(0, 1), holder(3))])
        while not engine._intake.verified:
            threading.Event().wait(0.001)
        gate.open.set()
        assert first.result(SECONDS_MAX)[0].code == 0
        assert refused.result(SECONDS_MAX)[0].code == TransactionReason.POLICY_NOT_SATISFIED
        assert engine.wait_proven(0, SECONDS_MAX)
        assert counts(engine) == [0, 1, 0]


# Repeats.


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_bytes_are_answered_with_the_first_receipt(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        raw, refused = signing.pay(0, 1, 5), signing.pay(0, 1, 10**12)
        first, second, third, fourth = engine.submit([raw, raw, refused, refused]).result(SECONDS_MAX)
        assert first == second
        assert third == fourth
        assert (first.code, third.code) == (0, CurrencyReason.PAYER_BALANCE_INSUFFICIENT)
        settle(engine, signing.pay(2, 3))
        height = engine.head.height
        assert engine.submit([refused, raw]).result(SECONDS_MAX) == [third, first]
        assert engine.submit([raw]).result(SECONDS_MAX) == [first]
        assert engine.head.height == height, "a repeat makes no block"
        assert engine.head.log_size == 3
        assert world.balance_minor(engine.executor, 1) == world.FUNDS_MINOR + 5


@pytest.mark.parametrize("kind", ON_DISK)
def test_the_same_bytes_are_answered_with_the_first_receipt_after_a_restart(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        raws = [signing.pay(0, 1, n + 1) for n in range(50)] + [signing.pay(0, 1, 10**12)]
        outcomes = engine.submit(raws).result(SECONDS_MAX)
        window = len(engine.executor.window)
    with running(kind, tmp_path) as engine:
        assert len(engine.executor.window) == window == 51, "the window was not rebuilt from the log"
        assert engine.submit(raws).result(SECONDS_MAX) == outcomes
        assert engine.head.log_size == 51


@pytest.mark.parametrize("kind", ON_DISK)
def test_an_expired_transaction_is_not_carried_out_again_after_a_restart(kind: Kind, tmp_path: Path) -> None:
    clock = Clock()
    with running(kind, tmp_path, clock_ms=clock) as engine:
        signing = Signing(engine.chain_id)
        raw, late = signing.pay(0, 1, 5), signing.pay(0, 1, 6)
        settle(engine, raw)
        first = engine.submit([raw]).result(SECONDS_MAX)
        clock.now_ms = world.EXPIRES_MS
        assert engine.submit([raw]).result(SECONDS_MAX) == first
        assert engine.submit([late]).result(SECONDS_MAX)[0].code == TransactionReason.TRANSACTION_EXPIRED
    with running(kind, tmp_path, clock_ms=clock) as engine:
        assert engine.submit([raw]).result(SECONDS_MAX) == first
        assert world.balance_minor(engine.executor, 1) == world.FUNDS_MINOR + 5


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_shorter_window_does_not_let_a_restarted_node_forget_what_has_not_expired(kind: Kind, tmp_path: Path) -> None:
    clock = Clock()
    with running(kind, tmp_path, clock_ms=clock) as engine:
        signing = Signing(engine.chain_id)
        raw = signing.pay(0, 1, 5)
        first = settle(engine, raw)[0]
        for vote in signing.decide(SetParameters(None, 10_000, None, None, None), 1):
            short = engine.head.time_ms + 5_000
            assert settle(engine, vote)[0].code == 0, short
        # More than the new window later, and less than it before the expiry of the first payment.
        clock.now_ms = world.EXPIRES_MS - 8_000
        late = signing.sign(pay(2, 3), holder(2), expires_at_ms=world.EXPIRES_MS)
        assert settle(engine, late)[0].code == 0
        assert engine.submit([raw]).result(SECONDS_MAX)[0] == first
    with running(kind, tmp_path, clock_ms=clock) as engine:
        assert engine.submit([raw]).result(SECONDS_MAX)[0] == first, "the payment was carried out twice"
        assert world.balance_minor(engine.executor, 1) == world.FUNDS_MINOR + 5


# Faults of the program.


@pytest.mark.parametrize("kind", KINDS)
def test_a_transaction_that_fails_unexpectedly_does_not_stop_the_ledger(kind: Kind, tmp_path: Path) -> None:
    schedule = failing_schedule(lambda _state, operation: operation.amount_minor == 13)
    with running(kind, tmp_path, schedule=schedule) as engine:
        signing = Signing(engine.chain_id)
        raws = [signing.pay(0, 1, n) for n in (1, 13, 2, 13, 3)] + [signing.sign(pay(0, 1), holder(3))]
        outcomes = settle(engine, *raws)
        failed = TransactionReason.EXECUTION_FAILED
        assert [outcome.code for outcome in outcomes] == [
            0,
            failed,
            0,
            failed,
            0,
            TransactionReason.POLICY_NOT_SATISFIED,
        ]
        assert [outcome.log_index for outcome in outcomes] == [0, None, 1, None, 2, None]
        assert outcomes[1].transaction_id != b""
        assert engine.failure is None
        assert settle(engine, signing.pay(0, 1, 13))[0].code == failed
        assert settle(engine, signing.pay(0, 1, 4))[0].code == 0
        assert world.balance_minor(engine.executor, 1) == world.FUNDS_MINOR + 10
        assert world.findings(engine.executor.store) == []
    with running(kind, tmp_path) as engine:  # a program without the fault
        if kind != "memory":
            codes = [outcome.code for outcome in settle(engine, *raws[:5])]
            assert codes == [0] * 5, "what was quarantined may be submitted again"


def test_a_transaction_that_fails_only_after_others_of_its_block_does_not_stop_the_ledger(tmp_path: Path) -> None:
    def fails(state: Any, operation: Pay) -> bool:
        before = state.get(currency_keys.balance(operation.payer, INSTRUMENT))
        return bool(before.amount_minor == 1)  # which no wallet has before the block

    with running("memory", tmp_path, schedule=failing_schedule(fails)) as engine:
        signing = Signing(engine.chain_id)
        raws = [signing.pay(0, 1, world.FUNDS_MINOR - 1), signing.pay(0, 1, 1), signing.pay(2, 3, 5)]
        assert [outcome.code for outcome in settle(engine, *raws)] == [0, TransactionReason.EXECUTION_FAILED, 0]
        assert engine.failure is None
        assert world.findings(engine.executor.store) == []


def test_a_dry_run_that_fails_unexpectedly_says_so_and_leaves_no_trace(tmp_path: Path) -> None:
    schedule = failing_schedule(lambda _state, operation: operation.amount_minor == 13)
    with running("memory", tmp_path, schedule=schedule) as engine:
        signing = Signing(engine.chain_id)
        before = engine.head
        assert engine.dry_run(signing.pay(0, 1, 13)).code == TransactionReason.EXECUTION_FAILED
        assert engine.dry_run(b"?").code == TransactionReason.TRANSACTION_MALFORMED
        raw = signing.pay(0, 1, 12)
        rehearsed = engine.dry_run(raw)
        assert (rehearsed.code, rehearsed.log_index) == (0, None)
        assert rehearsed.receipt is not None
        assert engine.head == before
        assert settle(engine, raw)[0].receipt == rehearsed.receipt


def test_a_caller_that_cancels_does_not_stop_the_ledger(tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine:
        signing = Signing(engine.chain_id)
        futures = [engine.submit([signing.pay(n % 4, (n + 1) % 4)]) for n in range(200)]
        assert not any(future.cancel() for future in futures)
        assert {outcome.code for outcome in all_of(futures)} == {0}
        assert engine.failure is None


def test_closing_answers_whoever_still_waits(tmp_path: Path) -> None:
    gate = Gate()
    with running("memory", tmp_path, clock_ms=gate) as engine:
        signing = Signing(engine.chain_id)
        first = gate.close(engine, signing.pay(0, 1))
        waiting = [engine.submit([signing.pay(0, 1)]) for _ in range(5)]
        closer = threading.Thread(target=engine.close)
        closer.start()
        while not engine._intake.closing:
            threading.Event().wait(0.001)
        gate.open.set()
        closer.join(SECONDS_MAX)
        assert first.result(SECONDS_MAX)[0].code == 0, "the block in hand was not finished"
        for future in waiting:
            with pytest.raises(OperationalError, match="closed"):
                future.result(SECONDS_MAX)
        with pytest.raises(OperationalError, match="closed"):
            engine.submit([signing.pay(0, 1)])
        engine.close()


def test_refuses_a_folder_that_was_founded_with_another_validator(tmp_path: Path) -> None:
    with running("sqlite", tmp_path):
        pass
    store = world.open_kind("sqlite", tmp_path)
    with pytest.raises(OperationalError, match="Restore the key file"):
        EmbeddedEngine(Executor(store), holder(0))
    store.close()


def test_a_vote_on_validators_does_not_end_an_embedded_chain(tmp_path: Path) -> None:
    with running("sqlite", tmp_path) as engine:
        for raw in Signing(engine.chain_id).decide(SetValidator(holder(0).public_key, 5, "world"), 1):
            assert settle(engine, raw)[0].code == 0
        assert engine.executor.live.get(VALIDATORS_KEY) != founding_record(engine.executor.genesis, VALIDATORS_KEY)
    with running("sqlite", tmp_path) as engine:
        paid = settle(engine, Signing(engine.chain_id, first_nonce=9_000).pay(0, 1))[0]
        bundle = engine.prove_receipt(paid.transaction_id)
        assert bundle is not None
        verify(encode_bundle(bundle), trust_of(engine))


# Reading.


def readable() -> list[Key[Any]]:
    present: list[Key[Any]] = [currency_keys.balance(wallet_id(number), INSTRUMENT) for number in range(4)]
    return [*present, currency_keys.wallet(wallet_id(0)), currency_keys.wallet(bytes(16))]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_with_proof_always_verifies_while_payments_run(kind: Kind, tmp_path: Path) -> None:
    problems: list[BaseException] = []
    heights: list[int] = []
    stop = threading.Event()
    with running(kind, tmp_path) as engine:
        trust = trust_of(engine)
        keys = readable()

        def read() -> None:
            try:
                last = 0
                while not stop.is_set():
                    data = encode_bundle(engine.prove(keys))
                    verified = verify(data, trust)
                    assert [item.path for item in verified.items if not isinstance(item, Logged)] == [
                        key.path for key in keys
                    ]
                    held = 0
                    for item, key in zip(verified.items, keys, strict=True):
                        if isinstance(item, Present) and item.path.startswith("currency/balance/"):
                            held += key.codec.decode(item.record).amount_minor
                    assert isinstance(verified.items[-1], Absent)
                    assert held == 4 * world.FUNDS_MINOR, "the balances of one bundle are of different blocks"
                    assert verified.header.height >= last, "a later answer stands under an older header"
                    last = verified.header.height
                    heights.append(last)
            except BaseException as error:  # noqa: BLE001 - told by the thread of the test
                problems.append(error)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        signing = Signing(engine.chain_id)
        under_way: list[Future[list[Outcome]]] = []
        for number in range(300):
            under_way.append(engine.submit([signing.pay(number % 4, (number + 1) % 4)]))
            if len(under_way) > 4:
                assert under_way.pop(0).result(SECONDS_MAX)[0].code == 0
        assert {outcome.code for outcome in all_of(under_way)} == {0}
        while not problems and len(heights) < 5:
            threading.Event().wait(0.001)
        stop.set()
        for reader in readers:
            reader.join(SECONDS_MAX)
        assert problems == []
        assert world.findings(engine.executor.store) == []


@pytest.mark.parametrize("kind", KINDS)
def test_plain_reads_never_run_ahead_of_the_proven_state(kind: Kind, tmp_path: Path) -> None:
    key = currency_keys.balance(wallet_id(1), INSTRUMENT)
    problems: list[str] = []
    stop = threading.Event()
    with running(kind, tmp_path) as engine:

        def read() -> None:
            while not stop.is_set():
                # Every payment adds one minor unit and one log entry, so the amount tells of which block it is.
                lower = engine.proven.head.log_size
                leaf = engine.read(key)
                upper = engine.proven.head.log_size
                amount: Any = None if leaf is None else leaf.record
                if not lower <= amount.amount_minor - world.FUNDS_MINOR <= upper:
                    problems.append(f"{amount} between log sizes {lower} and {upper}")

        reader = threading.Thread(target=read)
        reader.start()
        signing = Signing(engine.chain_id)
        for _ in range(60):
            settle(engine, signing.pay(0, 1, 1))
        stop.set()
        reader.join(SECONDS_MAX)
    assert problems == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_receipt_is_proven_as_soon_as_it_is_there(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        trust = trust_of(engine)
        signing = Signing(engine.chain_id)
        for _ in range(5):
            raw = signing.pay(0, 1)
            outcome = engine.submit([raw]).result(SECONDS_MAX)[0]
            bundle = engine.prove_receipt(outcome.transaction_id)
            assert bundle is not None
            item = verify(encode_bundle(bundle), trust).items[0]
            assert isinstance(item, Logged)
            assert (item.transaction, item.receipt) == (raw, encode(outcome.receipt))
        assert engine.prove_receipt(bytes(32)) is None


def test_quota_is_counted_by_block_time(tmp_path: Path) -> None:
    clock = Clock(START_MS + 1)
    genesis = compose("world", START_MS, world.parts(operations_per_minute=2))
    with running("memory", tmp_path, genesis=genesis, clock_ms=clock) as engine:
        signing = Signing(engine.chain_id)
        opening = [signing.sign(world.open_wallet(number), world.INSTITUTION) for number in range(3)]
        assert [outcome.code for outcome in settle(engine, *opening)] == [0, 0, TransactionReason.QUOTA_EXCEEDED]
        clock.now_ms += 60_000
        assert settle(engine, opening[2])[0].code == 0
