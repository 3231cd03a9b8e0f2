"""Reading the ledger as of the newest block that has arrived, proven or not."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from fujie.core.errors import OperationalError
from fujie.core.state import Key, Leaf
from fujie.core.units import HEIGHT_MAX
from fujie.engine.executor import LOG_ENTRY, LogEntry
from fujie.engine.stored_block import BlockAt, block_at, light_block_at, pivot_in
from fujie.machine import genesis as genesis_form
from fujie.proof.light_block import LightBlock
from fujie.reader.picture import Picture
from fujie.reader.view import View
from fujie.store.following import MomentGone
from fujie.store.layout import Table, number_key
from fujie.store.state_tree import unpack_leaf

T = TypeVar("T")

READ_ATTEMPTS: Final = 50  # a moment is replaced every second or so, and a read takes far less


class NewestReads:
    """The reading half of a follower, which has the picture. Any thread; each call sees whole blocks."""

    @property
    def picture(self) -> Picture:
        """The newest picture."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether nothing can be read any more."""
        raise NotImplementedError

    @property
    def genesis(self) -> genesis_form.Genesis:
        """What the chain began with."""
        data = self.get(Table.GENESIS, b"genesis")
        assert data is not None, "a chain has its genesis"
        return genesis_form.GENESIS.decode_trusted(data)

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        return self.of_newest(lambda view: view.get(table, key))

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order."""
        return self.of_newest(lambda view: [view.get(table, key) for key in keys])

    def rows(self, table: Table, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` (key, value) with ``start <= key < end``, ascending; fewer only where there are no more."""
        return self.of_newest(lambda view: view.rows(table, start, end, limit))

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, one to which blocks only add; None when it is empty."""
        return self.of_newest(lambda view: view.last(table))

    def entry(self, index: int) -> LogEntry | None:
        """Return log entry ``index``, or None beyond the end."""
        data = self.get(Table.LOG_ENTRIES, number_key(index))
        return None if data is None else LOG_ENTRY.decode_trusted(data)

    def entries(self, first: int, end: int) -> list[LogEntry]:
        """Return the log entries ``first <= index < end``, fewer where the log ends before."""
        if end <= first:
            return []
        rows = self.rows(Table.LOG_ENTRIES, number_key(first), number_key(end), end - first)
        return [LOG_ENTRY.decode_trusted(data) for _, data in rows]

    def index_of(self, transaction_id: bytes) -> int | None:
        """Return the place in the log of the transaction with this id, or None."""
        data = self.get(Table.TRANSACTION_INDEX, transaction_id)
        return None if data is None else int.from_bytes(data, "big")

    def block(self, height: int) -> BlockAt | None:
        """Return header, commit and stored row of a block; None where there is none, or none any more."""
        return block_at(self.get, height) if 1 <= height <= HEIGHT_MAX else None

    def light_block(self, height: int) -> LightBlock | None:
        """As :meth:`block`, with the validators that signed it."""
        return light_block_at(self.get, height) if 1 <= height <= HEIGHT_MAX else None

    def pivot(self, validators_hash: bytes) -> int | None:
        """Return the height of the newest block that is the last of the validators with this hash before others, or None."""
        return pivot_in(self.get, validators_hash)

    def archived(self, version: bytes) -> bytes | None:
        """Return the canonical bytes of an old version of a record by its digest (32 bytes), or None."""
        return self.get(Table.VERSIONS, version)

    def read(self, key: Key[Any]) -> Leaf | None:
        """Return record and salt at ``key`` after the newest block, proven or not; None where nothing stands."""
        stored = self.get(Table.STATE, key.hash)
        if stored is None:
            return None
        _, salt, record = unpack_leaf(stored)
        return Leaf(key.codec.decode_trusted(record), salt)

    def of_newest(self, question: Callable[[View], T]) -> T:
        """Return what ``question`` gives for the newest view, asked again when that is replaced meanwhile."""
        for _ in range(READ_ATTEMPTS):
            try:
                return question(self.picture.newest)
            except MomentGone:
                if self.closed:
                    raise
        raise OperationalError("The store changes faster than it can be read.", "Try again.")
