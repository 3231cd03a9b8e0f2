"""Signatures of the transactions in a snapshot: verified on up to three cores while this process hashes the other rows.

Half of the time of loading goes there (some 45 µs for a signature, and ten minutes of a busy chain have millions). Bounded: no
process has more than two batches before it; where all have, the next batch is verified here, so that no core waits.
"""

import logging
import os
from collections import deque
from typing import Final

from fujie.core.transaction import SIGNED_TRANSACTION, check_signatures, transaction_id
from fujie.engine.admission import ACCEPTED, VerifierProcess, verdict
from fujie.modules.catalog import TRANSACTION

BATCH: Final = 256  # about 12 ms of a core, and few enough bytes for two of them to lie in a pipe
UNDER_WAY: Final = 2  # batches of one process: one being verified, one on its way, so that it never idles
WORKERS_MAX: Final = 2  # what reads the rows keeps no more of them busy
INLINE_MAX: Final = 4_000  # transactions; up to here a process costs more to start than it saves

log = logging.getLogger(__name__)


def workers_of(cores: int | None = os.cpu_count()) -> int:
    """Return how many processes verify beside this one, which has a core of its own."""
    return min((cores or 1) - 1, WORKERS_MAX)


class SignatureCheck:
    """Implements ``store.snapshot_forms.Signatures``. One thread uses it."""

    def __init__(self, workers: int | None = None) -> None:
        """``workers``: how many processes verify beside this one, by default as many as there are cores for."""
        self._wanted = workers_of() if workers is None else workers
        self._workers: list[_Worker] = []
        self._waiting: list[bytes] = []
        self._seen = 0

    def see(self, transaction: bytes) -> None:
        """See ``Signatures``."""
        self._waiting.append(transaction)
        if len(self._waiting) == BATCH:
            self._seen += BATCH
            batch, self._waiting = self._waiting, []
            self._verify(batch)

    def finish(self) -> None:
        """See ``Signatures``."""
        batch, self._waiting = self._waiting, []
        _verify_here(batch)
        for worker in self._workers:
            while worker.under_way:
                worker.receive()

    def close(self) -> None:
        """See ``Signatures``."""
        for worker in self._workers:
            worker.close()
        self._workers.clear()

    def _verify(self, batch: list[bytes]) -> None:
        """Have a batch verified by whoever is free."""
        if self._seen > INLINE_MAX and len(self._workers) < self._wanted:
            self._workers.append(_Worker())
        for worker in self._workers:
            worker.receive_ready()
            if len(worker.under_way) < UNDER_WAY and worker.send(batch):
                return
        _verify_here(batch)


class _Worker:
    """A process that verifies, and the batches that it has not answered. One that was killed is given nothing more."""

    def __init__(self) -> None:
        self.under_way: deque[list[bytes]] = deque()
        self._process = VerifierProcess()
        self._ended = False

    def send(self, batch: list[bytes]) -> bool:
        """Give it a batch; False where it does not live."""
        if not self._ended:
            try:
                self._process.send(batch)
            except OSError:
                self._end()
            else:
                self.under_way.append(batch)
        return not self._ended

    def receive_ready(self) -> None:
        """Take the answers that are there. Raises as :func:`_judge`."""
        while self.under_way and self._process.results.poll():
            self.receive()

    def receive(self) -> None:
        """Wait for an answer and take it. Raises as :func:`_judge`."""
        try:
            verdicts = self._process.receive()
        except (EOFError, OSError):
            self._end()
            return
        _judge(self.under_way.popleft(), verdicts)

    def close(self) -> None:
        """Stop the process. Idempotent."""
        self._process.close()

    def _end(self) -> None:
        """It was killed: what it had in hand is verified here."""
        log.warning("a verifier process ended; its part is verified here")
        self._ended = True
        left, self.under_way = self.under_way, deque()
        self._process.close()
        for batch in left:
            _verify_here(batch)


def _verify_here(batch: list[bytes]) -> None:
    _judge(batch, bytes(verdict(transaction) for transaction in batch))


def _judge(batch: list[bytes], verdicts: bytes) -> None:
    """Raise :class:`VerificationError` for what is not signed, with a reason of snapshots in place of one of admission."""
    for transaction, code in zip(batch, verdicts, strict=True):
        if code != ACCEPTED:
            signed = SIGNED_TRANSACTION.decode(transaction)
            check_signatures(
                transaction_id(signed.body), TRANSACTION.decode(signed.body).public_keys, signed.signatures
            )
