"""One of CometBFT's connections: requests in, answers out in the same order.

Nothing waits in here. Every event (bytes came, a future is done, there is room to write again) leads to :meth:`_advance`,
which begins what may begin, writes what is answered, and says whether more may come.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from google.protobuf.message import DecodeError, Message

from fujie.core.errors import OperationalError
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.framing import FrameError, FrameReader, frame
from fujie.engine.cometbft.handler import Handler
from fujie.proof.wire import encode_varint

log = logging.getLogger(__name__)

CHECK_BATCH_MAX: Final = 2_000  # transactions in one call: as many as the verifier takes at a time
BATCHES_UNDER_WAY: Final = 2  # one being verified, one on its way, so that the verifier never idles
REQUESTS_MAX: Final = 10_000  # read and not begun; a connection with more is read no further
REQUEST_BYTES_MAX: Final = 8_388_608  # the same in bytes: two full blocks

_CHECK_TX: Final = "check_tx"
_WIRE_BYTES: Final = 2
# What stands before an answer within Response: the tag of its field. Assembled here, because a Response around an answer
# would be a second copy of it.
_TAGS: Final = {field.name: encode_varint(field.number << 3 | _WIRE_BYTES) for field in abci.Response.DESCRIPTOR.fields}
_ANSWERS: Final[dict[str, type[Message]]] = {
    field.name: getattr(abci, field.message_type.name)
    for field in abci.Response.DESCRIPTOR.fields
    if field.message_type is not None
}


class _Owed:
    """An answer that is owed; ``frames`` once there is one."""

    __slots__ = ("frames", "is_check", "is_last")

    def __init__(self, *, is_check: bool, frames: bytes | None = None) -> None:
        self.frames = frames
        self.is_check = is_check  # of a batch of CheckTx, or a Flush among them
        self.is_last = False  # nothing comes after it: the connection closes


class Connection(asyncio.Protocol):
    """Serves one connection. All methods run in the server's thread."""

    def __init__(
        self,
        handler: Handler,
        failed: Callable[[str, BaseException], None],
        opened: Callable[["Connection"], bool],
        lost: Callable[["Connection"], None],
    ) -> None:
        """``failed`` is told what the handler raised and at which request; ``opened`` says whether to serve at all."""
        self._handler = handler
        self._failed = failed
        self._opened = opened
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._frames = FrameReader()
        self._requests: deque[tuple[abci.Request, int]] = deque()  # each with its bytes
        self._request_bytes = 0
        self._owed: deque[_Owed] = deque()
        self._writable = True
        self._reading = True
        self._ending = False  # begins nothing more
        self._advancing = False

    # -- events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the server takes none."""
        assert isinstance(transport, asyncio.Transport), "a stream"
        self._transport = transport
        if not self._opened(self):
            log.warning("a connection to the application was refused")
            self.cut()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._ending:
            return
        try:
            messages = self._frames.feed(data)
            for message in messages:
                self._requests.append((abci.Request.FromString(message), len(message)))
                self._request_bytes += len(message)
        except FrameError as error:
            self._break(str(error))
        except DecodeError:
            self._break("A message is no request of ABCI 2.0. Connect CometBFT 0.38.")
        else:
            self._advance()

    def eof_received(self) -> None:
        """Close: CometBFT ended the connection and reads no answer any more."""
        try:
            self._frames.finish()
        except FrameError as error:
            log.warning("a connection from CometBFT is closed: %s", error)

    def pause_writing(self) -> None:
        """Begin nothing more until CometBFT has read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Go on."""
        self._writable = True
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything. What the handler still does is its own."""
        self._end()
        self._owed.clear()
        self._transport = None
        self._lost(self)

    def cut(self) -> None:
        """Close at once."""
        self._end()
        if self._transport is not None:
            self._transport.abort()

    # -- the way through

    def _advance(self) -> None:
        """Begin and write whatever can be. A future that is done at once leads in here again: the outer one goes on."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._transport is not None and (self._begin() or self._write()):
                pass
        finally:
            self._advancing = False
        self._pace()

    def _begin(self) -> bool:
        """Hand the next request to the handler where its turn has come. Returns whether it has."""
        if not self._requests or self._ending or not self._writable:
            return False
        kind = self._requests[0][0].WhichOneof("value")
        if kind == "flush" or kind == _CHECK_TX:
            if len(self._owed) >= 2 * BATCHES_UNDER_WAY or not all(owed.is_check for owed in self._owed):
                return False
            if kind == "flush":
                self._take()
                self._owed.append(_Owed(is_check=True, frames=_FLUSHED))
                return True
            if sum(owed.frames is None for owed in self._owed) >= BATCHES_UNDER_WAY:
                return False
            self._begin_checks()
            return True
        if self._owed:
            return False
        request = self._take()
        if kind is None:
            self._break("A request is empty, or of a kind that ABCI 2.0 lacks. Connect CometBFT 0.38.")
        elif kind == "echo":
            answer = abci.ResponseEcho(message=request.echo.message)
            self._owed.append(_Owed(is_check=False, frames=_frame_of("echo", answer)))
        else:
            self._call(kind, getattr(self._handler, kind), getattr(request, kind), lambda got: _frame_of(kind, got))
        return True

    def _begin_checks(self) -> None:
        """Hand the transactions at the head of the queue over, up to the next request of another kind."""
        batch: list[abci.RequestCheckTx] = []
        while self._requests and len(batch) < CHECK_BATCH_MAX and self._requests[0][0].HasField(_CHECK_TX):
            batch.append(self._take().check_tx)
        self._call(_CHECK_TX, self._handler.check_tx, batch, lambda answers: _frames_of_checks(len(batch), answers))

    def _take(self) -> abci.Request:
        request, size = self._requests.popleft()
        self._request_bytes -= size
        return request

    def _call(self, kind: str, method: Callable[[Any], Any], request: Any, encode: Callable[[Any], bytes]) -> None:
        """Ask the handler, and owe its answer."""
        owed = _Owed(is_check=kind == _CHECK_TX)
        self._owed.append(owed)
        try:
            answer = method(request)
        except Exception as error:
            log.exception("the application failed at %s", kind)
            self._fail(owed, kind, error)
            return
        if not isinstance(answer, Future):
            self._settle(owed, kind, encode, answer)
            return
        if answer.done():
            self._settle_future(owed, kind, encode, answer)
            return

        def done(future: Future[Any]) -> None:
            # In the thread that completes it: hand over and return.
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._settle_future, owed, kind, encode, future)

        answer.add_done_callback(done)

    def _settle_future(self, owed: _Owed, kind: str, encode: Callable[[Any], bytes], future: Future[Any]) -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is None:
            self._settle(owed, kind, encode, future.result())
        else:
            known = isinstance(error, OperationalError)  # its sentences say it all
            log.error("the application failed at %s: %s", kind, error, exc_info=None if known else error)
            self._fail(owed, kind, error)
        self._advance()

    def _settle(self, owed: _Owed, kind: str, encode: Callable[[Any], bytes], answer: Any) -> None:
        try:
            owed.frames = encode(answer)
        except (TypeError, FrameError) as error:
            log.exception("the application's answer to %s is not one", kind)
            self._fail(owed, kind, error)

    def _fail(self, owed: _Owed, kind: str, error: BaseException) -> None:
        """Answer with an exception and end. Its text stays in the log of this process: it may hold what others must
        not read, and CometBFT writes what it is told into its own.
        """
        text = f"{type(error).__name__} at {kind}; the log of the application says more"
        owed.frames = _frame_of("exception", abci.ResponseException(error=text))
        owed.is_last = True
        self._end()
        self._failed(kind, error)

    def _write(self) -> bool:
        """Write the answers at the head of what is owed. Returns whether there were any."""
        ready = []
        while self._owed and self._owed[0].frames is not None:
            owed = self._owed.popleft()
            assert owed.frames is not None, "looked at above"
            ready.append(owed.frames)
            if owed.is_last:
                self._owed.clear()
        if not ready or self._transport is None:
            return False
        self._transport.write(b"".join(ready))
        if self._ending and not self._owed:
            self._transport.close()  # after what is written
            return False
        return True

    def _break(self, why: str) -> None:
        """End, because what came is not what CometBFT 0.38 sends. The node itself goes on."""
        log.warning("a connection to the application is closed: %s", why)
        self._end()
        self._owed.append(_Owed(is_check=False, frames=_frame_of("exception", abci.ResponseException(error=why))))
        self._owed[-1].is_last = True
        self._advance()

    def _end(self) -> None:
        """Begin nothing more and take nothing more in."""
        self._ending = True
        self._requests.clear()
        self._request_bytes = 0

    def _pace(self) -> None:
        """Read while there is room. What was taken in one read beyond the bound is some 256 KiB."""
        full = len(self._requests) >= REQUESTS_MAX or self._request_bytes >= REQUEST_BYTES_MAX
        if self._transport is None or self._transport.is_closing() or full != self._reading:
            return
        self._reading = not full
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


def _frame_of(kind: str, answer: Message) -> bytes:
    """Return the frame of an answer. Raises TypeError when it is not one to that request."""
    if not isinstance(answer, _ANSWERS[kind]):
        raise TypeError(f"{kind} was answered with {type(answer).__name__}")
    body = answer.SerializeToString()
    return frame(_TAGS[kind] + encode_varint(len(body)) + body)


def _frames_of_checks(count: int, answers: Sequence[abci.ResponseCheckTx]) -> bytes:
    """Return the frames of the answers to a batch, joined. Raises TypeError when they are not."""
    if len(answers) != count:
        raise TypeError(f"{count} transactions were answered with {len(answers)} answers")
    frames = []
    last: abci.ResponseCheckTx | None = None
    encoded = b""
    for answer in answers:
        if answer is not last:
            last, encoded = answer, _frame_of(_CHECK_TX, answer)
        frames.append(encoded)
    return b"".join(frames)


_FLUSHED: Final = _frame_of("flush", abci.ResponseFlush())
