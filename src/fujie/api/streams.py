"""Open event streams: one subscription to the engine, one encoding of an event for all streams with the same view.

    engine ── a block was made ──► pump ──► each view: the events it shows, joined once ──► the buffer of each stream

A stream that begins in the past reads the ledger by itself, as fast as its client takes it, until it has come to where the
pump is; then the pump serves it. Nothing is kept for a client but ``BUFFER_BYTES_MAX``: one that does not take its events
is dropped, and goes on from the last id that it has seen.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from fujie.api.moments import Moments, Position, View
from fujie.api.problems import Kind, Problem
from fujie.engine.base import Served

BUFFER_BYTES_MAX: Final = 1_048_576  # what may wait for one client: some 2,000 events
SLICE: Final = 100  # events read at a time: a few milliseconds, then the event loop serves others
HEARTBEAT_S: Final = 15.0  # below the idle time of common proxies (60 s)
CHECK_S: Final = 1.0  # how often a stream with a credential looks whether that still holds
RESUME_WAIT_S: Final = 5.0  # for the block of the last id: another process of the node may be a moment ahead
RESUME_POLL_S: Final = 0.05
RETRY_AFTER_S: Final = 5
HEARTBEAT: Final = b": \n\n"
GREETING: Final = b"retry: 1000\n\n"  # an EventSource comes back after a second

Send = Callable[[bytes], Any]
StillAllowed = Callable[[], bool]


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
        """Return ``position`` once it can be gone on from. Raises :class:`Problem` BLOCK_ABSENT."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RESUME_WAIT_S
        # Looked at now and then: no event says that another thread has made a block, and who waits here is rare.
        while self._moments.now() < position and loop.time() < deadline:  # noqa: ASYNC110 - as said
            await asyncio.sleep(RESUME_POLL_S)
        if not self._moments.is_position(position):
            raise Problem(Kind.BLOCK_ABSENT, "No event with this id can be gone on from here; begin anew without one.")
        return position

    async def run(self, stream: Stream, send: Send, start: Position | None, still_allowed: StillAllowed) -> None:
        """Send events from ``start`` on (None: those to come) until the stream ends, is dropped or is cancelled."""
        stream.task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        checked = loop.time()
        try:
            position = self._served if start is None else start
            await send(GREETING)
            while not stream.ended and position != self._served:
                moments, further = self._moments.after(position, SLICE, self._served)
                if further == position:
                    await asyncio.sleep(0.01)  # the pump is behind what the client has seen already
                    continue
                position = further
                data = b"".join(moment.data for moment in moments if moment.shows_in(stream.view))
                await (send(data) if data else asyncio.sleep(0))
                if loop.time() - checked > CHECK_S:
                    checked = loop.time()
                    if not still_allowed():
                        return
            self._join(stream, position)
            while not stream.ended:
                data = await stream.take(HEARTBEAT_S)
                if loop.time() - checked > CHECK_S:
                    checked = loop.time()
                    if not still_allowed():
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

    def _join(self, stream: Stream, position: Position) -> None:
        """Let the pump serve a stream that has seen everything up to ``position``, which was :attr:`_served` just now."""
        if not self._live:
            self._position = position
        self._live.setdefault(stream.view, set()).add(stream)
        if self._pump is None:
            self._pump = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Hand every new event to the streams that show it."""
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def announced() -> None:  # in a thread of the engine
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(news.set)

        unsubscribe = self._engine.subscribe(announced)
        try:
            while True:
                moments, self._position = self._moments.after(self._position, SLICE, self._moments.now())
                for view, streams in self._live.items():
                    data = b"".join(moment.data for moment in moments if moment.shows_in(view))
                    if data:
                        for stream in streams:
                            stream.put(data)
                if moments:
                    await asyncio.sleep(0)
                else:
                    await news.wait()
                    news.clear()
        finally:
            unsubscribe()
