"""The way in: submitted transactions wait here, are verified, and leave in blocks; their outcomes go back from here.

Bounded: beyond the limits a submission is turned away at once, so a queue never grows and a caller always knows. One
thread verifies; the engine's thread takes what is verified and settles it.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

import msgspec

from fujie.core.errors import OperationalError
from fujie.core.limits import BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, PENDING_BYTES_MAX, PENDING_TRANSACTIONS_MAX
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedTransaction
from fujie.engine.admission import ACCEPTED, VerifierProcess, decode_verified, verdict
from fujie.engine.base import Outcome

log = logging.getLogger(__name__)

VERIFY_BATCH_MAX: Final = 2_000  # about 0.1 s of the worker's time: small enough that blocks need not wait long
VERIFY_INLINE_MAX: Final = 16  # up to here the way to the worker and back costs more than the work
BATCHES_UNDER_WAY: Final = 2  # one being verified, one on its way, so that the worker never idles


class Batch:
    """Transactions submitted together and what has become of them so far."""

    __slots__ = ("future", "missing", "outcomes")

    def __init__(self, size: int) -> None:
        self.future: Future[list[Outcome]] = Future()
        # What is submitted cannot be called back, so cancelling the future does nothing: a caller that has gone away
        # must not be able to stop the thread that answers.
        self.future.set_running_or_notify_cancel()
        self.outcomes: list[Any] = [None] * size
        self.missing = size


class Waiting(msgspec.Struct, gc=False):
    """One submitted transaction and where its outcome goes; ``transaction`` once it is verified."""

    raw: bytes
    batch: Batch
    position: int
    transaction: VerifiedTransaction | None = None


class Intake:
    """Queue, bounds and verification. ``changed`` guards everything in here and tells the engine of news."""

    def __init__(self, use_worker: bool, prepare: Callable[[Sequence[VerifiedTransaction]], None]) -> None:
        """``prepare`` is given what was verified, in the thread that verifies, before it waits for a block."""
        self.changed = threading.Condition()
        self.verified: deque[Waiting] = deque()
        self.pending = 0  # submitted and without outcome
        self.closing = False
        self.failure: BaseException | None = None
        self._pending_bytes = 0
        self._submitted: deque[Waiting] = deque()
        self._open: dict[int, Batch] = {}  # batches without all their outcomes, by identity
        self._use_worker = use_worker
        self._prepare = prepare
        self._worker: VerifierProcess | None = None

    @property
    def stopping(self) -> bool:
        """Whether nothing more is taken in: the engine closes, or one of its threads failed."""
        return self.closing or self.failure is not None

    # -- for callers

    def submit(self, transactions: Sequence[bytes]) -> Future[list[Outcome]]:
        """See ``Engine.submit``."""
        batch = Batch(len(transactions))
        if not transactions:
            batch.future.set_result([])
            return batch.future
        size = sum(map(len, transactions))
        with self.changed:
            self._require_running()
            full = (
                self.pending + len(transactions) > PENDING_TRANSACTIONS_MAX
                or self._pending_bytes + size > PENDING_BYTES_MAX
            )
            if not full:
                self.pending += len(transactions)
                self._pending_bytes += size
                self._open[id(batch)] = batch
                self._submitted.extend([Waiting(raw, batch, position) for position, raw in enumerate(transactions)])
                self.changed.notify_all()
        if full:
            batch.future.set_result([turned_away(TransactionReason.ADMISSION_QUEUE_FULL)] * len(transactions))
        return batch.future

    # -- for the engine

    def take(self) -> list[Waiting]:
        """Return as many verified transactions as fit into a block. The caller holds ``changed``."""
        taken: list[Waiting] = []
        size = 0
        verified = self.verified
        while verified and len(taken) < BLOCK_TRANSACTIONS_MAX:
            size += len(verified[0].raw)
            if size > BLOCK_BYTES_MAX:
                break
            taken.append(verified.popleft())
        return taken

    def settle(self, waiting: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        """Give each of ``waiting`` its outcome; a batch that has all of them is answered."""
        finished = []
        with self.changed:
            # Room first, so that whoever hears of an outcome can submit more.
            self.pending -= len(waiting)
            self._pending_bytes -= sum([len(item.raw) for item in waiting])
            for item, outcome in zip(waiting, outcomes, strict=True):
                batch = item.batch
                batch.outcomes[item.position] = outcome
                batch.missing -= 1
                if not batch.missing:
                    self._open.pop(id(batch), None)
                    finished.append(batch)
            if not self.pending:
                self.changed.notify_all()
        for batch in finished:
            if not batch.future.done():
                batch.future.set_result(batch.outcomes)

    def fail(self, error: OperationalError) -> None:
        """Answer everything that waits with ``error``: nothing will become of it any more."""
        with self.changed:
            batches = list(self._open.values())
            self._open.clear()
            self._submitted.clear()
            self.verified.clear()
            self.pending = self._pending_bytes = 0
        for batch in batches:
            if not batch.future.done():
                batch.future.set_exception(error)

    def close(self) -> None:
        """Stop the worker. The threads have ended before."""
        if self._worker is not None:
            self._worker.close()

    # -- the thread that verifies

    def verify_all(self) -> None:
        """Verify what is submitted until the engine closes."""
        under_way: deque[list[Waiting]] = deque()
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._submitted or under_way or self.stopping)
                if self.stopping:
                    return
                batch = [self._submitted.popleft() for _ in range(min(len(self._submitted), VERIFY_BATCH_MAX))]
            if batch and not under_way and (len(batch) <= VERIFY_INLINE_MAX or not self._use_worker):
                self._take_verdicts(batch, bytes([verdict(item.raw) for item in batch]))
                continue
            if batch:
                under_way.append(batch)
            try:
                if batch:
                    self._send(batch)
                if under_way and (len(under_way) == BATCHES_UNDER_WAY or not batch):
                    assert self._worker is not None, "a batch under way was sent to it"
                    verdicts = self._worker.receive()
                    self._take_verdicts(under_way.popleft(), verdicts)
            except (EOFError, OSError):
                # The worker was killed. Nothing is lost: what it had not answered is verified here, and by the next.
                log.warning("the verifier process ended; another one takes over")
                if self._worker is not None:
                    self._worker.close()
                    self._worker = None
                while under_way:
                    again = under_way.popleft()
                    self._take_verdicts(again, bytes([verdict(item.raw) for item in again]))

    def _send(self, batch: list[Waiting]) -> None:
        if self._worker is None:
            self._worker = VerifierProcess()
        self._worker.send([item.raw for item in batch])

    def _take_verdicts(self, batch: list[Waiting], verdicts: bytes) -> None:
        """Let accepted transactions wait for a block and answer for the others."""
        accepted = [item for item, code in zip(batch, verdicts, strict=True) if code == ACCEPTED]
        if len(accepted) < len(batch):
            refused = [(item, turned_away(code)) for item, code in zip(batch, verdicts, strict=True) if code]
            self.settle([item for item, _ in refused], [outcome for _, outcome in refused])
        transactions = [decode_verified(item.raw) for item in accepted]
        for item, transaction in zip(accepted, transactions, strict=True):
            item.transaction = transaction
        self._prepare(transactions)
        with self.changed:
            self.verified.extend(accepted)
            self.changed.notify_all()

    def _require_running(self) -> None:
        if self.failure is not None:
            raise OperationalError(f"The ledger has stopped: {self.failure}", "See the log of the node.")
        if self.closing:
            raise OperationalError("The ledger is closed.", "Open it again.")


def turned_away(reason: int, transaction_id: bytes = b"") -> Outcome:
    """Return the outcome of a transaction that gets no place on the ledger."""
    return Outcome(transaction_id, int(reason), None, None)
