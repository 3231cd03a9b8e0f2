"""The state tree beside the ledger: it is told the digests of changed buckets and hashes only what lies above them.

It is always at the proven state. A block is *staged* while readers go on with the root before it, and *applied* in an
instant. The contents of buckets come from whoever asks for a proof; what was read is kept, and kept up to date.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import Final

from fujie.core.hashing import TAG_BUCKET
from fujie.proof.merkle_state import StateProof, bucket_number, compress_siblings
from fujie.store.bucket_cache import BucketCache
from fujie.store.replaced_nodes import ReplacedNodes
from fujie.store.state_tree import replace_leaf, stored_value_digest
from fujie.store.tree_nodes import TreeNodes, bucket_range

CACHE_BYTES_DEFAULT: Final = 134_217_728  # the buckets of about a million records

Scan = Callable[[bytes, bytes | None], Iterable[tuple[bytes, bytes]]]
"""Rows of the STATE table between two keys, as of the root of the tree."""


class BucketDiffersError(Exception):
    """The records that were read for a bucket are not those whose digest the tree has."""


class FollowedTree:
    """One thread stages. ``apply``, ``take_back`` and ``prove`` are called with the lock of their owner held."""

    def __init__(self, depth: int, lock: AbstractContextManager[bool], cache_bytes: int = CACHE_BYTES_DEFAULT) -> None:
        """An empty tree: the first stage brings every bucket. ``lock`` is the owner's."""
        self.depth = depth
        self._lock = lock
        self._nodes = TreeNodes(depth)
        self._cache = BucketCache(cache_bytes)
        self._root = self._nodes.root
        self._staged: tuple[ReplacedNodes, Sequence[int]] | None = None

    @property
    def root(self) -> bytes:
        """The 32-byte root of what was last applied."""
        return self._root

    def differing(self, rows: Iterable[tuple[bytes, bytes]]) -> dict[int, bytes]:
        """Return number and new digest of every bucket that is another one in the rows of a BUCKETS table."""
        numbers, digests = self._nodes.differing(rows)
        return dict(zip(numbers, digests, strict=True))

    def decode(self, rows: Mapping[bytes, bytes | None]) -> dict[int, bytes]:
        """Return number and new digest of the buckets in the BUCKETS rows of a block."""
        empty = self._nodes.empty[0]
        from_bytes = int.from_bytes
        return {from_bytes(key, "big"): empty if value is None else value for key, value in rows.items()}

    def stage(self, digests: Mapping[int, bytes]) -> bytes:
        """Write the digests of changed buckets, and what lies above; return the root to come. Readers see nothing of it.

        Called without the lock, which is taken for a moment. After any exception :meth:`take_back` must follow.
        """
        assert self._staged is None, "what was staged before is applied or taken back"
        numbers = sorted(digests)
        replaced = ReplacedNodes(self._root, {})
        with self._lock:  # a proof in hand does not look into the record, so the first write waits for its end
            self._staged = replaced, numbers
        self._nodes.write(numbers, [digests[number] for number in numbers], replaced)
        return self._nodes.root

    def take_back(self) -> None:
        """Forget what is staged, if anything is."""
        if self._staged is not None:
            self._nodes.take_back(self._staged[0])
            self._staged = None

    def apply(self, changes: Mapping[bytes, bytes | None] | None) -> None:
        """Make what is staged the tree. ``changes`` are its rows of the STATE table; None where they are not known."""
        if self._staged is not None:
            numbers = self._staged[1]
            cached = self._cache.get
            if changes is None:
                for number in numbers:
                    self._cache.put(number, b"")
            else:
                kept = {number for number in numbers if cached(number) is not None}
                if kept:
                    self._update(kept, changes)
                    self._cache.evict()
            self._staged = None
        self._root = self._nodes.root

    def prove(self, key_hash: bytes, scan: Scan) -> StateProof:
        """Return the proof of presence or absence of a key. Raises :class:`BucketDiffersError`."""
        number = bucket_number(key_hash, self.depth)
        newer = [] if self._staged is None else [self._staged[0]]
        leaves = self._cache.get(number)
        if leaves is None:
            leaves = self._read(number, newer, scan)
        present, given = compress_siblings(self._nodes.siblings(number, newer))
        return StateProof(leaves, present, given)

    def _read(self, number: int, newer: Sequence[ReplacedNodes], scan: Scan) -> bytes:
        """Return the leaves of a bucket, checked against its digest, and keep them."""
        wanted = self._nodes.bucket_digest(number, newer)
        if wanted == self._nodes.empty[0]:
            return b""
        start, end = bucket_range(number, self.depth)
        leaves = b"".join([key + stored_value_digest(stored) for key, stored in scan(start, end)])
        if sha256(TAG_BUCKET + leaves).digest() != wanted:
            raise BucketDiffersError
        self._cache.put(number, leaves)
        self._cache.evict()
        return leaves

    def _update(self, kept: set[int], changes: Mapping[bytes, bytes | None]) -> None:
        """Bring the cached buckets ``kept`` up to date."""
        shift = 32 - self.depth
        from_bytes = int.from_bytes
        for key, stored in changes.items():
            number = from_bytes(key[:4], "big") >> shift
            if number in kept:
                bucket = self._cache.get(number) or b""
                digest = None if stored is None else stored_value_digest(stored)
                self._cache.put(number, replace_leaf(bucket, key, digest))
