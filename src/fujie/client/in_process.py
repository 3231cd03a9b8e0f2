"""An httpx transport to an ASGI application in the same process, whose answers arrive as they are written.

httpx brings one of its own, which waits until the application has returned: a stream of events would never begin.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import httpx

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]

_PIECES_MAX: Final = 16  # parts of a body that wait for the reader; a full queue makes the application wait
_END: Final = b""


class InProcessTransport(httpx.AsyncBaseTransport):
    """Carries requests to ``app`` by calling it, each in a task of its own.

    Closing an answer tells the application that its client is gone, and then cancels it. What the application raises
    before it answers is raised to the caller; afterwards it breaks the body off.
    """

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Call the application and return its answer as soon as that has begun."""
        assert isinstance(request.stream, httpx.AsyncByteStream), "an AsyncClient sends such bodies"
        body = b"".join([part async for part in request.stream])
        exchange = _Exchange(body)
        exchange.task = asyncio.create_task(exchange.run(self._app, _scope(request)))
        try:
            await exchange.begun.wait()
        except asyncio.CancelledError:
            await exchange.aclose()
            raise
        if exchange.error is not None and not exchange.answered:
            raise exchange.error
        return httpx.Response(exchange.status, headers=exchange.headers, stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer."""

    def __init__(self, body: bytes) -> None:
        self.begun = asyncio.Event()
        self.status = 500
        self.headers: list[tuple[bytes, bytes]] = []
        self.answered = False
        self.error: Exception | None = None
        self.task: asyncio.Task[None] | None = None
        self._body: bytes | None = body
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(_PIECES_MAX)
        self._gone = asyncio.Event()

    async def run(self, app: AsgiApp, scope: Message) -> None:
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            self.error = error
        finally:
            self.begun.set()
        if not self._gone.is_set():
            await self._pieces.put(_END)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            self.answered = True
            self.begun.set()
        elif message["type"] == "http.response.body" and message.get("body") and not self._gone.is_set():
            await self._pieces.put(bytes(message["body"]))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._pieces.get():
            yield piece
        if self.error is not None:
            raise httpx.RemoteProtocolError("the application failed in the middle of its answer") from self.error

    async def aclose(self) -> None:
        self._gone.set()
        if self.task is not None and not self.task.done():
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task


def _scope(request: httpx.Request) -> Message:
    """Return the ASGI scope of a request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port or 80),
        "client": ("127.0.0.1", 0),
        "root_path": "",
        "state": {},
    }
