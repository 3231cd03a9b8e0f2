"""What an engine is to everything above it, embedded or CometBFT: submit, read with proof, wait."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

import msgspec

from fujie.core.state import Key, Leaf
from fujie.core.transaction import Receipt
from fujie.engine.executor import Head, LogEntry
from fujie.engine.proving import Proven
from fujie.engine.stored_block import BlockAt
from fujie.machine.genesis import Genesis
from fujie.machine.schedule import ComingRules
from fujie.proof.bundle import Bundle
from fujie.proof.light_block import LightBlock


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

    def prove(self, keys: Sequence[Key[Any]]) -> Bundle:
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


class Served(Engine, Protocol):
    """An engine as everything that reads needs it: in the process of the ledger, or following it from another.

    Any thread may call any method. Reads answer from memory or the store, and wait for nothing but the disk.
    """

    @property
    def proven(self) -> Proven:
        """The newest signed header and the head it commits to; another object after every block."""
        ...

    @property
    def pending(self) -> int:
        """How many submitted transactions have no outcome yet."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """What stopped the ledger, or None while it runs."""
        ...

    @property
    def lacking(self) -> tuple[ComingRules, ...]:
        """The rules that are decided for blocks to come and that the program of the ledger lacks, by height."""
        ...

    @property
    def genesis(self) -> Genesis:
        """What the chain began with."""
        ...

    def archived(self, version: bytes) -> bytes | None:
        """Return the canonical bytes of an old version of a record by its digest (32 bytes), or None."""
        ...

    def block(self, height: int) -> BlockAt | None:
        """Return header, commit and stored row of a block; None where there is none, or none any more."""
        ...

    def light_block(self, height: int) -> LightBlock | None:
        """As :meth:`block`, with the validators that signed it."""
        ...

    def pivot(self, validators_hash: bytes) -> int | None:
        """Return the height of the newest block that is the last of the validators with this hash before others, or None."""
        ...

    def entry(self, index: int) -> LogEntry | None:
        """Return log entry ``index``, or None beyond the end."""
        ...

    def entries(self, first: int, end: int) -> list[LogEntry]:
        """Return the log entries ``first <= index < end``, fewer where the log ends before."""
        ...

    def index_of(self, transaction_id: bytes) -> int | None:
        """Return the place in the log of the transaction with this id (32 bytes), or None."""
        ...

    def log_tile(self, level: int, number: int) -> bytes | None:
        """Return up to 256 digests of 32 bytes, joined: a tile of the log as ``store.layout`` keeps it; or None.

        The newest tile of a level may hold more nodes than the proven log has.
        """
        ...

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have ``listener`` called after every block, in some thread; it must return at once. Returns how to stop."""
        ...
