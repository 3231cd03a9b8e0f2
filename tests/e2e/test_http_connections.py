"""What one connection may cost a node: bytes and time of a head, how many there are, and answers that nobody takes."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from fujie.api import app as application
from fujie.api import connections
from fujie.api.serving import Settings
from tests.e2e.http_node import SECONDS_MAX, Node, running

LINE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain")) as made:
        yield made


@contextlib.contextmanager
def connected(node: Node, receive_bytes: int = 0) -> Iterator[socket.socket]:
    url = httpx.URL(node.url)
    with socket.socket() as made:
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(SECONDS_MAX)
        made.connect((url.host, url.port or 0))
        yield made


def until_end(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection, which the node has to bring about."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def problem_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    page = json.loads(body)
    assert int(head.split()[1]) == page["status"]
    return page["status"], page["type"].removeprefix("/problems/")


@pytest.mark.parametrize(
    "head",
    [
        LINE + b"".join(b"x-%d: %s\r\n" % (number, b"a" * 1_000) for number in range(40)) + b"\r\n",
        b"GET /health/live?" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        LINE + b"x: " + b"a" * 3 * connections.HEAD_BYTES_MAX,  # a field that does not end
        b"\r\n" * connections.HEAD_BYTES_MAX,  # empty lines before a request, which never comes
    ],
    ids=["many headers", "long path", "endless field", "empty lines"],
)
def test_refuses_a_head_beyond_its_bound(node: Node, head: bytes) -> None:
    with connected(node) as connection:
        connection.sendall(head)
        assert problem_in(until_end(connection)) == (431, "HEAD_TOO_LARGE")
    assert httpx.get(node.url + "/health/live").status_code == 200


def test_a_head_within_its_bound_is_served(node: Node) -> None:
    with httpx.Client(base_url=node.url) as http:
        for _ in range(3):
            assert http.get("/health/live", headers={"x": "a" * 30_000}).status_code == 200


def test_trailers_of_a_body_count_as_well(node: Node) -> None:
    with connected(node) as connection:
        connection.sendall(b"POST /read HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(40):  # a node without a bound takes it all and waits for more
                connection.sendall(b"a" * 65_536)
        until_end(connection)


def test_what_is_no_http_is_a_problem(node: Node) -> None:
    with connected(node) as connection:
        connection.sendall(b"HELLO\r\n\r\n")
        assert problem_in(until_end(connection)) == (400, "MALFORMED")


@pytest.mark.parametrize("begun", [b"", b"\r\n", LINE], ids=["nothing", "an empty line", "half a head"])
def test_a_head_that_does_not_come_is_not_waited_for(node: Node, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.1)
    with connected(node) as connection:
        connection.sendall(begun)
        assert until_end(connection) == b""
    with connected(node) as connection:  # of the second request as of the first
        connection.sendall(LINE + b"\r\n")
        assert_live(connection)
        connection.sendall(begun or b"G")
        assert until_end(connection) == b""


def test_an_idle_connection_stays_for_the_next_request(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.05)
    with connected(node) as connection, connected(node) as other:
        connection.sendall(LINE + b"\r\n")
        assert_live(connection)
        assert until_end(other) == b""  # the time is over, for one that has never asked
        connection.sendall(LINE + b"\r\n")
        assert_live(connection)


def test_turns_away_connections_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "CONNECTIONS_BESIDE_STREAMS_MAX", 2)
    with running(tmp_path, settings=Settings(streams_max=1)) as node, contextlib.ExitStack() as opened:
        held = [opened.enter_context(connected(node)) for _ in range(3)]
        for each in held:  # answered, so the node has counted it
            each.sendall(LINE + b"\r\n")
            assert_live(each)
        with connected(node) as one_more:
            assert problem_in(until_end(one_more)) == (503, "CONNECTIONS_FULL")
        held[0].close()
        while httpx.get(node.url + "/health/live").status_code != 200:  # as soon as the node has seen it go
            pass
        held[1].sendall(LINE + b"\r\n")
        assert_live(held[1])


def test_cuts_off_a_client_that_takes_nothing_of_its_answer(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "WRITE_TIMEOUT_S", 0.2)
    asked = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connected(node, receive_bytes=4_096) as connection, pytest.raises(ConnectionError):
        send_for_ever(connection, asked)  # a node that waits takes no more requests either, and this stands still


def assert_live(connection: socket.socket) -> None:
    """Read the answer to one question for liveness; head and body may come one after the other."""
    answer = b""
    while not answer.endswith(b"}"):
        received = connection.recv(65_536)
        assert received, answer
        answer += received
    assert b"live" in answer


def send_for_ever(connection: socket.socket, data: bytes) -> None:
    while True:
        connection.sendall(data)
