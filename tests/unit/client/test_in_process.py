import asyncio

import httpx
import pytest

from fujie.client.in_process import InProcessTransport


def client_of(app):
    return httpx.AsyncClient(transport=InProcessTransport(app), base_url="http://localhost")


async def echo(scope, receive, send):
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 207, "headers": [(b"x-path", scope["raw_path"])]})
    await send({"type": "http.response.body", "body": scope["query_string"] + b"|", "more_body": True})
    await send({"type": "http.response.body", "body": scope["method"].encode() + b"|" + body})


def test_carries_request_and_answer():
    async def ask():
        async with client_of(echo) as client:
            return await client.post("/a%2Fb", params={"q": "1 2"}, content=b"body")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["x-path"], answer.content) == (207, "/a%2Fb", b"q=1+2|POST|body")


def test_answer_begins_before_the_application_has_ended():
    """What httpx's own transport to an application does not do: it would wait here for ever."""
    told = asyncio.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1_000_000):
            await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        told.set()

    async def ask():
        async with client_of(endless) as client, client.stream("GET", "/") as answer:
            async for piece in answer.aiter_raw():
                return piece
        return None

    assert asyncio.run(ask()) == b"0\n"
    assert not told.is_set(), "it was stopped when the client left, and a full queue held it back before that"


def test_application_learns_that_its_client_has_gone():
    seen = []

    async def waiting(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here", "more_body": True})
        try:
            seen.append((await receive())["type"])
        finally:
            seen.append("stopped")

    async def ask():
        async with client_of(waiting) as client, client.stream("GET", "/") as answer:
            async for _ in answer.aiter_raw():
                break

    asyncio.run(ask())
    assert seen[-1] == "stopped"


def test_failure_before_the_answer_is_raised_and_after_it_breaks_the_body_off():
    async def fails(scope, receive, send):
        if scope["path"] == "/late":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ZeroDivisionError

    async def ask(path):
        async with client_of(fails) as client:
            return await client.get(path)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask("/"))
    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(ask("/late"))


def test_caller_who_gives_up_stops_the_application():
    stopped = []

    async def never(scope, receive, send):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def ask():
        async with client_of(never) as client:
            task = asyncio.ensure_future(client.get("/"))
            await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(ask())
    assert stopped == [True]
