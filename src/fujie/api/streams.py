"""Open event streams: one subscription to the engine, one encoding of an event for all streams with the same view.

    engine ── a block was made ──► pump ──► each view: the events it shows, joined once ──► the buffer of each stream

A stream that begins in the past reads the ledger by itself until it has come to where the pump is; then the pump serves it.
Streams that catch up take turns, one at a time over the whole process, and rest after each turn for as long as it took: so
however many they are, at least half of the event loop is for everybody else. Nobody has his turn while his client takes
what he was sent. Nothing is kept for a client but ``BUFFER_BYTES_MAX``: one that does not take its events is dropped, and goes
on from the last id that it has seen.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from fujie.api.moments import Moments, Position, View
from fujie.api.problems import Kind, Problem
from fujie.engine.base import Served

BUFFER_BYTES_MAX: Final = 1_048_576  # what may wait for one client: some 2,000 events
SLICE: Final = 100  # events that the pump reads at a time: a few milliseconds, then the event loop serves others
TURN_S: Final = 0.002  # of reading history, then others have their turn
TURN_BYTES_MAX: Final = 262_144  # of history sent at a time
HEARTBEAT_S: Final = 15.0  # below the idle time of common proxies (60 s)
CHECK_S: Final = 1.0  # how often a stream with a credential looks whether that still holds
RESUME_WAIT_S: Final = 5.0  # for the block of the last id: another process of the node may be a moment ahead
RESUME_POLL_S: Final = 0.05
BLOCKS_AHEAD_MAX: Final = 1_000  # that another process may be ahead: more than a node makes in that time
STUCK_POLL_S: Final = 0.01
RETRY_AFTER_S: Final = 5
HEARTBEAT: Final = b": \n\n"
GREETING: Final = b"retry: 1000\n\n"  # an EventSource comes back after a second

Send = Callable[[bytes], Any]
StillAllowed = Callable[[], bool]

log = logging.getLogger(__name__)


class Stream:
    """One open stream. ``task`` is the one that sends; dropping the stream cancels it."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.task: asyncio.Task[Any] | None = None
        self.dropped = False
        self.ended = False
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._news = asyncio.Event()

    def put(self, chunk: bytes) -> None:
        """Add to what waits for the client, or drop the stream when that is too much."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > BUFFER_BYTES_MAX:
            self.dropped = True
            self._chunks.clear()
            if self.task is not None:
                self.task.cancel()
        self._news.set()

    def end(self) -> None:
        """Let the stream end after what waits."""
        self.ended = True
        self._news.set()

    async def take(self, timeout_s: float) -> bytes:
        """Return what waits, or nothing after ``timeout_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        self._news.clear()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        return data


class Hub:
    """All open streams of one process. Everything but :meth:`_announced` runs in the event loop."""

    def __init__(self, engine: Served, streams_max: int) -> None:
        self._engine = engine
        self._streams_max = streams_max
        self._moments = Moments(engine)
        self._live: dict[View, set[Stream]] = {}
        self._open: set[Stream] = set()
        self._position = Position(0, 0)  # up to where the live streams were served
        self._pump: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # of those that catch up, first come first served
        self._closed = False
        self.dropped = 0  # streams whose clients were too slow, ever

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def admit(self, view: View) -> Stream:
        """Return a new stream, which counts from now on; :meth:`run` or :meth:`leave` lets go of it.

        Raises :class:`Problem` STREAMS_FULL.
        """
        if len(self._open) >= self._streams_max or self._closed:
            raise Problem(Kind.STREAMS_FULL, retry_after_s=RETRY_AFTER_S)
        stream = Stream(view)
        self._open.add(stream)
        return stream

    async def resumed(self, position: Position) -> Position:
        """Return ``position`` once it can be gone on from. Raises :class:`Problem` EVENT_ABSENT."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RESUME_WAIT_S
        # Looked at now and then: no event says that another thread has made a block, and who waits here is rare.
        while self._moments.now() < position and loop.time() < deadline:
            if position.height > self._moments.now().height + BLOCKS_AHEAD_MAX:
                break
            await asyncio.sleep(RESUME_POLL_S)
        known = self._moments.is_position(position)
        if not known or (position < self._moments.now() and not self._moments.goes_on(position)):
            newest = self._moments.now()
            told = f"The newest event has the id {newest}." if newest < position else "This node does not keep it."
            raise Problem(Kind.EVENT_ABSENT, f"{told} {Kind.EVENT_ABSENT.advice}")
        return position

    async def run(self, stream: Stream, send: Send, start: Position | None, still_allowed: StillAllowed) -> None:
        """Send events from ``start`` on (None: those to come) until the stream ends, is dropped or is cancelled."""
        stream.task = asyncio.current_task()
        allowed = _Allowed(still_allowed)
        try:
            position = self._served if start is None else start
            await send(GREETING)
            if not await self._catch_up(stream, send, position, allowed):
                return
            while not stream.ended:
                data = await stream.take(HEARTBEAT_S)
                if not allowed():
                    return
                await send(data or HEARTBEAT)
        except asyncio.CancelledError:
            if not stream.dropped:
                raise
            self.dropped += 1
        finally:
            self.leave(stream)

    def leave(self, stream: Stream) -> None:
        """Forget a stream. Idempotent."""
        self._open.discard(stream)
        same = self._live.get(stream.view)
        if same is not None:
            same.discard(stream)
            if not same:
                del self._live[stream.view]
        if not self._live and self._pump is not None:
            self._pump.cancel()
            self._pump = None

    def close(self) -> None:
        """End every stream, and admit none any more."""
        self._closed = True
        for stream in self._open:
            stream.end()

    # -- inside

    @property
    def _served(self) -> Position:
        """Where a stream joins: up to here the live streams were served, or where there is none, the newest block."""
        return self._position if self._live else self._moments.now()

    async def _catch_up(self, stream: Stream, send: Send, position: Position, allowed: "_Allowed") -> bool:
        """Send what there is from ``position`` on, and join those whom the pump serves.

        False when the stream shall end: its credential holds no longer, or what comes next is not kept here any more.
        """
        loop = asyncio.get_running_loop()
        moved = loop.time()
        while position != self._served:
            if stream.ended or not allowed():
                return False
            if not await self._its_turn():
                await send(HEARTBEAT)
                continue
            try:
                data, further = await self._slice(stream, position)
            finally:
                self._turn.release()
            if further != position:
                position, moved = further, loop.time()
                await (send(data) if data else asyncio.sleep(0))
            elif loop.time() - moved > RESUME_WAIT_S:
                return False
            else:
                await asyncio.sleep(STUCK_POLL_S)  # the pump is behind what the client has seen already
        self._join(stream, position)
        return True

    async def _its_turn(self) -> bool:
        """Take the turn; False when it does not come within the time of a heartbeat."""
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                return await self._turn.acquire()
        except TimeoutError:
            return False

    async def _slice(self, stream: Stream, position: Position) -> tuple[bytes, Position]:
        """Read history for a turn and rest as long; return what of it the stream shows, and the position after it."""
        began = time.perf_counter()
        until, chunks, size = self._served, [], 0
        while position < until and size < TURN_BYTES_MAX:
            moments, further = self._moments.history(position, until)
            if further == position:
                break
            position = further
            shown = [moment.data for moment in moments if moment.shows_in(stream.view)]
            chunks += shown
            size += sum(map(len, shown))
            if time.perf_counter() - began >= TURN_S:
                break
        data = b"".join(chunks)
        await asyncio.sleep(time.perf_counter() - began)
        return data, position

    def _join(self, stream: Stream, position: Position) -> None:
        """Let the pump serve a stream that has seen everything up to ``position``, which was :attr:`_served` just now."""
        if not self._live:
            self._position = position
        self._live.setdefault(stream.view, set()).add(stream)
        if self._pump is None:
            self._pump = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Hand every new event to the streams that show it. Where that fails, they end, and their clients come back."""
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def announced() -> None:  # in a thread of the engine
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(news.set)

        unsubscribe = self._engine.subscribe(announced)
        try:
            while True:
                if not self._hand_out():
                    await news.wait()
                    news.clear()
                await asyncio.sleep(0)
        except Exception:
            log.exception("the live event streams end, as what is new could not be read")
            self._end_live()
        finally:
            unsubscribe()

    def _hand_out(self) -> bool:
        """Hand out what is new, a slice of it; tell whether there was anything."""
        moments, self._position = self._moments.after(self._position, SLICE, self._moments.now())
        for view, streams in self._live.items():
            data = b"".join(moment.data for moment in moments if moment.shows_in(view))
            if data:
                for stream in streams:
                    stream.put(data)
        return bool(moments)

    def _end_live(self) -> None:
        """End the streams that the pump served; the next one that joins starts another pump."""
        self._pump = None
        for streams in self._live.values():
            for stream in streams:
                stream.end()
        self._live.clear()


class _Allowed:
    """Asks, once in ``CHECK_S`` at most, whether the credential of a stream still holds."""

    def __init__(self, ask: StillAllowed) -> None:
        self._ask = ask
        self._checked = time.monotonic()

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._checked <= CHECK_S:
            return True
        self._checked = now
        return self._ask()
