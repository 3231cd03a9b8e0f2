import re

import httpx
import pytest

from fujie.api.app import create_app
from fujie.client.explorer import Explorer
from fujie.client.in_process import InProcessTransport
from fujie.console.app import create_console
from tests.unit.console.site import CITY, Html, Visitor


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/console/no-such-page", 404, "There is no such page."),
        ("/console/ids/ZZ.156/none", 404, "There is no such page."),
        ("/console/ids/zz.15", 400, "The text is no identifier."),
        ("/console/ids/zz/children", 400, "The text is no identifier."),
        ("/console/ids/ZZ.156.1301-X2", 400, "The check characters do not fit this identifier."),
        ("/console/ids/zz.156.1310-x1/history", 400, "The check characters do not fit this identifier."),
        ("/console/ids/ZZ.156.9999/history", 404, "The identifier was never allocated."),
        ("/console/blocks/999999", 404, "The node has no block of this height."),
        ("/console/blocks/07", 400, "That is no block height."),
        ("/console/blocks/-1", 400, "That is no block height."),
        ("/console/blocks?before=x", 400, "The request is not well formed."),
        ("/console/transactions?before=-5", 400, "The address is not well formed."),
        ("/console/transactions?code=007", 400, "The request is not well formed."),
        ("/console/transactions?code=x", 400, "The address is not well formed."),
        ("/console/transactions/abc", 400, "That is no transaction id."),
        ("/console/transactions/" + "ab" * 32, 404, "The node knows no transaction with this id."),
        ("/console/wallets/xyz", 400, "That is no wallet id."),
        ("/console/accounts/nobody", 404, "There is no account of this name."),
        ("/console/organisations/nobody", 404, "No organisation has this name."),
        ("/console/money/XXX", 404, "The chain has no such money."),
        ("/console/money/" + "x" * 50, 404, "The chain has no such money."),
        ("/console/language/fr", 404, "There is no such page."),
    ],
)
def test_says_what_is_wrong_and_what_to_do(visitor, path, status, words):
    answer = visitor.get(path)
    assert (answer.status_code, words in Html(answer.text).text) == (status, True), Html(answer.text).text
    twin = visitor.get(path, Accept="application/json")
    assert (twin.status_code, twin.headers["content-type"]) == (status, "application/problem+json")
    problem = twin.json()
    assert problem["status"] == status
    assert problem["instance"] == path.partition("?")[0]
    assert visitor.get(problem["type"]).json()["type"] == problem["type"], "the node explains the type"
    assert problem["title"] == words
    assert problem["detail"]


def test_says_it_in_chinese(site):
    visitor = Visitor(site, language="zh")
    assert "节点没有该高度的区块。" in visitor.get("/console/blocks/999999").text
    assert "没有这个页面。" in visitor.get("/console/no-such-page").text


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/console/no-such-page", "NOT_FOUND"),
        ("/console/organisations/nobody", "NOT_FOUND"),
        ("/console/money/XXX", "NOT_FOUND"),
        ("/console/blocks/07", "MALFORMED"),
        ("/console/ids/ZZ.156.1301-X2", "IDENTIFIER_MALFORMED"),
    ],
)
def test_own_problems_have_the_names_of_the_nodes(visitor, path, name):
    assert f" · {name}" in visitor.get(path).text
    own = visitor.get(path, Accept="application/json").json()
    nodes = visitor.get("/accounts/nobody").json()
    assert own["type"] == f"/problems/{name}"
    assert own.keys() == nodes.keys() - {"proof"}


def test_problem_that_no_node_explains_has_no_type_of_its_own(visitor):
    answer = visitor.post("/console/sign-in", {"code": "x"}, Origin="https://evil.example", Accept="application/json")
    assert (answer.status_code, answer.json()["type"]) == (403, "about:blank")


def test_chinese_page_keeps_what_the_node_says_of_the_place(site):
    visitor = Visitor(site, language="zh")
    path = "/console/blocks?before=x"
    english = visitor.get("/blocks?before=x").json()["detail"]
    page = Html(visitor.get(path).text)
    assert "请求格式不正确。" in page.text
    assert english in page.text
    assert ("p", {"class": "muted", "id": "node-says", "lang": "en"}) in page.tags
    assert visitor.get(path, Accept="application/json").json()["node"] == english
    assert "node-says" not in Visitor(site).get(path).text, "in English it is the text itself"


def test_node_that_does_not_answer_gets_a_page(site, caplog):
    def refuse(request):
        raise httpx.ConnectError("refused")

    gone = create_console(Explorer(httpx.MockTransport(refuse)))
    for path in ("/console/", f"/console/ids/{CITY}", "/console/live"):
        answer = Visitor(site, gone).get(path)
        assert answer.status_code == 502
        assert "The node does not answer." in answer.text
        assert "Nothing is lost" in answer.text
    assert Visitor(site, gone).get("/console/static/console.css").status_code == 200
    assert Visitor(site, gone).get("/console/trust.json").status_code == 502
    assert Visitor(site, gone).get("/console/live/stream").status_code == 502
    assert "does not answer the console" in caplog.text


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"height": ', b"\xff" * 100, b"[" * 100_000])
def test_node_that_answers_nonsense_gets_a_page(site, body):
    odd = create_console(Explorer(httpx.MockTransport(lambda _: httpx.Response(200, content=body))))
    answer = Visitor(site, odd).get("/console/blocks")
    assert answer.status_code == 502
    assert "<h1>" in answer.text
    assert "Traceback" not in answer.text


def test_unexpected_failure_has_a_number_that_the_log_has_too(site, visitor, monkeypatch, caplog):
    async def broken(*_):
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr(Explorer, "blocks", broken)
    answer = visitor.get("/console/blocks")
    assert answer.status_code == 500
    [number] = re.findall(r'<code id="correlation">([0-9a-f]{16})</code>', answer.text)
    assert number in caplog.text
    assert "the inside" in caplog.text
    assert "the inside" not in answer.text
    assert "ZeroDivisionError" not in answer.text


def test_without_lists_the_rest_stands(site):
    """The projection is off: records, blocks and proofs have their pages, the others say what is missing."""
    bare = create_app(site.engine)
    console = create_console(Explorer(InProcessTransport(bare)))
    visitor = Visitor(site, console)
    for path in (
        "/console/",
        "/console/ids",
        f"/console/ids/{CITY}",
        "/console/blocks/2",
        "/console/validators",
        "/console/search?q=x",
    ):
        page = visitor.page(path)
        if path != "/console/validators":
            assert "are not there: they are being made" in page.text, path
    for path in ("/console/blocks", "/console/accounts"):
        answer = visitor.get(path)
        assert answer.status_code == 503
        assert "They are being made, or this node keeps none." in answer.text
        assert visitor.get(path, Accept="application/json").json()["type"] == "/problems/PROJECTION_OFF"
    assert visitor.get(f"/console/search?q={CITY}").headers["location"] == f"/console/ids/{CITY}"
    assert visitor.get("/console/search?q=5").headers["location"] == "/console/blocks/5"


def test_refuses_what_is_no_get(visitor):
    assert visitor.post("/console/blocks", {}).status_code == 405


def test_refuses_a_form_beyond_measure(visitor):
    assert visitor.post("/console/sign-in", {"code": "x" * 100_000}).status_code == 413
