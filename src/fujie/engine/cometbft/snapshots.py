"""Snapshots that a node keeps for others to begin from: taken now and then, listed, and read chunk by chunk.

    <folder>/HEIGHT.rows       the rows, cut into chunks when they are read
    <folder>/HEIGHT.contents   what there is of them, with a digest over itself: written last, so that it vouches for the rows

A snapshot is of one moment of the store, which is held when a block is committed and read in a thread of its own at half the
speed of which that is capable: the ledger goes on meanwhile. Every node takes them at the same blocks.
"""

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, OperationalError
from fujie.core.hashing import DIGEST_BYTES, TAG_SNAPSHOT, digest
from fujie.engine.cometbft.rpc import Unanswered
from fujie.engine.cometbft.snapshot_contents import CHUNK_BYTES, Contents, chunk_digest, decode_contents
from fujie.engine.executor import Executor, Head
from fujie.engine.snapshot_forms import first_remembered
from fujie.proof.validators import ValidatorSet, encode_validator_set
from fujie.store.base import ReadOnlyStore
from fujie.store.snapshot import row_frames

KEPT: Final = 2  # of those that are offered: one may be asked for while the next is taken
PROVEN_AFTER: Final = 2  # blocks after it that whoever begins from it needs the headers of
CONTENTS_BYTES_MAX: Final = 4_000_000  # what CometBFT carries
TURNS_POLL_S: Final = 0.5
REST_MAX_S: Final = 0.25  # between two frames

_NAME: Final = re.compile(r"([0-9]{16})\.(rows|contents)")

log = logging.getLogger(__name__)


class Plan(NamedTuple):
    """Where snapshots are kept, and how often one is taken: at the first block of every so many milliseconds, 0 for never."""

    folder: Path
    every_ms: int


class Snapshots:
    """The snapshots of one node. :meth:`after` is for the ledger thread, all else for any."""

    def __init__(self, plan: Plan, executor: Executor, validators: Callable[[int], ValidatorSet]) -> None:
        """Find what is there whole, and remove the rest.

        ``validators`` returns those of a height with their priorities, or raises ``Unanswered``. Raises
        :class:`OperationalError` for a folder that cannot be used.
        """
        self._plan = plan
        self._executor = executor
        self._validators = validators
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._time_ms = executor.head.time_ms  # of the block before
        self._due = False
        self._kept = _found(plan.folder, KEPT + PROVEN_AFTER if plan.every_ms else 0)
        self._taking: Future[None] | None = None
        self._writer = ThreadPoolExecutor(1, "fujie-snapshot")

    def close(self) -> None:
        """Leave off what is being taken, and wait for it. Idempotent; the store is still open."""
        self._closing.set()
        self._writer.shutdown()

    # -- the ledger thread

    def after(self, whole: bool) -> None:
        """Take a snapshot of the block that was just committed, if its time has come.

        ``whole``: its header and its transactions say all of the block. Evidence of misbehaviour is not in a snapshot, so
        that none is taken of a block with some.
        """
        every_ms, head = self._plan.every_ms, self._executor.head
        if not every_ms:
            return
        self._due = self._due or self._time_ms // every_ms != head.time_ms // every_ms
        self._time_ms = head.time_ms
        if not self._due or not whole:
            return
        self._due = False
        if self._taking is not None and not self._taking.done():
            log.info("no snapshot is taken at block %d: that of an earlier one is not done", head.height)
            return
        try:
            moment = self._executor.store.moment()
        except OperationalError as error:
            log.warning("no snapshot is taken at block %d: %s", head.height, error)
            return
        self._taking = self._writer.submit(self._take, moment, head)

    # -- what others ask

    def listed(self) -> list[Contents]:
        """Return what may be offered, newest first: the blocks after it are there, by which others verify it."""
        newest = self._executor.head.height - PROVEN_AFTER
        with self._lock:
            return [contents for height, contents in sorted(self._kept.items(), reverse=True) if height <= newest]

    def chunk(self, height: int, number: int) -> bytes:
        """Return a chunk, or nothing where there is none; one that the disk has changed takes its snapshot along."""
        with self._lock:
            contents = self._kept.get(height)
        if contents is None or not 0 <= number < contents.count:
            return b""
        try:
            with _path(self._plan.folder, height, "rows").open("rb") as file:
                file.seek(number * CHUNK_BYTES)
                data = file.read(CHUNK_BYTES)
        except OSError as error:
            log.warning("the snapshot at block %d does not read: %s", height, error)
            data = b""
        if contents.is_chunk(number, data):
            return data
        with self._lock:
            damaged = self._kept.pop(height, None) is not None  # else a newer one has taken its place just now
        if damaged:
            log.error("the snapshot at block %d was damaged on disk and is removed", height)
            _remove(self._plan.folder, height)
        return b""

    # -- the thread that writes

    def _take(self, moment: ReadOnlyStore, head: Head) -> None:
        try:
            self._write(moment, head)
        except _ClosingError:
            _remove(self._plan.folder, head.height)
        except OperationalError as error:
            log.warning("the snapshot at block %d was not taken: %s", head.height, error)
            _remove(self._plan.folder, head.height)
        except Exception:  # whatever it is, the ledger goes on without a snapshot
            log.exception("the snapshot at block %d was not taken", head.height)
            _remove(self._plan.folder, head.height)
        finally:
            moment.close()

    def _write(self, moment: ReadOnlyStore, head: Head) -> None:
        began_s = time.monotonic()
        self._plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = _path(self._plan.folder, head.height, "rows")
        first = first_remembered(moment, head)
        frames = row_frames(moment, head.log_size, first)
        digests, size = _write_rows(path, self._resting(frames))
        moment.close()
        log.info(
            "the snapshot at block %d has %d bytes, and took %.1f s", head.height, size, time.monotonic() - began_s
        )
        contents = Contents(
            self._executor.chain_id,
            head.height,
            head.state_root,
            head.log_root,
            head.log_size,
            first,
            size,
            digests,
            encode_validator_set(self._turns(head.height + 1)),
            encode_validator_set(self._turns(head.height + 2)),
        )
        data = encode(contents)
        with _created(_path(self._plan.folder, head.height, "contents")) as file:
            file.write(digest(TAG_SNAPSHOT, data) + data)
        with self._lock:
            self._kept[head.height] = contents
            # One that may not be offered yet is none of those kept: else none ever could, were they taken at every block.
            newest = self._executor.head.height - PROVEN_AFTER
            outdated = [each for each in sorted(self._kept) if each <= newest][:-KEPT]
            for height in outdated:
                del self._kept[height]
        for height in outdated:
            _remove(self._plan.folder, height)

    def _resting(self, frames: Iterable[bytes]) -> Iterable[bytes]:
        """Yield frames, and rest after each for as long as it took: the ledger runs in the same process."""
        began_s = time.monotonic()
        for frame in frames:
            yield frame
            if self._closing.wait(min(time.monotonic() - began_s, REST_MAX_S)):
                raise _ClosingError
            began_s = time.monotonic()

    def _turns(self, height: int) -> ValidatorSet:
        """Return the validators of a height, which CometBFT knows when it has the block before."""
        while True:
            try:
                return self._validators(height)
            except Unanswered:
                if self._closing.wait(TURNS_POLL_S):
                    raise _ClosingError from None


class _ClosingError(Exception):
    """The node stops."""


def _path(folder: Path, height: int, part: str) -> Path:
    return folder / f"{height:016}.{part}"


def _remove(folder: Path, height: int) -> None:
    """Remove a snapshot; what vouches for it first."""
    with contextlib.suppress(OSError):
        for part in ("contents", "rows"):
            _path(folder, height, part).unlink(missing_ok=True)


def _found(folder: Path, most: int) -> dict[int, Contents]:
    """Return what is whole in ``folder``, the newest ones, and remove everything else that was written for one."""
    try:
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    except OSError as error:
        raise OperationalError(
            f"The folder {folder} for snapshots does not read: {error.strerror}.", "Check its rights."
        ) from error
    heights = {int(match[1]) for name in names if (match := _NAME.fullmatch(name))}
    whole: dict[int, Contents] = {}
    for height in sorted(heights, reverse=True):
        contents = _read(folder, height) if len(whole) < most else None
        if contents is None:
            _remove(folder, height)
        else:
            whole[height] = contents
    return whole


def _read(folder: Path, height: int) -> Contents | None:
    """Return what a file of contents says, if it is what was written and the rows are as long."""
    try:
        with _path(folder, height, "contents").open("rb") as file:
            data = file.read(CONTENTS_BYTES_MAX)
        contents = decode_contents(data[DIGEST_BYTES:])
        size = _path(folder, height, "rows").stat().st_size
    except (DecodeError, OSError):
        return None
    sound = digest(TAG_SNAPSHOT, data[DIGEST_BYTES:]) == data[:DIGEST_BYTES]
    return contents if sound and (contents.height, contents.size) == (height, size) else None


def _write_rows(path: Path, frames: Iterable[bytes]) -> tuple[bytes, int]:
    """Write frames to a file and have it on disk; return the digests of its chunks, joined, and its size."""
    digests: list[bytes] = []
    waiting = bytearray()
    size = 0
    with _created(path) as file:
        for frame in frames:
            waiting += frame
            size += len(frame)
            while len(waiting) >= CHUNK_BYTES:
                chunk = bytes(waiting[:CHUNK_BYTES])
                del waiting[:CHUNK_BYTES]
                digests.append(chunk_digest(chunk))
                file.write(chunk)
        if waiting:
            digests.append(chunk_digest(bytes(waiting)))
            file.write(waiting)
    return b"".join(digests), size


@contextlib.contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    """Give a new file for its owner alone, which is on disk at the end. One that is cut off is told by its digests."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
