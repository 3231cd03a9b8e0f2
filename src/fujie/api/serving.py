"""What every handler works with: the engine, the bounds on bodies, and the ways from bytes to an answer."""

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, Response

from fujie.api import media
from fujie.api.problems import RETRY_AFTER_S, Kind, Problem
from fujie.core.limits import PENDING_BYTES_MAX
from fujie.engine.base import Served

T = TypeVar("T")

SUBMIT_BYTES_MAX: Final = PENDING_BYTES_MAX + 65_536  # what may wait for a block, and the framing of 10,000 pieces
QUERY_BYTES_MAX: Final = 262_144  # 500 queries of 200 bytes and a grant, with room for the JSON form
BODIES_BYTES_MAX: Final = (
    4 * PENDING_BYTES_MAX
)  # bodies in memory at once, over all requests: bounds what strangers cost
BODY_TIMEOUT_S: Final = 30.0  # for one body; ten times what the largest takes over 50 Mbit/s
INLINE_BYTES_MAX: Final = 65_536  # a larger body is parsed beside the event loop, so that others are answered meanwhile

AnyRequest = Request[Any, Any, Any]
Answer = Response[bytes]


class Serving:
    """The engine behind the routes, and how many bytes of bodies are in memory."""

    def __init__(self, engine: Served) -> None:
        self.engine = engine
        self._bytes_in_hand = 0

    async def body(self, request: AnyRequest, bytes_max: int) -> bytes:
        """Return the body of a request.

        Raises :class:`Problem`, in order: TOO_LARGE (by its announced length, or as it grows), NODE_BUSY (the bodies of
        all requests together), BODY_TIMEOUT.
        """
        announced = request.headers.get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > bytes_max:
            raise _too_large(bytes_max)
        chunks = []
        size = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._bytes_in_hand += len(chunk)
                    if size > bytes_max:
                        raise _too_large(bytes_max)
                    if self._bytes_in_hand > BODIES_BYTES_MAX:
                        raise Problem(Kind.NODE_BUSY, retry_after_s=RETRY_AFTER_S)
                    chunks.append(chunk)
        except TimeoutError:
            raise Problem(Kind.BODY_TIMEOUT) from None
        finally:
            self._bytes_in_hand -= size
        return b"".join(chunks)


async def outcome_of(future: "Future[T]") -> T:
    """Wait in the event loop for a future that another thread settles; no thread waits meanwhile.

    ``asyncio.wrap_future`` would cancel the engine's future with the request: a client that goes away must not touch
    what it has submitted.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    def hand_over() -> None:
        if waiter.done():
            return
        error = future.exception()
        if error is not None:
            waiter.set_exception(error)
        else:
            waiter.set_result(future.result())

    def settled(_: "Future[T]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(hand_over)

    future.add_done_callback(settled)
    return await waiter


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text. Raises :class:`Problem` MALFORMED."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(Kind.MALFORMED, f"The body is no JSON: {error}.") from None


def bytes_answer(body: bytes, media_type: str, *, private: bool = False, file_name: str = "") -> Answer:
    """Return 200 with ``body``. ``private``: nobody on the way may keep it. ``file_name``: a browser saves it as that."""
    headers = {
        "x-content-type-options": "nosniff",
        "cache-control": "no-store" if private else "no-cache",
        "vary": "accept",
    }
    if file_name:
        headers["content-disposition"] = f'attachment; filename="{file_name}"'
    return Response(body, status_code=200, media_type=media_type, headers=headers)


def json_answer(value: Any, *, private: bool = False) -> Answer:
    """Return 200 with ``value`` as JSON."""
    return bytes_answer(msgspec.json.encode(value), media.JSON, private=private)


def wanted(request: AnyRequest, offered: Sequence[str]) -> str:
    """Return in which of the ``offered`` forms to answer."""
    return media.wanted_type(request.headers.get("accept"), offered)


def _too_large(bytes_max: int) -> Problem:
    return Problem(Kind.TOO_LARGE, f"At most {bytes_max} bytes at a time; send the rest separately.")
