"""Bugs on purpose, each one that a careless change could bring in. A simulation that is worth its time finds them all."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, Final
from unittest.mock import patch

from fujie.core.transaction import VerifiedBlock
from fujie.engine import outcomes
from fujie.engine.cometbft import abci, consensus, submission
from fujie.engine.cometbft.application import Application
from fujie.engine.cometbft.consensus import Block, CarriedOut, Consensus
from fujie.engine.cometbft.submission import Submission
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor
from fujie.machine.schedule import Schedule, UnknownRules
from fujie.machine.transition import BlockResult
from fujie.store.base import WriteBatch
from fujie.store.layout import Table
from tests.simulation import agreement
from tests.simulation.beginning import grown

Planting = Callable[[], AbstractContextManager[Any]]


def window_forgotten() -> AbstractContextManager[Any]:
    """After a start nothing is remembered of what was carried out before."""
    return patch.object(Executor, "_rebuild_window", lambda self: None)


def acknowledged_too_early() -> AbstractContextManager[Any]:
    """Callers hear of a block before it is durable."""
    commit = Application.commit

    def hasty(self: Application, request: abci.RequestCommit) -> Any:
        assert self._decided is not None
        tell = self._on_commit
        tell(self._decided)
        self._on_commit = lambda _: None
        try:
            return commit(self, request)
        finally:
            self._on_commit = tell

    return patch.object(Application, "commit", hasty)


def result_of_another_time() -> AbstractContextManager[Any]:
    """What a proposal would do is used again for the same transactions at another time."""
    carry_out = Consensus.carry_out

    def careless(self: Consensus, decided: Block) -> CarriedOut:
        for kept in list(self._kept):
            if kept.transactions == decided.transactions and kept != decided:
                self._kept[decided] = self._kept[kept]
                self._take_staged(kept)
                break
        return carry_out(self, decided)

    return patch.object(Consensus, "carry_out", careless)


def validators_a_block_early() -> AbstractContextManager[Any]:
    """A change of validators is in force at the next height, not at the one after it."""
    return patch.object(agreement, "EFFECTIVE_AFTER", agreement.EFFECTIVE_AFTER - 1)


def judging_leaves_a_trace() -> AbstractContextManager[Any]:
    """What a proposal would change is read by whatever comes next, although it was not decided."""
    judge = Consensus.judge

    def traced(self: Consensus, proposed: Block) -> str | None:
        problem = judge(self, proposed)
        if proposed in self._kept:
            self.executor.live.commit(self._kept[proposed][1].changes)
        return problem

    return patch.object(Consensus, "judge", traced)


def leavers_untold() -> AbstractContextManager[Any]:
    """Consensus is not told of validators that leave."""
    updates = consensus._updates

    def without(before: Any, after: Any) -> Any:
        return tuple(each for each in updates(before, after) if each.voting_power)

    return patch.object(consensus, "_updates", without)


def last_outcome_stands() -> AbstractContextManager[Any]:
    """The id of a transaction leads to what became of its last repetition, not to what it did."""
    log_entries = Executor._log_entries

    def overwriting(self: Executor, block: VerifiedBlock, result: BlockResult, batch: WriteBatch) -> list[bytes]:
        commitments = log_entries(self, block, result, batch)
        size = self.log.size
        places = {each.id: (size + place).to_bytes(8, "big") for place, each in enumerate(block.transactions)}
        batch.put_many(Table.TRANSACTION_INDEX, dict(places))
        return commitments

    return patch.object(Executor, "_log_entries", overwriting)


def unknown_rules_ignored() -> AbstractContextManager[Any]:
    """A node that lacks the rules of a height goes on with those that it has."""
    active = Schedule.active

    def going_on(self: Schedule, state: Any, height: int) -> tuple[tuple[str, int], ...]:
        try:
            return active(self, state, height)
        except UnknownRules:
            return active(self, state, 0)

    return patch.object(Schedule, "active", going_on)


def raising_is_proposed() -> AbstractContextManager[Any]:
    """A transaction that raises is not kept out of proposals."""

    def propose(self: Consensus, offered: Block, bytes_max: int) -> tuple[bytes, ...]:
        raws = dict.fromkeys(offered.transactions)
        return tuple(raws) if sum(map(len, raws)) <= bytes_max else ()

    return patch.object(Consensus, "propose", propose)


def expired_kept() -> AbstractContextManager[Any]:
    """Nobody is told that what they submitted has expired."""
    return patch.object(Submission, "_expire", lambda self: None)


def expired_by_our_clock() -> AbstractContextManager[Any]:
    """Callers hear that something has expired when the clock of their node says so, and not block time."""

    def hasty(self: Submission, transactions: Any) -> list[int]:
        head = self._executor.head
        return self._ask_at(max(self._clock_ms(), head.time_ms + 1), head, transactions)

    return patch.object(Submission, "_ask", hasty)


def parked_for_ever() -> AbstractContextManager[Any]:
    """What waits for something that came before it is not asked about again when that has landed."""
    return patch.object(Submission, "_unparked", lambda self: [])


def never_sent_again() -> AbstractContextManager[Any]:
    """What CometBFT has taken once is taken as safe, although its mempool is in memory only."""
    return patch.object(submission, "AGAIN_S", 10.0**9)


def place_of_the_next() -> AbstractContextManager[Any]:
    """Callers are told of the place in the log behind that of their transaction."""
    settle_block = Submission.settle_block

    def beside(self: Submission, first_index: int, receipts: Any) -> None:
        settle_block(self, first_index + 1, receipts)

    return patch.object(Submission, "settle_block", beside)


@contextmanager
def repetition_told() -> Iterator[None]:
    """Who asks again is told that it was a repetition, and not what became of it."""
    with (
        patch.object(submission, "carried_out", lambda executor, transaction_id: None),
        patch.object(outcomes, "carried_out", lambda executor, transaction_id: None),
    ):
        yield


@contextmanager
def successors_unannounced() -> Iterator[None]:
    """The last block of an embedded ledger does not say who goes on after it."""
    grown.cache_clear()
    try:
        with patch.object(EmbeddedEngine, "hand_over", EmbeddedEngine.close):
            yield
    finally:
        grown.cache_clear()


def told_of_blocks_before() -> AbstractContextManager[Any]:
    """CometBFT is told of the blocks of the embedded ledger before it, and asks for no InitChain."""
    info = Application.info

    def knowing(self: Application, request: abci.RequestInfo) -> Any:
        self._initial_height = 1
        return info(self, request)

    return patch.object(Application, "info", knowing)


BUGS: Final[Mapping[str, Planting]] = MappingProxyType(
    {
        planting.__name__: planting
        for planting in (
            window_forgotten,
            acknowledged_too_early,
            result_of_another_time,
            validators_a_block_early,
            judging_leaves_a_trace,
            leavers_untold,
            last_outcome_stands,
            unknown_rules_ignored,
            raising_is_proposed,
            expired_kept,
            expired_by_our_clock,
            parked_for_ever,
            never_sent_again,
            place_of_the_next,
            repetition_told,
            successors_unannounced,
            told_of_blocks_before,
        )
    }
)
