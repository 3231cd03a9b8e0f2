"""What an engine is to everything above it, embedded or CometBFT: submit, read with proof, wait."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from fujie.core.state import Key, Leaf
from fujie.core.transaction import Receipt
from fujie.engine.executor import Head
from fujie.proof.bundle import Bundle


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of a submitted transaction.

    With a ``receipt``, the ledger carried it out or refused it, durably, at ``receipt.height``; ``log_index`` is its place
    in the log. Without, admission refused it with reason number ``code``: nothing of it is stored, and the same bytes
    may be submitted again.
    """

    transaction_id: bytes
    code: int
    receipt: Receipt[Any] | None
    log_index: int | None


class Engine(Protocol):
    """Concurrent: any thread may call any method. Durable: an outcome with a receipt survives ``kill -9``. Retried:
    submitting the same bytes again is safe and answers with the first receipt for as long as the id is remembered.
    """

    chain_id: str

    @property
    def head(self) -> Head:
        """The last committed block."""
        ...

    def submit(self, transactions: Sequence[bytes]) -> "Future[list[Outcome]]":
        """Queue signed transactions. The future holds their outcomes, in order, once each is durable or refused.

        They are independent: each succeeds or fails by itself. Beyond the bounds of ``core.limits`` they are refused at
        once (``ADMISSION_QUEUE_FULL``): the caller waits for what it has submitted before it submits more. The future
        fails with :class:`OperationalError` when the engine stops first; what became of them is then found by
        submitting the same bytes again. Raises :class:`OperationalError` once the engine has stopped.
        """
        ...

    def dry_run(self, transaction: bytes) -> Outcome:
        """Carry a signed transaction out on the committed state and forget it; the receipt says what would happen."""
        ...

    def read(self, key: Key[Any]) -> Leaf | None:
        """Return record and salt at ``key`` in the newest proven state, or None."""
        ...

    def prove(self, keys: list[Key[Any]]) -> Bundle:
        """Return a bundle that proves what stands at each of ``keys``, or that nothing does, in the newest proven state."""
        ...

    def prove_receipt(self, transaction_id: bytes, timeout_s: float = 10.0) -> Bundle | None:
        """Return a bundle that proves the receipt of a transaction, waiting for the block that proves it.

        None when no such transaction is on the ledger. Raises :class:`OperationalError` at the timeout.
        """
        ...

    def close(self) -> None:
        """Finish the block in hand, make it durable, stop. What waits fails with :class:`OperationalError`. Idempotent."""
        ...
