"""Signatures of transactions that others send: verified once, in a process of its own, and remembered by their whole bytes.

CometBFT shows every transaction several times: when it arrives (CheckTx), when somebody proposes it, and when it is decided.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from fujie.core.limits import PENDING_BYTES_MAX
from fujie.core.transaction import VerifiedTransaction
from fujie.engine.admission import ACCEPTED, VerifierProcess, decode_verified, verdict

INLINE_MAX: Final = 16  # up to here the way to the worker and back costs more than the work
BATCH_MAX: Final = 1_000  # 50 ms of the worker, so that a proposal need not wait long behind newcomers
KNOWN_BYTES_MAX: Final = 2 * PENDING_BYTES_MAX


class Verification:
    """Verifies and remembers. Any thread may call any method."""

    def __init__(self, use_worker: bool = True) -> None:
        """``use_worker=False`` verifies in this process."""
        self._use_worker = use_worker
        self._worker: VerifierProcess | None = None
        self._worker_lock = threading.Lock()
        self._known: OrderedDict[bytes, VerifiedTransaction] = OrderedDict()
        self._known_bytes = 0
        self._known_lock = threading.Lock()

    def verdicts(self, raws: Sequence[bytes]) -> list[int]:
        """Return 0, or the number of the reason why it is refused, for each of ``raws``, and remember the accepted."""
        known = self._known
        unknown = [raw for raw in dict.fromkeys(raws) if raw not in known]
        found: dict[bytes, int] = {}
        for start in range(0, len(unknown), BATCH_MAX):
            batch = unknown[start : start + BATCH_MAX]
            found.update(zip(batch, self._verify(batch), strict=True))
        self.remember([decode_verified(raw) for raw, code in found.items() if code == ACCEPTED])
        return [found.get(raw, ACCEPTED) for raw in raws]

    def transaction(self, raw: bytes) -> VerifiedTransaction:
        """Return the transaction in ``raw``, which :meth:`verdicts` accepted."""
        return self._known.get(raw) or decode_verified(raw)

    def remember(self, transactions: Sequence[VerifiedTransaction]) -> None:
        """Remember transactions that were verified, forgetting the oldest beyond the bound."""
        known = self._known
        with self._known_lock:
            for transaction in transactions:
                if transaction.raw not in known:
                    known[transaction.raw] = transaction
                    self._known_bytes += len(transaction.raw)
            while self._known_bytes > KNOWN_BYTES_MAX:
                raw, _ = known.popitem(last=False)
                self._known_bytes -= len(raw)

    def forget(self, raws: Sequence[bytes]) -> None:
        """Forget transactions that are not going to be asked for any more."""
        with self._known_lock:
            for raw in raws:
                if self._known.pop(raw, None) is not None:
                    self._known_bytes -= len(raw)

    def close(self) -> None:
        """Stop the worker. Idempotent."""
        with self._worker_lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _verify(self, batch: Sequence[bytes]) -> bytes:
        if len(batch) > INLINE_MAX and self._use_worker:
            with self._worker_lock:
                try:
                    if self._worker is None:
                        self._worker = VerifierProcess()
                    self._worker.send(batch)
                    return self._worker.receive()
                except (EOFError, OSError):  # it was killed; what it had in hand is verified here, the next by another
                    if self._worker is not None:
                        self._worker.close()
                        self._worker = None
        return bytes([verdict(raw) for raw in batch])
