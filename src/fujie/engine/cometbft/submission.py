"""From a caller to CometBFT's mempool, and the outcome back to the caller.

    Intake (bounds, signatures) ─► entitled? ─► broadcast ─► … a block … ─► settled with the receipt
                                      │ no
                                      ├─ something that came before it is still under way: asked again after that
                                      └─ otherwise turned away

This is the only entrance: whether a sender is entitled is asked here, against the committed state, so that nobody fills
the mempools of all validators with what no account has signed. What waits is broadcast again now and then, since a mempool
is in memory only; it is settled by its block, by a refusal of CheckTx, or when block time has passed its expiry. The clock of
this machine settles nothing: after a halt the first block has the time of the halt, and carries out what waits anywhere.
"""

import logging
import math
import operator
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from fujie.core.errors import OperationalError, Refused
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import Receipt, VerifiedBlock, VerifiedTransaction
from fujie.engine.base import Outcome
from fujie.engine.cometbft.mempool import IN_CACHE, Mempool, MempoolRpc
from fujie.engine.cometbft.rpc import BROADCAST_MAX, Unanswered
from fujie.engine.executor import Executor, Head, StateTooOld
from fujie.engine.intake import Intake, Waiting
from fujie.engine.outcomes import carried_out, not_carried_out

RETRY_S: Final = 0.25  # while CometBFT does not answer or its mempool is full
AGAIN_S: Final = 5.0  # for what has waited so long for its block
STRANDED_S: Final = 60.0  # after which what waits while blocks are made is not with those who make them

log = logging.getLogger(__name__)


class _Flight(msgspec.Struct, gc=False):
    """A transaction on its way to a block, and everybody who waits for it."""

    number: int  # in the order in which transactions came
    transaction: VerifiedTransaction
    waiting: list[Waiting]
    sent_s: float = 0.0  # when it was last handed to CometBFT; 0 for not yet, or lost since
    first_s: float = 0.0  # when it was handed over first
    tries: int = 0  # how often it was handed over


class _Arrival(msgspec.Struct, gc=False):
    """A submitted transaction that does not fly yet. Parked, it waits for all that came before it."""

    number: int
    waiting: Waiting


class Submission:
    """Sends what is submitted and settles it. One thread runs :meth:`send_all`; other methods are for any."""

    def __init__(
        self,
        executor: Executor,
        intake: Intake,
        rpc: MempoolRpc,
        clock_ms: Callable[[], int],
        clock_s: Callable[[], float] = time.monotonic,
        decided_ms: Callable[[], int] | None = None,
    ) -> None:
        """``clock_ms`` is the time of day, ``clock_s`` a clock that is never set, by which it is sent again.

        ``decided_ms`` returns when the newest block was decided; without it a chain that stands still is not called.
        """
        self._executor = executor
        self._intake = intake
        self._rpc = rpc
        self._clock_ms = clock_ms
        self._clock_s = clock_s
        self.mempool = Mempool(rpc, executor, decided_ms or clock_ms, clock_ms, clock_s)
        self._lock = threading.Lock()
        self._flights: dict[bytes, _Flight] = {}  # by transaction id
        self._parked: list[_Arrival] = []  # in the order in which they came
        self._arrived = 0
        self._expired_ms = -1  # the block time up to which what has expired is settled
        self._unanswered = False
        self._block_s = -math.inf  # when the newest block was carried out
        self._due = False  # whether a block has left the thread that sends something to do

    # -- the thread that sends

    def send_all(self) -> None:
        """Send what is submitted until the engine closes."""
        intake = self._intake
        while True:
            with intake.changed:
                intake.changed.wait_for(lambda: intake.verified or self._due or intake.stopping, RETRY_S)
                if intake.stopping:
                    return
            self.send_now()

    def send_now(self) -> None:
        """Send what is submitted and what waits too long, and settle what has expired."""
        with self._intake.changed:
            self._due = False
            taken = self._intake.take()
        self._enter(self._unparked() + [self._arrival(item) for item in taken])
        if self.mempool.empty():
            self._lose()
        self.mempool.wake()
        self._send()
        self._expire()

    def _arrival(self, item: Waiting) -> _Arrival:
        self._arrived += 1
        return _Arrival(self._arrived, item)

    def _enter(self, arrivals: Sequence[_Arrival]) -> None:
        """Let arrivals fly, join a flight, wait for what came before them, or be settled."""
        asked: list[_Arrival] = []
        for arrival in arrivals:
            transaction = _verified(arrival.waiting)
            with self._lock:
                flight = self._flights.get(transaction.id)
                if flight is not None:
                    flight.waiting.append(arrival.waiting)
                    continue
            first = self._repeated(transaction)
            if first is not None:
                self._intake.settle([arrival.waiting], [first])
            else:
                asked.append(arrival)
        with self._lock:
            oldest = self._oldest_flight()  # before asking: what lands meanwhile is not in the answer
        codes = self._entitled([_verified(arrival.waiting) for arrival in asked])
        for arrival, code in zip(asked, codes, strict=True):
            if code == 0:
                self._fly(arrival)
                oldest = min(oldest, arrival.number)
            elif oldest < arrival.number:
                self._parked.append(arrival)
            else:
                # A block may have carried it out since we looked: for one that another node was given.
                outcome = not_carried_out(self._executor, _verified(arrival.waiting), code)
                self._intake.settle([arrival.waiting], [outcome])

    def _fly(self, arrival: _Arrival) -> None:
        transaction = _verified(arrival.waiting)
        with self._lock:
            flight = self._flights.get(transaction.id)
            if flight is None:
                self._flights[transaction.id] = _Flight(arrival.number, transaction, [arrival.waiting])
            else:
                flight.waiting.append(arrival.waiting)  # the same bytes twice in one submission

    def _unparked(self) -> list[_Arrival]:
        """Return the parked arrivals before which nothing is under way any more."""
        if not self._parked:
            return []
        with self._lock:
            oldest = self._oldest_flight()
        free = [arrival for arrival in self._parked if arrival.number < oldest]
        self._parked = [arrival for arrival in self._parked if arrival.number >= oldest]
        return free

    def _oldest_flight(self) -> int:
        """Return the least number of a flight, or the next number. The caller holds the lock."""
        return min(map(_number, self._flights.values()), default=self._arrived + 1)

    def _entitled(self, transactions: Sequence[VerifiedTransaction]) -> list[int]:
        """Return, for each, 0 or why its sender is not entitled to it now."""
        if not transactions:
            return []
        try:
            return self._ask(transactions)
        except (OperationalError, Refused):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, each is asked about alone, and the one that raises is logged
            return [self._ask_alone(transaction) for transaction in transactions]

    def _ask_alone(self, transaction: VerifiedTransaction) -> int:
        try:
            return self._ask([transaction])[0]
        except (OperationalError, Refused):
            raise
        except Exception:
            log.exception(
                "transaction %s… is turned away: to ask whether it is entitled fails", transaction.id.hex()[:8]
            )
            return int(TransactionReason.EXECUTION_FAILED)

    def _ask(self, transactions: Sequence[VerifiedTransaction]) -> list[int]:
        while True:
            head = self._executor.head
            try:
                codes = self._ask_at(max(self._clock_ms(), head.time_ms + 1), head, transactions)
                for place, transaction in enumerate(transactions):
                    expires_at_ms = transaction.body.expires_at_ms
                    if codes[place] == TransactionReason.TRANSACTION_EXPIRED and expires_at_ms > head.time_ms:
                        # By our clock only: another node may have it, and the next block may be early enough.
                        [codes[place]] = self._ask_at(expires_at_ms - 1, head, [transaction])
                return codes
            except StateTooOld:
                continue  # several blocks were made meanwhile

    def _ask_at(self, time_ms: int, head: Head, transactions: Sequence[VerifiedTransaction]) -> list[int]:
        block = VerifiedBlock(self._executor.chain_id, head.height + 1, time_ms, tuple(transactions))
        return self._executor.entitled(block)

    def _send(self) -> None:
        """Hand to CometBFT what it has not got, or may have lost."""
        if self.mempool.settles:
            return
        now_s = self._clock_s()
        with self._lock:
            due = [flight for flight in self._flights.values() if now_s - flight.sent_s >= AGAIN_S]
        for flight in due:
            if flight.sent_s and carried_out(self._executor, flight.transaction.id):
                self.refuse(flight.transaction, TransactionReason.TRANSACTION_REPEATED)  # it came between
        for start in range(0, len(due), BROADCAST_MAX):
            chunk = due[start : start + BROADCAST_MAX]
            for flight in chunk:
                flight.tries += 1
            try:
                problems = self._rpc.broadcast([flight.transaction.raw for flight in chunk])
            except Unanswered as error:
                if not self._unanswered:
                    log.warning("transactions wait: %s", error.what)
                self._unanswered = True
                return
            self._unanswered = False
            for flight, problem in zip(chunk, problems, strict=True):
                if not problem or IN_CACHE in problem:
                    flight.sent_s = now_s
                    flight.first_s = flight.first_s or now_s
            if self._is_stranded(chunk, now_s):
                self.mempool.note_unfit()
            full = next((problem for problem in problems if problem and IN_CACHE not in problem), None)
            if full is not None:
                log.info("transactions wait: %s", full)
                return

    def _is_stranded(self, flights: Iterable[_Flight], now_s: float) -> bool:
        """Whether CometBFT has had one of them for long while blocks were made: then its peers have lost it.

        It tells each peer of a transaction once, and theirs may have been emptied since. Emptied too, it tells them again.
        """
        oldest_s = now_s - STRANDED_S
        if self.mempool.emptied_s > oldest_s or self._block_s < oldest_s:
            return False
        return any(0 < flight.first_s < oldest_s for flight in flights)

    def _expire(self) -> None:
        """Settle what no block can carry out any more."""
        now_ms = self._executor.head.time_ms
        if now_ms == self._expired_ms:
            return  # what came since is not older: it has just been asked whether it fits the chain
        self._expired_ms = now_ms
        with self._lock:
            gone = [flight for flight in self._flights.values() if flight.transaction.body.expires_at_ms <= now_ms]
            for flight in gone:
                del self._flights[flight.transaction.id]
        for flight in gone:
            expired = TransactionReason.TRANSACTION_EXPIRED
            self._settle(flight, not_carried_out(self._executor, flight.transaction, expired))

    # -- what comes back

    def settle_block(self, first_index: int, receipts: Iterable[Receipt[Any]]) -> None:
        """Settle what a committed block carried out; its log entries begin at ``first_index``."""
        landed: list[tuple[_Flight, Outcome]] = []
        self._block_s = self._clock_s()
        with self._lock:
            for index, receipt in enumerate(receipts, first_index):
                flight = self._flights.pop(receipt.transaction_id, None)
                if flight is not None:
                    landed.append((flight, Outcome(receipt.transaction_id, receipt.code, receipt, index)))
        waiting: list[Waiting] = []
        outcomes: list[Outcome] = []
        for flight, outcome in landed:
            repeated = outcome.code == TransactionReason.TRANSACTION_REPEATED
            first = carried_out(self._executor, flight.transaction.id) if repeated else None
            waiting += flight.waiting
            outcomes += [first or outcome] * len(flight.waiting)
        if waiting:
            self._intake.settle(waiting, outcomes)
        if landed and self._parked:
            self._hurry()

    def refuse(self, transaction: VerifiedTransaction, code: int) -> None:
        """Settle a transaction that CheckTx has refused, unless it was let in before, or has expired: block time says when."""
        if code == TransactionReason.TRANSACTION_EXPIRED:
            return
        repeated = code == TransactionReason.TRANSACTION_REPEATED
        with self._lock:
            flight = self._flights.get(transaction.id)
            if flight is None or (flight.tries > 1 and not repeated):
                return  # other validators may have had it since the first time: blocks say what becomes of it
            del self._flights[transaction.id]
        self._settle(flight, not_carried_out(self._executor, transaction, code))

    def move_on(self) -> None:
        """Have what was called for forgotten at once, now that a block is proven: before the next one wakes some nodes only."""
        if self.mempool.is_called:
            self._hurry()

    def send_again(self) -> None:
        """Hand everything to CometBFT again: it has started anew, and its mempool is empty."""
        self.mempool.note_restart()
        self._lose()

    # -- inside

    def _hurry(self) -> None:
        """Have the thread that sends take its turn now."""
        with self._intake.changed:
            self._due = True
            self._intake.changed.notify_all()

    def _lose(self) -> None:
        """Take it that CometBFT has nothing of what is under way."""
        with self._lock:
            for flight in self._flights.values():
                flight.sent_s = flight.first_s = 0.0

    def _settle(self, flight: _Flight, outcome: Outcome) -> None:
        self._intake.settle(flight.waiting, [outcome] * len(flight.waiting))

    def _repeated(self, transaction: VerifiedTransaction) -> Outcome | None:
        """As ``carried_out``, for one that has just come. The window of repeats spares the store nearly every look.

        A block that is being committed may have it all the same; CheckTx, or the next block, then finds the repeat.
        """
        executor, expires_at_ms = self._executor, transaction.body.expires_at_ms
        if expires_at_ms > executor.head.time_ms and not executor.window.remembers(transaction.id, expires_at_ms):
            return None
        return carried_out(executor, transaction.id)


_number: Final = operator.attrgetter("number")


def _verified(item: Waiting) -> VerifiedTransaction:
    assert item.transaction is not None, "only what is verified leaves the intake"
    return item.transaction
