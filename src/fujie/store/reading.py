"""Reading a data folder as it stands at one moment, without changing it: for `fujie check` and snapshots.

A SQLite file can be read beside the process that writes it: the reader holds one read transaction and sees one commit. A
RocksDB folder cannot, so there the lock of the data folder is taken, and the node must be stopped.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from fujie.core.errors import OperationalError
from fujie.store.layout import Table
from fujie.store.opening import STORE_NAMES, FolderLock, LockedStore, StoreKind

SCAN_ROWS: Final = 1_024  # rows fetched at a time


def _statements(sql: str) -> dict[Table, str]:
    """Return ``sql`` for every table, in place of the word ``this_table``."""
    return {table: sql.replace("this_table", table.sql_name) for table in Table}


_ANY: Final = _statements("SELECT 1 FROM this_table LIMIT 1")
_GET: Final = _statements("SELECT value FROM this_table WHERE key = ?")
_SCAN: Final = _statements("SELECT key, value FROM this_table WHERE key >= ? ORDER BY key")
_SCAN_TO: Final = _statements("SELECT key, value FROM this_table WHERE key >= ? AND key < ? ORDER BY key")
_LAST: Final = _statements("SELECT key, value FROM this_table ORDER BY key DESC LIMIT 1")


class ReadOnlyStore(Protocol):
    """The reading half of ``store.base.Store``, all answers as of one commit. One thread uses it."""

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


def open_for_reading(kind: StoreKind, folder: Path) -> ReadOnlyStore:
    """Open the store of data folder ``folder`` as it stands now.

    Raises :class:`OperationalError` when there is none or it does not open, and for ``rocks`` when a node has it open.
    """
    path = folder / STORE_NAMES[kind]
    if not path.exists():
        raise OperationalError(f"There is no store at {path}.", "Check the data folder, or start a node there first.")
    return _SqliteMoment(path) if kind == "sqlite" else _open_rocks(folder, path)


class _SqliteMoment:
    """One read transaction over a SQLite store."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        try:
            # Not immutable: a running node may move pages while we read, and the write-ahead log holds the newest.
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, isolation_level=None, timeout=30.0
            )
            self._connection.execute("BEGIN")
            self._connection.execute(_ANY[Table.META]).fetchone()  # the moment is now
        except sqlite3.Error as error:
            self.close()
            raise self._failure(error) from error

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See :class:`ReadOnlyStore`."""
        row = self._execute(_GET[table], (key,)).fetchone()
        return None if row is None else row[0]

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """See :class:`ReadOnlyStore`."""
        sql, bounds = (_SCAN[table], (start,)) if end is None else (_SCAN_TO[table], (start, end))
        cursor = self._execute(sql, bounds)
        try:
            while rows := cursor.fetchmany(SCAN_ROWS):
                yield from rows
        except sqlite3.Error as error:
            raise self._failure(error) from error
        finally:
            cursor.close()

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """See :class:`ReadOnlyStore`."""
        row: tuple[bytes, bytes] | None = self._execute(_LAST[table], ()).fetchone()
        return row

    def close(self) -> None:
        """See :class:`ReadOnlyStore`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _execute(self, sql: str, values: tuple[bytes, ...]) -> sqlite3.Cursor:
        assert self._connection is not None, "it is closed"
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> OperationalError:
        return OperationalError(
            f"The store {self._path} does not read: {error}.", "Check the disk and the rights; restore a snapshot."
        )


def _open_rocks(folder: Path, path: Path) -> ReadOnlyStore:
    """Open a RocksDB store that nobody else has open, with the lock of its folder."""
    try:
        from fujie.store.rocks import RocksStore  # not at the top: as in store.opening
    except ImportError as error:
        raise OperationalError(
            "A store of kind 'rocks' needs the package rocksdict.", "Install Fujie again, or read a 'sqlite' store."
        ) from error
    try:
        lock = FolderLock(folder)
    except OperationalError as error:
        raise OperationalError(
            f"{error.what} A store of kind 'rocks' has one reader at a time.", "Stop the node first."
        ) from error
    try:
        return LockedStore(RocksStore.open(path), lock)
    except BaseException:
        lock.release()
        raise
