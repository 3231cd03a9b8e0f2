"""Where the projection reads the ledger: a follower in another process, the engine in this one, or a folder at rest."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final, Protocol

from fujie.core.encoding import Record
from fujie.core.state import Key
from fujie.engine.executor import HEAD, Head
from fujie.engine.local_reads import LocalReads
from fujie.machine.genesis import GENESIS, Genesis, chain_id
from fujie.modules.catalog import codec_of
from fujie.store.base import ReadOnlyStore, Store
from fujie.store.layout import META_HEAD, Table
from fujie.store.snapshot import META_ORIGIN, Origin, read_origin
from fujie.store.state_tree import unpack_leaf

KEYS_AT_ONCE: Final = 500


class Source(Protocol):
    """The tables of a ledger, read while it runs or while it rests. ``reader.follower.Follower`` is one.

    Blocks and log entries below ``head`` never change. What stands in state is of ``head`` or newer: the projection lays
    out the newest records, and reads them again when the log says that they were touched.
    """

    @property
    def chain_id(self) -> str:
        """Name of the chain."""
        ...

    @property
    def head(self) -> Head:
        """The newest committed block that can be read here."""
        ...

    @property
    def genesis(self) -> Genesis:
        """What the chain began with."""
        ...

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        ...

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order."""
        ...

    def rows(self, table: Table, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Return at most ``limit`` rows with ``start <= key < end``, ascending."""
        ...


def records_at(source: Source, keys: Sequence[Key[Any]]) -> list[Record | None]:
    """Return the newest record at each of ``keys``, in their order."""
    found: dict[bytes, Record] = {}
    wanted = sorted({key.hash for key in keys})
    for start in range(0, len(wanted), KEYS_AT_ONCE):
        for stored in source.get_many(Table.STATE, wanted[start : start + KEYS_AT_ONCE]):
            if stored is not None:
                path, _, data = unpack_leaf(stored)
                key: Key[Any] = Key(path.decode(), codec_of(path.decode()))
                found[key.hash] = key.codec.decode_trusted(data)
    return [found.get(key.hash) for key in keys]


def origin_of(source: Source) -> Origin | None:
    """Return where a folder that was loaded from a snapshot begins; None for one that has its chain whole."""
    data = source.get(Table.META, META_ORIGIN)
    return None if data is None else read_origin(data)


class EngineSource:
    """The engine in this process."""

    def __init__(self, engine: LocalReads) -> None:
        self._engine = engine
        self._store: Store = engine.executor.store
        self.get = self._store.get
        self.get_many = self._store.get_many

    @property
    def chain_id(self) -> str:
        """See :class:`Source`."""
        return self._engine.chain_id

    @property
    def head(self) -> Head:
        """See :class:`Source`."""
        return self._engine.head

    @property
    def genesis(self) -> Genesis:
        """See :class:`Source`."""
        return self._engine.genesis

    def rows(self, table: Table, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Source`."""
        return list(islice(self._store.scan(table, start, end), limit))


class FolderSource:
    """A data folder as it stands at one moment (``store.reading``)."""

    def __init__(self, store: ReadOnlyStore) -> None:
        """Take over ``store``, which holds a chain."""
        self._store = store
        self.get = store.get
        head, genesis = store.get(Table.META, META_HEAD), store.get(Table.GENESIS, b"genesis")
        assert head is not None, "a folder that was founded has a head"
        assert genesis is not None, "a folder that was founded has a genesis"
        self.head = HEAD.decode(head)
        self.genesis = GENESIS.decode(genesis)
        self.chain_id = chain_id(self.genesis)

    def get_many(self, table: Table, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :class:`Source`."""
        return [self._store.get(table, key) for key in keys]

    def rows(self, table: Table, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """See :class:`Source`."""
        return list(islice(self._store.scan(table, start, end), limit))
