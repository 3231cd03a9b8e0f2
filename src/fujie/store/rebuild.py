"""Roots from rows alone: what a state root, a log root and their stored parts must be, given leaves and entries in order.

Independent of ``state_tree`` and ``transaction_log``, which keep the same trees from block to block: a check and the
loading of a snapshot compare the two.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256

from fujie.core.hashing import DIGEST_BYTES, TAG_BUCKET, TAG_STATE_NODE
from fujie.proof.merkle_log import EMPTY_ROOT, node_hash
from fujie.proof.merkle_state import bucket_number, empty_digests
from fujie.store.layout import Table
from fujie.store.transaction_log import TILE_HEIGHT, TILE_NODES, tile_key


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


class LogTiles:
    """The stored tiles of a log of ``size`` entries, from entry ``first`` on, checked against one another.

    Together with the entries it is all of the log's tree: entries must hash to the nodes of level 0 (:meth:`node`), and
    the tiles to the root (:meth:`problems`). ``first`` is 0 unless the log was loaded from a snapshot.
    """

    def __init__(self, get: Callable[[Table, bytes], bytes | None], first: int, size: int) -> None:
        self._get = get
        self._first = first
        self._size = size
        self._kept: tuple[int, bytes] = (-1, b"")

    def node(self, index: int) -> bytes:
        """Return what stands for entry ``index`` in level 0 (32 bytes, or none when it is missing)."""
        number, place = divmod(index, TILE_NODES)
        if self._kept[0] != number:
            self._kept = (number, self._tile(0, number))
        return self._kept[1][place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]

    def problems(self, root: bytes) -> Iterator[tuple[int, int, str]]:
        """Yield (level, tile number, what is wrong) wherever the tiles do not add up to ``root`` (32 bytes)."""
        tips: list[list[bytes]] = []
        level = 0
        while (nodes := self._size >> TILE_HEIGHT * level) > 0:
            tips.append([])
            for number in range(self._first >> TILE_HEIGHT * (level + 1), (nodes - 1) // TILE_NODES + 1):
                tile = split_nodes(self._tile(level, number))
                wanted = min(TILE_NODES, nodes - number * TILE_NODES)
                if len(tile) != wanted or any(len(node) != DIGEST_BYTES for node in tile):
                    yield level, number, f"{len(tile)} nodes instead of {wanted}"
                elif wanted < TILE_NODES:
                    tips[-1] = tile
                elif subtree_root(tile) != self._node_above(level, number):
                    yield level, number, "its root is not what stands for it one level above"
            level += 1
        if root_of_tips(tips) != root:
            yield level, 0, "the tiles lead to another root"

    def keys(self) -> Iterator[bytes]:
        """Yield the key of every tile that must be there."""
        level = 0
        while (nodes := self._size >> TILE_HEIGHT * level) > 0:
            for number in range(self._first >> TILE_HEIGHT * (level + 1), (nodes - 1) // TILE_NODES + 1):
                yield tile_key(level, number)
            level += 1

    def _node_above(self, level: int, number: int) -> bytes:
        above, place = divmod(number, TILE_NODES)
        return self._tile(level + 1, above)[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]

    def _tile(self, level: int, number: int) -> bytes:
        return self._get(Table.LOG_TILES, tile_key(level, number)) or b""


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
