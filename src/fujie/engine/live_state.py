"""The state of the last committed block, as rules and readers see it: a cache of hot records in front of the store."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from fujie.core.encoding import Record
from fujie.core.state import Key, Leaf
from fujie.engine.replay_window import ReplayWindow
from fujie.modules.catalog import codec_of
from fujie.store.base import Store
from fujie.store.layout import Table
from fujie.store.state_tree import unpack_leaf

CACHED_LEAVES_DEFAULT: Final = 2_000_000  # about 850 MB when it is full, which takes a million wallets in use

READ_AHEAD_MAX: Final = 200_000  # records: what all transactions that may wait touch, and some

_UNKNOWN: Final[Any] = object()


class LiveState:
    """Implements ``core.state.StateRead`` over the store. One thread runs rules on it; any thread may ``peek``."""

    def __init__(self, store: Store, window: ReplayWindow, cached_leaves: int = CACHED_LEAVES_DEFAULT) -> None:
        self._store = store
        self._window = window
        self._cached_max = cached_leaves
        self._cache: dict[str, Leaf | None] = {}
        self._lock = threading.Lock()  # around the two below
        self._ahead: dict[
            bytes, bytes | None
        ] = {}  # key hash → what stands there in the store, read before it is needed
        self._overtaken: set[bytes] | None = None  # what blocks changed since the reading ahead in hand began

    @property
    def cached(self) -> int:
        """How many records are in memory."""
        return len(self._cache)

    def leaf(self, key: Key[Any]) -> Leaf | None:
        """Return record and salt at ``key``, or None; what was read stays cached."""
        found: Any = self._cache.get(key.path, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._cache[key.path] = self._load(key)
        leaf: Leaf | None = found
        return leaf

    def get(self, key: Key[Any]) -> Any:
        """Return the record at ``key``, or None."""
        found: Any = self._cache.get(key.path, _UNKNOWN)
        if found is _UNKNOWN:
            found = self.leaf(key)
        return None if found is None else found.record

    def peek(self, key: Key[Any]) -> Leaf | None:
        """As :meth:`leaf`, for other threads: what was read is not cached."""
        found: Any = self._cache.get(key.path, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._load(key)
        leaf: Leaf | None = found
        return leaf

    def archived(self, version: bytes) -> bytes | None:
        """Return the canonical bytes of an old version, or None."""
        return self._store.get(Table.VERSIONS, version)

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """Tell whether the transaction was carried out and has not expired."""
        return self._window.remembers(transaction_id, expires_at_ms)

    def warm(self) -> int:
        """Read records into the cache until it is full or holds them all; return how many it holds. For a node's start."""
        cache = self._cache
        for _, stored in self._store.scan(Table.STATE):
            if len(cache) >= self._cached_max:
                break
            place, salt, record = unpack_leaf(stored)
            path = place.decode()
            if path not in cache:
                cache[path] = Leaf(codec_of(path).decode_trusted(record), salt)
        return len(cache)

    def prefetch(self, keys: Mapping[str, Key[Any]]) -> None:
        """Read the ``keys`` that are not cached in one sorted sweep over the store."""
        cache = self._cache
        missing = sorted([(key.hash, key) for path, key in keys.items() if path not in cache], key=_first)
        if self._ahead:
            missing = self._take_ahead(missing)
        if not missing:
            return
        for (_, key), stored in zip(
            missing, self._store.get_many(Table.STATE, [key_hash for key_hash, _ in missing]), strict=True
        ):
            cache[key.path] = None if stored is None else _decode(key, stored)

    def read_ahead(self, keys: Mapping[str, Key[Any]]) -> None:
        """Read the ``keys`` that are not cached, for a prefetch to come. One other thread does this at a time."""
        cache, ahead = self._cache, self._ahead
        missing = sorted({key.hash for path, key in keys.items() if path not in cache and key.hash not in ahead})
        with self._lock:
            self._overtaken = set()
        found = dict(zip(missing, self._store.get_many(Table.STATE, missing), strict=True))
        with self._lock:
            # A block that was committed during the reading may have changed what was read before.
            for key_hash in self._overtaken:
                found.pop(key_hash, None)
            self._overtaken = None
            if len(ahead) > READ_AHEAD_MAX:
                ahead.clear()  # what was read for transactions that were refused
            ahead.update(found)

    def _take_ahead(self, missing: list[tuple[bytes, Key[Any]]]) -> list[tuple[bytes, Key[Any]]]:
        """Cache what was read ahead and return what is still missing."""
        cache, ahead = self._cache, self._ahead
        still = []
        with self._lock:
            for pair in missing:
                stored = ahead.pop(pair[0], _UNKNOWN)
                if stored is _UNKNOWN:
                    still.append(pair)
                else:
                    cache[pair[1].path] = None if stored is None else _decode(pair[1], stored)
        return still

    def commit(self, changes: Mapping[str, tuple[Key[Record], Leaf]]) -> None:
        """Take over what a committed block changed, and forget the records that were read longest ago."""
        cache = self._cache
        for path, (_, leaf) in changes.items():
            cache[path] = leaf
        with self._lock:
            # The cache has them from here on, but it may forget them.
            if self._ahead or self._overtaken is not None:
                hashes = [key.hash for key, _ in changes.values()]
                for key_hash in hashes:
                    self._ahead.pop(key_hash, None)
                if self._overtaken is not None:
                    self._overtaken.update(hashes)
        excess = len(cache) - self._cached_max
        if excess > 0:
            # An eighth at a time: the first entry of a dict is found past every deleted one.
            for path in list(cache)[: excess + self._cached_max // 8]:
                del cache[path]

    def _load(self, key: Key[Any]) -> Leaf | None:
        stored = self._store.get(Table.STATE, key.hash)
        return None if stored is None else _decode(key, stored)


class PassingState:
    """The live state for a thread that does not own it: reads by ``leaf`` if it is given, and caches nothing."""

    def __init__(self, live: LiveState, leaf: Callable[[Key[Any]], Leaf | None] | None = None) -> None:
        self.leaf = leaf or live.peek
        self.archived = live.archived
        self.remembers = live.remembers

    def get(self, key: Key[Any]) -> Any:
        """Return the record at ``key``, or None."""
        leaf = self.leaf(key)
        return None if leaf is None else leaf.record


def _first(pair: tuple[bytes, Key[Any]]) -> bytes:
    return pair[0]


def _decode(key: Key[Any], stored: bytes) -> Leaf:
    _, salt, record = unpack_leaf(stored)
    return Leaf(key.codec.decode_trusted(record), salt)
