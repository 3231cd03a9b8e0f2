"""What one connection may cost: bounds around uvicorn's parser, before any handler sees a request.

The parser keeps the head of a request in memory until it is complete, and uvicorn waits for it without end; so the head is
bounded in bytes and in time here, and with it whatever else arrives while no request is in hand. A client that takes
nothing of its answer is cut off, as the answer stays in memory for as long as it does not.

Everything runs in the event loop. Per request this costs a few comparisons; a timer only where a head comes in pieces.
"""

import asyncio
import resource
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from fujie.api.problems import RETRY_AFTER_S, Kind, Problem, answer_for

HEAD_BYTES_MAX: Final = 32_768  # request line and headers; a query of 4 KiB and a grant of 4 KiB fit several times over
HEAD_TIMEOUT_S: Final = 10.0  # from the first byte, or the opening of the connection, to the end of the head
WRITE_TIMEOUT_S: Final = 20.0  # in which a client takes at least WRITE_BYTES_MIN of what waits for it
WRITE_BYTES_MIN: Final = (
    16_384  # 6 kbit/s: slower than any line in use, and too slow to hold an answer of 4 MiB for long
)
CONNECTIONS_MAX_DEFAULT: Final = 2_048  # where the application names no number: some 10 KiB and one descriptor each
FILES_KEPT: Final = 128  # descriptors of the process that are no connections: the store, the link, logs

_REFUSED_PATH: Final = "/"  # of a request whose path is not known


class _HeadTooLarge(Exception):
    """Raised in a callback of the parser, which then stops; its caller sees an error of the parser."""


def connections_bound(wanted: int) -> int:
    """Return how many connections this process can hold at once: ``wanted``, or what its open files leave room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - FILES_KEPT))


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a bounded head, a bounded number of connections, and no patience for clients that stall.

    ``connections_max`` is set in a subclass (:func:`bounded_to`).
    """

    connections_max: int = CONNECTIONS_MAX_DEFAULT

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes = 0  # of the head that is being read, as far as it is parsed
        self._unparsed_bytes = 0  # received since the parser last told anything: part of a field that does not end
        self._waiting: asyncio.TimerHandle | None = None  # for the end of a head
        self._writing: asyncio.TimerHandle | None = None  # for the client to take something
        self._turned_away = False

    # -- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Take the connection, or answer CONNECTIONS_FULL and close it."""
        if len(self.connections) >= self.connections_max:
            self._turned_away = True
            self.transport = transport
            transport.write(_problem(Kind.CONNECTIONS_FULL, retry_after_s=RETRY_AFTER_S))
            transport.close()
            return
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers, and let uvicorn end what it has in hand."""
        for timer in (self._waiting, self._writing):
            if timer is not None:
                timer.cancel()
        if not self._turned_away:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is more of a head than anybody needs."""
        for start in range(0, len(data), HEAD_BYTES_MAX):
            if self._turned_away or self.transport.is_closing():
                return
            piece = data if len(data) <= HEAD_BYTES_MAX else data[start : start + HEAD_BYTES_MAX]
            self._unparsed_bytes += len(piece)
            super().data_received(piece)
            if self._unparsed_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self._refuse(Kind.HEAD_TOO_LARGE)
        if self._waiting is None and self._idle:
            self._wait_for_head()

    # -- what the parser tells

    def on_message_begin(self) -> None:
        """Begin to count a head."""
        self._head_bytes = self._unparsed_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a piece of the request target."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer: those of one request count together."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin the request; its head came in time."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._unparsed_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a piece of the body; it is bounded where it is read (``Serving.body``)."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._unparsed_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser does not take."""
        self._refuse(Kind.HEAD_TOO_LARGE if self._head_bytes > HEAD_BYTES_MAX else Kind.MALFORMED)

    # -- answering

    def on_response_complete(self) -> None:
        """Go on to the next request, and see that the client takes what is left of this answer."""
        super().on_response_complete()
        self._watch_writing()

    def pause_writing(self) -> None:
        """Let senders wait, and the client not for ever."""
        super().pause_writing()
        self._watch_writing()

    # -- inside

    @property
    def _idle(self) -> bool:
        """Whether no request is in hand: what arrives belongs to the next, or is the rest of an unread body."""
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        return cycle is None or cycle.response_complete

    def _count(self, size: int) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += size
        if self._head_bytes > HEAD_BYTES_MAX:
            raise _HeadTooLarge

    def _wait_for_head(self) -> None:
        self._waiting = self.loop.call_later(HEAD_TIMEOUT_S, self._head_is_late)

    def _head_is_late(self) -> None:
        """Close without a word: nobody waits for an answer to half a request. One in hand is answered first."""
        self._waiting = None
        if self._idle and not self.transport.is_closing():
            self._close()

    def _refuse(self, kind: Kind) -> None:
        """Answer with a problem and close. In the middle of another answer there is no place for one."""
        if self._idle:
            self.transport.write(_problem(kind))
        self._close()

    def _close(self) -> None:
        """Close once the client has taken what waits for it, or when it does not."""
        self.transport.close()
        self._watch_writing()

    def _watch_writing(self) -> None:
        """Look again after a while at what waits for the client now, if anything does."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        if size := self.transport.get_write_buffer_size():
            self._writing = self.loop.call_later(WRITE_TIMEOUT_S, self._look_at_writing, size)

    def _look_at_writing(self, before: int) -> None:
        """Cut the client off unless it has taken enough since the last look."""
        self._writing = None
        if not (self.flow.write_paused or self._idle or self.transport.is_closing()):
            return  # an answer is being made, and little waits; when that changes, this begins anew
        if self.transport.get_write_buffer_size() > max(before - WRITE_BYTES_MIN, 0):
            self.transport.abort()
        else:
            self._watch_writing()


def bounded_to(connections_max: int) -> type[BoundedProtocol]:
    """Return the protocol for a server that holds at most ``connections_max`` connections, and its open files allow."""
    bound = connections_bound(connections_max)
    return type("Protocol", (BoundedProtocol,), {"connections_max": bound})


def _problem(kind: Kind, retry_after_s: int | None = None) -> bytes:
    """Return a problem as it travels, for what never becomes a request; the connection ends with it."""
    told = answer_for(Problem(kind, retry_after_s=retry_after_s), _REFUSED_PATH)
    lines = [STATUS_LINE[told.status]]
    headers = {**told.headers, "content-length": str(len(told.body)), "connection": "close"}
    lines += [f"{name}: {value}\r\n".encode() for name, value in headers.items()]
    return b"".join([*lines, b"\r\n", told.body])
