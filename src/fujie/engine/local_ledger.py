"""What every engine that takes transactions has in common: the way in, waiting for a proof, and how it stops."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from fujie.core.errors import OperationalError
from fujie.core.transaction import VerifiedTransaction
from fujie.engine.base import Outcome
from fujie.engine.executor import Executor, Head
from fujie.engine.intake import Intake
from fujie.engine.local_reads import LocalReads
from fujie.engine.rehearsing import dry_run
from fujie.machine.schedule import UnknownRules

log = logging.getLogger(__name__)


class LocalLedger(LocalReads):
    """The half of ``engine.base.Served`` that takes transactions, of an engine whose executor is in this process."""

    def __init__(
        self,
        executor: Executor,
        clock_ms: Callable[[], int] | None,
        *,
        worker: bool,
        prepare: Callable[[Sequence[VerifiedTransaction]], None],
    ) -> None:
        """``clock_ms`` is the clock of this machine unless it is given; the others as of :class:`Intake`."""
        super().__init__()
        self.executor = executor
        self.chain_id = executor.chain_id
        self._clock_ms = clock_ms or (lambda: time.time_ns() // 1_000_000)
        self._intake = Intake(use_worker=worker, prepare=prepare)
        self._changed = self._intake.changed

    @property
    def pending(self) -> int:
        """See ``Served``."""
        return self._intake.pending

    @property
    def failure(self) -> BaseException | None:
        """See ``Served``."""
        return self._intake.failure

    def submit(self, transactions: Sequence[bytes]) -> Future[list[Outcome]]:
        """See ``Engine``."""
        return self._intake.submit(transactions)

    def dry_run(self, transaction: bytes) -> Outcome:
        """See ``Engine``."""
        return dry_run(self.executor, transaction, self._next_time)

    def wait_proven(self, index: int, timeout_s: float) -> bool:
        """See ``LocalReads``."""
        intake = self._intake
        with self._changed:
            self._changed.wait_for(
                lambda: self._proven.head.log_size > index or intake.failure is not None or intake.closing, timeout_s
            )
        return self._proven.head.log_size > index

    def _next_time(self, head: Head) -> int:
        """Return the time that a block after ``head`` would have now."""
        return max(self._clock_ms(), head.time_ms + 1)

    def _begin_to_close(self) -> bool:
        """Take nothing more in; False when that was so before."""
        with self._changed:
            if self._intake.closing:
                return False
            self._intake.closing = True
            self._changed.notify_all()
        return True

    def _close_intake(self) -> None:
        """Answer what still waits. The threads have ended before."""
        self._intake.fail(OperationalError("The ledger was closed.", "Open it again and submit the same bytes again."))
        self._intake.close()

    def _guard(self, target: Callable[[], None]) -> None:
        """Carry out ``target``; when it fails, say so to every caller and stop, rather than go on in doubt."""
        try:
            target()
        except BaseException as error:
            if not isinstance(error, UnknownRules):
                log.exception("the ledger stops")
            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        """Stop for good, and tell every caller why."""
        if isinstance(error, UnknownRules):
            log.error("the ledger stops: %s", error)
        with self._changed:
            self._intake.failure = self._intake.failure or error
            self._changed.notify_all()
        self._intake.fail(
            error
            if isinstance(error, OperationalError)
            else OperationalError(f"The ledger stopped: {error!r}.", "See the log; what was acknowledged is safe.")
        )
