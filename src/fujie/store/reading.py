"""Reading a data folder as it stands at one moment, without changing it: for `fujie check` and snapshots.

A SQLite file can be read beside the process that writes it: the reader holds one read transaction and sees one commit. A
RocksDB folder cannot, so there the lock of the data folder is taken, and the node must be stopped.

SQLite coordinates readers through files that it makes beside the store. Where it cannot make them, on a read-only file
system say, the store is read as one that does not change, and a lock holds whoever would change it off meanwhile.
"""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from fujie.core.errors import OperationalError
from fujie.store.layout import Table
from fujie.store.opening import STORE_NAMES, FolderLock, LockedStore, SharedLock, StoreKind

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


def open_for_reading(kind: StoreKind, folder: Path, *, untouched: bool = False) -> ReadOnlyStore:
    """Open the store of data folder ``folder`` as it stands now.

    ``untouched``: leave not even SQLite's own files behind, where no node runs; one that starts meanwhile is turned away,
    so this is for a brief look. Raises :class:`OperationalError` when there is no store or it does not open, and for
    ``rocks`` when a node has it open.
    """
    path = folder / STORE_NAMES[kind]
    if not path.exists():
        raise OperationalError(f"There is no store at {path}.", "Check the data folder, or start a node there first.")
    if kind == "rocks":
        return _open_rocks(folder, path)
    still = _hold_still(folder, path) if untouched or not os.access(folder, os.W_OK) else None
    return SqliteMoment(path, still)


def _hold_still(folder: Path, path: Path) -> SharedLock | None:
    """Return the lock under which the file at ``path`` is the whole store and does not change; None where it is not so."""
    lock = SharedLock.take(folder)
    if lock is None:
        return None  # a node runs
    log = path.with_name(f"{path.name}-wal")
    try:
        merged = not log.exists() or log.stat().st_size == 0
    except OSError:
        merged = False
    if not merged:  # the newest commits stand in the write-ahead log, which a file that does not change is read without
        lock.release()
        return None
    return lock


class SqliteMoment:
    """One read transaction over a SQLite store; with ``held`` False, one for each read. Threads may take turns.

    With ``still`` the file is read as one that does not change.
    """

    def __init__(self, path: Path, still: SharedLock | None = None, *, held: bool = True) -> None:
        self._path = path
        self._still = still
        self._connection: sqlite3.Connection | None = None
        # Not immutable beside a running node: it may move pages while we read, and its write-ahead log holds the newest.
        mode = "mode=ro" if still is None else "mode=ro&immutable=1"
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(os.fsencode(path.resolve()))}?{mode}",
                uri=True,
                isolation_level=None,
                timeout=30.0,
                check_same_thread=False,
            )
            if held:
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
        if self._still is not None:
            self._still.release()

    def _execute(self, sql: str, values: tuple[bytes, ...]) -> sqlite3.Cursor:
        assert self._connection is not None, "it is closed"
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> OperationalError:
        log = self._path.with_name(f"{self._path.name}-wal")
        if not os.access(self._path.parent, os.W_OK) and log.exists():
            return OperationalError(
                f"The store {self._path} was not closed when it was last used, and its folder cannot be written: {error}.",
                "Copy the whole folder to where it can be written, and read it there.",
            )
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
