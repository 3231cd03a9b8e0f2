"""The default store: one SQLite file in write-ahead-log mode, which every auditor can open.

One table per :class:`Table`, ``key BLOB PRIMARY KEY, value BLOB``, without row ids, so that a table is one b-tree in
key order. ``synchronous=FULL`` syncs the log at every commit. A checkpoint moves the log into the file when it has 20,000
pages (80 MiB): rarely enough that a page which many blocks touch is moved once.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from fujie.core.errors import OperationalError
from fujie.store.base import WriteBatch
from fujie.store.files import HeldFile
from fujie.store.layout import Table

CHECKPOINT_PAGES: Final = 20_000  # 80 MiB of log; also what a restart after a crash reads again
WRITER_CACHE_KIB: Final = 131_072  # pages of the b-trees which every block walks
READER_CACHE_KIB: Final = 8_192  # each; a commit of another connection empties it anyway
READERS_KEPT: Final = 16  # idle connections; more concurrent readers open more for the time of their read
KEYS_PER_SELECT: Final = 512  # from here on, more keys in one statement win nothing
SCAN_ROWS: Final = 256  # rows fetched at a time
MOMENT_ROWS: Final = 1_024  # of a moment, which is most often read whole


def _statements(sql: str) -> dict[Table, str]:
    """Return ``sql`` for every table, in place of the word ``this_table``."""
    return {table: sql.replace("this_table", table.sql_name) for table in Table}


_CREATE: Final = _statements(
    "CREATE TABLE IF NOT EXISTS this_table (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL) WITHOUT ROWID"
)
_ANY: Final = _statements("SELECT 1 FROM this_table LIMIT 1")
_GET: Final = _statements("SELECT value FROM this_table WHERE key = ?")
_GET_MANY: Final = _statements("SELECT key, value FROM this_table WHERE key IN ")
_SCAN: Final = _statements("SELECT key, value FROM this_table WHERE key >= ? ORDER BY key")
_SCAN_TO: Final = _statements("SELECT key, value FROM this_table WHERE key >= ? AND key < ? ORDER BY key")
_LAST: Final = _statements("SELECT key, value FROM this_table ORDER BY key DESC LIMIT 1")
_PUT: Final = _statements("INSERT OR REPLACE INTO this_table VALUES (?, ?)")
_DELETE: Final = _statements("DELETE FROM this_table WHERE key = ?")


class SqliteStore:
    """A :class:`fujie.store.base.Store` in one SQLite file, or in memory.

    The thread that commits reads through the connection that writes, whose page cache a commit leaves warm. Every other
    read borrows a connection of its own, so reads go on while a block commits. In memory there is one connection, and
    one lock around it.
    """

    name = "sqlite"

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writer_lock = threading.RLock()
        self._writer_thread = threading.get_ident()
        self._idle_readers: list[sqlite3.Connection] = []  # append and pop are atomic
        self._closed = False
        self._failed = False
        try:
            self._writer = self._connect(WRITER_CACHE_KIB)
            try:
                self._writer.execute("PRAGMA journal_mode = WAL")
                self._writer.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
                self._writer.execute("BEGIN IMMEDIATE")
                for table in Table:
                    self._writer.execute(_CREATE[table])
                self._writer.execute("COMMIT")
            except sqlite3.Error:
                self._writer.close()
                raise
        except sqlite3.Error as error:
            raise OperationalError(
                f"The store {self._place} does not open: {error}.",
                "Check that the folder exists and may be written, and that the file is a store of Fujie.",
            ) from error

    @classmethod
    def open(cls, path: Path | None) -> "SqliteStore":
        """Open or create the store at ``path``; None keeps it in memory. Raises :class:`OperationalError`."""
        return cls(path)

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        try:
            with _Reading(self) as connection:
                row = connection.execute(_GET[table], (key,)).fetchone()
        except sqlite3.Error as error:
            raise self._failure("read", error) from error
        return None if row is None else row[0]

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order, all as of one commit. Fastest when the keys are sorted."""
        found: dict[bytes, bytes] = {}
        try:
            with _Reading(self) as connection:
                one_statement = len(keys) <= KEYS_PER_SELECT or connection is self._writer
                if not one_statement:
                    connection.execute("BEGIN")
                try:
                    for start in range(0, len(keys), KEYS_PER_SELECT):
                        chunk = list(keys[start : start + KEYS_PER_SELECT])
                        # Padded to a power of two, so that ten prepared statements serve every number of keys.
                        places = 1 << (len(chunk) - 1).bit_length()
                        chunk += chunk[-1:] * (places - len(chunk))
                        marks = ",".join("?" * places)
                        found.update(connection.execute(f"{_GET_MANY[table]}({marks})", chunk))
                finally:
                    if not one_statement:
                        connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure("read", error) from error
        return [found.get(key) for key in keys]

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending, all as of the commit before the first is taken."""
        sql, bounds = (_SCAN[table], (start,)) if end is None else (_SCAN_TO[table], (start, end))
        try:
            if self._path is None:
                # The one connection would show later commits in the middle of the scan.
                with self._writer_lock:
                    rows = self._writer.execute(sql, bounds).fetchall()
                yield from rows
                return
            with _Reading(self, own=True) as connection:
                cursor = connection.execute(sql, bounds)
                try:
                    while rows := cursor.fetchmany(SCAN_ROWS):
                        yield from rows
                finally:
                    cursor.close()  # ends the read transaction, also of a scan that is left half-way
        except sqlite3.Error as error:
            raise self._failure("read", error) from error

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, or None when it is empty."""
        try:
            with _Reading(self) as connection:
                row: tuple[bytes, bytes] | None = connection.execute(_LAST[table]).fetchone()
        except sqlite3.Error as error:
            raise self._failure("read", error) from error
        return row

    def moment(self) -> "SqliteMoment":
        """Return the store as of its newest commit, whatever is committed later. Not in memory, where there is one connection.

        Until it is closed, the write-ahead log keeps every later commit. Raises :class:`OperationalError`.
        """
        if self._path is None:
            raise OperationalError("A store in memory has no moments.", "Keep it in a folder.")
        return SqliteMoment(self._path)

    def commit(self, batch: WriteBatch) -> None:
        """Apply ``batch`` atomically and return only when it is on disk (fsync).

        Raises :class:`OperationalError`; whether the batch is on disk is then unknown, and this store commits nothing
        more until it is opened again.
        """
        with self._writer_lock:
            if self._failed:
                raise OperationalError(
                    f"The store {self._place} failed in an earlier commit.", "Close it and open it again."
                )
            self._writer_thread = threading.get_ident()
            execute = self._writer.execute
            try:
                execute("BEGIN IMMEDIATE")
                for table, items in batch.tables.items():
                    # In key order, the b-tree is walked once from left to right.
                    puts = sorted([(key, value) for key, value in items.items() if value is not None])
                    deletes = sorted([(key,) for key, value in items.items() if value is None])
                    if puts:
                        self._writer.executemany(_PUT[table], puts)
                    if deletes:
                        self._writer.executemany(_DELETE[table], deletes)
                execute("COMMIT")
            except BaseException as error:
                self._failed = True
                self._roll_back()
                if isinstance(error, sqlite3.Error):
                    raise self._failure("write", error) from error
                raise

    def close(self) -> None:
        """Release files and locks. Idempotent. Nobody may be reading."""
        with self._writer_lock:
            self._closed = True
            while self._idle_readers:
                self._idle_readers.pop().close()
            self._writer.close()

    @property
    def _place(self) -> str:
        return "in memory" if self._path is None else str(self._path)

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        connection = sqlite3.connect(
            ":memory:" if self._path is None else self._path,
            isolation_level=None,  # transactions are begun and ended here, in words
            check_same_thread=False,
            timeout=30.0,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{cache_kib}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # the first error is the one to report, and the store commits nothing more anyway

    def _failure(self, verb: str, error: sqlite3.Error) -> OperationalError:
        return OperationalError(
            f"The store {self._place} could not {verb}: {error}.",
            "Check the disk (space, permissions, its log of errors), then start again.",
        )


class SqliteMoment:
    """One read transaction over a SQLite store; with ``held`` False, one for each read. Threads may take turns.

    With ``still`` the file is read as one that does not change.
    """

    def __init__(self, path: Path, still: HeldFile | None = None, *, held: bool = True) -> None:
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
        """See ``ReadOnlyStore``."""
        row = self._execute(_GET[table], (key,)).fetchone()
        return None if row is None else row[0]

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """See ``ReadOnlyStore``."""
        sql, bounds = (_SCAN[table], (start,)) if end is None else (_SCAN_TO[table], (start, end))
        cursor = self._execute(sql, bounds)
        try:
            while rows := cursor.fetchmany(MOMENT_ROWS):
                yield from rows
        except sqlite3.Error as error:
            raise self._failure(error) from error
        finally:
            cursor.close()

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """See ``ReadOnlyStore``."""
        row: tuple[bytes, bytes] | None = self._execute(_LAST[table], ()).fetchone()
        return row

    def close(self) -> None:
        """See ``ReadOnlyStore``."""
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


class _Reading:
    """A connection for the time of one read: the writer's own for the thread that commits, else one from the pool."""

    __slots__ = ("_connection", "_own", "_shared", "_store")

    def __init__(self, store: SqliteStore, own: bool = False) -> None:
        self._store = store
        self._own = own

    def __enter__(self) -> sqlite3.Connection:
        store = self._store
        self._shared = not self._own and (store._path is None or threading.get_ident() == store._writer_thread)
        if self._shared:
            store._writer_lock.acquire()
            return store._writer
        if store._closed:
            raise sqlite3.ProgrammingError("it is closed")
        try:
            self._connection = store._idle_readers.pop()
        except IndexError:
            self._connection = store._connect(READER_CACHE_KIB)
        return self._connection

    def __exit__(self, *_: object) -> None:
        store = self._store
        if self._shared:
            store._writer_lock.release()
        elif store._closed or len(store._idle_readers) >= READERS_KEPT:
            self._connection.close()
        else:
            store._idle_readers.append(self._connection)
