"""The headers that a light client believes: light blocks in memory and, with a folder, in one file each.

What lies here is believed without another look, so the folder is for its owner alone to write. It also says for the sake
of which pinned root the headers are believed: for another root they are not. A file is written whole or not at all, and
one that was damaged is named instead of believed.
"""

import re
import threading
from bisect import bisect_right
from hashlib import sha256
from pathlib import Path
from typing import Final

from fujie.client.files import read_bounded, write_atomically
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.light import Root
from fujie.proof.light_block import LIGHT_BLOCK_BYTES_MAX, LightBlock, decode_light_block, encode_light_block
from fujie.proof.trust import TrustRoot

KEPT_BLOCKS_DEFAULT: Final = 1_000
ROOT_FILE: Final = "root"

_FORMAT: Final = b"fujie-light-block-1\n"  # then 64 hexadecimal digits of sha256, a line feed, and the light block
_HEAD_BYTES: Final = len(_FORMAT) + 65
_NAME: Final = re.compile(r"([0-9]{19})\.light\Z", re.ASCII)
_REMOVE: Final = "Remove the folder if nobody but you could have written it: it is filled anew from what was pinned."


class DamagedStore(OperationalError):
    """A file of believed headers does not hold what was written."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(f"{path} is damaged: {detail}.", _REMOVE)
        self.path = path


class LightStore:
    """Believed light blocks of one chain, by height. Any thread may call; two processes do not share a folder.

    Of more than ``kept`` blocks those leave first, from the lowest up, that stand between two of the same validators: the
    others show how validators changed. Then the lowest do, but for the lowest of all, from which the others follow.
    """

    def __init__(self, folder: Path | None = None, *, kept: int = KEPT_BLOCKS_DEFAULT) -> None:
        """Find what the folder holds; it is made at the first save.

        Raises :class:`OperationalError` when it cannot be read, ValueError when fewer than 2 shall be kept.
        """
        if kept < 2:
            raise ValueError("a light client keeps at least where it began and where it stands")
        self.folder = folder
        self._kept = kept
        self._lock = threading.RLock()
        self._memory: dict[int, LightBlock] = {}
        self._heights = self._found()

    def open(self, root: Root) -> None:
        """Make sure that what lies here is believed for the sake of ``root``; an empty store is for any.

        Raises :class:`OperationalError` where it is for another one.
        """
        if self.folder is None or not self._heights:
            return
        path = self.folder / ROOT_FILE
        if not path.exists():
            raise DamagedStore(path, "there is none")
        if read_bounded(path, 1_024) != _root_text(root):
            raise OperationalError(f"{self.folder} holds headers that were believed for another root.", _REMOVE)

    def begin(self, root: Root, block: LightBlock) -> None:
        """Save the first block, for which ``root`` vouches. Raises :class:`OperationalError`."""
        with self._lock:
            if self.folder is not None:
                self._make_folder(self.folder)
                write_atomically(self.folder / ROOT_FILE, _root_text(root))
            self.save(block)

    def heights(self) -> list[int]:
        """Return the heights of all blocks, ascending."""
        with self._lock:
            return list(self._heights)

    def at(self, height: int) -> LightBlock | None:
        """Return the block at a height, or None. Raises :class:`DamagedStore`."""
        with self._lock:
            if height not in self._memory and height in self._heights and self.folder is not None:
                self._memory[height] = _read(_path(self.folder, height), height)
            return self._memory.get(height)

    def below(self, height: int) -> LightBlock | None:
        """Return the highest block at or below a height, or None. Raises :class:`DamagedStore`."""
        with self._lock:
            place = bisect_right(self._heights, height)
            return self.at(self._heights[place - 1]) if place else None

    def above(self, height: int) -> LightBlock | None:
        """Return the lowest block above a height, or None. Raises :class:`DamagedStore`."""
        with self._lock:
            place = bisect_right(self._heights, height)
            return self.at(self._heights[place]) if place < len(self._heights) else None

    def newest(self) -> LightBlock | None:
        """Return the highest block, or None. Raises :class:`DamagedStore`."""
        with self._lock:
            return self.at(self._heights[-1]) if self._heights else None

    def save(self, block: LightBlock) -> None:
        """Keep a block that is believed, durably, and let go of what is too much. Raises :class:`OperationalError`."""
        height = block.header.height
        with self._lock:
            if self.folder is not None:
                data = encode_light_block(block)
                text = _FORMAT + sha256(data).hexdigest().encode() + b"\n" + data
                write_atomically(_path(self.folder, height), text)
            if height not in self._heights:
                self._heights.insert(bisect_right(self._heights, height), height)
            self._memory[height] = block
            while len(self._heights) > self._kept:
                self._drop(self._spare())

    def _spare(self) -> int:
        """Return the height that can best be done without."""
        for below, height, above in zip(self._heights, self._heights[1:], self._heights[2:], strict=False):
            blocks = [self.at(below), self.at(height), self.at(above)]
            if len({block.header.validators_hash for block in blocks if block is not None}) == 1:
                return height
        return self._heights[1]

    def _drop(self, height: int) -> None:
        self._heights.remove(height)
        self._memory.pop(height, None)
        if self.folder is not None:
            try:
                _path(self.folder, height).unlink(missing_ok=True)
            except OSError as error:
                raise OperationalError(
                    f"{_path(self.folder, height)} cannot be removed: {error.strerror}.", "Check the folder's rights."
                ) from None

    def _found(self) -> list[int]:
        if self.folder is None or not self.folder.exists():
            return []
        try:
            names = [_NAME.match(path.name) for path in self.folder.iterdir()]
        except OSError as error:
            raise OperationalError(
                f"{self.folder} cannot be read: {error.strerror}.", "Check the path and its rights."
            ) from None
        return sorted(int(name[1]) for name in names if name)

    @staticmethod
    def _make_folder(folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperationalError(
                f"{folder} cannot be made: {error.strerror}.", "Check the path and its rights."
            ) from None


def _path(folder: Path, height: int) -> Path:
    return folder / f"{height:019}.light"


def _root_text(root: Root) -> bytes:
    """Return what tells roots apart: the chain and what is pinned of it."""
    if isinstance(root, TrustRoot):
        return f"fujie-light-root-1\n{root.chain_id}\nvalidators {root.validators_hash}\n".encode()
    return f"fujie-light-root-1\n{root.chain_id}\nheader {root.height} {root.header_hash.hex()}\n".encode()


def _read(path: Path, height: int) -> LightBlock:
    """Return the block in a file. Raises :class:`DamagedStore`, also for a file that is gone."""
    if not path.exists():
        raise DamagedStore(path, "it is gone")
    text = read_bounded(path, LIGHT_BLOCK_BYTES_MAX + _HEAD_BYTES)
    head, data = text[:_HEAD_BYTES], text[_HEAD_BYTES:]
    if head != _FORMAT + sha256(data).hexdigest().encode() + b"\n":
        raise DamagedStore(path, "its digest does not match")
    try:
        block = decode_light_block(data)
    except VerificationError as error:
        raise DamagedStore(path, error.detail) from None
    if block.header.height != height:
        raise DamagedStore(path, f"it holds height {block.header.height}")
    return block
