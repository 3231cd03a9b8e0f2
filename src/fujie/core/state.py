"""How a rule sees the state: typed keys, a snapshot to read, an overlay to write (docs/spec/03-state.md).

A leaf of the state tree is a record and a salt. Rules deal in records; the salts advance by themselves when a
transaction's writes are merged, so no rule can forget one.
"""

from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from fujie.core.encoding import Codec, Record, encode
from fujie.core.hashing import TAG_KEY, TAG_SALT_FIRST, TAG_SALT_NEXT, digest, version_digest

T = TypeVar("T", bound=Record)


class Key(msgspec.Struct, Generic[T], gc=False, eq=False):
    """Path of a record in state, and the type of what stands there.

    ``path`` is readable ASCII such as ``currency/wallet/0f…``; ``salted`` says whether the leaf's digest hides a record
    of low entropy behind a 32-byte salt (on for money, off for what the public may read anyway). Several are built for
    every payment, so the class is one that is quick to build, and a key keeps its hash.
    """

    path: str
    codec: Codec[T]
    salted: bool = False
    _hash: bytes | None = None

    @property
    def hash(self) -> bytes:
        """The 32-byte place of the key in the state tree."""
        known = self._hash
        if known is None:
            known = self._hash = sha256(TAG_KEY + self.path.encode()).digest()
        return known

    def __repr__(self) -> str:
        return f"Key({self.path})"


class Leaf(msgspec.Struct, frozen=True, gc=False):
    """What stands at a key: the record and its salt (32 bytes, or empty at an unsalted key)."""

    record: Record
    salt: bytes


class StateRead(Protocol):
    """A snapshot of the state. Pure: the same key gives the same answer for as long as the snapshot is held."""

    def leaf(self, key: Key[T]) -> Leaf | None:
        """Return record and salt at ``key``, or None."""
        ...

    def get(self, key: Key[T]) -> T | None:
        """Return the record at ``key``, or None."""
        ...

    def archived(self, version: bytes) -> bytes | None:
        """Return the old version of a record whose digest is ``version``, or None."""
        ...

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """Tell whether this transaction was carried out before and has not expired since."""
        ...


class State(Protocol):
    """What a transition is given: it reads records and writes records, and archives old versions."""

    def get(self, key: Key[T]) -> T | None:
        """Return the record at ``key`` as the transaction has left it so far, or None."""
        ...

    def put(self, key: Key[T], record: T) -> None:
        """Set the record at ``key``."""
        ...

    def create(self, key: Key[T], record: T, salt_seed: bytes) -> None:
        """Set the first record of a salted ``key``; the salt comes from ``salt_seed`` (32 bytes, secret to the holder)."""
        ...

    def archive(self, record: Record) -> bytes:
        """Keep ``record`` as an old version for ever and return its digest."""
        ...

    def archived(self, version: bytes) -> bytes | None:
        """Return the canonical bytes of the old version with this digest, or None."""
        ...


class BlockOverlay:
    """The writes of one block over a snapshot. Owned by ``machine``; nothing below it changes until it is committed."""

    __slots__ = ("archive", "base", "leaves")

    def __init__(self, base: StateRead) -> None:
        self.base = base
        self.leaves: dict[str, tuple[Key[Any], Leaf]] = {}
        self.archive: dict[bytes, bytes] = {}

    def leaf(self, key: Key[T]) -> Leaf | None:
        """Return record and salt at ``key`` as the block has left them so far."""
        written = self.leaves.get(key.path)
        return written[1] if written is not None else self.base.leaf(key)

    def get(self, key: Key[T]) -> T | None:
        """Return the record at ``key`` as the block has left it so far."""
        written = self.leaves.get(key.path)
        if written is not None:
            return written[1].record  # type: ignore[return-value]  # a path has one type, fixed in state_keys
        return self.base.get(key)

    def archived(self, version: bytes) -> bytes | None:
        """Return an old version, from this block or before."""
        return self.archive.get(version) or self.base.archived(version)

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        """As the snapshot below; the machine itself keeps the ids of the block in hand."""
        return self.base.remembers(transaction_id, expires_at_ms)


class Overlay:
    """The writes of one transaction over a :class:`BlockOverlay`; merged when it succeeds, dropped when refused."""

    __slots__ = ("_archive", "_base", "_below", "_block", "_kept", "_kept_archive", "_kept_seeds", "_seeds", "_writes")

    def __init__(self, block: BlockOverlay) -> None:
        self._block = block
        # One payment reads some ten times: these two spare it two calls each.
        self._below = block.leaves
        self._base = block.base.get
        self._kept: dict[str, tuple[Key[Any], Record]] = {}
        self._kept_seeds: dict[str, bytes] = {}
        self._kept_archive: dict[bytes, bytes] = {}
        self._writes: dict[str, tuple[Key[Any], Record]] = {}
        self._seeds: dict[str, bytes] = {}
        self._archive: dict[bytes, bytes] = {}

    def get(self, key: Key[T]) -> T | None:
        """See :class:`State`."""
        path = key.path
        own = self._writes.get(path)
        if own is not None:
            return own[1]  # type: ignore[return-value]  # a path has one type, fixed in state_keys
        earlier = self._below.get(path)
        if earlier is not None:
            return earlier[1].record  # type: ignore[return-value]  # as above
        return self._base(key)

    def put(self, key: Key[T], record: T) -> None:
        """See :class:`State`."""
        self._writes[key.path] = (key, record)

    def create(self, key: Key[T], record: T, salt_seed: bytes) -> None:
        """See :class:`State`."""
        self._seeds[key.path] = salt_seed
        self._writes[key.path] = (key, record)

    def archive(self, record: Record) -> bytes:
        """See :class:`State`."""
        data = encode(record)
        version = version_digest(data)
        self._archive[version] = data
        return version

    def archived(self, version: bytes) -> bytes | None:
        """See :class:`State`."""
        return self._archive.get(version) or self._block.archived(version)

    def merge(self, nonce: bytes) -> None:
        """Move the writes into the block, advancing the salt of every salted key once, by the transaction's ``nonce``."""
        block = self._block
        leaves = block.leaves
        seeds = self._seeds
        for path, (key, record) in self._writes.items():
            if not key.salted:
                leaves[path] = (key, Leaf(record, b""))
                continue
            if path in seeds:
                salt = digest(TAG_SALT_FIRST, seeds[path], key.hash)
            else:
                earlier = leaves.get(path)
                before = earlier[1] if earlier is not None else block.base.leaf(key)
                assert before is not None, f"{path} was written before it was created with a salt"
                salt = sha256(TAG_SALT_NEXT + before.salt + nonce + key.hash).digest()
            leaves[path] = (key, Leaf(record, salt))
        if self._archive:
            block.archive.update(self._archive)

    def keep(self) -> None:
        """Keep what is written so far whatever follows: :meth:`drop` goes back to here."""
        self._kept = dict(self._writes)
        if self._seeds:
            self._kept_seeds = dict(self._seeds)
        if self._archive:
            self._kept_archive = dict(self._archive)

    def drop(self) -> None:
        """Forget what was written since :meth:`keep`."""
        self._writes = self._kept
        self._seeds = self._kept_seeds
        self._archive = self._kept_archive
