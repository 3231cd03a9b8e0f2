"""The socket at which CometBFT reaches the application: an event loop in a thread of its own.

CometBFT opens four connections, for consensus, the mempool, queries and snapshots; only the requests on them tell which
is which, so all are served alike. See :class:`~fujie.engine.cometbft.handler.Handler` for what is asked and when.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fujie.engine.cometbft.connection import Connection
from fujie.engine.cometbft.handler import Handler
from fujie.engine.cometbft.socket_file import SocketFile

log = logging.getLogger(__name__)

CONNECTIONS_MAX: Final = 16  # CometBFT's four, those of its life before, and somebody with a tool


class AbciServer:
    """Serves one application at a Unix socket. Close it after CometBFT has stopped, and before the application."""

    def __init__(self, handler: Handler, path: Path, failed: Callable[[str, BaseException], None]) -> None:
        """Listen at ``path``, and return.

        ``failed`` is called in the server's thread, once, with the first request that the handler failed at and what
        it raised (``listen`` when it was the server itself): the node has to stop, and CometBFT is about to. It returns
        at once.

        Raises :class:`OperationalError` when the socket cannot be made.
        """
        self._handler = handler
        self._report = failed
        self._failure: BaseException | None = None
        self._connections: set[Connection] = set()
        self._file = SocketFile(path)
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._all_lost = asyncio.Event()  # after the stop
        self._main = self._loop.create_task(self._serve())
        self._thread = threading.Thread(target=self._run, name="fujie-abci", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """Where it listens: ``proxy_app`` of CometBFT is ``unix://`` and this."""
        return self._file.path

    @property
    def connections(self) -> int:
        """How many connections are open. Any thread."""
        return len(self._connections)

    @property
    def failure(self) -> BaseException | None:
        """What the handler raised first, or None. Any thread."""
        return self._failure

    def close(self) -> None:
        """Stop listening, cut the connections, end the thread, remove the file. Idempotent; not from the thread itself.

        Futures that the handler has promised are not waited for.
        """
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    # -- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._main)
        except Exception as error:
            log.exception("the server of the application stops")
            self._failed("listen", error)
        finally:
            self._file.close()
            rest = asyncio.all_tasks(self._loop)  # a connection that is being accepted
            for task in rest:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
            self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_unix_server(self._connection, sock=self._file.listener)
        await self._stop.wait()
        server.close()
        for connection in tuple(self._connections):
            connection.cut()
        if self._connections:
            await self._all_lost.wait()
        await asyncio.sleep(0)  # one that was refused just now goes in the next turn of the loop

    def _connection(self) -> Connection:
        return Connection(self._handler, self._failed, self._opened, self._lost)

    def _opened(self, connection: Connection) -> bool:
        if self._stop.is_set() or self._failure is not None or len(self._connections) >= CONNECTIONS_MAX:
            return False
        self._connections.add(connection)
        log.debug("a connection to the application is open; there are %d", len(self._connections))
        return True

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections and self._stop.is_set():
            self._all_lost.set()

    def _failed(self, request: str, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
            self._report(request, error)
