"""Following the ledger from another process: its store as of the newest block, and word of every block.

    attach     connect; have every block sent from now on; take a moment of the store, which is as of block m
    advance    lay each block after m over the moment
    refresh    take a newer moment now and then, so that little lies over it and the old one is given back

The app hash after block H is signed in header H + 1. A block is therefore *settled* when the next header has arrived: the
settled view is the one that proofs can be made of, and a moment is used only once all that it holds is settled.
A follower that was cut off, or whose ledger was started again, attaches anew; until then it answers from what it has.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.engine.executor import HEAD, Head
from fujie.engine.link import messages
from fujie.engine.link.address import RUN_NAME
from fujie.engine.link.connection import Connection
from fujie.engine.link.levels import LogLevels
from fujie.engine.link.messages import LinkError
from fujie.engine.proving import Proven
from fujie.reader.absence import Absence
from fujie.reader.newest import NewestReads
from fujie.reader.picture import NewBlock, Picture, first_picture, head_of, later, settled_height
from fujie.reader.view import View
from fujie.store.following import Moment, Moments
from fujie.store.opening import StoreKind

log = logging.getLogger(__name__)

CHAIN_NAME: Final = "chain"  # where the store lies in a data folder (docs/spec/08-files.md)
OPEN_TIMEOUT_S: Final = 30.0
TICK_S: Final = 0.5
RETRY_S: Final = (0.02, 0.02, 0.05, 0.05, 0.1)  # between attempts to connect, the last one again and again
LET_GO_BLOCKS: Final = 3  # after which the write-ahead log has begun anew: one moves its pages, the next restarts it


class Limits(NamedTuple):
    """When to take a newer moment: so many rows lie over the old one, or it is so old and not the newest."""

    rows_max: int = 200_000  # about 100 MB
    age_s: float = 1.5


class Follower(NewestReads):
    """Follows the ledger of a data folder in a thread of its own. Any thread reads."""

    def __init__(
        self,
        home: Path,
        *,
        ledger_pid: int | None = None,
        limits: Limits | None = None,
        levels: LogLevels | None = None,
        watch: Callable[[Picture], None] | None = None,
        works: Callable[[], bool] = lambda: True,
    ) -> None:
        """Begin to follow, and return. ``watch`` is called with every picture, in the follower's thread, before others
        see it; when it raises, the follower attaches anew. ``works`` tells whether what this process is for goes on: while
        it does not, the ledger is given no sign of life.
        """
        self._home = home
        self._ledger_pid = ledger_pid
        self._limits = limits or Limits()
        self._watch = watch
        self._works = works
        self.changed = threading.Condition()
        self._levels = levels or LogLevels()
        self.pulse = messages.Pulse(0, None, ())
        self.connected = False
        self._picture: Picture | None = None
        self._welcome: messages.Welcome | None = None
        self._moments: Moments | None = None
        self._connection: Connection | None = None
        self._candidate: tuple[Moment, int] | None = None  # a newer moment that is not settled yet, and its height
        self._waiting: list[NewBlock] = []  # not signed, for the block that is and names them
        self._since_s = 0.0  # when the moment in use was taken
        self._base_height = 0
        self._let_go_at = 0
        self._closing = threading.Event()
        self._listeners: tuple[Callable[[], None], ...] = ()
        self._absence = Absence()
        self._thread = threading.Thread(target=self._run, name="fujie-follow", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        timeout_s: float = OPEN_TIMEOUT_S,
        cancelled: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> "Follower":
        """Follow the ledger of ``home`` and return once there is something to read.

        Raises :class:`OperationalError` when no ledger is there in time, or when ``cancelled`` says so meanwhile.
        """
        follower = cls(home, **options)
        try:
            follower.wait_attached(timeout_s, cancelled)
        except BaseException:
            follower.close()
            raise
        return follower

    # -- what there is

    @property
    def picture(self) -> Picture:
        """The newest picture."""
        assert self._picture is not None, "opening waits for the first"
        return self._picture

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closing.is_set()

    @property
    def head(self) -> Head:
        """The newest committed block that has arrived."""
        return self.picture.head

    @property
    def chain_id(self) -> str:
        """The chain that is followed."""
        assert self._welcome is not None, "opening waits for the first"
        return self._welcome.chain_id

    def wait_attached(self, timeout_s: float, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Wait for the first picture. Raises :class:`OperationalError` at the timeout, or when ``cancelled`` or closed."""
        until_s = time.monotonic() + timeout_s
        with self.changed:
            while self._picture is None and not self.closed and not cancelled() and time.monotonic() < until_s:
                self.changed.wait(min(TICK_S, max(until_s - time.monotonic(), 0.0)))
            if self._picture is None:
                raise self._absence.error or OperationalError(
                    f"The ledger of {self._home} did not answer within {timeout_s:.0f} s.", "See the log of the node."
                )

    def wait(self, height: int, timeout_s: float) -> bool:
        """Wait until the newest block is above ``height``; False at the timeout, or when closed."""
        with self.changed:
            self.changed.wait_for(lambda: self.head.height > height or self._closing.is_set(), timeout_s)
            return self.head.height > height

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have ``listener`` called after every block, and when the ledger comes or goes, in the follower's thread.

        It must return at once. Returns how to stop.
        """
        with self.changed:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self.changed:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

        return unsubscribe

    def close(self) -> None:
        """Stop following and give the store back. Idempotent."""
        with self.changed:
            self._closing.set()
            self.changed.notify_all()
            connection = self._connection
        if connection is not None:
            connection.shut()
        self._thread.join()

    # -- the thread

    def _run(self) -> None:
        """Attach and advance until the follower closes."""
        attempt = 0
        try:
            while not self._closing.is_set():
                try:
                    self._follow()
                except Exception as error:  # noqa: BLE001 - whatever it is, it is told and tried again
                    if not self._closing.is_set():
                        self._absence.failed(error)
                if self.connected:
                    attempt = 0
                self.connected = False
                self._tell()
                self._closing.wait(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
        finally:
            self._drop_candidate()
            if self._picture is not None:
                self._picture.settled.base.close()
            if self._moments is not None:
                self._moments.close()

    def _follow(self) -> None:
        """Follow over one connection until it ends. Raises :class:`LinkError` when it does."""
        connection = Connection(self._home, ledger_pid=self._ledger_pid)
        try:
            with self.changed:
                self._connection = connection
                if self._closing.is_set():
                    return
            self._waiting = []
            self._check(connection.welcome)
            connection.send(messages.Follow(0, self._levels.process))
            connection.send(self._levels.tell())
            self._attach(connection)
            while True:
                block = self._next_block(connection, TICK_S)
                if block is not None:
                    self._advance(block)
                self._refresh()
        finally:
            self._connection = None
            connection.close()
            self._drop_candidate()  # while the ledger is away it would hold a moment for nothing

    def _check(self, welcome: messages.Welcome) -> None:
        before = self._welcome
        if before is not None and (before.chain_id, before.genesis_hash) != (welcome.chain_id, welcome.genesis_hash):
            raise LinkError("Another chain is served in this data folder now.", "Start this reader again.")
        if self._moments is None:
            kind: StoreKind = "rocks" if welcome.store == "rocks" else "sqlite"
            self._moments = Moments(kind, self._home / CHAIN_NAME, self._home / RUN_NAME)
        self._welcome = welcome

    def _attach(self, connection: Connection) -> None:
        """Take a moment of the store and show it, as soon as a header proves what it holds."""
        while not isinstance(answer := connection.receive(), messages.Following):
            self._hear(answer)
        assert self._moments is not None, "it was made at the greeting"
        # Taken after the ledger has begun to send blocks, so nothing lies between the moment and the first of them.
        moment = self._moments.newest()
        with self._kept_if_shown(moment):
            head = head_of(moment)
            picture = first_picture(moment, answer.light_block)
            if picture is None:
                picture = self._first_block_after(connection, head, View(moment))
            self._show(picture, head.height)
        self.connected = True
        self._absence.over()
        log.debug("the ledger is followed, from block %d", head.height)
        self._tell()

    def _first_block_after(self, connection: Connection, head: Head, view: View) -> Picture:
        """Wait for the block whose header proves what the moment holds."""
        while True:
            block = self._next_block(connection, None)
            if block is None or block.head.height <= head.height:
                continue
            if blocks := self._certain(block):
                unproven = Picture(head, Proven(b"", head), view, view, None)
                return later(unproven, blocks)._replace(changes=None)

    def _advance(self, block: NewBlock) -> None:
        """Lay a block over the view, and settle the one before. One that is not signed waits for the one that is."""
        before = self.picture
        if block.head.height <= before.head.height:
            return  # the moment has it
        if blocks := self._certain(block):
            self._show(later(before, blocks))
            self._tell()

    def _certain(self, block: NewBlock) -> list[NewBlock]:
        """Return ``block`` with those before it that waited for one that is signed; nothing while it waits as well."""
        self._waiting.append(block)
        if not block.signed:
            return []
        blocks, self._waiting = self._waiting, []
        return blocks

    def _tell(self) -> None:
        """Call the listeners: for a block, and when the ledger comes or goes."""
        with self.changed:
            self.changed.notify_all()
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                log.exception("a listener failed; the reader goes on")

    def _show(self, picture: Picture, base_height: int | None = None) -> None:
        """Let readers see ``picture``; with ``base_height``, its moment is another one, as of that block."""
        if self._watch is not None:
            self._watch(picture)
        before = self._picture
        with self.changed:
            self._picture = picture
            self.changed.notify_all()
        if base_height is not None:
            self._base_height = base_height
            self._since_s = time.monotonic()
            if before is not None:
                before.settled.base.close()

    # -- moments

    def _refresh(self) -> None:
        """Take a newer moment when it is time for one, and use it when all that it holds is settled."""
        picture = self.picture
        base = picture.settled.base
        if self._candidate is None:
            if base.exact:
                old = time.monotonic() - self._since_s > self._limits.age_s and picture.head.height > self._base_height
                due = old or picture.newest.size > self._limits.rows_max
            else:
                due = picture.head.height >= self._let_go_at + LET_GO_BLOCKS
            if not due:
                return
            assert self._moments is not None, "there is a moment in use"
            moment = self._moments.newest()
            try:
                self._candidate = moment, head_of(moment).height
            except BaseException:
                moment.close()
                raise
        moment, height = self._candidate
        if height <= settled_height(picture):
            self._candidate = None
            self._use(moment, height)
            log.debug("the moment below the views is refreshed, as of block %d", height)

    def _use(self, moment: Moment, height: int) -> None:
        """Put ``moment``, as of block ``height``, below the views."""
        picture = self.picture
        with self._kept_if_shown(moment):
            settled = picture.settled.on(moment, height)
            newest = settled if picture.newest is picture.settled else settled.with_layer(picture.newest.layers[-1])
            self._show(picture._replace(newest=newest, settled=settled, changes=()), height)

    @contextlib.contextmanager
    def _kept_if_shown(self, moment: Moment) -> Iterator[None]:
        """Give ``moment`` back when something is raised before readers see it."""
        try:
            yield
        except BaseException:
            if self._picture is None or self._picture.settled.base is not moment:
                moment.close()
            raise

    def _let_go(self) -> None:
        """Hold no moment for a few blocks."""
        self._drop_candidate()
        if self._moments is None or self._picture is None:
            return
        loose = self._moments.loose()
        if loose is not None:
            self._let_go_at = self.head.height
            self._use(loose, 0)

    def _drop_candidate(self) -> None:
        if self._candidate is not None:
            self._candidate[0].close()
            self._candidate = None

    # -- what arrives

    def _next_block(self, connection: Connection, timeout_s: float | None) -> NewBlock | None:
        """Return the next block; None when something else came, or nothing in time."""
        message = connection.receive(timeout_s)
        if not isinstance(message, messages.Block):
            self._hear(message)
            return None
        head = HEAD.decode_trusted(message.head)
        return NewBlock(head, message.light_block, message.signed, connection.receive_rows(message))

    def _hear(self, message: messages.Reply | None) -> None:
        """Take in what is no block."""
        match message:
            case None:
                pass
            case messages.Pulse():
                self.pulse = message
            case messages.LogLevel():
                self._answer(self._levels.take(message))
            case messages.LetGo():
                self._let_go()
            case messages.Probe():
                if self._works():
                    self._answer(messages.Alive())
            case _:
                raise LinkError("The ledger sent what was not asked for.", "It is asked again.")

    def _answer(self, message: messages.Request) -> None:
        if self._connection is not None:
            self._connection.send(message)
