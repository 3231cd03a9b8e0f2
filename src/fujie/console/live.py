"""The stream behind the live page: the node's events, as lines of HTML in the visitor's language."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.response import Stream

from fujie.client.explorer import Explorer, ProblemError, StreamEvent
from fujie.console.errors import error_page
from fujie.console.links import ROOT
from fujie.console.render import SECURITY_HEADERS, render
from fujie.console.visit import Visit
from fujie.core.errors import OperationalError

_TEMPLATES: Final = {"block": "parts/live_block.html", "transaction": "parts/live_transaction.html"}
_RETRY_MS: Final = 3_000
_NOTHING_AFTER: Final = frozenset({"EVENT_ABSENT", "MALFORMED"})  # how a node says that it goes on from no such event


def stream(visit_of: Callable[[Request[Any, Any, Any]], Visit]) -> BaseRouteHandler:
    """Return the handler of ``/console/live/stream``."""

    @get(f"{ROOT}/live/stream")
    async def live_stream(request: Request[Any, Any, Any]) -> Response[Any]:
        """Relay the node's events; the credential is that of the visitor's session, which scripts cannot read."""
        visit = visit_of(request)
        headers = {**SECURITY_HEADERS, "cache-control": "no-store", "x-accel-buffering": "no"}
        try:
            await visit.begin()
        except OperationalError as error:
            status = error_page(visit, error).status
            return Response(b"", status_code=status, media_type="text/plain", headers=headers)
        after = request.headers.get("last-event-id") or visit.parameter("after", 60) or None
        return Stream(_lines(visit, visit.explorer, after), media_type="text/event-stream", headers=headers)

    return live_stream


async def _lines(visit: Visit, explorer: Explorer, after: str | None) -> AsyncIterator[bytes]:
    yield f"retry: {_RETRY_MS}\n\n".encode()
    try:
        async for line in _following(visit, explorer, after):
            yield line
    except ProblemError as error:
        if not after or error.name not in _NOTHING_AFTER:
            yield _framed("trouble", "", visit.words("live.broken"))
            return
        # The page would ask for the same again for ever: it is told, and goes on with what is new.
        yield _framed("trouble", "", visit.words("live.gap"))
        async for line in _lines(visit, explorer, None):
            yield line
    except OperationalError:
        yield _framed("trouble", "", visit.words("live.broken"))


async def _following(visit: Visit, explorer: Explorer, after: str | None) -> AsyncIterator[bytes]:
    async with explorer.events(after) as events:
        async for event in events:
            yield b": here\n\n" if event is None else _line(visit, event)


def _line(visit: Visit, event: StreamEvent) -> bytes:
    template = _TEMPLATES.get(event.name)
    if template is None or not isinstance(event.data, dict):
        return b": skipped\n\n"
    return _framed(event.name, event.id, render(template, visit, {"row": event.data}))


def _framed(name: str, identifier: str, text: str) -> bytes:
    """Return one event of a stream. Every line of its data is marked as such."""
    data = "\n".join(f"data: {line}" for line in text.strip().splitlines())
    beginning = f"id: {identifier}\n" if identifier else ""
    return f"{beginning}event: {name}\n{data}\n\n".encode()
