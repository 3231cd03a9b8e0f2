"""Roots from rows alone: what a state root, a log root and their stored parts must be, given leaves and entries in order.

Independent of ``state_tree`` and ``transaction_log``, which keep the same trees from block to block: a check and the
loading of a snapshot compare the two.
"""

from collections.abc import Iterator
from hashlib import sha256

from fujie.core.hashing import DIGEST_BYTES, TAG_BUCKET, TAG_STATE_NODE
from fujie.proof.merkle_log import EMPTY_ROOT, leaf_hash, node_hash
from fujie.proof.merkle_state import bucket_number, empty_digests
from fujie.store.transaction_log import TILE_HEIGHT, TILE_NODES


class StateFold:
    """Folds leaves, by key hash ascending, into bucket digests and the state root of a tree of ``depth``."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._number = -1
        self._leaves: list[bytes] = []
        self.buckets: dict[int, bytes] = {}  # number → digest, ascending; without empty ones

    def add(self, key_hash: bytes, value_digest: bytes) -> None:
        """Take the next leaf (32 bytes each)."""
        number = bucket_number(key_hash, self._depth)
        if number != self._number:
            self._close()
            self._number = number
        self._leaves.append(key_hash + value_digest)

    def root(self) -> bytes:
        """Return the 32-byte root over all leaves taken."""
        self._close()
        row = self.buckets
        empty = empty_digests(self._depth)
        for height in range(self._depth):
            above: dict[int, bytes] = {}
            for number, node in row.items():
                if number >> 1 in above:
                    continue  # hashed already, with its left sibling
                other = row.get(number ^ 1, empty[height])
                left, right = (other, node) if number & 1 else (node, other)
                above[number >> 1] = sha256(TAG_STATE_NODE + left + right).digest()
            row = above
        return row.get(0, empty[self._depth])

    def _close(self) -> None:
        if self._leaves:
            self.buckets[self._number] = sha256(TAG_BUCKET + b"".join(self._leaves)).digest()
            self._leaves = []


class LogFold:
    """Folds the commitments of log entries, from the first, into tiles and the log root."""

    def __init__(self) -> None:
        self._tips: list[list[bytes]] = []
        self._numbers: list[int] = []
        self.size = 0

    def add(self, commitment: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Take the next entry (32 bytes); yield (level, number, nodes joined) of every tile that becomes full."""
        self.size += 1
        node = leaf_hash(commitment)
        level = 0
        while True:
            if level == len(self._tips):
                self._tips.append([])
                self._numbers.append(0)
            tip = self._tips[level]
            tip.append(node)
            if len(tip) < TILE_NODES:
                return
            yield level, self._numbers[level], b"".join(tip)
            node = subtree_root(tip)
            self._tips[level] = []
            self._numbers[level] += 1
            level += 1

    def partial(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (level, number, nodes joined) of the tiles that are growing."""
        for level, (number, tip) in enumerate(zip(self._numbers, self._tips, strict=True)):
            if tip:
                yield level, number, b"".join(tip)

    def root(self) -> bytes:
        """Return the 32-byte root over all entries taken."""
        return root_of_tips(self._tips)


def root_of_tips(tips: list[list[bytes]]) -> bytes:
    """Return the root of a log from the nodes of its growing tiles (fewer than 256 each), level 0 first."""
    root: bytes | None = None
    for tip in tips:
        end = len(tip)
        for height in range(TILE_HEIGHT):
            if len(tip) >> height & 1:
                start = end - (1 << height)
                node = subtree_root(tip[start:end])
                root = node if root is None else node_hash(node, root)
                end = start
    return EMPTY_ROOT if root is None else root


def subtree_root(nodes: list[bytes]) -> bytes:
    """Return the root over ``nodes``, whose number is a power of two."""
    while len(nodes) > 1:
        nodes = [node_hash(nodes[place], nodes[place + 1]) for place in range(0, len(nodes), 2)]
    return nodes[0]


def split_nodes(tile: bytes) -> list[bytes]:
    """Return the nodes of a stored tile."""
    return [tile[start : start + DIGEST_BYTES] for start in range(0, len(tile), DIGEST_BYTES)]
