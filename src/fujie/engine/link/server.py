"""The ledger's end of the link: answers requests, and sends every block to whoever follows.

An event loop in a thread of its own. The ledger thread only queues a reference to each block; it is encoded here, once
for all followers. A follower has a bounded queue: one that does not keep up is cut off, connects again and starts over
from the store. Nothing here waits for a follower, and the ledger waits for nothing here.
"""

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from fujie.core.encoding import encode
from fujie.core.errors import FujieError, OperationalError
from fujie.core.hashing import TAG_GENESIS, digest
from fujie.core.limits import PENDING_TRANSACTIONS_MAX
from fujie.engine.base import Outcome, Served
from fujie.engine.feed import Feed, PublishedBlock
from fujie.engine.link import messages, outcomes
from fujie.engine.link.address import listen, remove, same_user
from fujie.engine.link.awake import AwakeClock
from fujie.engine.link.levels import LevelKeeper, LogLevels
from fujie.engine.link.messages import PROTOCOL, ROWS_PER_FRAME, LinkError
from fujie.engine.link.peer import PeerConnection

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 64  # readers, projector, and commands that ask
QUEUE_BYTES_MAX: Final = 67_108_864  # for one follower: a few seconds of the heaviest load
BACKLOG_BLOCKS_MAX: Final = 256  # not yet encoded; more of them, and this thread does not keep up itself
PULSE_S: Final = 0.25
PROBE_S: Final = 2.0  # between two questions whether a follower lives; far less than one may be silent
HELLO_TIMEOUT_S: Final = 5.0
DRY_RUNS_MAX: Final = 4  # at a time; each computes on the state in a thread


class FollowedEngine(Served, Protocol):
    """What the link serves: an engine that publishes its blocks."""

    feed: Feed


class LinkServer:
    """Serves one engine on ``<home>/run/node.sock``. Close it before the engine."""

    def __init__(
        self,
        engine: FollowedEngine,
        home: Path,
        store: str,
        *,
        processes: Callable[[], list[dict[str, Any]]] = list,
        levels: LogLevels | None = None,
        hand_over: Callable[[], None] | None = None,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
    ) -> None:
        """Listen, and return. ``store`` is the kind of store; ``processes`` describes those beside the ledger's;
        ``levels`` are the log levels of this one; ``hand_over`` has the node end for other validators, where it can.

        Raises :class:`OperationalError` when the socket cannot be made.
        """
        self._engine = engine
        self._home = home
        self._store = store
        self._processes = processes
        self._hand_over = hand_over
        self._queue_bytes_max = queue_bytes_max
        self._genesis_hash = digest(TAG_GENESIS, encode(engine.genesis))
        self._levels = LevelKeeper(levels or LogLevels())
        self._connections: set[PeerConnection] = set()
        self._followers: tuple[PeerConnection, ...] = ()
        self._backlog: deque[PublishedBlock] = deque()
        self._woken = False
        self._pulse = messages.Pulse(0, None, ())
        self._clock = AwakeClock()
        self._closing = False
        self._dry_runs = asyncio.Semaphore(DRY_RUNS_MAX)
        self._listener = listen(home)
        self._listener.setblocking(False)
        self._loop = asyncio.new_event_loop()
        self._main = self._loop.create_task(self._accept())
        self._thread = threading.Thread(target=self._run, name="fujie-link", daemon=True)
        self._thread.start()
        self._unsubscribe = engine.feed.subscribe(self._published)

    @property
    def followers(self) -> int:
        """How many processes follow."""
        return len(self._followers)

    @property
    def following(self) -> dict[str, float]:
        """For each process that follows, for how many seconds of :attr:`awake_s` it has been silent. Any thread."""
        return {follower.process: follower.silent_s for follower in self._followers}

    @property
    def awake_s(self) -> float:
        """Seconds of its time that this process has lived through. Any thread."""
        return self._clock.now_s

    @property
    def failed(self) -> bool:
        """Whether the link has ended by itself. Any thread."""
        return not self._closing and not self._thread.is_alive()

    def let_go(self) -> None:
        """Ask every follower to hold no read transaction until a few blocks on. Any thread."""
        self._loop.call_soon_threadsafe(self._broadcast, messages.LetGo())

    def close(self) -> None:
        """Stop listening and cut every connection. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._unsubscribe()
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._main.cancel)
        self._thread.join()
        remove(self._home)

    # -- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("the link stops")
        finally:
            self._listener.close()
            rest = asyncio.all_tasks(self._loop)
            for task in rest:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _accept(self) -> None:
        """Take connections, and look after followers, until the server closes."""
        async with asyncio.TaskGroup() as both:  # the end of one is the end of both
            both.create_task(self._look_after_followers())
            both.create_task(self._take_connections())

    async def _take_connections(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._listener)
            except OSError as error:
                log.warning("the link could not accept: %s", error)
                await asyncio.sleep(1.0)
                continue
            if len(self._connections) >= CONNECTIONS_MAX or not same_user(connection):
                log.warning("a connection to the link was refused")
                connection.close()
                continue
            task = self._loop.create_task(self._serve(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _serve(self, peer: socket.socket) -> None:
        """Serve one connection until it closes or breaks the protocol."""
        reader, writer = await asyncio.open_unix_connection(sock=peer)
        connection = PeerConnection(reader, writer, self._queue_bytes_max)
        self._connections.add(connection)
        sending = self._loop.create_task(connection.send_queued())
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                hello = messages.decode_request(await connection.receive())
            if not isinstance(hello, messages.Hello) or hello.protocol != PROTOCOL:
                raise LinkError("The other end speaks another protocol.", "Let both be of one release.")
            connection.send(messages.frame(self._welcome()))
            while True:
                self._answer(connection, messages.decode_request(await connection.receive()))
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        except LinkError as error:
            log.warning("a connection to the link is cut: %s", error.what)
        finally:
            self._connections.discard(connection)
            if connection in self._followers:
                log.debug("%s follows no more", connection.process or "a process")
            self._followers = tuple(each for each in self._followers if each is not connection)
            self._levels.forget(connection)
            sending.cancel()
            connection.cut()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _welcome(self) -> messages.Welcome:
        engine = self._engine
        return messages.Welcome(
            PROTOCOL,
            os.getpid(),
            engine.chain_id,
            self._store,
            self._genesis_hash,
            encode(engine.head),
            engine.proven.light_block,
        )

    # -- requests

    def _answer(self, connection: PeerConnection, request: messages.Request) -> None:
        """Begin to answer a request; the answer is sent when there is one."""
        match request:
            case messages.Submit(number, transactions):
                self._submit(connection, number, transactions)
            case messages.DryRun(number, transaction):
                connection.keep(self._loop.create_task(self._dry_run(connection, number, transaction)))
            case messages.Follow(number, process):
                connection.process = process
                # From here on every block is queued for it; the store has all those before.
                self._followers = (*self._followers, connection)
                engine = self._engine
                following = messages.Following(number, encode(engine.head), engine.proven.light_block)
                connection.send(messages.frame(following))
                connection.send(messages.frame(self._pulse))
                self._levels.welcome(connection)
                log.debug("%s follows, from block %d", process or "a process", engine.head.height)
            case messages.AskStatus(number):
                connection.send(messages.frame(self._status(number)))
            case messages.AskLogLevels(number):
                connection.send(messages.frame(messages.LogLevels(number, self._levels.levels())))
            case messages.SetLogLevel(number, logger, level):
                connection.keep(self._loop.create_task(self._set_level(connection, number, logger, level)))
            case messages.HandOver(number):
                self._begin_to_hand_over(connection, number)
            case messages.TellLogLevels():
                self._levels.told(connection, request)
            case messages.Alive():
                pass  # that it came is what it says
            case messages.Hello():
                raise LinkError("A second greeting.", "Let both ends be of one release.")

    def _begin_to_hand_over(self, connection: PeerConnection, number: int) -> None:
        if self._hand_over is None:
            error = OperationalError(
                "This node is no embedded ledger, or its validator has handed over.", "See `fujie status`."
            )
            connection.send(messages.frame(_failed(number, error)))
            return
        connection.send(messages.frame(self._status(number)))
        self._hand_over()

    def _submit(self, connection: PeerConnection, number: int, transactions: list[bytes]) -> None:
        try:
            if connection.owed + len(transactions) > PENDING_TRANSACTIONS_MAX:
                raise OperationalError("Too many outcomes wait to be taken.", "Take them, then submit more.")
            future = self._engine.submit(transactions)
        except OperationalError as error:
            connection.send(messages.frame(_failed(number, error)))
            return
        connection.owed += len(transactions)

        def settled(done: "Future[list[Outcome]]") -> None:
            # In the engine's thread: hand over and return.
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._send_outcomes, connection, number, len(transactions), done)

        future.add_done_callback(settled)

    def _send_outcomes(
        self, connection: PeerConnection, number: int, count: int, done: "Future[list[Outcome]]"
    ) -> None:
        error = done.exception()
        if error is None:
            connection.keep(self._loop.create_task(self._send_pieces(connection, number, done.result())))
        else:
            connection.owed -= count
            connection.send(messages.frame(_failed(number, error)))

    async def _send_pieces(self, connection: PeerConnection, number: int, answer: list[Outcome]) -> None:
        try:
            await connection.send_pieces(outcomes.frames_of(number, answer))
        except Exception as error:
            log.exception("outcomes could not be sent")
            connection.send(messages.frame(_failed(number, error)))
        finally:
            connection.owed -= len(answer)

    async def _dry_run(self, connection: PeerConnection, number: int, transaction: bytes) -> None:
        async with self._dry_runs:
            try:
                outcome = await asyncio.to_thread(self._engine.dry_run, transaction)
            except Exception as error:
                if not isinstance(error, OperationalError):
                    log.exception("a dry run failed")
                connection.send(messages.frame(_failed(number, error)))
                return
        await connection.send_pieces(outcomes.frames_of(number, [outcome]))

    def _status(self, number: int) -> messages.LedgerStatus:
        engine = self._engine
        return messages.LedgerStatus(
            number,
            engine.chain_id,
            encode(engine.head),
            engine.pending,
            _failure_text(engine),
            len(self._followers),
            self._processes(),
            engine.lacking,
        )

    async def _set_level(self, connection: PeerConnection, number: int, logger: str, level: str) -> None:
        try:
            await self._levels.set(logger, level, self._followers)
            answer: messages.Answer = messages.LogLevels(number, self._levels.levels())
        except OperationalError as error:
            answer = _failed(number, error)
        connection.send(messages.frame(answer))

    # -- blocks

    def _published(self, block: PublishedBlock) -> None:
        """Queue a block. In the ledger thread."""
        if not self._followers:
            return
        self._backlog.append(block)
        if not self._woken:
            self._woken = True
            self._loop.call_soon_threadsafe(self._send_blocks)

    def _send_blocks(self) -> None:
        """Encode what was queued, and queue it for every follower."""
        self._woken = False
        if len(self._backlog) > BACKLOG_BLOCKS_MAX:
            log.warning("the link does not keep up with the ledger; its followers start over")
            self._backlog.clear()
            for follower in self._followers:
                follower.cut()
            return
        while self._backlog:
            block = self._backlog.popleft()
            frames = list(_frames(block))
            for follower in self._followers:
                follower.queue_block(frames)

    def _broadcast(self, message: messages.News) -> None:
        data = messages.frame(message)
        for follower in self._followers:
            follower.send(data)

    async def _look_after_followers(self) -> None:
        """Tell them when what waits, or the ledger's health, has changed; ask whether they live, and count their silence."""
        probed_s = 0.0
        while True:
            engine = self._engine
            pulse = messages.Pulse(engine.pending, _failure_text(engine), engine.lacking)
            if pulse != self._pulse:
                self._pulse = pulse
                self._broadcast(pulse)
            step_s = self._clock.advance()
            for follower in self._followers:
                follower.silent_s += step_s
            if self._clock.now_s - probed_s >= PROBE_S:
                probed_s = self._clock.now_s
                self._broadcast(messages.Probe())
            await asyncio.sleep(PULSE_S)


def _frames(block: PublishedBlock) -> "list[bytes]":
    """Return the frames of a block: its head, then its rows in pieces."""
    rows = []
    for table, items in block.tables.items():
        if len(items) <= ROWS_PER_FRAME:
            pieces = [items] if items else []
        else:
            rest = iter(items.items())
            pieces = [dict(islice(rest, ROWS_PER_FRAME)) for _ in range(0, len(items), ROWS_PER_FRAME)]
        rows += [messages.frame(messages.Rows(table.prefix, piece)) for piece in pieces]
    return [messages.frame(messages.Block(encode(block.head), block.light_block, block.signed, len(rows))), *rows]


def _failed(number: int, error: BaseException) -> messages.Failed:
    if isinstance(error, OperationalError):
        return messages.Failed(number, error.what, error.do)
    return messages.Failed(number, "The ledger could not answer.", "See the log of the node.")


def _failure_text(engine: Served) -> str | None:
    failure = engine.failure
    if failure is None:
        return None
    return str(failure) if isinstance(failure, FujieError) else repr(failure)
