"""TCP relays between peers: each carries the connections from one node to another, and may be told to hold or to be slow.

Bytes that are held are not lost: they go on when the way is open again, as with TCP over a line that was cut for a while.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, Final

CHUNK_BYTES: Final = 65_536
WAITING_CHUNKS_MAX: Final = 256  # for each direction; whoever sends more waits, as on a real line
JOIN_S: Final = 10.0


class Way:
    """One direction between two nodes."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self._open = asyncio.Event()
        self._open.set()

    def set_open(self, is_open: bool) -> None:
        if is_open:
            self._open.set()
        else:
            self._open.clear()

    async def passed(self, sent_s: float) -> None:
        """Wait until what was sent then arrives."""
        await asyncio.sleep(max(0.0, sent_s + self.delay_s - asyncio.get_running_loop().time()))
        await self._open.wait()


class Relays:
    """All relays of a cluster, in a thread of their own."""

    def __init__(self) -> None:
        self._ways: dict[tuple[int, int], Way] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def add(self, source: int, target: int, host: str, to: tuple[str, int]) -> int:
        """Carry what node ``source`` opens at ``host`` to the node ``target``; return the port, which the system chooses."""

        async def open_server() -> int:
            for pair in ((source, target), (target, source)):
                self._ways.setdefault(pair, Way())

            async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._carry(source, target, to, reader, writer)

            server = await asyncio.start_server(carry, host, 0)
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        return int(self._do(open_server()))

    def set_open(self, source: int, target: int, is_open: bool) -> None:
        """Let what ``source`` sends to ``target`` pass, or hold it."""
        self._loop.call_soon_threadsafe(self._ways[source, target].set_open, is_open)

    def slow(self, delay_s: float) -> None:
        """Let everything arrive so much later."""
        for way in self._ways.values():
            way.delay_s = delay_s

    def close(self) -> None:
        """End all connections and the thread."""

        async def end() -> None:
            for server in self._servers:
                server.close()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(JOIN_S)
        self._loop.close()

    # -- inside

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(JOIN_S)

    async def _carry(
        self,
        source: int,
        target: int,
        to: tuple[str, int],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        there, back = self._ways[source, target], self._ways[target, source]
        try:
            await there.passed(self._loop.time())  # the request to connect
            other_reader, other_writer = await asyncio.open_connection(*to)
        except OSError:
            writer.close()
            return
        pumps = [
            asyncio.ensure_future(_pump(there, reader, other_writer)),
            asyncio.ensure_future(_pump(back, other_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for each in (writer, other_writer):
                each.close()


async def _pump(way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction of one connection until its end."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING_CHUNKS_MAX)

    async def take() -> None:
        data = b"."
        while data:
            data = await reader.read(CHUNK_BYTES)
            await under_way.put((loop.time(), data))

    taking = asyncio.ensure_future(take())
    try:
        with contextlib.suppress(OSError):
            while True:
                sent_s, data = await under_way.get()
                await way.passed(sent_s)
                if not data:
                    return
                writer.write(data)
                await writer.drain()
    finally:
        taking.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await taking
