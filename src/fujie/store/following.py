"""A store beside the process that writes it, as of one commit and then as of a newer one: for followers of the ledger.

SQLite: a connection that holds a read transaction. The write-ahead log cannot begin anew while any process holds one, so
a moment is replaced after a few seconds, and none is held while the ledger asks for that: then a *loose* one, which sees
the newest commit at each read, stands in. RocksDB: secondary instances, which take turns.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fujie.core.errors import OperationalError
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import Table
from fujie.store.opening import STORE_NAMES, StoreKind
from fujie.store.sqlite import SqliteMoment

if TYPE_CHECKING:
    from fujie.store.rocks import RocksFollower

SCAN_ROWS: Final = 512  # read at a time; others may read in between
CATCH_UP_ATTEMPTS: Final = 5  # the writer may delete a table file just when it is to be opened

_PLACE: Final = "rocks-"


class MomentGone(OperationalError):
    """A moment was read after it was given back: a newer one stands in its place."""

    def __init__(self) -> None:
        super().__init__("The store was read as of a moment that is over.", "Read again.")


class Moment:
    """A store as of one commit, or (``exact`` False) as of the newest at each read. Any thread reads; they take turns."""

    def __init__(self, source: ReadOnlyStore, exact: bool, give_back: Callable[[], None]) -> None:
        self.exact = exact
        self._source: ReadOnlyStore | None = source
        self._give_back = give_back
        self._lock = threading.Lock()

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None. Raises :class:`MomentGone`, as all the following."""
        with self._lock:
            return self._open().get(table, key)

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order."""
        with self._lock:
            source = self._open()
            return [source.get(table, key) for key in keys]

    def rows(self, table: Table, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the first ``limit`` (key, value) with ``start <= key < end``, ascending."""
        with self._lock:
            return list(islice(self._open().scan(table, start, end), limit))

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending."""
        return scan_by_rows(self.rows, table, start, end)

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, or None when it is empty."""
        with self._lock:
            return self._open().last(table)

    def close(self) -> None:
        """Give it back; whoever still has it is told by :class:`MomentGone`. Idempotent."""
        with self._lock:
            if self._source is not None:
                self._source = None
                self._give_back()

    def _open(self) -> ReadOnlyStore:
        if self._source is None:
            raise MomentGone
        return self._source


def scan_by_rows(
    rows: Callable[[Table, bytes, bytes | None, int], list[tuple[bytes, bytes]]],
    table: Table,
    start: bytes,
    end: bytes | None,
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) with ``start <= key < end`` ascending, by ``rows`` of :class:`Moment` or what lies over one."""
    while True:
        found = rows(table, start, end, SCAN_ROWS)
        yield from found
        if len(found) < SCAN_ROWS:
            return
        start = found[-1][0] + b"\0"


class Moments:
    """Opens moments of the store of a data folder. One thread uses it; what it returns is for any."""

    def __init__(self, kind: StoreKind, folder: Path, places: Path) -> None:
        """``folder`` holds the store; ``places`` is where secondary instances keep what is theirs."""
        self._path = folder / STORE_NAMES[kind]
        self._kind = kind
        self._places = places
        self._instances: list[RocksFollower] = []
        self._idle: list[RocksFollower] = []
        self._made: list[Path] = []
        if kind == "rocks":
            _clean(places)

    def newest(self) -> Moment:
        """Return the store as of its newest commit. Raises :class:`OperationalError` when it does not read."""
        if self._kind == "sqlite":
            held = SqliteMoment(self._path)
            return Moment(held, True, held.close)
        instance = self._idle.pop() if self._idle else self._open_instance()
        for attempt in range(1, CATCH_UP_ATTEMPTS + 1):
            try:
                instance.catch_up()
                break
            except OperationalError:
                if attempt == CATCH_UP_ATTEMPTS:
                    self._idle.append(instance)
                    raise
        return Moment(instance, True, lambda: self._idle.append(instance))

    def loose(self) -> Moment | None:
        """Return a moment that holds nothing and sees the newest commit at each read; None where none is needed."""
        if self._kind != "sqlite":
            return None
        connection = SqliteMoment(self._path, held=False)
        return Moment(connection, False, connection.close)

    def close(self) -> None:
        """Close the instances, which nobody reads any more, and remove what was theirs. Idempotent."""
        while self._instances:
            self._instances.pop().close()
        self._idle.clear()
        for place in self._made:
            shutil.rmtree(place, ignore_errors=True)

    def _open_instance(self) -> "RocksFollower":
        from fujie.store.rocks import RocksFollower  # not at the top: who keeps to sqlite loads no RocksDB

        place = self._places / f"{_PLACE}{os.getpid()}-{id(self):x}-{len(self._instances)}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._made.append(place)
        instance = RocksFollower(self._path, place)
        self._instances.append(instance)
        return instance


def _clean(places: Path) -> None:
    """Remove the folders of secondary instances of processes that have ended."""
    for place in places.glob(f"{_PLACE}*-*"):
        number = place.name.removeprefix(_PLACE).partition("-")[0]
        if number.isdigit() and not _lives(int(number)):
            shutil.rmtree(place, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
