"""What is asked of nodes over HTTP: CometBFT's answers page by page, our own in bytes; and what is made of bad answers."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fujie.client.http import LIGHT_BLOCK_TYPE, HttpTransport
from fujie.client.light.cometbft import PAGE_BYTES_MAX, CometProvider
from fujie.client.light.node import NodeProvider
from fujie.client.light.provider import HeightAbsent
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.light_block import encode_light_block
from tests.light.comet_answers import signed_header, validators
from tests.light.embedded_chain import make_chain

MANY = {name: 1 + name % 3 for name in range(1, 251)}
BLOCKS = make_chain([{1: 1}, {1: 1, 2: 2}, MANY])
JSON = "application/json"


class Server:
    """A server that answers as a CometBFT node or a Fujie node does, unless ``answers`` says otherwise for a path."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, content_type, body = outer.answers.get(self.path) or outer.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, path: str) -> tuple[int, str, bytes]:
        parts = urlsplit(path)
        if parts.path.startswith("/blocks/"):
            return self.block(parts.path.removeprefix("/blocks/"))
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        height = query.get("height", len(BLOCKS))
        if height > len(BLOCKS):
            told = f"height {height} must be less than or equal to the current blockchain height {len(BLOCKS)}"
            return 500, JSON, error(told)
        block = BLOCKS[height - 1]
        if parts.path == "/commit":
            return 200, JSON, result({"signed_header": signed_header(block), "canonical": True})
        listed = validators(block.validators)
        page, size = query["page"], query["per_page"]
        shown = listed[(page - 1) * size : page * size]
        return (
            200,
            JSON,
            result(
                {"block_height": str(height), "validators": shown, "count": str(len(shown)), "total": str(len(listed))}
            ),
        )

    def block(self, which: str) -> tuple[int, str, bytes]:
        height = len(BLOCKS) if which == "latest" else int(which)
        if height > len(BLOCKS):
            problem = {"type": "/problems/BLOCK_ABSENT", "status": 404}
            return 404, "application/problem+json", json.dumps(problem).encode()
        return 200, LIGHT_BLOCK_TYPE, encode_light_block(BLOCKS[height - 1])


def result(content: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": -1, "result": content}).encode()


def error(told: str) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": -1, "error": {"code": -32603, "message": "Internal error", "data": told}}
    ).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = Thread(target=made.http.serve_forever)
    thread.start()
    try:
        yield made
    finally:
        made.http.shutdown()
        thread.join()
        made.http.server_close()


@pytest.fixture
def comet(server: Server) -> Iterator[CometProvider]:
    provider = CometProvider(server.url)
    yield provider
    provider.close()


@pytest.fixture
def node(server: Server) -> Iterator[NodeProvider]:
    provider = NodeProvider(server.url)
    yield provider
    provider.close()


@pytest.mark.parametrize("kind", ["comet", "node"])
def test_answers_with_the_blocks_of_the_chain(kind: str, request: pytest.FixtureRequest):
    provider: CometProvider | NodeProvider = request.getfixturevalue(kind)
    assert [provider.light_block(height) for height in (1, 2, 3, None)] == [*BLOCKS, BLOCKS[2]]
    with pytest.raises(HeightAbsent, match="no block at height 4"):
        provider.light_block(4)


def test_asks_for_validators_a_hundred_at_a_time(server: Server, comet: CometProvider):
    comet.light_block(3)
    assert [path.partition("?")[0] for path in server.asked] == ["/commit", *["/validators"] * 3]


def page(**changes: Any) -> bytes:
    listed = validators(BLOCKS[2].validators)[:100]
    return result({"block_height": "3", "validators": listed, "count": "100", "total": "250"} | changes)


FIRST = "/validators?height=3&page=1&per_page=100"
SECOND = "/validators?height=3&page=2&per_page=100"
BAD: list[tuple[str, str, tuple[int, str, bytes], type[Exception]]] = [
    ("a page of nobody", FIRST, (200, JSON, page(validators=[])), VerificationError),
    ("a page of fewer", FIRST, (200, JSON, page(validators=validators(BLOCKS[2].validators)[:99])), VerificationError),
    ("a page too long", FIRST, (200, JSON, page(validators=validators(BLOCKS[2].validators)[:101])), VerificationError),
    ("a page of another height", FIRST, (200, JSON, page(block_height="2")), VerificationError),
    ("a total beyond all bounds", FIRST, (200, JSON, page(total="10001")), VerificationError),
    ("a total that shrinks", SECOND, (200, JSON, page(total="100")), VerificationError),
    ("the same page twice", SECOND, (200, JSON, page()), VerificationError),
    ("too many bytes", FIRST, (200, JSON, b" " * (PAGE_BYTES_MAX + 1)), OperationalError),
    ("another type", FIRST, (200, "text/html", b"{}"), OperationalError),
    ("no JSON", "/commit?height=3", (200, JSON, b"{"), VerificationError),
    ("nothing", "/commit?height=3", (200, JSON, b"{}"), VerificationError),
    ("another error", "/commit?height=3", (500, JSON, error("the disk \x1b[2J is full")), OperationalError),
    ("a redirect", "/commit?height=3", (302, "text/html", b""), OperationalError),
]


@pytest.mark.parametrize(("what", "path", "answer", "kind"), BAD, ids=[row[0] for row in BAD])
def test_refuses_from_cometbft(
    what: str,
    path: str,
    answer: tuple[int, str, bytes],
    kind: type[Exception],
    server: Server,
    comet: CometProvider,
):
    server.answers[path] = answer
    with pytest.raises(kind) as refused:
        comet.light_block(3)
    assert not isinstance(refused.value, HeightAbsent)
    assert "\x1b" not in str(refused.value)


def test_what_was_pruned_is_absent(server: Server, comet: CometProvider):
    server.answers["/commit?height=1"] = (500, JSON, error("height 1 is not available, lowest height is 3"))
    with pytest.raises(HeightAbsent):
        comet.light_block(1)


NO_ROUTE = (404, "application/problem+json", b'{"type": "/problems/NOT_FOUND"}')
BAD_OF_A_NODE: list[tuple[tuple[int, str, bytes], type[Exception]]] = [
    ((200, LIGHT_BLOCK_TYPE, b"\0"), VerificationError),
    ((200, JSON, b"{}"), OperationalError),
    ((404, "application/problem+json", b'{"type": "/problems/IDENTIFIER_ABSENT"}'), OperationalError),
    ((404, "application/problem+json", b"["), OperationalError),
    ((503, "text/plain", b"later"), OperationalError),
]


@pytest.mark.parametrize(("answer", "kind"), [*BAD_OF_A_NODE, (NO_ROUTE, OperationalError)])
def test_refuses_from_a_node(answer: tuple[int, str, bytes], kind: type[Exception], server: Server, node: NodeProvider):
    server.answers["/blocks/3"] = answer
    with pytest.raises(kind) as refused:
        node.light_block(3)
    assert not isinstance(refused.value, HeightAbsent)


def test_a_node_says_where_validators_signed_last_and_cometbft_cannot(
    server: Server, node: NodeProvider, comet: CometProvider
):
    wanted = bytes(range(32))
    path = f"/validators/{wanted.hex()}"
    server.answers[path] = (200, LIGHT_BLOCK_TYPE, encode_light_block(BLOCKS[1]))
    assert node.last_of(wanted) == BLOCKS[1]
    assert server.asked == [path]
    assert comet.last_of(wanted) is None
    assert server.asked == [path]


@pytest.mark.parametrize("problem", ["VALIDATORS_UNKNOWN", "NOT_FOUND"])
def test_a_node_that_does_not_know_the_validators_or_the_route_cannot_say(
    problem: str, server: Server, node: NodeProvider
):
    told = json.dumps({"type": f"/problems/{problem}", "status": 404}).encode()
    server.answers[f"/validators/{bytes(32).hex()}"] = (404, "application/problem+json", told)
    assert node.last_of(bytes(32)) is None
    transport = HttpTransport(server.url)
    assert transport.last_of(bytes(32)) is None
    transport.close()


@pytest.mark.parametrize(("answer", "kind"), BAD_OF_A_NODE)
def test_refuses_from_a_node_that_is_asked_for_validators(
    answer: tuple[int, str, bytes], kind: type[Exception], server: Server, node: NodeProvider
):
    server.answers[f"/validators/{bytes(32).hex()}"] = answer
    with pytest.raises(kind):
        node.last_of(bytes(32))


def test_a_closed_provider_says_so(comet: CometProvider):
    comet.close()
    with pytest.raises(OperationalError, match="closed"):
        comet.light_block(1)


@pytest.mark.parametrize("make", [CometProvider, NodeProvider])
@pytest.mark.parametrize("url", ["http://user:secret@127.0.0.1:1", "http://node.example", "ftp://node.example", ""])
def test_refuses_a_url_that_cannot_be_used(make: type[CometProvider | NodeProvider], url: str):
    with pytest.raises(OperationalError) as refused:
        make(url)
    assert "secret" not in str(refused.value)
