"""The disk of a replica: what a process finds again when it starts anew, and what it does not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fujie.store.base import Store, WriteBatch
from fujie.store.opening import open_store
from fujie.store.sqlite import SqliteStore
from tests.store.faults import Fault, FaultyStore
from tests.world import Kind

LOST_MAX: Final = 2  # commits that a disk which lies can lose at once


class Disk:
    """A store that outlives its process. In memory it is the list of the batches that were committed.

    ``lies``: the disk says that a commit is durable before it is, and a crash may lose the newest ones; in memory only.
    """

    def __init__(self, kind: Kind, folder: Path, lies: bool) -> None:
        self.kind = kind
        self.lies = lies and kind == "memory"
        self._first = 0  # batches that no crash loses: those that it began with
        self._folder = folder
        self._batches: list[WriteBatch] = []

    def begin(self, batches: Sequence[WriteBatch]) -> None:
        """Hold ``batches`` before the first start."""
        store = self._inner()
        for batch in batches:
            store.commit(batch)
        store.close()
        self._first = len(batches)

    def open(self, plan: Mapping[int, Fault]) -> FaultyStore:
        """Open it. ``plan`` names the commits, counted from now, that fail."""
        return FaultyStore(self._inner(), plan)

    def lose(self, commits: int) -> int:
        """Lose up to so many of the newest commits, and return how many were."""
        lost = min(commits, len(self._batches) - self._first) if self.lies else 0
        if lost:
            del self._batches[-lost:]
        return lost

    def _inner(self) -> Store:
        if self.kind != "memory":
            return open_store(self.kind, self._folder)
        return in_memory(self._batches)


def in_memory(batches: list[WriteBatch]) -> Store:
    """Open a store that holds ``batches``, and adds to them what is committed."""
    store = SqliteStore.open(None)
    for batch in batches:
        store.commit(batch)
    return _Remembering(store, batches)


class _Remembering:
    """Passes everything to a store in memory, and keeps what was committed."""

    def __init__(self, store: SqliteStore, batches: list[WriteBatch]) -> None:
        self.name = store.name
        self.get = store.get
        self.get_many = store.get_many
        self.scan = store.scan
        self.last = store.last
        self.moment = store.moment
        self.close = store.close
        self._store = store
        self._batches = batches

    def commit(self, batch: WriteBatch) -> None:
        self._store.commit(batch)
        kept = WriteBatch()
        for table, rows in batch.tables.items():
            kept.put_many(table, dict(rows))
        self._batches.append(kept)
