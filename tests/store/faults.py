"""A store that fails on purpose, around a real one: what a node sees when the disk or the power goes at a commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from fujie.core.errors import OperationalError
from fujie.store.base import ReadOnlyStore, Store, WriteBatch
from fujie.store.layout import Table

Fault = Literal["lost", "persisted"]


def every(_: WriteBatch) -> bool:
    """Count every commit."""
    return True


def with_transactions(batch: WriteBatch) -> bool:
    """Count the commits of blocks that have transactions, however many empty ones stand between them."""
    return bool(batch.tables.get(Table.LOG_ENTRIES))


class FaultyStore:
    """Passes everything to ``inner``, except the commits that ``plan`` names by their number, from 0, among those that ``counts``.

    ``lost``: the commit raises and nothing of it is written. ``persisted``: the commit is written and raises all the
    same, as when the answer is lost. Either way the caller sees one ``OperationalError`` and cannot tell which, as with
    a real disk; and as with a real store, every later commit is refused until the store is opened again.
    """

    def __init__(self, inner: Store, plan: Mapping[int, Fault], counts: Callable[[WriteBatch], bool] = every) -> None:
        self.name = inner.name
        self.commits = 0  # begun so far, of those that count
        self._inner = inner
        self._plan = plan
        self._counts = counts
        self._failed = False

    def get(self, table: Table, key: bytes) -> bytes | None:
        return self._inner.get(table, key)

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._inner.get_many(table, keys)

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        return self._inner.scan(table, start, end)

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        return self._inner.last(table)

    def moment(self) -> ReadOnlyStore:
        return self._inner.moment()

    def commit(self, batch: WriteBatch) -> None:
        if self._failed:
            raise OperationalError("The store failed in an earlier commit.", "Close it and open it again.")
        number, fault = self.commits, None
        if self._counts(batch):
            fault = self._plan.get(number)
            self.commits += 1
        if fault != "lost":
            self._inner.commit(batch)
        if fault is not None:
            self._failed = True
            raise OperationalError(f"Commit {number} fails as planned ({fault}).", "Close the store and open it again.")

    def close(self) -> None:
        self._inner.close()
