"""Posting over a Unix socket, against a real HTTP/1.1 server."""

import http.client
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from fujie.engine.cometbft.unix_http import UnixHttp

BOUND = 1_000


class Handler(BaseHTTPRequestHandler):
    """Answers with what was asked: in chunks, at length, closing afterwards, or torn."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = False  # there is none on a Unix socket

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Server)
        self.server.asked.append((self.connection.fileno(), self.headers["content-type"], body))
        if body == b"torn":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            return
        self.send_response(500 if body == b"an error" else 200)
        if body == b"chunks":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")
            return
        answer = b"x" * (2 * BOUND) if body == b"much" else body
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = body == b"the last"

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name in the class above
        """Say nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.asked: list[tuple[int, str | None, bytes]] = []
        self.closed = threading.Event()
        super().__init__(str(path), Handler)

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)  # type: ignore[arg-type]
        self.closed.set()


@contextmanager
def serving(path: Path) -> Iterator[Server]:
    server = Server(path)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def client(path: Path) -> UnixHttp:
    return UnixHttp(path, 10.0, BOUND)


def test_one_connection_serves_calls_that_follow_one_another(path: Path) -> None:
    with serving(path) as server:
        http_ = client(path)
        assert [http_.post(body, "application/json") for body in (b"a", b"chunks", b"an error", b"b")] == [
            (200, b"a"),
            (200, b"firstsecond"),
            (500, b"an error"),
            (200, b"b"),
        ]
        http_.close()
        assert len({number for number, _, _ in server.asked}) == 1
        assert {kind for _, kind, _ in server.asked} == {"application/json"}


def test_a_connection_that_the_server_has_closed_is_not_used_again(path: Path) -> None:
    with serving(path) as server:
        http_ = client(path)
        assert http_.post(b"the last", "text/plain") == (200, b"the last")
        assert server.closed.wait(10)
        assert http_.post(b"another", "text/plain") == (200, b"another")
        http_.close()
        assert [body for _, _, body in server.asked] == [b"the last", b"another"]


def test_an_answer_beyond_the_bound_is_not_read_to_its_end_nor_mixed_with_the_next(path: Path) -> None:
    with serving(path):
        http_ = client(path)
        status, content = http_.post(b"much", "text/plain")
        assert (status, len(content)) == (200, BOUND + 1)
        assert http_.post(b"little", "text/plain") == (200, b"little")
        http_.close()


def test_calls_at_once_have_a_connection_each(path: Path) -> None:
    with serving(path):
        http_ = client(path)
        answers: list[tuple[int, bytes]] = []
        threads = [
            threading.Thread(target=lambda body=body: answers.append(http_.post(body, "text/plain")))
            for body in (b"%d" % number for number in range(8))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        http_.close()
        assert sorted(answers) == [(200, b"%d" % number) for number in range(8)]


def test_a_torn_answer_and_no_server_are_errors_and_nothing_is_asked_twice(path: Path) -> None:
    http_ = client(path)
    with pytest.raises(FileNotFoundError):
        http_.post(b"nobody", "text/plain")
    with serving(path) as server:
        with pytest.raises(http.client.HTTPException):
            http_.post(b"torn", "text/plain")
        assert http_.post(b"whole", "text/plain") == (200, b"whole")
        http_.close()
        assert [body for _, _, body in server.asked] == [b"torn", b"whole"]
