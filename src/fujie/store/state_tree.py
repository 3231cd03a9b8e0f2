"""The state tree of a running node: staged before a block commits, visible after it (docs/spec/04-proofs.md).

``fujie.proof.merkle_state`` says what the tree is; this file keeps one. Every node is in memory (``store.tree_nodes``).
The contents of buckets are cached, and rebuilt from the STATE table where they are not.

A block is hashed in place. What it replaces is written down first, level by level, in a record which readers look into
after they have read a node; so readers see nothing of a staged block, giving it up is writing the record back, and
applying it is keeping the record, which then proves the root before it.
"""

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Mapping
from hashlib import sha256
from itertools import islice
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.hashing import DIGEST_BYTES, TAG_BUCKET, TAG_VALUE
from fujie.proof.merkle_state import (
    LEAF_BYTES,
    StateProof,
    bucket_number,
    compress_siblings,
    find_leaf,
)
from fujie.store.base import Store, WriteBatch
from fujie.store.bucket_cache import BucketCache
from fujie.store.layout import Table
from fujie.store.replaced_nodes import ReplacedNodes
from fujie.store.tree_nodes import REPAIR, TreeNodes, bucket_range

CACHE_BYTES_DEFAULT: Final = 2**30  # the buckets of about ten million records
WINDOW_DEFAULT: Final = 8  # past roots that can be proven; a reader is one block behind, a slow one a few


def pack_leaf(path: bytes, salt: bytes, record: bytes) -> bytes:
    """Return what stands in the STATE table: ``path length (2) || path || salt length (1) || salt || record``."""
    return len(path).to_bytes(2, "big") + path + bytes((len(salt),)) + salt + record


def unpack_leaf(stored: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (path, salt, record) of a value of the STATE table. The value is this process's own: it is not checked."""
    path_end = 2 + (stored[0] << 8 | stored[1])
    salt_end = path_end + 1 + stored[path_end]
    return stored[2:path_end], stored[path_end + 1 : salt_end], stored[salt_end:]


def stored_value_digest(stored: bytes) -> bytes:
    """Return the value digest of a value of the STATE table.

    What follows the path, ``salt length || salt || record``, is just what a value digest hashes.
    """
    return sha256(TAG_VALUE + stored[2 + (stored[0] << 8 | stored[1]) :]).digest()


class StagedTree:
    """The tree after a block, not yet visible."""

    __slots__ = ("_buckets", "_digests", "_empty_bucket", "_replaced", "root")

    def __init__(
        self, root: bytes, empty_bucket: bytes, replaced: ReplacedNodes, buckets: dict[int, bytes], digests: list[bytes]
    ) -> None:
        self.root = root  # 32 bytes: the state root after the block
        self._empty_bucket = empty_bucket
        self._replaced = replaced
        self._buckets = buckets  # bucket number -> its leaves after the block
        self._digests = digests  # in the order of _buckets

    def write_into(self, batch: WriteBatch) -> None:
        """Add the changed bucket digests to ``batch``. The leaves (STATE) are the caller's, in the same batch."""
        empty = self._empty_bucket
        batch.put_many(
            Table.BUCKETS,
            {
                number.to_bytes(4, "big"): None if value == empty else value
                for number, value in zip(self._buckets, self._digests, strict=True)
            },
        )

    def replaced_rows(self) -> list[tuple[bytes, bytes | None]]:
        """Return the rows of the changed buckets as they were before the block, None for an empty one."""
        empty, before = self._empty_bucket, self._replaced.digests[0] if self._buckets else b""
        found = (before[at << 5 : (at << 5) + 32] for at in range(len(self._buckets)))
        return [
            (number.to_bytes(4, "big"), None if digest == empty else digest)
            for number, digest in zip(self._buckets, found, strict=True)
        ]


class StateTree:
    """The state tree of one store: *stage* a block, commit what it wrote, *apply* it.

    One thread stages, applies and discards. Any thread reads (``root``, ``roots``, ``prove``); a proof is of one root
    from end to end. Nothing becomes durable here: ``StagedTree.write_into`` goes into the batch of the block.

    ``depth``: 4 to 24, from genesis. ``window``: how many past roots stay provable. ``cache_bytes``: the bound on
    cached bucket contents. The nodes take another 64 bytes per bucket of the depth (16 MiB at 18), the window what its
    blocks replaced (13 MiB for a block of 20,000 records among two million).
    """

    def __init__(
        self, store: Store, depth: int, window: int = WINDOW_DEFAULT, cache_bytes: int = CACHE_BYTES_DEFAULT
    ) -> None:
        self._nodes = TreeNodes(depth)
        self._nodes.load(store.scan(Table.BUCKETS))
        self.depth = depth
        self._store = store
        self._cache = BucketCache(cache_bytes)
        self._lock = threading.Lock()  # held by a proof, and wherever a record of replaced nodes comes or goes
        self._root = self._nodes.root
        self._staged: StagedTree | None = None
        self._replaced: ReplacedNodes | None = None  # by the staged block, or by one that failed while it was staged
        self._window: deque[ReplacedNodes] = deque(maxlen=window)  # by applied blocks, oldest first

    @property
    def root(self) -> bytes:
        """The 32-byte root of the last applied block."""
        return self._root

    def roots(self) -> list[bytes]:
        """Return every root that can be proven, newest first. A block that changes no record adds none."""
        with self._lock:
            return [self._root, *(replaced.root for replaced in reversed(self._window))]

    def stage(self, changes: Mapping[bytes, bytes | None]) -> StagedTree:
        """Hash a block: key hash (32 bytes) -> new value digest (32 bytes), None where the record is removed.

        Readers see nothing of it. The STATE table must still be as the last applied block left it. A staged tree is
        applied or discarded before the next is staged. Raises :class:`OperationalError` when the store fails or
        contradicts the tree; after this and any other exception, the tree is as it was.
        """
        if self._staged is not None:
            raise RuntimeError("a staged tree is neither applied nor discarded")
        # One wrong length would shift every leaf behind it, so look, but in two calls instead of one for each key.
        assert len(b"".join(changes)) == DIGEST_BYTES * len(changes)
        assert not sum([len(value) for value in changes.values() if value is not None]) % DIGEST_BYTES
        self._take_back()  # what an interrupted stage left, if even its own taking back was interrupted
        old_buckets, new_buckets = self._change_buckets(changes)
        replaced = ReplacedNodes(self._root, old_buckets)
        with self._lock:
            # From here until apply, a reader takes the contents of changed buckets from the record and not from the
            # store, which may already be one block further.
            self._replaced = replaced
        try:
            digests = _bucket_digests(new_buckets)
            self._nodes.write(list(new_buckets), digests, replaced)
        except BaseException:
            self._take_back()
            raise
        self._staged = StagedTree(self._nodes.root, self._nodes.empty[0], replaced, new_buckets, digests)
        return self._staged

    def apply(self, staged: StagedTree) -> None:
        """Make ``staged`` what readers see. Call it when the commit of its block has returned, and only then."""
        if staged is not self._staged:
            raise RuntimeError("only the tree that was staged last can be applied")
        with self._lock:
            if staged.root != self._root:  # with the same root, what is in the caches is the same as well
                self._window.append(staged._replaced)
                self._root = staged.root
                for number, bucket in staged._buckets.items():
                    self._cache.put(number, bucket)
                self._cache.evict()
            self._replaced = None
            self._staged = None

    def discard(self, staged: StagedTree) -> None:
        """Take back ``staged``: its block was not committed. No error when it is neither staged nor applied any more."""
        if staged is self._staged:
            self._take_back()
            self._staged = None

    def look_back(self, before: Mapping[bytes, bytes | None]) -> bytes:
        """Have the root before the last block provable, and return it: for a node's start, before anything is staged.

        ``before``: the value digests that its records had, as :meth:`stage` takes them. Raises as that.
        """
        now, then = self._change_buckets(before)
        self._nodes.write(list(then), _bucket_digests(then), ReplacedNodes(self._root, now))
        forth = ReplacedNodes(self._nodes.root, then)
        self._nodes.write(list(now), _bucket_digests(now), forth)
        with self._lock:
            self._window.append(forth)
        return forth.root

    def prove(self, key_hash: bytes, root: bytes | None = None) -> StateProof:
        """Return the proof of presence or absence of a key under ``root``, by default the current one.

        Raises :class:`OperationalError` when ``root`` is neither current nor in the window.
        """
        number = bucket_number(key_hash, self.depth)
        with self._lock:
            newer = self._blocks_since(root)
            leaves = self._bucket_then(number, newer)
            siblings = self._nodes.siblings(number, newer)
        present, given = compress_siblings(siblings)
        return StateProof(leaves, present, given)

    def warm(self) -> int:
        """Fill the cache of buckets from the STATE table, up to its bound; return how many buckets it holds.

        One pass over the table is some ten times as fast as meeting the buckets one by one. It checks every bucket
        against its digest on the way. For the start of a node, before the first block; proofs wait for it.
        """
        with self._lock:
            number, leaves = -1, list[bytes]()
            for key, stored in self._store.scan(Table.STATE):
                found = bucket_number(key, self.depth)
                if found != number:
                    self._keep_checked(number, b"".join(leaves))
                    if self._cache.size_bytes > self._cache.size_bytes_max:
                        self._cache.evict()
                        return len(self._cache.buckets)
                    number, leaves = found, []
                leaves.append(key + stored_value_digest(stored))
            self._keep_checked(number, b"".join(leaves))
            return len(self._cache.buckets)

    # -- blocks that can be taken back

    def _take_back(self) -> None:
        """Undo the writes of a block that is not applied."""
        replaced = self._replaced
        if replaced is not None:
            self._nodes.take_back(replaced)
            with self._lock:  # a proof that read a node before this still finds its record
                self._replaced = None

    def _blocks_since(self, root: bytes | None) -> list[ReplacedNodes]:
        """Return what the blocks after ``root`` replaced, oldest first, up to the one that is staged."""
        staged = [] if self._replaced is None else [self._replaced]
        if root is None or root == self._root:
            return staged
        for position in range(len(self._window) - 1, -1, -1):
            if self._window[position].root == root:
                return [*islice(self._window, position, None), *staged]
        raise OperationalError(
            f"The state root {root.hex()} is not among the last {len(self._window) + 1}.",
            "Ask for a proof under the newest proven root.",
        )

    # -- buckets

    def _change_buckets(self, changes: Mapping[bytes, bytes | None]) -> tuple[dict[int, bytes], dict[int, bytes]]:
        """Return the touched buckets before and after ``changes``, by number ascending."""
        old: dict[int, bytes] = {}
        new: dict[int, bytes] = {}
        cached = self._cache.get
        from_bytes = int.from_bytes
        shift = 32 - self.depth
        current, bucket = -1, b""
        for key in sorted(changes):
            number = from_bytes(key[:4], "big") >> shift
            if number != current:
                new[current] = bucket
                current = number
                bucket = cached(number) or self._load_bucket(number)
                old[number] = bucket
            bucket = replace_leaf(bucket, key, changes[key])
        new[current] = bucket
        del new[-1]
        return old, new

    def _bucket_then(self, number: int, newer: list[ReplacedNodes]) -> bytes:
        """Return the leaves of a bucket as they were before the blocks ``newer``. The caller holds the lock."""
        for replaced in newer:
            before = replaced.buckets.get(number)
            if before is not None:
                return before
        found = self._cache.get(number)
        if found is None:
            found = self._read_bucket(number)
            self._keep_checked(number, found)
            self._cache.evict()
        return found

    def _load_bucket(self, number: int) -> bytes:
        """Return the leaves of a bucket that is not cached, and cache it. For the thread that stages."""
        bucket = self._read_bucket(number)
        if bucket:
            with self._lock:
                self._keep_checked(number, bucket)
                self._cache.evict()
        return bucket

    def _read_bucket(self, number: int) -> bytes:
        """Return the leaves of a bucket from the STATE table. It is one that no staged block has changed."""
        if self._nodes.bucket_digest(number) == self._nodes.empty[0]:
            return b""
        start, end = bucket_range(number, self.depth)
        rows = self._store.scan(Table.STATE, start, end)
        return b"".join([key + stored_value_digest(stored) for key, stored in rows])

    def _keep_checked(self, number: int, bucket: bytes) -> None:
        """Cache a bucket that was read from the store, if it is the one whose digest the tree has."""
        if not bucket:
            return
        if self._nodes.bucket_digest(number) != sha256(TAG_BUCKET + bucket).digest():
            raise OperationalError(f"The records of state bucket {number} do not have the digest in the tree.", REPAIR)
        self._cache.put(number, bucket)


def _bucket_digests(buckets: Mapping[int, bytes]) -> list[bytes]:
    return [sha256(TAG_BUCKET + bucket).digest() for bucket in buckets.values()]


def replace_leaf(bucket: bytes, key: bytes, value: bytes | None) -> bytes:
    """Return ``bucket`` with the leaf of ``key`` put, replaced or (``value`` None) removed."""
    at = find_leaf(bucket, key)
    if at >= 0:
        if value is None:
            return bucket[:at] + bucket[at + LEAF_BYTES :]
        return bucket[: at + DIGEST_BYTES] + value + bucket[at + LEAF_BYTES :]
    if value is None:
        return bucket
    at = LEAF_BYTES * bisect_left(
        range(len(bucket) // LEAF_BYTES),
        key,
        key=lambda leaf: bucket[leaf * LEAF_BYTES : leaf * LEAF_BYTES + DIGEST_BYTES],
    )
    return bucket[:at] + key + value + bucket[at:]
