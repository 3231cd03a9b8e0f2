"""What becomes of what is submitted to a real CometBFT, supervised by the engine; it hangs and is killed."""

import base64
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fujie.core.reasons import TransactionReason
from fujie.engine.base import Outcome
from fujie.engine.cometbft.engine import CometEngine
from fujie.engine.cometbft.mempool import STANDS_MS
from fujie.engine.executor import found
from fujie.store.sqlite import SqliteStore
from tests import world
from tests.abci.test_submission import by_stranger, opening, paying
from tests.engine.failing import failing_schedule
from tests.parity.one_node import EXPIRY_MS, NS_PER_MS, SECONDS_MAX, OneNode, one_node, soon_ms, wait
from tests.parity.test_parity import submissions
from tests.world import funded, holder, pay

pytestmark = [
    pytest.mark.go,
    pytest.mark.slow,
    # httpcore leaves a Unix socket to the garbage collector when nobody listens there, as while CometBFT starts again.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def node() -> Iterator[OneNode]:
    with one_node() as made:
        yield made


@pytest.fixture(scope="module")
def engine(node: OneNode) -> Iterator[CometEngine]:
    with node.open() as opened:
        yield opened


def test_strangers_fill_no_mempool(node: OneNode, engine: CometEngine) -> None:
    size = engine.head.log_size
    [outcome] = engine.submit([by_stranger(node.signing, soon_ms())]).result(SECONDS_MAX)
    assert (outcome.code, outcome.receipt) == (TransactionReason.POLICY_NOT_SATISFIED, None)
    assert node.ask("num_unconfirmed_txs")["total"] == "0"
    assert engine.executor.head.log_size == size


def test_what_a_peer_sends_that_is_no_transaction_is_refused_and_stops_nothing(
    node: OneNode, engine: CometEngine
) -> None:
    good = node.pay(0, 1)
    for raw in (b"garbage", good[:-1], good[:-1] + bytes((good[-1] ^ 1,))):
        answer = node.ask("broadcast_tx_sync", tx=base64.b64encode(raw).decode())
        assert answer["code"] in (TransactionReason.TRANSACTION_MALFORMED, TransactionReason.SIGNATURE_INVALID)
    assert [outcome.code for outcome in engine.submit([node.pay(0, 1)]).result(SECONDS_MAX)] == [0]


def test_opens_then_pays_in_one_submission(node: OneNode, engine: CometEngine) -> None:
    raws = [opening(node.signing, soon_ms()), paying(node.signing, soon_ms()), by_stranger(node.signing, soon_ms())]
    outcomes = engine.submit(raws).result(SECONDS_MAX)
    assert [outcome.code for outcome in outcomes] == [0, 0, TransactionReason.POLICY_NOT_SATISFIED]


def test_answers_a_repeat_with_the_first_receipt(node: OneNode, engine: CometEngine) -> None:
    raw = node.pay(0, 1)
    futures = [engine.submit([raw, raw]), engine.submit([raw])]
    outcomes = [outcome for future in futures for outcome in future.result(SECONDS_MAX)]
    outcomes += engine.submit([raw]).result(SECONDS_MAX)
    assert len({(outcome.code, outcome.log_index, outcome.receipt) for outcome in outcomes}) == 1
    assert outcomes[0].code == 0


def test_block_time_alone_says_what_has_expired_while_cometbft_hangs(node: OneNode, engine: CometEngine) -> None:
    process = engine._process.pid
    expires_ms = soon_ms() - EXPIRY_MS + 1_500
    raw = node.signing.sign(pay(0, 1), holder(0), expires_at_ms=expires_ms)
    os.kill(process, signal.SIGSTOP)
    try:
        future = engine.submit([raw])
        wait(lambda: soon_ms() - EXPIRY_MS > expires_ms)
        assert not future.done()
    finally:
        os.kill(process, signal.SIGCONT)
    [outcome] = future.result(SECONDS_MAX)
    assert outcome.receipt is not None, "a block that has the time of before may be the next one, and decides"
    assert (outcome.code == 0) == (outcome.receipt.time_ms < expires_ms)
    wait(lambda: engine.executor.head.time_ms > expires_ms)
    late = node.signing.sign(pay(0, 1, 2), holder(0), expires_at_ms=expires_ms)
    [outcome] = engine.submit([late]).result(SECONDS_MAX)
    assert (outcome.code, outcome.receipt) == (TransactionReason.TRANSACTION_EXPIRED, None)


def test_goes_on_when_cometbft_is_killed_and_answers_everybody_once(node: OneNode, engine: CometEngine) -> None:
    size = engine.executor.head.log_size
    futures = [engine.submit([node.pay(n % 4, (n + 1) % 4) for n in range(50)]) for _ in range(5)]
    os.kill(engine._process.pid, signal.SIGKILL)
    futures += [engine.submit([node.pay(n % 4, (n + 1) % 4) for n in range(50)]) for _ in range(5)]
    outcomes = [outcome for future in futures for outcome in future.result(SECONDS_MAX)]
    assert [outcome.code for outcome in outcomes] == [0] * 500
    assert sorted(outcome.log_index or 0 for outcome in outcomes) == list(range(size, size + 500))
    assert world.findings(engine.executor.store) == []


def test_gives_the_outcomes_of_the_embedded_engine_for_the_same_submissions() -> None:
    with one_node() as node, node.open() as comet:
        asked = [*submissions(node.signing, soon_ms()), [by_stranger(node.signing, soon_ms())]]
        asked.append([opening(node.signing, soon_ms()), paying(node.signing, soon_ms(), 10**6)])
        real = [[_of(each) for each in comet.submit(raws).result(SECONDS_MAX)] for raws in asked]
        engine = world.open_engine(_founded(), clock_ms=comet._clock_ms)
        try:
            embedded = [[_of(each) for each in engine.submit(raws).result(SECONDS_MAX)] for raws in asked]
        finally:
            engine.close()
    assert real == embedded


def _founded() -> SqliteStore:
    store = SqliteStore.open(None)
    found(store, funded())
    return store


def _of(outcome: Outcome) -> tuple[Any, ...]:
    """What of an outcome does not depend on when a block was made."""
    receipt = outcome.receipt
    told = None if receipt is None else (receipt.authorised, receipt.operation, receipt.code, receipt.events)
    return outcome.transaction_id, outcome.code, told, outcome.log_index


def test_a_transaction_that_raises_is_never_in_a_block_and_costs_none() -> None:
    schedule = failing_schedule(lambda _state, operation: operation.amount_minor == 13)
    with one_node() as node, node.open(schedule) as engine:
        bad, good = engine.submit([node.pay(0, 1, 13)]), engine.submit([node.pay(0, 1, 12)])
        assert [outcome.code for outcome in good.result(SECONDS_MAX)] == [0]
        wait(lambda: node.ask("num_unconfirmed_txs")["total"] == "0")
        before = engine.executor.head.height
        time.sleep(2)
        assert engine.executor.head.height <= before + 3, (
            "with a transaction in the mempool it makes some twenty a second"
        )
        assert sum(len(block.transactions) for block in node.decided(engine)) == 1
        assert not bad.done()


def test_a_chain_that_stands_still_makes_blocks_until_it_has_a_young_one() -> None:
    ahead_ms = 0
    with one_node() as node, node.open(clock_ms=lambda: time.time_ns() // NS_PER_MS + ahead_ms) as engine:
        before = engine.executor.head.height
        ahead_ms = STANDS_MS + 60_000  # so that every block seems old
        wait(lambda: engine.executor.head.height > before + 3)
        ahead_ms = 0
        wait(lambda: node.ask("num_unconfirmed_txs")["total"] == "0")
        assert not any(block.transactions for block in node.decided(engine))
