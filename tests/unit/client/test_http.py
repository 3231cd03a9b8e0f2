"""The HTTP transport before anything is sent: which nodes it talks to."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fujie.client.http import OUTCOMES_TYPE, PROBLEM_TYPE, TOLD_CHARACTERS_MAX, HttpTransport
from fujie.client.reasons import NotSubmittedError, OutcomePendingError
from fujie.client.replication import ReplicationSource
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.reasons import TransactionReason


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8156", "http://localhost:8156/", "http://[::1]:8156", "https://node.example", "https://a/b"],
)
def test_takes_the_url_of_a_node(url):
    HttpTransport(url).close()


@pytest.mark.parametrize(
    "url", ["", "x", "127.0.0.1:8156", "ftp://127.0.0.1", "http://", "http://[", "http://a:b", "\x00"]
)
def test_refuses_what_is_no_url_of_a_node(url):
    with pytest.raises(OperationalError):
        HttpTransport(url)


@pytest.mark.parametrize(
    "url", ["http://node.example", "http://10.0.0.1:8156", "http://localhost.example", "http://0.0.0.0"]
)
def test_refuses_an_open_line_to_another_machine_unless_told_so(url):
    with pytest.raises(OperationalError, match="https"):
        HttpTransport(url)
    HttpTransport(url, plain_http=True).close()


SECRET = "correct-horse"


@pytest.mark.parametrize(
    "url",
    [
        f"http://anna:{SECRET}@127.0.0.1:8156",
        f"https://{SECRET}@node.example/path",
        f"https://:{SECRET}@node.example",
        f"https://anna:{SECRET}@",
        f"https://anna:{SECRET}@[",
        f"ftp://anna:{SECRET}@node.example",
        f"http:anna:{SECRET}@node.example",
        f"//anna:{SECRET}@node.example",
        f"anna:{SECRET}@node.example",
        f"http://anna:{SECRET}@node.example",
    ],
)
@pytest.mark.parametrize("transport", [HttpTransport, ReplicationSource])
def test_refuses_a_password_in_a_url_and_does_not_repeat_it(url, transport):
    with pytest.raises(OperationalError) as caught:
        transport(url)
    assert "password" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "anna" not in str(caught.value)


def test_an_at_sign_in_a_path_is_no_password():
    HttpTransport("https://node.example/ledgers/@city").close()


def test_says_so_when_it_was_closed():
    transport = HttpTransport("http://127.0.0.1:9")
    transport.close()
    transport.close()
    with pytest.raises(OperationalError, match="closed"):
        transport.status()


def told(
    document: dict[str, object],
    transport_type: type[HttpTransport] = HttpTransport,
    status: int = 403,
    asked: list[str] | None = None,
    ask: Callable[[HttpTransport], object] = HttpTransport.status,
) -> OperationalError:
    """Return the error for a problem document that a node of this machine answers with, to each path in ``asked``."""
    body = json.dumps({"status": status, **document}).encode()

    class Node(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            if asked is not None:
                asked.append(self.path)
            self.send_response(status)
            self.send_header("content-type", PROBLEM_TYPE)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    transport = transport_type(f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(OperationalError) as caught:
            ask(transport)
    finally:
        transport.close()
        server.shutdown()
        thread.join()
        server.server_close()
    return caught.value


def test_a_problem_that_is_no_reason_is_shown_with_the_advice_of_the_node_alone():
    error = told({"title": "This node is a mirror.", "detail": "Submit to http://127.0.0.1:8156"})
    assert error.what.endswith(" answers with status 403: This node is a mirror.")
    assert error.do == "Submit to http://127.0.0.1:8156."


def test_the_correlation_id_that_an_operator_needs_is_shown():
    error = told(
        {"title": "The node failed.", "detail": "Tell its operator the correlation id.", "correlation_id": "ab12"}
    )
    assert error.do == "Tell its operator the correlation id. It is ab12."


def test_what_a_node_writes_into_a_problem_cannot_act_on_a_terminal_nor_fill_it():
    error = told({"title": "\x1b[31mred", "detail": "long " * 1_000})
    assert error.what.endswith("status 403: \\x1b[31mred.")
    assert len(error.do) == TOLD_CHARACTERS_MAX + 1


def test_a_problem_that_says_nothing_still_has_advice():
    error = told({})
    assert error.what.endswith("status 403: no explanation.")
    assert error.do == "Check the request, or ask another node."


def test_where_following_a_node_needs_a_key_its_advice_stands_in_place_of_the_node_s():
    error = told({"title": "Not for you.", "detail": "Sign in"}, ReplicationSource)
    assert error.what.endswith("status 403: Not for you. Sign in.")
    assert "fujie access key new" in error.do


def test_a_chain_that_makes_no_block_is_not_asked_again_for_the_node_has_waited_already():
    asked: list[str] = []
    problem: dict[str, object] = {
        "type": "/problems/OUTCOME_PENDING",
        "title": "The chain makes no block now.",
        "detail": "Submit again",
    }
    error = told(problem, status=503, asked=asked)
    assert type(error) is OutcomePendingError
    assert error.do == "Submit again."
    assert asked == ["/status"]


@pytest.mark.parametrize(("status", "in_doubt"), [(400, False), (413, False), (500, True), (504, True), (307, True)])
def test_only_what_the_node_itself_turns_away_is_said_to_be_not_submitted(status, in_doubt, monkeypatch):
    monkeypatch.setattr("fujie.client.http.PAUSE_MAX_S", 0.0)
    error = told({}, status=status, ask=lambda transport: transport.submit([b"x"]))
    assert isinstance(error, NotSubmittedError) is not in_doubt


def test_where_nobody_listens_nothing_was_submitted():
    with socket.socket() as probe:  # bound, and deaf: nobody else gets the port meanwhile
        probe.bind(("127.0.0.1", 0))
        transport = HttpTransport(f"http://127.0.0.1:{probe.getsockname()[1]}", tries=2)
        with pytest.raises(NotSubmittedError, match=r"No node answers.*Nothing is lost by trying again"):
            transport.submit([b"x"])
        transport.close()


@pytest.mark.parametrize("tries", [1, 2])
def test_who_hangs_up_instead_of_answering_leaves_in_doubt_what_was_submitted(tries):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def hang_up_once() -> None:
            taken, _ = listener.accept()
            taken.recv(65_536)
            taken.close()
            listener.close()  # a second try does not connect, which says nothing of the first

        thread = threading.Thread(target=hang_up_once)
        thread.start()
        transport = HttpTransport(f"http://127.0.0.1:{listener.getsockname()[1]}", tries=tries)
        with pytest.raises(OperationalError) as caught:
            transport.submit([b"x"])
        transport.close()
        thread.join()
    assert not isinstance(caught.value, NotSubmittedError)
    assert "very same bytes again" in caught.value.do


@contextmanager
def deaf_at_first(status: int, content_type: str, body: bytes) -> Iterator[HttpTransport]:
    """A node that takes the first submission and hangs up, and answers every later one in this way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for number in range(2):
                taken, _ = listener.accept()
                with taken:
                    taken.recv(65_536)
                    if number:
                        head = f"HTTP/1.1 {status} So\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
                        taken.sendall(head.encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        transport = HttpTransport(f"http://127.0.0.1:{listener.getsockname()[1]}", tries=2)
        yield transport
        transport.close()
        thread.join()


def problem_of(reason: TransactionReason) -> tuple[int, str, bytes]:
    return 422, PROBLEM_TYPE, json.dumps({"status": 422, "reason": int(reason)}).encode()


def turned_away(reason: TransactionReason) -> tuple[int, str, bytes]:
    return 200, OUTCOMES_TYPE, encode([(b"", int(reason), None, None)])


@pytest.mark.parametrize("answer", [problem_of, turned_away])
def test_who_turns_away_a_second_try_says_nothing_of_the_first(answer):
    with deaf_at_first(*answer(TransactionReason.POLICY_NOT_SATISFIED)) as transport:
        with pytest.raises(
            OperationalError, match=r"POLICY_NOT_SATISFIED.*an earlier try may have been taken"
        ) as caught:
            transport.submit([b"x"])
        assert not isinstance(caught.value, NotSubmittedError)
    with deaf_at_first(*answer(TransactionReason.ADMISSION_QUEUE_FULL)) as transport:
        [outcome] = transport.submit([b"x"])  # whoever submits waits, and holds nothing of it for certain
        assert outcome.code == TransactionReason.ADMISSION_QUEUE_FULL
