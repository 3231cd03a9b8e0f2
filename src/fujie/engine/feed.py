"""Every committed block, handed to whoever follows the ledger from another process.

The ledger thread pays for one call that queues a reference: what a block wrote is in dicts that nobody changes any more.
Encoding, sending and bounds are the subscriber's, in a thread of its own.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from fujie.engine.executor import Head
from fujie.store.base import WriteBatch
from fujie.store.layout import Table

log = logging.getLogger(__name__)

Rows = dict[bytes, bytes | None]
"""Key to value of one table; None where the block deletes."""


class PublishedBlock(NamedTuple):
    """What a block changed in the store, and what its header signs."""

    head: Head  # after the block
    light_block: bytes  # of this height; it proves the state before the block, if it is signed
    tables: dict[Table, Rows]
    signed: bool  # else too few votes for it count, and a later block names it (``proof.named``)


class Feed:
    """The blocks of one ledger from now on. The ledger thread publishes; any thread subscribes."""

    def __init__(self) -> None:
        self._subscribers: tuple[Callable[[PublishedBlock], None], ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, receive: Callable[[PublishedBlock], None]) -> Callable[[], None]:
        """Have ``receive`` called with every block, in the ledger thread; it must return at once. Returns how to stop."""
        with self._lock:
            self._subscribers = (*self._subscribers, receive)

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(each for each in self._subscribers if each is not receive)

        return unsubscribe

    def publish(self, head: Head, light_block: bytes, batch: WriteBatch, *, signed: bool = True) -> None:
        """Hand a block on that is durable and visible. ``signed``: see :class:`PublishedBlock`."""
        subscribers = self._subscribers
        if not subscribers:
            return
        block = PublishedBlock(head, light_block, batch.tables, signed)
        for receive in subscribers:
            try:
                receive(block)
            except Exception:
                log.exception("a follower of the ledger failed; the ledger goes on")
