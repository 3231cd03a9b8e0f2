"""One peer of the ledger's end of the link: what it sends, and a bounded queue of what is sent to it.

A peer that takes nothing is cut off when its queue is full; nobody waits for it. Used in the server's event loop alone.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from fujie.engine.link import messages
from fujie.engine.link.messages import LENGTH_BYTES

log = logging.getLogger(__name__)

QUEUE_BLOCKS_MAX: Final = 1_024
QUEUE_FRAMES_MAX: Final = 65_536  # of any kind: small ones cost memory as well
PIECES_BYTES_AHEAD: Final = 4_194_304  # of an answer in pieces: encoded and not taken yet


class PeerConnection:
    """One connection that was accepted. ``bytes_max`` bounds what waits for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_max: int) -> None:
        self._reader = reader
        self._writer = writer
        self._bytes_max = bytes_max
        self._queue: deque[tuple[bytes, bool]] = deque()  # each frame, and whether it is the last one of a block
        self._queued_bytes = 0
        self._queued_blocks = 0
        self._gone = asyncio.Event()
        self._news = asyncio.Event()
        self._taken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.process = ""
        self.owed = 0  # transactions submitted over it whose outcomes are still to be sent
        self.silent_s = 0.0  # since it sent something; whoever watches it counts

    async def receive(self) -> bytes:
        """Return the body of the next frame. Raises ``LinkError`` for one that is too long."""
        length = messages.body_length(await self._reader.readexactly(LENGTH_BYTES))
        body = await self._reader.readexactly(length)
        self.silent_s = 0.0
        return body

    def keep(self, task: "asyncio.Task[None]") -> None:
        """Hold a task until it is done, or the connection is cut."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, data: bytes) -> None:
        """Queue a frame, or cut the peer off when too much waits already. One that has nothing queued takes any."""
        if self._has_room(len(data)):
            self._put(data, ends_block=False)

    async def send_pieces(self, frames: Iterator[bytes]) -> None:
        """Queue one frame after the other, each when it has taken most of those before."""
        for data in frames:
            while self._queued_bytes > PIECES_BYTES_AHEAD:
                self._taken.clear()
                await self._taken.wait()
            self.send(data)

    def queue_block(self, frames: Sequence[bytes]) -> None:
        """Queue a block, or cut the peer off, as :meth:`send`; so also when too many blocks wait."""
        if self._has_room(sum(map(len, frames)), 1):
            self._queued_blocks += 1
            for number, data in enumerate(frames, 1):
                self._put(data, ends_block=number == len(frames))

    async def send_queued(self) -> None:
        """Send what is queued, as fast as the peer takes it, until the connection is cut."""
        with contextlib.suppress(ConnectionError):
            while not self._gone.is_set():
                await self._news.wait()
                while self._queue:
                    # What the peer has not taken still counts.
                    data, ends_block = self._queue[0]
                    self._writer.write(data)
                    await self._writer.drain()
                    if self._gone.is_set():  # cut off while this waited: the queue is another one
                        return
                    self._queue.popleft()
                    self._queued_bytes -= len(data)
                    self._queued_blocks -= ends_block
                    self._taken.set()
                self._news.clear()

    def cut(self) -> None:
        """Close the connection at once; what is queued is forgotten, and nothing is queued any more. Idempotent."""
        self._gone.set()
        for task in self._tasks:
            task.cancel()
        self._queue.clear()
        self._queued_bytes = self._queued_blocks = 0
        self._news.set()
        self._taken.set()
        self._writer.transport.abort()

    def _has_room(self, size: int, blocks: int = 0) -> bool:
        """Tell whether so much more may be queued; a peer that is too far behind is cut off."""
        if self._gone.is_set():
            return False
        full = (
            self._queued_bytes + size > self._bytes_max
            or self._queued_blocks + blocks > QUEUE_BLOCKS_MAX
            or len(self._queue) >= QUEUE_FRAMES_MAX
        )
        if self._queue and full:
            log.warning("%s does not keep up; it is cut off and starts over", self.process or "a peer of the link")
            self.cut()
            return False
        return True

    def _put(self, data: bytes, *, ends_block: bool) -> None:
        self._queue.append((data, ends_block))
        self._queued_bytes += len(data)
        self._news.set()
