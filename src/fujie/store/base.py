"""The contract of a store: ordered tables of bytes, one atomic and durable write per block.

``store.sqlite`` is the default (no dependency, any auditor can open the file), ``store.rocks`` the fast one. One contract
test runs over both. Which tables there are, and what stands in them, is in ``store.layout``.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from fujie.store.layout import Table


class WriteBatch:
    """Puts and deletes over any tables, applied all or not at all. The last word on a key wins."""

    __slots__ = ("tables",)

    def __init__(self) -> None:
        self.tables: dict[Table, dict[bytes, bytes | None]] = {}

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Set ``key`` of ``table`` to ``value``."""
        self.tables.setdefault(table, {})[key] = value

    def put_many(self, table: Table, items: dict[bytes, bytes | None]) -> None:
        """Set many keys of one table; ``None`` deletes. Takes the dict over when the table has no writes yet."""
        present = self.tables.get(table)
        if present is None:
            self.tables[table] = items
        else:
            present.update(items)

    def delete(self, table: Table, key: bytes) -> None:
        """Remove ``key`` of ``table``; no error when it is absent."""
        self.tables.setdefault(table, {})[key] = None

    def __len__(self) -> int:
        return sum(len(items) for items in self.tables.values())


class ReadOnlyStore(Protocol):
    """The reading half of :class:`Store`, all answers as of one commit. One thread uses it."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        ...

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending; ``end=None`` means to the end of the table."""
        ...

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, or None when it is empty."""
        ...

    def close(self) -> None:
        """Release what is held. Idempotent."""
        ...


class Store(Protocol):
    """Durable: what ``commit`` returned from survives ``kill -9`` and power loss. Atomic: a reader or a restart sees a
    batch whole or not at all. Concurrent: one thread commits, any number of threads read; a read sees some state
    between two commits. Nothing is retried: an error of the disk is raised as ``OperationalError`` and the store must
    then be closed and opened again.
    """

    name: str  # "sqlite" | "rocks"; also what stands in the data folder's description

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        ...

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order. Fastest when the keys are sorted."""
        ...

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending; ``end=None`` means to the end of the table."""
        ...

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, or None when it is empty."""
        ...

    def moment(self) -> ReadOnlyStore:
        """Return the store as of its newest commit, whatever is committed later; closed before the store is."""
        ...

    def commit(self, batch: WriteBatch) -> None:
        """Apply ``batch`` atomically and return only when it is on disk (fsync)."""
        ...

    def close(self) -> None:
        """Release files and locks. Idempotent."""
        ...
