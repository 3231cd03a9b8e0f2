"""A real HTTP server on loopback that tells the truth of a real chain until it is told to lie.

It speaks the wire form of docs/spec/09-http.md through the standard library alone, so that it can also break HTTP itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import msgspec

from fujie.client.http import BUNDLE_TYPE, JSON_TYPE, OUTCOMES_TYPE, PROBLEM_TYPE
from fujie.client.transport import Transport, TransportOutcome
from fujie.core.encoding import encode
from fujie.core.errors import Refused

CHUNK: Final = bytes(1_048_576)


class Answer(msgspec.Struct, frozen=True):
    """What goes out. ``announced``: a Content-Length other than the true one; ``endless``: a body that never ends, which
    comes a byte at a time where it is to ``drip``.
    """

    status: int
    content_type: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    announced: int | None = None
    endless: bool = False
    drip: bool = False


Lie = Callable[[str, Answer], Answer]
"""Gets the path that was asked for and the true answer; returns what is sent."""


def truth(_path: str, answer: Answer) -> Answer:
    """No lie."""
    return answer


class LyingServer:
    """Serves ``transport`` at ``url``, through ``lie``. ``requests`` lists the paths that were asked for."""

    def __init__(self, transport: Transport, server: ThreadingHTTPServer) -> None:
        self.transport = transport
        self.lie: Lie = truth
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """The answer to a request, lied about as told."""
        self.requests.append(path)
        try:
            honest = self._honest(method, path, body)
        except Refused as refused:
            problem = {"type": f"/problems/{refused.reason.name}", "title": str(refused), "reason": int(refused.reason)}
            honest = Answer(403, PROBLEM_TYPE, msgspec.json.encode(problem))
        return self.lie(path, honest)

    def _honest(self, method: str, path: str, body: bytes) -> Answer:
        match method, path.split("/")[1:]:
            case "POST", ["transactions"]:
                outcomes = self.transport.submit(msgspec.msgpack.decode(body, type=list[bytes]))
                return Answer(200, OUTCOMES_TYPE, encode([row(outcome) for outcome in outcomes]))
            case "POST", ["read"]:
                queries, grant, time_ms = msgspec.msgpack.decode(body)
                return Answer(200, BUNDLE_TYPE, self.transport.read(queries, grant, time_ms))
            case "GET", ["receipts", identifier]:
                bundle = self.transport.receipt(bytes.fromhex(identifier))
                if bundle is not None:
                    return Answer(200, BUNDLE_TYPE, bundle)
                return Answer(404, PROBLEM_TYPE, b'{"type":"/problems/RECEIPT_ABSENT"}')
            case "GET", ["status"]:
                return Answer(200, JSON_TYPE, msgspec.json.encode(self.transport.status()))
        return Answer(404, PROBLEM_TYPE, b'{"type":"/problems/NOT_FOUND"}')


def row(outcome: TransportOutcome) -> tuple[Any, ...]:
    """An outcome as it travels."""
    return outcome.transaction_id, outcome.code, outcome.receipt, outcome.log_index


@contextmanager
def serving(transport: Transport) -> Iterator[LyingServer]:
    """Run a server in a thread of its own for as long as the context lasts."""
    server = Server(("127.0.0.1", 0), _Handler)
    liar = LyingServer(transport, server)
    server.liar = liar  # type: ignore[attr-defined]  # the handler knows nothing but its server
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield liar
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Server(ThreadingHTTPServer):
    """Answers each connection in a thread of its own."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle of an answer is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5.0

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the standard library gives it
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        answer = self.server.liar.answer(self.command, self.path, body)  # type: ignore[attr-defined]  # see above
        send(self, answer)


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send ``answer`` as it is told to be sent, truthful of its length or not."""
    length = len(answer.body) if answer.announced is None else answer.announced
    with suppress(ConnectionError):  # a client that has heard enough hangs up
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers:
            handler.send_header(name, value)
        if answer.endless:
            handler.send_header("Connection", "close")
            handler.end_headers()
            while True:
                handler.wfile.write(CHUNK[:1] if answer.drip else CHUNK)
                if answer.drip:
                    time.sleep(0.02)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(answer.body)
    if length != len(answer.body):
        handler.close_connection = True
