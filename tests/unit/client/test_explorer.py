import asyncio
import json

import httpx
import pytest

from fujie.client import explorer as module
from fujie.client.explorer import Explorer, ProblemError, StreamEvent, UnreachableError


def ask(answer, use):
    """Use an explorer of a node that answers every request as ``answer`` says; return the result and the requests."""
    seen = []

    def handle(request):
        seen.append(request)
        return answer(request)

    async def run():
        explorer = Explorer(httpx.MockTransport(handle))
        try:
            return await use(explorer)
        finally:
            await explorer.close()

    return asyncio.run(run()), seen


def says(value, status=200):
    return lambda _: httpx.Response(status, json=value)


def test_leaves_out_parameters_that_are_none():
    _, [request] = ask(says({}), lambda explorer: explorer.transactions({"before": None, "party": "", "code": 0}))
    assert request.url.raw_path == b"/transactions?code=0"


def test_every_name_is_one_part_of_the_path():
    _, [request] = ask(says({}), lambda explorer: explorer.account("../x?y#z/ü"))
    assert request.url.raw_path == b"/accounts/..%2Fx%3Fy%23z%2F%C3%BC"


@pytest.mark.parametrize("dots", [".", ".."])
def test_dots_are_a_name_and_no_way_up(dots):
    _, [request] = ask(says({}), lambda explorer: explorer.children(dots))
    assert request.url.path == f"/ids/{dots}/children"


def test_credential_goes_into_the_header_and_only_of_its_own_copy():
    async def use(explorer):
        signed_in = explorer.reading_as("secret")
        await signed_in.me()
        await explorer.me()
        await signed_in.reading_as(None).me()

    _, requests = ask(says({}), use)
    assert [request.headers.get("authorization") for request in requests] == ["Bearer secret", None, None]
    assert all(b"secret" not in request.url.raw_path for request in requests)


def test_problem_is_raised_with_its_name():
    document = {"type": "/problems/BLOCK_ABSENT", "title": "None.", "detail": "Ask another.", "status": 404}
    with pytest.raises(ProblemError) as caught:
        ask(says(document, 404), lambda explorer: explorer.block(5))
    assert (caught.value.status, caught.value.name, caught.value.what, caught.value.do) == (
        404, "BLOCK_ABSENT", "None.", "Ask another.",
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff", b'{"type": 5}'])
def test_status_without_a_problem_is_one_all_the_same(body):
    with pytest.raises(ProblemError) as caught:
        ask(lambda _: httpx.Response(500, content=body), lambda explorer: explorer.status())
    assert caught.value.status == 500
    assert caught.value.what


@pytest.mark.parametrize("body", [b"", b"[1]", b"null", b"text", b"\xff", b"[" * 100_000])
def test_refuses_what_is_no_object(body):
    with pytest.raises(UnreachableError):
        ask(lambda _: httpx.Response(200, content=body), lambda explorer: explorer.status())


def test_refuses_an_answer_without_end(monkeypatch):
    monkeypatch.setattr(module, "BYTES_MAX", 1_000)
    with pytest.raises(UnreachableError, match="more than 1000 bytes"):
        ask(lambda _: httpx.Response(200, content=b" " * 1_001), lambda explorer: explorer.status())


def test_says_that_no_node_answers():
    def refuse(request):
        raise httpx.ConnectError("refused")

    with pytest.raises(UnreachableError, match="does not answer"):
        ask(refuse, lambda explorer: explorer.status())


def test_redirects_are_not_followed():
    def elsewhere(request):
        return httpx.Response(302, headers={"location": "http://elsewhere.example/"})

    with pytest.raises(UnreachableError, match="no node"):
        ask(elsewhere, lambda explorer: explorer.get("/status"))


def test_packed_answers_are_not_unpacked():
    headers = {"content-encoding": "gzip"}
    with pytest.raises(UnreachableError, match="no node"):
        ask(
            lambda _: httpx.Response(200, stream=httpx.ByteStream(b"x"), headers=headers),
            lambda explorer: explorer.status(),
        )


def test_node_that_is_not_ready_is_an_answer():
    document = {"type": "/problems/NOT_READY", "title": "Not now.", "detail": "The newest block is old."}
    found, _ = ask(says(document, 503), lambda explorer: explorer.readiness())
    assert found == {"status": "not-ready", "detail": "The newest block is old."}


def test_reads_records_in_the_order_of_their_queries():
    def answer(request):
        queries = json.loads(request.content)["queries"]
        return httpx.Response(200, json={"items": [{"path": "", "record": {"of": each["type"]}} for each in queries]})

    found, _ = ask(answer, lambda explorer: explorer.read({"type": "a"}, {"type": "b"}))
    assert found == [{"of": "a"}, {"of": "b"}]
    assert ask(answer, lambda explorer: explorer.read()) == ([], [])


STREAM = (
    b": here\n\nid: 5.1\nevent: block\ndata: {\"height\":5}\n\n"
    b"event: transaction\r\nid: 5.2\r\ndata: {\"index\":\r\ndata: 1}\r\n\r\ndata: 7\n\nretry: 9\n\n"
)  # fmt: skip
EVENTS = [
    None,
    StreamEvent("5.1", "block", {"height": 5}),
    StreamEvent("5.2", "transaction", {"index": 1}),
    StreamEvent("", "message", 7),
    None,
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_reads_events_however_they_are_cut(size):
    async def pieces():
        for start in range(0, len(STREAM), size):
            yield STREAM[start : start + size]

    async def use(explorer):
        async with explorer.events("4.9") as events:
            return [event async for event in events]

    found, [request] = ask(lambda _: httpx.Response(200, content=pieces()), use)
    assert found == EVENTS
    assert request.headers["last-event-id"] == "4.9"


def test_refuses_an_event_without_end(monkeypatch):
    monkeypatch.setattr(module, "EVENT_BYTES_MAX", 100)

    async def use(explorer):
        async with explorer.events() as events:
            return [event async for event in events]

    with pytest.raises(UnreachableError, match="without end"):
        ask(lambda _: httpx.Response(200, content=b"data: " + b"x" * 200), use)


def test_stream_that_is_refused_raises_the_problem():
    async def use(explorer):
        async with explorer.events():
            raise AssertionError("no stream was opened")

    with pytest.raises(ProblemError):
        ask(says({"type": "/problems/STREAMS_FULL"}, 503), use)
