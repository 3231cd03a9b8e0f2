"""GET /events: blocks and transactions as server-sent events (HTML standard, "Server-sent events")."""

import asyncio
import logging
from typing import Any

from litestar import Response

from fujie.api import parameters
from fujie.api.moments import Position, View
from fujie.api.parameters import takes
from fujie.api.problems import Kind, Problem
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.api.streams import Hub, Stream
from fujie.core.errors import FujieError

MEDIA_TYPE = "text/event-stream"

log = logging.getLogger(__name__)

_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-accel-buffering": "no",  # a proxy that gathers an answer before it passes it on would never pass this one on
}


@takes(after=parameters.EVENT_ID, party=parameters.PARTY, operation=parameters.OPERATION)
async def events(
    serving: Serving, request: AnyRequest, after: str | None, party: str | None, operation: str | None
) -> Answer:
    """Stream every block, and the transactions that the reader is a party to, as they are made.

    Goes on after the event whose id is in the header Last-Event-ID, or in ``after`` where there is no such header. The
    stream ends when the credential that opened it does.

    Problems, in order: MALFORMED, OPERATION_UNKNOWN, CREDENTIAL_UNKNOWN and the others of a credential, EVENT_ABSENT,
    STREAMS_FULL.
    """
    last = request.headers.get("last-event-id")
    start = _position(last if last is not None else after)
    reader = serving.reader(request)
    visible = serving.visible(reader)
    if start is not None:
        start = await serving.hub.resumed(start)
    if request.method == "HEAD":
        return Response(b"", status_code=200, media_type=MEDIA_TYPE, headers=_HEADERS)

    def still_allowed() -> bool:
        try:
            return serving.visible(serving.reader(request)) == visible
        except (FujieError, Problem):
            return False

    stream = serving.hub.admit(View(visible, party, operation))
    return _EventStream(serving.hub, stream, start, still_allowed)


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    try:
        height, _, index = parameters.EVENT_ID.parse(text).partition(".")
    except ValueError:
        raise Problem(Kind.MALFORMED, f"The id of the last event is wrong. {parameters.EVENT_ID.about}") from None
    return Position(int(height), int(index))


async def _ended(task: "asyncio.Future[None]") -> None:
    """Wait for a task that was cancelled or is done; what went wrong in it is logged, as the answer has begun already."""
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception:
        log.exception("an event stream failed")


class _EventStream(Response[bytes]):
    """An answer that goes on until the stream ends, the client goes, or the client is too slow."""

    def __init__(self, hub: Hub, stream: Stream, start: Position | None, still_allowed: Any) -> None:
        super().__init__(b"", status_code=200, media_type=MEDIA_TYPE, headers=_HEADERS)
        self._hub = hub
        self._stream = stream
        self._start = start
        self._still_allowed = still_allowed

    def to_asgi_response(self, *_args: Any, **_options: Any) -> Any:
        """Return what the server calls."""
        return self._answer

    async def _answer(self, _scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", MEDIA_TYPE.encode())]
        headers += [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

        async def put(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            sending = asyncio.ensure_future(self._hub.run(self._stream, put, self._start, self._still_allowed))
            leaving = asyncio.ensure_future(gone())
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
                left = leaving.done()
            finally:
                for task in (sending, leaving):
                    task.cancel()
                    await _ended(task)
            if not left and not self._stream.dropped:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._hub.leave(self._stream)
