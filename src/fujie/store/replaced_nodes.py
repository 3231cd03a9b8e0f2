"""What a block replaces in the state tree: the means to take it back, and to prove the root before it."""

from array import array
from bisect import bisect_left

from fujie.core.hashing import DIGEST_BYTES


class ReplacedNodes:
    """What one block replaces: enough to take it back, and to prove the root before it.

    A level is noted before the first of its nodes is written. A reader therefore reads a node first and looks in here
    second: either it finds the replaced digest here, or what it read was not yet replaced.
    """

    __slots__ = ("buckets", "digests", "indices", "root")

    def __init__(self, root: bytes, buckets: dict[int, bytes]) -> None:
        self.root = root  # before the block
        self.buckets = buckets  # bucket number -> its leaves before the block
        # By height, buckets first. Packed: as Python objects, a window of large blocks would take a gigabyte.
        self.indices: list[array[int]] = []  # of replaced nodes, ascending
        self.digests: list[bytes] = []  # theirs, joined

    def note(self, nodes: bytearray, indices: list[int]) -> None:
        """Write down the nodes of the next height before they are replaced.

        Takes the array and not the view of it: thousands of views alive at once would set off the garbage collector.
        """
        self.indices.append(array("I", indices))
        self.digests.append(b"".join([nodes[index << 5 : (index << 5) + 32] for index in indices]))

    def node(self, height: int, index: int) -> bytes | None:
        """Return the digest that node ``index`` had, or None when the block does not replace it."""
        if height >= len(self.digests):
            return None
        indices = self.indices[height]
        at = bisect_left(indices, index)
        if at == len(indices) or indices[at] != index:
            return None
        return self.digests[height][at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]

    def write_back(self, nodes: memoryview) -> None:
        """Undo every write of the block. May be repeated."""
        for indices, digests in zip(self.indices, self.digests, strict=False):
            for at, index in enumerate(indices):
                nodes[index << 5 : (index << 5) + 32] = digests[at << 5 : (at << 5) + 32]
