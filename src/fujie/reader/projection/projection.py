"""The writing side: blocks go in, tables and position move together.

:meth:`Projection.advance` is the one function for every case. It takes the next batch of whole blocks from a source and
writes it, and how far it came, in one SQL transaction: a crash at any moment loses nothing that is not done again, a
normal run does the batches as they come, a rebuild all of them from the first.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from fujie.core.encoding import Record
from fujie.core.errors import OperationalError
from fujie.modules.catalog import codec_of
from fujie.reader.projection.batch import Batch, block_hash_at, next_batch
from fujie.reader.projection.entities import Entities, Found, listed
from fujie.reader.projection.numbers import Numbers
from fujie.reader.projection.schema import (
    SCHEMA,
    ProjectionLock,
    connect_to_write,
    create_tables,
    description,
    remove_files,
)
from fujie.reader.projection.source import Source, origin_of
from fujie.reader.projection.transactions import write_transactions
from fujie.store.files import identity_of
from fujie.store.layout import Table
from fujie.store.state_tree import unpack_leaf

TRANSACTIONS_AT_ONCE: Final = 4_096  # in one batch: a fifth of a second of work, so lists follow within that time
LEAVES_AT_ONCE: Final = 5_000
MINUTE_MS: Final = 60_000

log = logging.getLogger(__name__)


class _Standing(NamedTuple):
    """The row of the table ``position``, without its first column."""

    log_size: int = 0
    height: int = 0
    time_ms: int = 0
    block_hash: bytes = b""
    first_index: int = 0
    founded: int = 0
    number: int = 0
    refused: int = 0
    identifiers: int = 0
    wallets: int = 0
    accounts: int = 0
    organisations: int = 0


_READ: Final = "SELECT these FROM position".replace("these", ", ".join(_Standing._fields))
_WRITE: Final = "UPDATE position SET these".replace("these", ", ".join(f"{name} = ?" for name in _Standing._fields))


class Projection:
    """The one writer of a projection file. A context manager. One thread uses it."""

    def __init__(self, path: Path, chain_id: str) -> None:
        """Open or create the projection of a chain at ``path``.

        One of another chain or schema, or one that does not read, is removed and begun anew. Raises
        :class:`OperationalError` when another process writes it, or the file cannot be made.
        """
        self.path = path
        self._chain_id = chain_id
        self._lock = ProjectionLock(path.parent)
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def log_size(self) -> int:
        """Log entries below this one are in the projection."""
        return self._standing.log_size

    @property
    def height(self) -> int:
        """Blocks up to this one are in the projection."""
        return self._standing.height

    @property
    def lost(self) -> bool:
        """Whether the file that is open no longer is the one at the path: somebody deleted it."""
        return identity_of(self.path) != self._file

    def advance(self, source: Source, transactions_max: int = TRANSACTIONS_AT_ONCE) -> bool:
        """Take in the next batch; False when there is none.

        A ledger that this file was not made from (restored from a backup, say) empties it first. Raises
        :class:`OperationalError`, and the batch is as if it had not begun.
        """
        try:
            if not self._fits(source):
                log.warning("the projection was made from other blocks than the ledger has now; it is built anew")
                self.restart()
            if not self._standing.founded:
                self._found(source)
                return True
            standing = self._standing
            batch = next_batch(source, standing.height, standing.log_size, transactions_max)
            if batch is None:
                return False
            self._in_transaction(lambda: self._take_in(batch, source))
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return True

    def restart(self) -> None:
        """Remove everything and begin anew. Raises :class:`OperationalError`."""
        self._connection.close()
        remove_files(self.path)
        self._open()

    def close(self) -> None:
        """Close the file and give it free. Idempotent."""
        self._connection.close()
        self._lock.release()

    # -- the file

    def _open(self) -> None:
        """Open the file, or a new one where there is none that serves."""
        if not self.path.exists():
            remove_files(self.path)  # a write-ahead log without its file belongs to nothing
        try:
            try:
                self._connect()
            except sqlite3.OperationalError:
                raise  # the disk or its rights: removing would not help
            except sqlite3.DatabaseError as error:
                log.warning("the projection %s does not read (%s); it is built anew", self.path, error)
                remove_files(self.path)
                self._connect()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _connect(self) -> None:
        self._connection = connect_to_write(self.path)
        try:
            found = description(self._connection)
            wanted = {"chain_id": self._chain_id, "schema": str(SCHEMA)}
            if found and found != wanted:
                log.warning("the projection %s is of another version or chain; it is built anew", self.path)
                self._connection.close()
                remove_files(self.path)
                self._connection = connect_to_write(self.path)
            if found != wanted:
                create_tables(self._connection, self._chain_id)
            self._file = identity_of(self.path)
            self._load()
        except BaseException:
            self._connection.close()
            raise

    def _load(self) -> None:
        """Read where the file stands, and forget what a batch that failed had in memory."""
        self._standing = _Standing(*self._connection.execute(_READ).fetchone())
        self._numbers = Numbers(self._connection, self._standing.number)

    def _in_transaction(self, write: Callable[[], None]) -> None:
        """Call ``write`` in a transaction; whatever it raises, nothing of it stays."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            write()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._load()
            raise

    def _failure(self, error: sqlite3.Error) -> OperationalError:
        return OperationalError(
            f"The projection {self.path} cannot be written: {error}.",
            "Check the disk and who owns the file; it may be deleted at any time.",
        )

    # -- what goes in

    def _fits(self, source: Source) -> bool:
        """Tell whether the file was made from the blocks that the ledger has."""
        standing = self._standing
        if not standing.block_hash:
            return True
        return block_hash_at(source, standing.height) == standing.block_hash

    def _found(self, source: Source) -> None:
        """Take in what the chain began with. Interrupted, it begins again, which does no harm."""
        origin = origin_of(source)
        first_index = 0 if origin is None else origin.first_index
        leaves = _genesis_leaves(source) if origin is None else _state_leaves(source)
        while chunk := list(islice(leaves, LEAVES_AT_ONCE)):
            self._in_transaction(partial(self._take_records, chunk, source))
        self._in_transaction(lambda: self._stand(founded=1, first_index=first_index, log_size=first_index))

    def _take_records(self, found: list[Found], source: Source) -> None:
        entities = Entities(self._connection, self._numbers, source)
        entities.take(found)
        self._stand(number=self._numbers.newest, **self._totals(entities))

    def _take_in(self, batch: Batch, source: Source) -> None:
        """Write a batch and move the position."""
        standing = self._standing
        self._write_blocks(batch)
        refused, touched = write_transactions(self._connection, self._numbers, batch, standing.log_size)
        entities = Entities(self._connection, self._numbers, source)
        if touched:
            entities.refresh(touched.values())
        newest = batch.blocks[-1]
        self._stand(
            log_size=batch.end,
            height=batch.height,
            time_ms=batch.time_ms,
            block_hash=newest.block_hash,
            number=self._numbers.newest,
            refused=standing.refused + refused,
            **self._totals(entities),
        )

    def _write_blocks(self, batch: Batch) -> None:
        # A block that the ledger does not keep may come in parts.
        self._connection.executemany(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (height) DO UPDATE SET transactions = transactions + excluded.transactions",
            batch.blocks,
        )
        self._connection.executemany(
            "INSERT INTO minutes VALUES (?, ?)"
            " ON CONFLICT (minute) DO UPDATE SET transactions = transactions + excluded.transactions",
            [(block.time_ms // MINUTE_MS, block.transactions) for block in batch.blocks if block.transactions],
        )

    def _totals(self, entities: Entities) -> dict[str, int]:
        return {name: getattr(self._standing, name) + count for name, count in entities.added.items()}

    def _stand(self, **changes: Any) -> None:
        """Write where the file stands now; the position in memory follows."""
        standing = self._standing._replace(**changes)
        self._connection.execute(_WRITE, standing)
        self._standing = standing


def _genesis_leaves(source: Source) -> Iterator[Found]:
    """Yield the listed records of the genesis, by path."""
    for leaf in source.genesis.leaves:
        if listed(leaf.path):
            record: Record = codec_of(leaf.path).decode_trusted(leaf.record)
            yield leaf.path, record


def _state_leaves(source: Source) -> Iterator[Found]:
    """Yield the listed records of the state, by the hash of their key: what a snapshot began with, and what came since."""
    start = b""
    while rows := source.rows(Table.STATE, start, None, LEAVES_AT_ONCE):
        for _, stored in rows:
            path, _, data = unpack_leaf(stored)
            if listed(path.decode()):
                record: Record = codec_of(path.decode()).decode_trusted(data)
                yield path.decode(), record
        start = rows[-1][0] + b"\0"
