"""The nodes of a state tree, all of them, in memory (docs/spec/04-proofs.md).

Heap layout: node 1 is the root, the children of ``i`` are ``2 * i`` and ``2 * i + 1``, bucket ``b`` is ``2 ** depth + b``.

All nodes stand in one array of bytes, so that two siblings share a cache line and no digest is a Python object: with a
quarter of a million buckets, waiting for memory costs as much as sha256.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import chain
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.hashing import DIGEST_BYTES, TAG_STATE_NODE
from fujie.proof.merkle_state import DEPTH_MAX, DEPTH_MIN, empty_digests
from fujie.store.replaced_nodes import ReplacedNodes

REPAIR: Final = "Stop the node and restore the data folder from a snapshot or another replica."


class TreeNodes:
    """The nodes of a tree of one depth, 4 to 24: 64 bytes for each bucket. One thread writes; others may read beside it.

    Whoever writes notes what he replaces in a :class:`ReplacedNodes`, in which readers look after they have read a node.
    """

    __slots__ = ("_array", "_view", "depth", "empty")

    def __init__(self, depth: int) -> None:
        """An empty tree. Raises :class:`OperationalError` for a depth out of bounds."""
        if not DEPTH_MIN <= depth <= DEPTH_MAX:
            raise OperationalError(
                f"A state tree has a depth of {DEPTH_MIN} to {DEPTH_MAX}, not {depth}.", "Correct the genesis file."
            )
        self.depth = depth
        self.empty = empty_digests(depth)
        self._array = bytearray(DIGEST_BYTES << (depth + 1))
        self._view = memoryview(self._array)
        for level in range(depth + 1):
            first = DIGEST_BYTES << level
            self._view[first : 2 * first] = self.empty[depth - level] * (1 << level)

    def __bytes__(self) -> bytes:
        return bytes(self._array)

    @property
    def root(self) -> bytes:
        """The 32-byte root as it was last written."""
        return bytes(self._view[32:64])

    def bucket_digest(self, number: int, newer: Sequence[ReplacedNodes] = ()) -> bytes:
        """Return the digest of a bucket as it was before the writes ``newer`` (oldest first)."""
        index = (1 << self.depth) + number
        found = bytes(self._view[index << 5 : (index << 5) + 32])  # before the records: see ReplacedNodes
        for replaced in newer:
            before = replaced.node(0, index)
            if before is not None:
                return before
        return found

    def load(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Fill an empty tree with the rows of a BUCKETS table; hashes only where a bucket is not empty."""
        view = self._view
        indices = []
        for number, value in self._checked(rows):
            index = (1 << self.depth) + number
            view[index << 5 : (index << 5) + 32] = value
            indices.append(index)
        while indices and indices[0] > 1:
            indices = _parents(indices)
            _hash_nodes(view, indices)

    def differing(self, rows: Iterable[tuple[bytes, bytes]]) -> tuple[list[int], list[bytes]]:
        """Return number and digest of every bucket that is another one in the rows of a BUCKETS table, ascending."""
        view, empty = self._view, self.empty[0]
        end = 1 << self.depth
        numbers: list[int] = []
        digests: list[bytes] = []
        expected = 0
        for number, value in chain(self._checked(rows), [(end, empty)]):
            start, stop = (end + expected) << 5, (end + number) << 5
            # Between two rows every bucket is empty: one comparison for all of them, mostly of none.
            if start != stop and view[start:stop] != empty * (number - expected):
                for gone in range(expected, number):
                    if self.bucket_digest(gone) != empty:
                        numbers.append(gone)
                        digests.append(empty)
            if number < end and view[stop : stop + 32] != value:
                numbers.append(number)
                digests.append(value)
            expected = number + 1
        return numbers, digests

    def write(self, numbers: Sequence[int], digests: Sequence[bytes], replaced: ReplacedNodes) -> None:
        """Write the digests of buckets, ``numbers`` ascending, and every node above them; note what was there."""
        view = self._view
        first = 1 << self.depth
        indices = [first + number for number in numbers]
        replaced.note(self._array, indices)
        for index, value in zip(indices, digests, strict=True):
            view[index << 5 : (index << 5) + 32] = value
        while indices and indices[0] > 1:
            indices = _parents(indices)
            replaced.note(self._array, indices)
            _hash_nodes(view, indices)

    def take_back(self, replaced: ReplacedNodes) -> None:
        """Undo the writes that ``replaced`` notes. May be repeated."""
        replaced.write_back(self._view)

    def siblings(self, number: int, newer: Sequence[ReplacedNodes]) -> list[bytes]:
        """Return what stands beside the way from a bucket to the root, bottom up, before the writes ``newer`` (oldest first)."""
        view = self._view
        siblings = []
        index = (1 << self.depth) + number
        for height in range(self.depth):
            beside = index ^ 1
            node = bytes(view[beside << 5 : (beside << 5) + 32])  # before the records: see ReplacedNodes
            for replaced in newer:
                found = replaced.node(height, beside)
                if found is not None:
                    node = found
                    break
            siblings.append(node)
            index >>= 1
        return siblings

    def _checked(self, rows: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[int, bytes]]:
        for key, value in rows:
            number = int.from_bytes(key, "big")
            if len(key) != 4 or number >> self.depth or len(value) != DIGEST_BYTES:
                raise OperationalError(f"Bucket {key.hex()} does not belong into a tree of depth {self.depth}.", REPAIR)
            yield number, value


def bucket_range(number: int, depth: int) -> tuple[bytes, bytes | None]:
    """Return between which keys of the STATE table the records of a bucket stand; None is the end of the table."""
    shift = 32 - depth
    start = (number << shift).to_bytes(4, "big")
    end = None if (number + 1) >> depth else ((number + 1) << shift).to_bytes(4, "big")
    return start, end


def _parents(indices: list[int]) -> list[int]:
    """Return the parents of nodes in ascending order, each once and in ascending order."""
    return list(dict.fromkeys([index >> 1 for index in indices]))


def _hash_nodes(nodes: memoryview, indices: list[int]) -> None:
    """Hash the nodes ``indices`` from their children, which stand side by side."""
    tag = TAG_STATE_NODE
    hasher = sha256
    for index in indices:
        node, children = index << 5, index << 6
        nodes[node : node + 32] = hasher(tag + nodes[children : children + 64]).digest()
