import asyncio

import httpx
import pytest

from fujie.client.in_process import InProcessTransport
from fujie.modules.currency.operations import Pay
from tests.unit.console.site import ORIGIN, Html, Visitor

SECONDS_MAX = 60


def pay(site, amount_minor):
    wallet = site.keys.wallet_id
    return site.submit([Pay(wallet("bob"), wallet("carol"), "CNY", amount_minor)], site.keys.signer("bob"))


def tail(site, visitor, act, enough, after=""):
    """Open the live stream, act, and return its text as soon as it is enough."""

    async def read():
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())}
        headers["Accept-Language"] = "en"
        if after:
            headers["Last-Event-ID"] = after
        async with (
            httpx.AsyncClient(transport=InProcessTransport(site.api), base_url=ORIGIN, headers=headers) as client,
            client.stream("GET", "/console/live/stream") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            text = ""
            acted = False
            async with asyncio.timeout(SECONDS_MAX):
                async for piece in answer.aiter_text():
                    text += piece
                    if not acted and ": here" in text:  # the node has taken the stream in
                        acted = True
                        await asyncio.to_thread(act)
                    if enough(text):
                        return text
        return text

    return site.runner.run(read())


def test_stream_brings_what_happens_as_html(site, auditor):
    text = tail(site, auditor, lambda: pay(site, 4321), lambda text: "43.21 CNY" in text)
    assert "event: block" in text
    assert "event: transaction" in text
    data = "\n".join(line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    page = Html(data)
    assert {"li"} <= {tag for tag, _ in page.tags} <= {"li", "span", "a", "strong", "time", "code"}
    assert "Pay 43.21 CNY" in page.text


def test_stream_goes_on_after_the_last_event(site, auditor):
    text = tail(site, auditor, lambda: pay(site, 1111), lambda text: "11.11 CNY" in text)
    ids = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id: ")]
    pay(site, 2222)
    text = tail(site, auditor, lambda: None, lambda text: "22.22 CNY" in text, after=ids[-1])
    assert "22.22 CNY" in text
    assert "11.11 CNY" not in text


def test_stranger_sees_blocks_and_no_payment(site, visitor):
    text = tail(site, visitor, lambda: (pay(site, 3333), pay(site, 3334)), lambda text: text.count("event: block") >= 2)
    assert "event: transaction" not in text
    assert "33.33" not in text


def test_stream_begins_where_the_page_ends(site, auditor):
    """What happens between the page and its stream is not lost."""
    site.project()
    [source] = [each["data-stream"] for _, each in auditor.page("/console/live").tags if each.get("id") == "live"]
    path, _, after = (source or "").partition("?after=")
    assert path == "/console/live/stream"
    pay(site, 6666)
    assert "66.66 CNY" in tail(site, auditor, lambda: None, lambda text: "66.66 CNY" in text, after=after)


@pytest.mark.parametrize("after", ["999999999.0", "nonsense"])
def test_stream_that_cannot_go_on_says_so_and_shows_what_is_new(site, auditor, after):
    text = tail(site, auditor, lambda: pay(site, 7777), lambda text: "77.77 CNY" in text, after=after)
    assert text.count("event: trouble") == 1
    assert "data: The node cannot go on from the last event shown here" in text
    assert text.index("event: trouble") < text.index("77.77 CNY")


def test_page_works_without_javascript(site, auditor):
    pay(site, 5555)
    site.project()
    page = auditor.page("/console/live")
    assert "Pay 55.55 CNY" in page.text
    assert "/console/live" in [each["href"] for _, each in page.tags if each.get("id") == "live-refresh"]
    [pause] = [each for _, each in page.tags if each.get("id") == "live-pause"]
    assert "hidden" in pause
    assert Visitor(site).page("/console/live").text.count("Block") > 3
