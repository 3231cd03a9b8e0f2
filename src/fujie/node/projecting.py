"""Following a ledger into the projection of its data folder, building it anew, and telling how far it is.

The projector of a running node owns the file. Whoever wants it built anew says so by a file beside it
(``projection.rebuild``); where no projector runs, the file is built from the folder as it lies.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from fujie.core.errors import OperationalError
from fujie.core.wording import count
from fujie.engine.executor import HEAD
from fujie.node.folder import Folder, write_file
from fujie.reader.projection.inspection import Inspection, inspect
from fujie.reader.projection.projection import TRANSACTIONS_AT_ONCE, Projection
from fujie.reader.projection.schema import FILE_NAME, LOCK_NAME, REBUILD_NAME, ProjectionLock
from fujie.reader.projection.source import FolderSource, Source
from fujie.store.layout import META_HEAD, Table
from fujie.store.reading import open_for_reading

PACE_S: Final = 0.1  # between batches that are not full: under load a few commits a second, not one for every block
WAIT_S: Final = 0.5  # for the next block, and until a request to build anew is seen
TOLD_EVERY_S: Final = 5.0  # while it catches up
BACK_OFF_S: Final = (1.0, 2.0, 5.0, 15.0, 30.0)  # after a failure, by how many came in a row

log = logging.getLogger(__name__)


class Followed(Source, Protocol):
    """A source that moves: ``reader.follower.Follower``."""

    def wait(self, height: int, timeout_s: float) -> bool:
        """Wait until the newest block is above ``height``; False at the timeout."""
        ...


class Progress(Protocol):
    """What is told of a rebuild."""

    def start(self, total: int) -> None:
        """``total`` log entries are to be taken in."""
        ...

    def advance(self, group: str, count: int) -> None:
        """``count`` more are in, durably."""
        ...


class Status(NamedTuple):
    """How far the projection is. ``ledger`` is the log size of the ledger, None where it cannot be read beside the node.

    ``found`` is None where there is no file that reads; ``running`` tells whether a process writes it now.
    """

    path: Path
    found: Inspection | None
    bytes: int
    running: bool
    ledger: int | None


class Rebuilt(NamedTuple):
    """What a rebuild did; ``asked`` is whether the projector of the running node was asked to do it."""

    asked: bool
    log_entries: int
    seconds: float


def project(home: Path, source: Followed, stop: threading.Event) -> None:
    """Keep the projection of ``home`` up with ``source`` until ``stop`` is set.

    What fails is logged and tried again: nothing here is worth a process, and nothing of it reaches the ledger. Raises
    :class:`OperationalError` when the file cannot be opened, or another process writes it.
    """
    failures = 0
    with Projection(home / FILE_NAME, source.chain_id) as projection:
        telling = _Telling(projection)
        while not stop.is_set():
            try:
                _start_anew_if_asked(home, projection)
                if projection.advance(source):
                    log.debug("lists have %s, block %d", count(projection.log_size, "log entry"), projection.height)
                    telling.tell(source)
                    if source.head.log_size - projection.log_size < TRANSACTIONS_AT_ONCE:
                        stop.wait(PACE_S)
                else:
                    source.wait(projection.height, WAIT_S)
                failures = 0
            except Exception as error:
                wait_s = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                failures += 1
                if isinstance(error, OperationalError):
                    log.warning("lists stand still, trying again in %.0f s: %s", wait_s, error)
                else:
                    log.exception("lists stand still by a fault, trying again in %.0f s", wait_s)
                stop.wait(wait_s)
        log.info("stopped at log entry %d, block %d", projection.log_size, projection.height)


def rebuild(folder: Folder, progress: Progress | None = None) -> Rebuilt:
    """Build the projection anew: from the folder as it lies, or by asking the projector of the running node.

    Interrupted, it leaves a projection that the node goes on with. Raises :class:`OperationalError`.
    """
    description = folder.require()
    path = folder.home / FILE_NAME
    try:
        ProjectionLock(folder.home).release()
    except OperationalError:
        write_file(folder.home / REBUILD_NAME, b"")
        return Rebuilt(True, 0, 0.0)
    began = time.monotonic()
    with contextlib.closing(open_for_reading(description.store, folder.chain)) as store:
        source = FolderSource(store)
        with Projection(path, source.chain_id) as projection:
            projection.restart()
            (folder.home / REBUILD_NAME).unlink(missing_ok=True)
            if progress is not None:
                progress.start(source.head.log_size)
            done = 0
            while projection.advance(source):
                if progress is not None:
                    progress.advance("transactions", projection.log_size - done)
                done = projection.log_size
            return Rebuilt(False, projection.log_size, time.monotonic() - began)


def status(folder: Folder) -> Status:
    """Return how far the projection of a data folder is. Raises :class:`OperationalError` for what is no data folder."""
    description = folder.require()
    path = folder.home / FILE_NAME
    running = False
    if (folder.home / LOCK_NAME).exists():
        try:
            ProjectionLock(folder.home).release()
        except OperationalError:
            running = True
    size = sum(each.stat().st_size for each in (path, path.with_name(f"{FILE_NAME}-wal")) if each.exists())
    ledger = None
    try:
        with contextlib.closing(open_for_reading(description.store, folder.chain)) as store:
            head = store.get(Table.META, META_HEAD)
            ledger = None if head is None else HEAD.decode(head).log_size
    except OperationalError:
        pass  # RocksDB has one reader at a time: the node, while it runs
    return Status(path, inspect(path) if path.exists() else None, size, running, ledger)


def _start_anew_if_asked(home: Path, projection: Projection) -> None:
    """Begin anew when somebody asked for it, or took the file away."""
    request = home / REBUILD_NAME
    if request.exists():
        log.info("lists are built anew, as asked")
        projection.restart()
        request.unlink(missing_ok=True)  # after the file is empty: a crash in between asks again
    elif projection.lost:
        log.warning("the projection was removed while it was written; it is built anew")
        projection.restart()


class _Telling:
    """Tells the log of a long way to the head, now and then."""

    def __init__(self, projection: Projection, clock: Callable[[], float] = time.monotonic) -> None:
        self._projection = projection
        self._clock = clock
        self._said_s = clock()
        self._from = projection.log_size
        self._catching_up = False

    def tell(self, source: Source) -> None:
        """Say how far it is, when it has not been said for a while and there is a way to go; and when it is done."""
        now_s, done, total = self._clock(), self._projection.log_size, source.head.log_size
        if done >= total:
            if self._catching_up:
                log.info("lists are complete: %s", count(done, "log entry"))
            self._catching_up, self._said_s, self._from = False, now_s, done
        elif now_s - self._said_s >= TOLD_EVERY_S:
            rate = max(done - self._from, 0) / (now_s - self._said_s)
            log.info("lists have %d of %s, %.0f more each second", done, count(total, "log entry"), rate)
            self._catching_up, self._said_s, self._from = True, now_s, done
