"""Running a node: the engine, the demonstration where the folder has one, and HTTP on the loopback interface.

run_node
  ├─ open the engine          (takes the folder; goes on where the last commit left it)
  ├─ is the port free         (before anything takes time)
  ├─ fill the demonstration   (what is missing of it; nothing on a second start)
  └─ serve until told to stop, then close the engine: the block in hand becomes durable
"""

import gc
import logging
import logging.handlers
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from fujie.api.app import create_app
from fujie.api.server import HOST_DEFAULT, serve
from fujie.core.errors import OperationalError
from fujie.engine.embedded import EmbeddedEngine
from fujie.node.demo import Filled, Progress, fill
from fujie.node.demo_world import DemoWorld
from fujie.node.folder import Folder, make_folder
from fujie.node.founding import open_engine
from fujie.node.keyring import load_demo_keys, validator_signer

LOG_BYTES_MAX: Final = 5_242_880  # of one log file; with the rotated ones at most 30 MiB
LOG_FILES_KEPT: Final = 5
WATCH_S: Final = 0.5

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The node was told to stop while it was still filling the demonstration. What is done is durable."""


class Started(NamedTuple):
    """What the operator is told once the node serves."""

    url: str
    chain_id: str
    height: int
    filled: Filled | None


def run_node(
    folder: Folder,
    port: int,
    stop: threading.Event,
    *,
    progress: Progress | None = None,
    on_ready: Callable[[Started], None] | None = None,
) -> None:
    """Run the node of ``folder``, which holds a chain, until ``stop`` is set.

    Raises :class:`OperationalError` when the folder or the port is in use, the key of the validator does not open, or the
    ledger stops by itself; :class:`Stopped` when it was told to stop before it served.
    """
    description = folder.require()
    log_to_file(folder)
    engine = open_engine(folder, validator_signer(folder))
    try:
        _require_free(port)
        filled = None
        keys = load_demo_keys(folder) if description.world == "demo" else None
        if keys is not None:
            filled = fill(engine, DemoWorld(keys), _Stoppable(stop, progress))
        # Whatever lives now lives until the end: the collector need not look at a million objects again and again.
        gc.collect()
        gc.freeze()
        _serve(folder, engine, port, stop, filled, on_ready)
    finally:
        engine.close()
        log.info("stopped at height %d", engine.head.height)


def log_to_file(folder: Folder) -> None:
    """Log to the folder's rotated file. No key, no payment and no address of a request is ever logged."""
    make_folder(folder.log.parent)
    try:
        handler = _LogFile(folder.log, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise OperationalError(
            f"The log {folder.log} cannot be written: {error.strerror}.", "Check the folder and who may write to it."
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


class _LogFile(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of logging
        """Go on: a log that cannot be written, on a full disk say, is no reason to print tracebacks to the operator."""


class _Stoppable:
    """A progress that ends the filling when the node is told to stop."""

    def __init__(self, stop: threading.Event, inner: Progress | None) -> None:
        self._stop = stop
        self._inner = inner

    def start(self, total: int) -> None:
        if self._inner is not None:
            self._inner.start(total)

    def advance(self, group: str, count: int) -> None:
        if self._inner is not None:
            self._inner.advance(group, count)
        if self._stop.is_set():
            raise Stopped


def _serve(
    folder: Folder,
    engine: EmbeddedEngine,
    port: int,
    stop: threading.Event,
    filled: Filled | None,
    on_ready: Callable[[Started], None] | None,
) -> None:
    def ready(url: str) -> None:
        log.info("serving %s at %s from height %d", engine.chain_id, url, engine.head.height)
        if on_ready is not None:
            on_ready(Started(url, engine.chain_id, engine.head.height, filled))

    opened = _inode(folder.chain)
    lost = threading.Event()

    def watch() -> None:
        while not stop.wait(WATCH_S):
            if _inode(folder.chain) != opened:
                lost.set()
            if engine.failure is not None or lost.is_set():
                stop.set()

    watcher = threading.Thread(target=watch, name="fujie-watch", daemon=True)
    watcher.start()
    serve(create_app(engine), HOST_DEFAULT, port, on_ready=ready, stop_event=stop)
    if engine.failure is not None:
        if isinstance(engine.failure, OperationalError):
            raise engine.failure
        raise OperationalError(
            f"The ledger stopped: {engine.failure!r}.", "See the log; what was acknowledged is safe."
        )
    if lost.is_set():
        log.error("the data folder was removed, moved or replaced while the node ran")
        raise OperationalError(
            f"The data folder {folder.chain} was removed, moved or replaced while the node ran, so the node stopped.",
            "Put the folder back, or restore a snapshot. If it was removed, the chain is gone with it.",
        )


def _inode(path: Path) -> tuple[int, int] | None:
    """Return which folder stands at ``path``; None where none does."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _require_free(port: int) -> None:
    """Raise :class:`OperationalError` when the port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST_DEFAULT, port))
        except OSError as error:
            raise OperationalError(
                f"Port {port} is in use ({error.strerror}).", "Stop what uses it, or choose another: FUJIE_PORT=9000."
            ) from error
