"""The tables of the projection, and the file that holds them.

A change of the tables is a new :data:`SCHEMA` and a rebuild, never a migration: everything in the file is made from the
ledger. What costs in such a file are keys in random order, so the large tables are written in the order of the log:

* a transaction names its parties by number, and its row is appended;
* which transactions a party has is kept in *postings*: for every stretch of ``SEGMENT`` log entries one row for each party
  that occurs in it, holding the places in the stretch, two bytes each. A stretch is written once, in order, when it is
  full; until then its pairs stand in ``recent``, which is small enough to stay in memory.
* ids of transactions have no index: the ledger's own answers that question.
"""

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fujie.core.errors import OperationalError
from fujie.store.files import FileLock

SCHEMA: Final = 3
FILE_NAME: Final = "projection.sqlite"
LOCK_NAME: Final = "projection.lock"
REBUILD_NAME: Final = "projection.rebuild"

SEGMENT: Final = 16_384  # log entries; a place in it fits two bytes, and sorting one takes a fraction of a second
WRITER_CACHE_KIB: Final = 131_072  # the dictionaries of a million wallets
READER_CACHE_KIB: Final = 16_384
CHECKPOINT_PAGES: Final = 8_000  # 32 MiB of write-ahead log, moved into the file at once

TABLES: Final = (
    """CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID""",
    # One row: how far everything else is.
    """CREATE TABLE position (
        one INTEGER PRIMARY KEY CHECK (one = 1), log_size INTEGER NOT NULL, height INTEGER NOT NULL,
        time_ms INTEGER NOT NULL, block_hash BLOB NOT NULL, first_index INTEGER NOT NULL, founded INTEGER NOT NULL,
        number INTEGER NOT NULL, refused INTEGER NOT NULL, identifiers INTEGER NOT NULL, wallets INTEGER NOT NULL,
        accounts INTEGER NOT NULL, organisations INTEGER NOT NULL)""",
    """CREATE TABLE blocks (
        height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, transactions INTEGER NOT NULL, first_index INTEGER NOT NULL,
        app_hash BLOB NOT NULL, block_hash BLOB NOT NULL, proposer BLOB NOT NULL)""",
    """CREATE INDEX blocks_by_hash ON blocks (block_hash)""",  # in random order, but one for a block is little
    """CREATE TABLE minutes (minute INTEGER PRIMARY KEY, transactions INTEGER NOT NULL)""",
    # operations: kind numbers, two bytes each; parties: numbers, four bytes each, ascending. Little endian. payer and payee
    # are those of the first operation that moves money: a wallet, the institution of a vault, or 0 for `issued`.
    """CREATE TABLE transactions (
        log_index INTEGER PRIMARY KEY, height INTEGER NOT NULL, code INTEGER NOT NULL, transaction_id BLOB NOT NULL,
        operations BLOB NOT NULL, instrument TEXT, amount_minor INTEGER, payer INTEGER, payee INTEGER,
        postings INTEGER NOT NULL, parties BLOB NOT NULL)""",
    # Numbers are given once, to parties and wallets alike: a wallet is the party wallet/<hex>.
    """CREATE TABLE parties (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)""",
    """CREATE TABLE wallets (
        number INTEGER PRIMARY KEY, wallet BLOB NOT NULL UNIQUE, institution INTEGER, wallet_class INTEGER, kind INTEGER,
        status INTEGER, opened_height INTEGER, opened_ms INTEGER)""",
    """CREATE INDEX wallets_served ON wallets (institution, number) WHERE institution IS NOT NULL""",
    """CREATE TABLE recent (party INTEGER NOT NULL, log_index INTEGER NOT NULL, PRIMARY KEY (party, log_index))
        WITHOUT ROWID""",
    """CREATE TABLE segments (segment INTEGER PRIMARY KEY)""",
    """CREATE TABLE postings (
        segment INTEGER NOT NULL, party INTEGER NOT NULL, places BLOB NOT NULL, PRIMARY KEY (segment, party))
        WITHOUT ROWID""",
    """CREATE TABLE identifiers (
        identifier TEXT PRIMARY KEY NOT NULL, parent TEXT NOT NULL, within TEXT NOT NULL, place TEXT NOT NULL,
        name TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL, version INTEGER NOT NULL,
        children INTEGER NOT NULL, places INTEGER NOT NULL) WITHOUT ROWID""",
    """CREATE INDEX identifiers_under ON identifiers (parent, identifier)""",
    """CREATE INDEX identifiers_placed ON identifiers (place, identifier)""",
    """CREATE TABLE aliases (
        scheme TEXT NOT NULL, code TEXT NOT NULL, identifier TEXT NOT NULL, since_ms INTEGER NOT NULL, until_ms INTEGER,
        PRIMARY KEY (scheme, code)) WITHOUT ROWID""",
    """CREATE INDEX aliases_by_code ON aliases (code, scheme)""",
    """CREATE INDEX aliases_bound ON aliases (identifier) WHERE until_ms IS NULL""",
    """CREATE TABLE organisations (
        name TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, suspended INTEGER NOT NULL, accounts INTEGER NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE accounts (
        name TEXT PRIMARY KEY NOT NULL, organisation TEXT NOT NULL, roles TEXT NOT NULL, suspended INTEGER NOT NULL)
        WITHOUT ROWID""",
    """CREATE INDEX accounts_of ON accounts (organisation, name)""",
    """CREATE TABLE instruments (
        instrument TEXT PRIMARY KEY NOT NULL, title TEXT NOT NULL, decimals INTEGER NOT NULL, issuer TEXT NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE proposals (
        number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, proposer TEXT NOT NULL, action TEXT NOT NULL,
        status TEXT NOT NULL, votes INTEGER NOT NULL, deadline_ms INTEGER NOT NULL)""",
    """CREATE INDEX proposals_open ON proposals (deadline_ms) WHERE status = 'open'""",
    # What people search by: names and titles, folded (projection.text).
    """CREATE TABLE words (
        number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, folded TEXT NOT NULL,
        retired INTEGER NOT NULL, UNIQUE (kind, key))""",
    """CREATE INDEX words_by_text ON words (folded)""",
    """CREATE VIRTUAL TABLE word_parts USING fts5(
        folded, content = 'words', content_rowid = 'number', tokenize = 'trigram')""",
    # A trigram finds nothing shorter than itself, and most Chinese names are shorter: every two characters of a word that
    # is not ASCII, and its last one alone.
    """CREATE TABLE word_pairs (pair TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (pair, number)) WITHOUT ROWID""",
)


def padded(values: list[Any]) -> list[Any]:
    """Return ``values``, the last of them repeated up to a power of two: so few statements serve any number of them."""
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values)) if values else values


def in_list(sql: str, count: int) -> str:
    """Return ``sql`` with ``count`` places in the stead of the word ``these``."""
    return sql.replace("these", ",".join("?" * count))


class ProjectionLock(FileLock):
    """The right to write the projection of a data folder: one process at a time."""

    def __init__(self, home: Path) -> None:
        """Take it. Raises :class:`OperationalError` when another process has it."""
        refusal = OperationalError(
            f"The projection of {home} is being written by another process.",
            "It is the projector of the running node; `fujie projection status` shows how far it is.",
        )
        super().__init__(home / LOCK_NAME, lambda _file: refusal)


def remove_files(path: Path) -> None:
    """Remove a projection with its write-ahead log. Nobody may be writing it."""
    try:
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
            path.with_name(name).unlink(missing_ok=True)
    except OSError as error:
        raise OperationalError(
            f"The projection {path} cannot be removed: {error.strerror}.", "Check who owns it, and remove it yourself."
        ) from error


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open or create the file for its one writer. Raises :class:`sqlite3.Error`."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30.0, cached_statements=256)
    try:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # a lost commit is projected again
        connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES // 2}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open an existing file for reading only. Raises :class:`sqlite3.Error`."""
    location = f"file:{quote(os.fsencode(path.resolve()))}?mode=ro"
    connection = sqlite3.connect(
        location, uri=True, isolation_level=None, timeout=1.0, check_same_thread=False, cached_statements=256
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KIB}")
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def create_tables(connection: sqlite3.Connection, chain_id: str) -> None:
    """Write the empty tables of a chain, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in TABLES:
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", [("chain_id", chain_id), ("schema", str(SCHEMA))])
        connection.execute("INSERT INTO position VALUES (1, 0, 0, 0, x'', 0, 0, 0, 0, 0, 0, 0, 0)")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def description(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what the file says of itself: ``schema`` and ``chain_id``; empty for a file without tables."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return {}
    return dict(connection.execute("SELECT name, value FROM meta"))
