"""The transaction log of a running node: an append-only Merkle tree, stored in tiles (docs/spec/04-proofs.md).

``fujie.proof.merkle_log`` says what the tree is. A tile covers eight levels: tile ``number`` of tile level ``level``
holds up to 256 nodes of height ``8 * level``, and a full one stands for one node of the tile level above, its root.
Nodes between are hashed again when needed. These are the tiles that C2SP ``tlog-tiles`` publishes.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from typing import Final, Protocol

from fujie.core.errors import OperationalError
from fujie.core.hashing import DIGEST_BYTES, TAG_LOG_LEAF, TAG_LOG_NODE
from fujie.proof.merkle_log import EMPTY_ROOT, LogConsistencyProof, LogProof, node_hash
from fujie.store.base import WriteBatch
from fujie.store.layout import Table

TILE_HEIGHT: Final = 8
TILE_NODES: Final = 1 << TILE_HEIGHT
TILES_CACHED_DEFAULT: Final = 512  # ~45 KiB each with the nodes between: 23 MiB


def tile_key(level: int, number: int) -> bytes:
    """Return the key of a tile in the LOG_TILES table: level (1 byte) || number (8 bytes, big endian)."""
    return bytes((level,)) + number.to_bytes(8, "big")


class _Tile:
    """Some complete nodes of a tile: ``rows[h]`` holds those ``h`` above the bottom row, at most ``256 >> h``."""

    __slots__ = ("number", "rows")

    def __init__(self, number: int, rows: list[list[bytes]]) -> None:
        self.number = number
        self.rows = rows

    @classmethod
    def from_stored(cls, number: int, stored: bytes) -> "_Tile":
        """Build a tile from the joined nodes of its bottom row."""
        tile = cls(number, [[] for _ in range(TILE_HEIGHT + 1)])
        tile.extend([stored[start : start + DIGEST_BYTES] for start in range(0, len(stored), DIGEST_BYTES)])
        return tile

    def copy(self) -> "_Tile":
        return _Tile(self.number, [row.copy() for row in self.rows])

    def extend(self, nodes: list[bytes]) -> None:
        """Append to the bottom row, and every node above that becomes complete."""
        tag = TAG_LOG_NODE
        hasher = sha256
        below = self.rows[0]
        below += nodes
        for row in islice(self.rows, 1, None):
            start = 2 * len(row)
            end = len(below) & ~1
            if start == end:
                return
            row += [
                hasher(tag + left + right).digest()
                for left, right in zip(below[start:end:2], below[start + 1 : end : 2], strict=True)
            ]
            below = row


class StagedLog:
    """The log after a block, not yet visible."""

    __slots__ = ("_changed", "_old_size", "_tips", "root", "size")

    def __init__(
        self, root: bytes, size: int, old_size: int, tips: list[_Tile], changed: list[tuple[int, _Tile]]
    ) -> None:
        self.root = root  # 32 bytes
        self.size = size  # entries
        self._old_size = old_size
        self._tips = tips
        self._changed = changed  # (level, tile)

    def write_into(self, batch: WriteBatch) -> None:
        """Add the changed tiles to ``batch``. The entries (LOG_ENTRIES) are the caller's, in the same batch."""
        for level, tile in self._changed:
            batch.put(Table.LOG_TILES, tile_key(level, tile.number), b"".join(tile.rows[0]))


class TileSource(Protocol):
    """What a log reads of a store."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        ...

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, or None when it is empty."""
        ...


class TransactionLog:
    """The log of one store: *stage* the entries of a block, commit what it wrote, *apply* it. Where another process
    appends, *move* to the size that it has reached.

    One thread stages and applies. Any thread reads, of any size up to that of the last applied block: a node that is
    complete never changes. A staged log that is not applied needs no clean-up. ``tiles_cached`` bounds the full tiles
    in memory; the growing one of each level is always there.
    """

    def __init__(self, store: TileSource, tiles_cached: int = TILES_CACHED_DEFAULT) -> None:
        self._store = store
        self._tiles_cached_max = tiles_cached
        self._full: OrderedDict[tuple[int, int], _Tile] = OrderedDict()  # least recently used first
        self._lock = threading.Lock()  # around _full
        self._tips, self._size = self._load()  # _tips[level]: the tile that grows; replaced as a whole, never changed
        self._root = self._fold(self._tips, self._size)

    @property
    def size(self) -> int:
        """How many entries the log has, of applied blocks."""
        return self._size

    @property
    def root(self) -> bytes:
        """The 32-byte root of the log at its current size."""
        return self._root

    def stage(self, leaves: Sequence[bytes]) -> StagedLog:
        """Append ``leaves``, the entries of a block (32-byte commitments; hashed here). Readers see nothing of it."""
        tag = TAG_LOG_LEAF
        nodes = [sha256(tag + leaf).digest() for leaf in leaves]
        size = self._size + len(nodes)
        tips: list[_Tile] = []
        changed: list[tuple[int, _Tile]] = []
        level = 0
        while nodes or level < len(self._tips):
            tip = self._tips[level] if level < len(self._tips) else _Tile.from_stored(0, b"")
            above: list[bytes] = []  # roots of the tiles that become full: nodes of the next level
            if nodes:
                tip = tip.copy()
                start = 0
                while start < len(nodes):
                    end = start + TILE_NODES - len(tip.rows[0])
                    tip.extend(nodes[start:end])
                    changed.append((level, tip))
                    start = end
                    if len(tip.rows[0]) == TILE_NODES:
                        above.append(tip.rows[TILE_HEIGHT][0])
                        tip = _Tile.from_stored(tip.number + 1, b"")
            tips.append(tip)
            nodes = above
            level += 1
        return StagedLog(self._fold(tips, size), size, self._size, tips, changed)

    def apply(self, staged: StagedLog) -> None:
        """Make ``staged`` what readers see. Call it when the commit of its block has returned, and only then."""
        if staged._old_size != self._size:
            raise RuntimeError("only a log that was staged on the current size can be applied")
        with self._lock:
            for level, tile in staged._changed:
                if len(tile.rows[0]) == TILE_NODES:
                    self._remember(level, tile)
        # Tips before size: a reader that sees the new size finds every node of it.
        self._tips = staged._tips
        self._root = staged.root
        self._size = staged.size

    def move(self, size: int) -> None:
        """Take over what another process has appended up to ``size`` entries, all of which the store has.

        Raises :class:`OperationalError` when the store lacks some of their tiles.
        """
        tips: list[_Tile] = []
        level = 0
        while nodes := size >> (TILE_HEIGHT * level):
            number, count = divmod(nodes, TILE_NODES)
            stored = (self._store.get(Table.LOG_TILES, tile_key(level, number)) or b"") if count else b""
            if len(stored) < count * DIGEST_BYTES:
                raise _damaged(level, number)
            tips.append(_Tile.from_stored(number, stored[: count * DIGEST_BYTES]))
            level += 1
        self._tips = tips
        self._root = self._fold(tips, size)
        self._size = size

    def root_at(self, size: int) -> bytes:
        """Return the 32-byte root that the log had at ``size``. Raises :class:`OperationalError` beyond its end."""
        self._require(size)
        root: bytes | None = None
        for height in range(size.bit_length()):
            if size >> height & 1:
                node = self._node(height, (size >> height) - 1)
                root = node if root is None else node_hash(node, root)
        return EMPTY_ROOT if root is None else root

    def prove_inclusion(self, index: int, size: int) -> LogProof:
        """Return the proof that entry ``index`` stands in the log of ``size`` entries (RFC 9162, section 2.1.3.1).

        Raises :class:`OperationalError` when ``size`` is beyond the end of the log, or ``index`` beyond ``size``.
        """
        self._require(size)
        if not 0 <= index < size:
            raise OperationalError(f"There is no entry {index} among {size}.", "Ask for an index below the size.")
        return LogProof(index, size, b"".join(self._path(index, 0, size)))

    def prove_consistency(self, old_size: int, new_size: int) -> LogConsistencyProof:
        """Return the proof that the log of ``old_size`` is the beginning of that of ``new_size`` (section 2.1.4.1).

        Raises :class:`OperationalError` when ``new_size`` is beyond the end of the log, or less than ``old_size``.
        """
        self._require(new_size)
        if not 0 <= old_size <= new_size:
            raise OperationalError(
                f"A log of {new_size} entries does not begin with {old_size}.", "Ask for sizes in ascending order."
            )
        path: list[bytes] = []
        if 0 < old_size < new_size:
            # The last complete subtree of the old log, and from there up what an inclusion proof of it would hold.
            height = (old_size & -old_size).bit_length() - 1
            index = (old_size >> height) - 1
            if index:  # otherwise the old log is this one subtree, whose root the verifier has
                path.append(self._node(height, index))
            path += self._path(index, height, new_size)
        return LogConsistencyProof(old_size, new_size, b"".join(path))

    # -- nodes

    def _path(self, index: int, height: int, size: int) -> list[bytes]:
        """Return the siblings from node ``index`` at ``height`` up to the root of the log of ``size`` entries."""
        path = []
        last = (size - 1) >> height  # the rightmost node of this height, complete or not
        while last:
            sibling = index ^ 1
            if sibling < last:
                path.append(self._node(height, sibling))
            elif sibling == last:
                path.append(self._ragged(height, sibling, size))
            # A node without a sibling is its own parent.
            index >>= 1
            last >>= 1
            height += 1
        return path

    def _ragged(self, height: int, index: int, size: int) -> bytes:
        """Return the rightmost node of ``height`` in the log of ``size`` entries, whose subtree need not be full."""
        start = index << height
        rest = size - start
        root: bytes | None = None
        for low in range(height + 1):
            if rest >> low & 1:
                node = self._node(low, ((start + rest) >> low) - 1)
                root = node if root is None else node_hash(node, root)
        assert root is not None  # the rightmost node has entries
        return root

    def _node(self, height: int, index: int) -> bytes:
        """Return the root of the complete subtree ``index`` of ``height``."""
        level, inner = divmod(height, TILE_HEIGHT)
        inner_bits = TILE_HEIGHT - inner
        number, position = index >> inner_bits, index & ((1 << inner_bits) - 1)
        return self._tile(level, number).rows[inner][position]

    def _tile(self, level: int, number: int) -> _Tile:
        tips = self._tips
        if level < len(tips) and tips[level].number == number:
            return tips[level]
        with self._lock:
            tile = self._full.get((level, number))
            if tile is not None:
                self._full.move_to_end((level, number))
                return tile
        stored = self._store.get(Table.LOG_TILES, tile_key(level, number))
        if stored is None or len(stored) != TILE_NODES * DIGEST_BYTES:
            raise _damaged(level, number)
        tile = _Tile.from_stored(number, stored)
        with self._lock:
            self._remember(level, tile)
        return tile

    def _remember(self, level: int, tile: _Tile) -> None:
        self._full[level, tile.number] = tile
        while len(self._full) > self._tiles_cached_max:
            self._full.popitem(last=False)

    @staticmethod
    def _fold(tips: list[_Tile], size: int) -> bytes:
        """Return the root of a log from its growing tiles: the complete subtrees of its size, from the right."""
        root: bytes | None = None
        for tip in tips:
            count = len(tip.rows[0])
            for inner in range(TILE_HEIGHT):
                if count >> inner & 1:
                    node = tip.rows[inner][(count >> inner) - 1]
                    root = node if root is None else node_hash(node, root)
        assert (root is None) == (size == 0)
        return EMPTY_ROOT if root is None else root

    def _require(self, size: int) -> None:
        if not 0 <= size <= self._size:
            raise OperationalError(f"The log has {self._size} entries, not {size}.", "Ask for a size within the log.")

    def _load(self) -> tuple[list[_Tile], int]:
        """Return the growing tile of every level, and the size.

        The greatest key names the highest level and its last tile. How many nodes that one has tells which tile of the
        level below is growing; it is missing when the level below ends with a full tile.
        """
        entry = self._store.last(Table.LOG_TILES)
        if entry is None:
            return [], 0
        top, last = entry[0][0], int.from_bytes(entry[0][1:], "big")
        tips: list[_Tile] = []
        number = 0
        for level in range(top, -1, -1):
            if level == top:
                number = last
            stored = self._store.get(Table.LOG_TILES, tile_key(level, number))
            if stored is None:
                stored = b""
            if len(stored) % DIGEST_BYTES or len(stored) > TILE_NODES * DIGEST_BYTES:
                raise _damaged(level, number)
            tile = _Tile.from_stored(number, stored)
            tips.append(tile)
            number = number * TILE_NODES + len(tile.rows[0])
        if any(len(tile.rows[0]) == TILE_NODES for tile in tips):
            raise _damaged(top, last)
        return tips[::-1], number


def _damaged(level: int, number: int) -> OperationalError:
    return OperationalError(
        f"Tile {number} of level {level} of the transaction log is missing or damaged.",
        "Stop the node and restore the data folder from a snapshot or another replica.",
    )
