"""Running a node: the ledger in this process, and beside it the processes that read for everybody else.

run_node
  ├─ bind the port            (before anything takes time; the socket stays with this process and never gets lost)
  ├─ start the readers        (they load while this process does, and wait for the link)
  ├─ found the chain          (where there is none)
  ├─ open the engine          (takes the folder; goes on where the last commit left it)
  ├─ fill the demonstration   (what is missing of it; nothing on a second start)
  ├─ open the link            (readers attach and serve; then the projector is started)
  └─ watch until told to stop; stop the processes, then the engine: the block in hand becomes durable
"""

import gc
import importlib.util
import logging
import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from fujie.api.listening import accept, address_of, listen
from fujie.core.errors import OperationalError
from fujie.node.address import published, running_url
from fujie.node.config_keys import Config
from fujie.node.folder import Folder, closed_to_others
from fujie.node.logs import apply_level, levels, start_logging
from fujie.node.open_files import raise_limit, wanted_files
from fujie.node.processes import Child, Children
from fujie.store.files import identity_of
from fujie.store.opening import STORE_NAMES, FolderLock, StoreKind

# The engine and what belongs to it is imported when the readers have been started: both take their time side by side.
if TYPE_CHECKING:
    from fujie.engine.link.server import FollowedEngine, LinkServer
    from fujie.node.demo import Filled, Progress

WATCH_S: Final = 0.5
READY_POLL_S: Final = 0.01
SLOW_START_S: Final = 30.0  # for readers, once there is something to follow; after that the log says so
# Of SQLite's write-ahead log: twice what it moves at a time. Beyond it followers let go.
LOG_BYTES_KEPT: Final = 160 * 2**20
LOG_BYTES_STEP: Final = 80 * 2**20

READER_MODULE: Final = "fujie.node.reader_process"
PROJECTOR_MODULE: Final = "fujie.node.projector"

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The node was told to stop before it served: it waited for others, or filled the demonstration. What is done is durable."""


class Started(NamedTuple):
    """What the operator is told once the node serves."""

    url: str
    chain_id: str
    height: int
    filled: "Filled | None"


def run_node(
    folder: Folder,
    config: Config,
    stop: threading.Event,
    *,
    found: Callable[[], None] = lambda: None,
    progress: "Progress | None" = None,
    waiting: Callable[[str], None] = lambda _: None,
    on_ready: Callable[[Started], None] | None = None,
) -> bool:
    """Run the node of ``folder`` until ``stop`` is set. ``found`` founds its chain if it holds none.

    ``waiting`` hears what a node among several waits for before it serves, and when it reaches too few for a block; an empty
    text when neither is so any more.

    True when it ends because its chain was handed over to other validators (``node.grow``).
    Raises :class:`OperationalError` when the folder or the port is in use, the key of the validator does not open, the
    readers do not start, or the ledger stops by itself; :class:`Stopped` when it was told to stop while it filled the
    demonstration.
    """

    def open_ledger() -> "tuple[FollowedEngine, Filled | None]":
        from fujie.node.demo import fill
        from fujie.node.demo_world import DemoWorld
        from fujie.node.founding import open_engine
        from fujie.node.keyring import load_demo_keys, validator_signer

        found()
        description = folder.require()
        in_vain = threading.Event()
        try:
            with ExitStack() as telling:
                if folder.cometbft.exists():
                    from fujie.node.reach import told  # not at the top: most nodes wait for nobody

                    telling.enter_context(told(folder, waiting, in_vain.set))
                engine = open_engine(
                    folder, validator_signer(folder), stopped=lambda: stop.is_set() or in_vain.is_set()
                )
        except OperationalError:
            if stop.is_set():
                raise Stopped from None
            raise
        try:
            if stop.is_set():
                raise Stopped
            if in_vain.is_set():
                from fujie.node.reach import grew_earlier

                raise grew_earlier(folder)
            keys = load_demo_keys(folder) if description.world == "demo" else None
            return engine, None if keys is None else fill(engine, DemoWorld(keys), _Stoppable(stop, progress))
        except BaseException:
            engine.close()
            raise

    with ExitStack() as watching:

        def ready(started: Started) -> None:
            if on_ready is not None:
                on_ready(started)
            if folder.cometbft.exists():
                from fujie.node.reach import watched

                watching.enter_context(watched(folder, waiting, stop.is_set))

        return run_processes(folder, config, open_ledger, stop, on_ready=ready)


def run_processes(
    folder: Folder,
    config: Config,
    open_ledger: "Callable[[], tuple[FollowedEngine, Filled | None]]",
    stop: threading.Event,
    *,
    on_ready: Callable[[Started], None] | None = None,
    ends_with_failure: bool = True,
) -> bool:
    """Run the ledger that ``open_ledger`` returns, and the processes beside it, until ``stop`` is set.

    What it returns is as of :func:`run_node`. ``ends_with_failure``: a ledger that has failed stops the node; a mirror
    goes on to answer. Raises as :func:`run_node`, and what ``open_ledger`` raises.
    """
    _require_unused(folder)
    with closed_to_others(), _listen(folder, config) as listener:
        start_logging(folder, "node", config.log)
        if config.exposed:
            log.warning("listening on %s, which the network reaches, without TLS: put a proxy with TLS before it",
                        config.http.host)  # fmt: skip
        raise_limit(wanted_files(config))
        _ensure_log_key(folder)
        children = Children(config.processes.silent_s)
        try:
            readers = [
                _start_reader(children, folder, config, listener, number + 1) for number in range(config.http.readers)
            ]
            engine, filled = open_ledger()
            try:
                accept(listener)  # now, so that who is served soon waits, and who must wait for long is told at once
                # Whatever lives now lives until the end: the collector need not look at a million objects again and again.
                gc.collect()
                gc.freeze()
                node = _Node(folder, config, engine, children, stop, ends_with_failure)
                with published(folder, config, listener):
                    node.run(readers, lambda: _started(engine, address_of(listener), filled, on_ready))
                return node.hand_over()
            finally:
                engine.close()
                log.info("stopped at height %d", engine.head.height)
        finally:
            children.stop()


def _listen(folder: Folder, config: Config) -> socket.socket:
    """Bind the port. Where it is taken by the node that this folder is a copy of, another port would not help, and is not advised."""
    try:
        return listen(config.http.host, config.http.port)
    except OperationalError:
        if folder.validator_key.exists():
            _require_key_unused(folder)
        raise


def _require_key_unused(folder: Folder) -> None:
    """Raise :class:`OperationalError` when the node of another folder signs with the validator's key of this one."""
    from fujie.client.keys import load_key
    from fujie.engine.key_lock import KeyInUse, KeyLock

    try:
        KeyLock(load_key(folder.validator_key).public_key, folder.home).release()
    except KeyInUse as error:
        if error.holder != str(folder.home.absolute()):
            raise


def _start_reader(children: Children, folder: Folder, config: Config, listener: socket.socket, number: int) -> Child:
    descriptor = listener.fileno()
    given = _given(folder, config, number=number, listener=descriptor)
    return children.add(f"reader-{number}", READER_MODULE, given, (descriptor,))


def _given(folder: Folder, config: Config, **more: int) -> list[str]:
    """Return what a process beside the ledger is started with. The configuration is the one that this node read."""
    given = {"home": str(folder.home.absolute()), "config": msgspec.json.encode(config).decode(), **more}
    return [f"--{name}={value}" for name, value in given.items()]


def _require_unused(folder: Folder) -> None:
    """Raise :class:`OperationalError` when another process has the folder, before anything is written to its log."""
    if not folder.chain.is_dir():
        return
    try:
        FolderLock(folder.chain).release()
    except OperationalError as error:
        url = running_url(folder)
        if url is None:
            raise
        raise OperationalError(
            f"{error.what} A node of it answers at {url}.",
            "Use that one, or stop it. Another node takes another folder and port: FUJIE_PORT=9000 fujie --home FOLDER up.",
        ) from None


def _ensure_log_key(folder: Folder) -> None:
    """Make the key that signs checkpoints of the log, here, so that no two readers make it at once.

    Raises :class:`OperationalError` for one that does not open: here it is said once, and not by every reader.
    """
    from fujie.node.keyring import log_key

    log_key(folder)


def _started(
    engine: "FollowedEngine", url: str, filled: "Filled | None", on_ready: Callable[[Started], None] | None
) -> None:
    log.info("serving %s at %s from height %d", engine.chain_id, url, engine.head.height)
    if on_ready is not None:
        on_ready(Started(url, engine.chain_id, engine.head.height, filled))


class _Stoppable:
    """A progress that ends the filling when the node is told to stop."""

    def __init__(self, stop: threading.Event, inner: "Progress | None") -> None:
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


class _Node:
    """An open ledger, its link, and the watch over both."""

    def __init__(
        self,
        folder: Folder,
        config: Config,
        engine: "FollowedEngine",
        children: Children,
        stop: threading.Event,
        ends_with_failure: bool,
    ) -> None:
        self._folder = folder
        self._config = config
        self._engine = engine
        self._children = children
        self._stop = stop
        self._ends_with_failure = ends_with_failure
        self._opened = identity_of(folder.chain)
        self._store: StoreKind = folder.require().store
        self._log_bytes = LOG_BYTES_KEPT
        self._hands_over = False

    def hand_over(self) -> bool:
        """Make the last block, where that was asked for, and tell whether it was. Nobody is served any more."""
        from fujie.engine.embedded import EmbeddedEngine

        if not self._hands_over or not isinstance(self._engine, EmbeddedEngine):
            return False
        log.warning("handed over to other validators at height %d", self._engine.hand_over().height)
        return True

    def _begin_to_hand_over(self) -> None:
        self._hands_over = True
        self._stop.set()

    def run(self, readers: list[Child], on_ready: Callable[[], None]) -> None:
        """Serve until told to stop, or something is in the way. Raises :class:`OperationalError` for the latter."""
        from fujie.engine.embedded import EmbeddedEngine
        from fujie.engine.link.levels import LogLevels
        from fujie.engine.link.server import LinkServer

        link = LinkServer(
            self._engine,
            self._folder.home,
            self._store,
            processes=self._children.describe,
            levels=LogLevels("node", apply_level, levels),
            hand_over=self._begin_to_hand_over if isinstance(self._engine, EmbeddedEngine) else None,
        )
        try:
            slow_from_s = time.monotonic() + SLOW_START_S
            while not all(reader.ready.is_set() for reader in readers):
                if self._ended(READY_POLL_S):
                    return
                self._children.judge(link.following, link.awake_s)
                if time.monotonic() > slow_from_s:
                    slow_from_s = math.inf
                    names = ", ".join(reader.name for reader in readers if not reader.ready.is_set())
                    log.warning(
                        "not ready after %.0f s: %s; `fujie log show --process NAME` says why", SLOW_START_S, names
                    )
                if any(reader.hopeless for reader in readers):
                    raise OperationalError(
                        "The processes that answer requests do not start.", f"See {self._folder.log.parent}."
                    )
            on_ready()
            if self._config.projection.enabled and importlib.util.find_spec(PROJECTOR_MODULE) is not None:
                self._children.add("projector", PROJECTOR_MODULE, _given(self._folder, self._config))
            while not self._ended(WATCH_S):
                if link.failed:
                    raise OperationalError(
                        "The ledger lost the link to the processes that answer requests.",
                        "See the log; what was acknowledged is safe.",
                    )
                self._bound_log(link)
                self._children.judge(link.following, link.awake_s)
        finally:
            self._children.stop()
            link.close()

    def _ended(self, wait_s: float) -> bool:
        """Wait, and tell whether to stop. Raises :class:`OperationalError` when the ledger or its folder is lost."""
        if self._stop.wait(wait_s):
            return True
        failure = self._engine.failure
        if failure is not None and self._ends_with_failure:
            if isinstance(failure, OperationalError):
                raise failure
            raise OperationalError(f"The ledger stopped: {failure!r}.", "See the log; what was acknowledged is safe.")
        if identity_of(self._folder.chain) != self._opened:
            log.error("the data folder was removed, moved or replaced while the node ran")
            raise OperationalError(
                f"The data folder {self._folder.chain} was removed, moved or replaced while the node ran, so the node stopped.",
                "Put the folder back, or restore a snapshot. If it was removed, the chain is gone with it.",
            )
        return False

    def _bound_log(self, link: "LinkServer") -> None:
        """Have followers let go of SQLite's write-ahead log when it has grown because one always held a moment."""
        if self._store != "sqlite":
            return
        path = self._folder.chain / f"{STORE_NAMES[self._store]}-wal"
        try:
            size = path.stat().st_size
        except OSError:
            return
        if size > self._log_bytes:
            self._log_bytes = size + LOG_BYTES_STEP
            link.let_go()
