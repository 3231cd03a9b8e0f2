"""The fast store: RocksDB, through the package ``rocksdict``.

All tables stand in one key space, each behind its one-byte prefix, so that a block is one write batch. A commit syncs
the write-ahead log. The options favour point reads of small records: whole-key bloom filters, small blocks, a large block cache, and no
compression, which random salts and hashes do not yield to (a read of a million records' worth: 4.3 µs against 6.3 with
LZ4). Memory is bounded by the block cache and the memtables, about 768 MiB in all.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import rocksdict

from fujie.core.errors import OperationalError
from fujie.store.base import WriteBatch
from fujie.store.layout import Table

MIB: Final = 2**20
BLOCK_CACHE_BYTES: Final = 512 * MIB
FOLLOWER_CACHE_BYTES: Final = 64 * MIB  # of each instance beside the one that writes
MEMTABLE_BYTES: Final = 64 * MIB
MEMTABLES_MAX: Final = 3  # one that fills, two that are written out
LOG_BYTES_MAX: Final = 256 * MIB  # of write-ahead log: what a restart after a crash reads again
BLOCK_BYTES: Final = 4 * 1024
BLOOM_BITS_PER_KEY: Final = 10  # one percent of false positives
OPEN_FILES_MAX: Final = 512
MOMENT_ROWS: Final = 512  # that a moment reads at a time

_AFTER: Final = {table: bytes((table.prefix[0] + 1,)) for table in Table}


class RocksStore:
    """A :class:`fujie.store.base.Store` in a RocksDB folder. RocksDB itself lets threads read during a commit."""

    name = "rocks"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failed = False
        self._sync = rocksdict.WriteOptions()
        self._sync.sync = True
        try:
            self._database = rocksdict.Rdict(str(path), _options())
        except Exception as error:  # rocksdict raises Exception itself
            raise OperationalError(
                f"The store {path} does not open: {error}.",
                "Check that the folder exists and may be written, and that no other process has it open.",
            ) from error

    @classmethod
    def open(cls, path: Path) -> "RocksStore":
        """Open or create the store in folder ``path``. Raises :class:`OperationalError`."""
        return cls(path)

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        try:
            value: bytes | None = self._database.get(table.prefix + key)
        except Exception as error:
            raise self._failure("read", error) from error
        return value

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order, all as of one commit. Fastest when the keys are sorted."""
        prefix = table.prefix
        try:
            values: list[bytes | None] = self._database.get([prefix + key for key in keys]) or []
        except Exception as error:
            raise self._failure("read", error) from error
        return values

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending, all as of the commit before the first is taken."""
        bounds = rocksdict.ReadOptions()
        bounds.set_iterate_upper_bound(_AFTER[table] if end is None else table.prefix + end)
        try:
            cursor = self._database.iter(bounds)
            cursor.seek(table.prefix + start)
            while cursor.valid():
                yield cursor.key()[1:], cursor.value()
                cursor.next()
            cursor.status()  # an iterator that met an error is only not valid any more
        except Exception as error:
            raise self._failure("read", error) from error

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, or None when it is empty."""
        try:
            return _last_row(self._database.iter(), table)
        except Exception as error:
            raise self._failure("read", error) from error

    def moment(self) -> "RocksMoment":
        """Return the store as of its newest commit, whatever is committed later. Raises :class:`OperationalError`."""
        try:
            return RocksMoment(self._database, self._failure)
        except Exception as error:
            raise self._failure("read", error) from error

    def commit(self, batch: WriteBatch) -> None:
        """Apply ``batch`` atomically and return only when it is on disk (fsync).

        Raises :class:`OperationalError`; whether the batch is on disk is then unknown, and this store commits nothing
        more until it is opened again.
        """
        if self._failed:
            raise OperationalError(f"The store {self._path} failed in an earlier commit.", "Close and open it again.")
        try:
            writes = rocksdict.WriteBatch(raw_mode=True)
            put, delete = writes.put, writes.delete
            for table, items in batch.tables.items():
                prefix = table.prefix
                for key in sorted(items):
                    value = items[key]
                    if value is None:
                        delete(prefix + key)
                    else:
                        put(prefix + key, value)
            self._database.write(writes, self._sync)
        except Exception as error:
            self._failed = True
            raise self._failure("write", error) from error

    def close(self) -> None:
        """Release files and locks. Idempotent. Nobody may be reading."""
        try:
            self._database.close()
        except rocksdict.DbClosedError:
            pass
        except Exception as error:
            raise self._failure("close", error) from error

    def _failure(self, verb: str, error: Exception) -> OperationalError:
        return OperationalError(
            f"The store {self._path} could not {verb}: {error}.",
            "Check the disk (space, permissions, its log of errors), then start again.",
        )


class RocksMoment:
    """A :class:`fujie.store.reading.ReadOnlyStore`: one cursor, which sees the database as it was when it was made.

    RocksDB's own snapshots would say it more plainly, but the cursors that ``rocksdict`` makes of them see later commits.
    """

    def __init__(self, database: rocksdict.Rdict, failure: Callable[[str, Exception], OperationalError]) -> None:
        self._cursor: rocksdict.RdictIter | None = database.iter()
        self._failure = failure

    def get(self, table: Table, key: bytes) -> bytes | None:
        """See ``ReadOnlyStore``."""
        wanted = table.prefix + key
        for found, value in self._rows(wanted, wanted + b"\0", 1):
            if found == wanted:
                return value
        return None

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """See ``ReadOnlyStore``."""
        first = table.prefix + start
        beyond = _AFTER[table] if end is None else table.prefix + end
        while rows := self._rows(first, beyond, MOMENT_ROWS):
            for key, value in rows:
                yield key[1:], value
            first = rows[-1][0] + b"\0"

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """See ``ReadOnlyStore``."""
        try:
            return _last_row(self._open(), table)
        except Exception as error:
            raise self._failure("read", error) from error

    def close(self) -> None:
        """See ``ReadOnlyStore``."""
        self._cursor = None

    def _rows(self, first: bytes, beyond: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the first rows from one key on, up to another: all at once, so that reads may take turns."""
        rows: list[tuple[bytes, bytes]] = []
        try:
            cursor = self._open()
            cursor.seek(first)
            while len(rows) < limit and cursor.valid() and (key := cursor.key()) < beyond:
                rows.append((key, cursor.value()))
                cursor.next()
            cursor.status()
        except Exception as error:
            raise self._failure("read", error) from error
        return rows

    def _open(self) -> rocksdict.RdictIter:
        assert self._cursor is not None, "it is closed"
        return self._cursor


class RocksFollower(RocksStore):
    """The store beside the process that writes it: RocksDB's *secondary instance*, read-only, moved forward by hand.

    It keeps every table file open, so that those which the writer deletes stay readable, and reads the write-ahead log
    into memory. ``place`` is a folder of its own, for its log.
    """

    def __init__(self, path: Path, place: Path) -> None:
        self._path = path
        self._failed = True  # commits nothing
        options = _options(FOLLOWER_CACHE_BYTES)
        options.set_max_open_files(-1)
        options.create_if_missing(False)
        try:
            self._database = rocksdict.Rdict(str(path), options, access_type=rocksdict.AccessType.secondary(str(place)))
        except Exception as error:  # rocksdict raises Exception itself
            raise self._failure("open", error) from error

    def catch_up(self) -> None:
        """Move on to the newest commit. Nobody may be reading. Raises :class:`OperationalError`."""
        try:
            self._database.try_catch_up_with_primary()
        except Exception as error:
            raise self._failure("read", error) from error


def _last_row(cursor: rocksdict.RdictIter, table: Table) -> tuple[bytes, bytes] | None:
    cursor.seek_for_prev(_AFTER[table])
    # The bound itself, alone, is no key of any table: every table's keys have at least one byte.
    if cursor.valid() and cursor.key()[:1] == table.prefix:
        return cursor.key()[1:], cursor.value()
    cursor.status()
    return None


def _options(cache_bytes: int = BLOCK_CACHE_BYTES) -> rocksdict.Options:
    """Return the options of the database; what is not set here is RocksDB's default."""
    blocks = rocksdict.BlockBasedOptions()
    blocks.set_block_cache(rocksdict.Cache(cache_bytes))
    blocks.set_block_size(BLOCK_BYTES)
    blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, False)
    # Index and filter blocks count against the cache, so that memory stays bounded as the database grows.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(blocks)
    options.set_memtable_prefix_bloom_ratio(0.05)
    options.set_memtable_whole_key_filtering(True)
    options.set_write_buffer_size(MEMTABLE_BYTES)
    options.set_max_write_buffer_number(MEMTABLES_MAX)
    options.set_max_total_wal_size(LOG_BYTES_MAX)
    options.set_max_open_files(OPEN_FILES_MAX)
    options.set_max_background_jobs(2)
    options.set_compression_type(rocksdict.DBCompressionType.none())
    options.set_level_compaction_dynamic_level_bytes(True)
    options.set_bytes_per_sync(MIB)
    options.set_keep_log_file_num(4)
    options.set_max_log_file_size(16 * MIB)
    return options
