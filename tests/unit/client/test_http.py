"""The HTTP transport before anything is sent: which nodes it talks to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fujie.client.http import PROBLEM_TYPE, TOLD_CHARACTERS_MAX, HttpTransport
from fujie.client.reasons import OutcomePendingError
from fujie.client.replication import ReplicationSource
from fujie.core.errors import OperationalError


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
) -> OperationalError:
    """Return the error for a problem document that a node of this machine answers with, to each path in ``asked``."""
    body = json.dumps({"status": status, **document}).encode()

    class Node(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if asked is not None:
                asked.append(self.path)
            self.send_response(status)
            self.send_header("content-type", PROBLEM_TYPE)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Node)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    transport = transport_type(f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(OperationalError) as caught:
            transport.status()
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
