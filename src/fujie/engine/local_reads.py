"""The reading half of an engine whose executor is in this process: embedded, or a mirror."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from fujie.core.errors import OperationalError
from fujie.core.state import Key, Leaf
from fujie.core.units import HEIGHT_MAX
from fujie.engine.executor import Executor, Head, LogEntry
from fujie.engine.feed import Feed
from fujie.engine.proving import Proven, prove_keys, prove_receipt, read_leaf
from fujie.engine.stored_block import BlockAt, block_at, light_block_at, pivot_in
from fujie.machine.genesis import Genesis
from fujie.machine.schedule import ComingRules
from fujie.proof.bundle import Bundle
from fujie.proof.light_block import LightBlock
from fujie.store.base import WriteBatch
from fujie.store.layout import Table
from fujie.store.transaction_log import tile_key

log = logging.getLogger(__name__)


class LocalReads:
    """Implements the reading half of ``engine.base.Served``.

    The engine sets ``executor``, and ``_proven`` with every block, then calls :meth:`_announce`. Other processes follow
    by ``feed``.
    """

    executor: Executor
    chain_id: str
    _proven: Proven

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._listeners_lock = threading.Lock()
        self.feed = Feed()

    @property
    def head(self) -> Head:
        """See ``Engine``."""
        return self.executor.head

    @property
    def proven(self) -> Proven:
        """See ``Served``."""
        return self._proven

    @property
    def lacking(self) -> tuple[ComingRules, ...]:
        """See ``Served``."""
        return self.executor.rules.lacking

    @property
    def genesis(self) -> Genesis:
        """See ``Served``."""
        return self.executor.genesis

    def read(self, key: Key[Any]) -> Leaf | None:
        """See ``Engine``."""
        return read_leaf(self.executor, lambda: self._proven, key)

    def prove(self, keys: Sequence[Key[Any]]) -> Bundle:
        """See ``Engine``."""
        return prove_keys(self.executor, lambda: self._proven, keys)

    def prove_receipt(self, transaction_id: bytes, timeout_s: float = 10.0) -> Bundle | None:
        """See ``Engine``."""
        index = self.executor.index_of(transaction_id)
        if index is None:
            return None
        if not self.wait_proven(index, timeout_s):
            raise OperationalError(
                "The block that proves the receipt was not made in time.",
                "The receipt stands; ask for the proof again.",
            )
        return prove_receipt(self.executor, self._proven, index)

    def wait_proven(self, index: int, timeout_s: float) -> bool:
        """Wait until log entry ``index`` stands under a signed header; False at the timeout."""
        raise NotImplementedError

    def archived(self, version: bytes) -> bytes | None:
        """See ``Served``."""
        return self.executor.live.archived(version)

    def block(self, height: int) -> BlockAt | None:
        """See ``Served``."""
        return block_at(self.executor.store.get, height) if 1 <= height <= HEIGHT_MAX else None

    def light_block(self, height: int) -> LightBlock | None:
        """See ``Served``."""
        return light_block_at(self.executor.store.get, height) if 1 <= height <= HEIGHT_MAX else None

    def pivot(self, validators_hash: bytes) -> int | None:
        """See ``Served``."""
        return pivot_in(self.executor.store.get, validators_hash)

    def entry(self, index: int) -> LogEntry | None:
        """See ``Served``."""
        return self.executor.entry(index)

    def entries(self, first: int, end: int) -> list[LogEntry]:
        """See ``Served``."""
        return self.executor.entries(first, end)

    def index_of(self, transaction_id: bytes) -> int | None:
        """See ``Served``."""
        return self.executor.index_of(transaction_id)

    def log_tile(self, level: int, number: int) -> bytes | None:
        """See ``Served``."""
        return self.executor.store.get(Table.LOG_TILES, tile_key(level, number))

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See ``Served``."""
        with self._listeners_lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._listeners_lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    def _announce(
        self, head: Head, batch: WriteBatch, light_block: bytes | None = None, *, signed: bool = True
    ) -> None:
        """Tell every listener and follower that the block of ``batch`` was committed, led to ``head``, and is visible.

        ``light_block`` is that of the block; without, it is the proven one. ``signed``: see :class:`PublishedBlock`.
        """
        self.feed.publish(head, self._proven.light_block if light_block is None else light_block, batch, signed=signed)
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                log.exception("a listener failed; the ledger goes on")
