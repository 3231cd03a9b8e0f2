"""Every page of the console, in both languages, for strangers and for readers: words, errors, widths, and no JavaScript."""

from functools import cache

import pytest

from tests.browser.conftest import Open, sign_in, until
from tests.browser.walking import Seen, kind_of, look, walk
from tests.e2e.cli_node import CliNode

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE_PX = 320  # the width to which WCAG 2.2 (1.4.10) asks for reflow

WORDS = {
    "en-GB": {
        "/console/": ["The chain at a glance", "Block height", "What needs attention", "Newest blocks"],
        "/console/ids": ["Register of identifiers", "ZZ.156"],
        "/console/ids/ZZ.156.1301": ["石家庄市", "ZZ.156.1301", "Verify in this browser", "GBT2260"],
        "/console/ids/ZZ.156.1301/history": ["石家庄市"],
        "/console/ids/ZZ.156.9999": ["ZZ.156.9999"],
        "/console/search?q=石家庄": ["石家庄市", "ZZ.156.1301"],
        "/console/search?q=130100": ["ZZ.156.1301"],
        "/console/search?q=nothing-of-this-name": ["Nothing on this chain matches"],
        "/console/blocks": ["Blocks", "Block hash"],
        "/console/blocks/1": ["Block 1", "App hash"],
        "/console/transactions": ["This chain is restricted"],
        "/console/money": ["CNY"],
        "/console/accounts": ["bank-east", "Central bank"],
        "/console/validators": ["root-authority"],
        "/console/live": ["Live"],
        "/console/proof": ["What you trust"],
        "/console/sign-in": ["fujie access code"],
        "/console/about": ["trust"],
    },
    "zh-CN": {
        "/console/": ["区块", "最新"],
        "/console/ids": ["ZZ.156"],
        "/console/ids/ZZ.156.1301": ["石家庄市", "在浏览器中核对"],
        "/console/search?q=石家庄": ["ZZ.156.1301"],
        "/console/proof": ["您所信任的"],
    },
}

Walker = tuple[str, str | None]
WALKERS: list[Walker] = [("en-GB", None), ("zh-CN", None), ("en-GB", "auditor"), ("zh-CN", "auditor")]


@pytest.fixture(params=WALKERS, ids=lambda one: f"{one[0]} {one[1] or 'stranger'}")
def walked(request: pytest.FixtureRequest, node: CliNode, open_page: Open) -> tuple[Walker, list[Seen]]:
    """Who walked, at the width of a phone, and what he saw."""
    locale, account = request.param
    node.run("pay", "alice", "shop", "1")
    page = open_page("/console/", locale=locale, width=PHONE_PX)
    if account is not None:
        sign_in(node, page, account)
    return request.param, walk(page)


def test_pages_answer_in_the_language_of_the_visitor_without_a_complaint_or_a_horizontal_scroll(walked):
    (locale, account), seen = walked
    kinds = {kind_of(one.path) for one in seen}
    assert {"/console/?", "/console/ids/*?", "/console/blocks/*?", "/console/proof?of"} <= kinds
    assert ("/console/transactions/*?" in kinds) == (account is not None)
    for one in seen:
        assert one.status == 200, one
        assert one.language.startswith(locale[:2]), one
        assert one.heading.strip(), one
        assert one.heading.strip() in one.text, one
        assert one.title.strip(), one
    assert {one.path: one.overflow_px for one in seen if one.overflow_px > 0} == {}
    # That no page complained is asserted where its browser is closed.


@pytest.mark.parametrize(("locale", "path"), [(locale, path) for locale, pages in WORDS.items() for path in pages])
def test_page_says(open_page, complaints, locale, path):
    page = open_page("/console/", locale=locale)
    seen = look(page, path)
    for word in WORDS[locale][path]:
        assert word in seen.text
    if "9999" in path:
        # An identifier that does not stand is a page as well, and its answer is 404.
        assert seen.status == 404
        for heard in complaints:
            heard[:] = [each for each in heard if path not in each]


def test_a_name_that_turns_text_around_turns_nothing(node, open_page):
    """Neither the marks of direction, which are written out, nor letters that run from right to left."""
    city = "ZZ.156.1301"
    for code, name in (("TURN", "a\u202eb"), ("SHALOM", "שלום")):
        node.run("id", "allocate", city, code, "--kind", "department")
        node.run("id", "update", f"{city}.{code}", "--name", name)
    page = open_page(f"/console/ids/{city}.TURN")
    assert page.locator("h1").inner_text() == "a\\u202eb"
    assert "\u202e" not in page.content()
    page.goto(f"/console/ids/{city}.SHALOM")
    isolated = "one => getComputedStyle(one).unicodeBidi"
    for shown in page.locator("h1, .path li[aria-current], main dd bdi").all():
        assert shown.evaluate(isolated) in ("isolate", "isolate-override", "plaintext")
    seen = page.goto(f"/console/proof?of=/ids/{city}.TURN.fujie")
    assert seen is not None
    page.wait_for_selector("li[data-step=record][data-state=ok]")
    assert "a\\u202eb" in page.locator("li[data-step=record]").inner_text()
    assert "\u202e" not in page.content()


@cache
def shown_without_spaces(text: str) -> str:
    return "".join(text.split())


def test_every_page_shows_its_content_without_javascript(node, open_page):
    reader = open_page("/console/")
    sign_in(node, reader)
    state = reader.context.storage_state()
    with_script = walk(reader)
    plain = open_page("/console/", java_script_enabled=False, storage_state=state)
    for one in with_script:
        seen = look(plain, one.path)
        assert (seen.status, seen.heading) == (one.status, one.heading)
        if one.path.startswith("/console/proof"):
            assert "fujie verify" in seen.text
        elif not one.path.startswith("/console/live"):  # other rows at another moment
            long, short = map(len, map(shown_without_spaces, (one.text, seen.text)))
            assert short * 10 > long * 9, one.path


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [390, 1280])
def test_search_box_and_filters_stand_whole_on_a_phone_and_on_a_desk(node, open_page, locale, width):
    page = open_page("/console/transactions", locale=locale, width=width)
    cut = page.eval_on_selector_all(
        "input[placeholder]",
        """fields => fields.filter(field => {
          const style = getComputedStyle(field), canvas = document.createElement("canvas").getContext("2d");
          canvas.font = style.font;
          const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
          return canvas.measureText(field.placeholder).width > room;
        }).map(field => field.id)""",
    )
    assert cut == []
    boxes = [page.locator(f"#{name}").bounding_box() for name in ("operation", "code", "party")]
    assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    assert len({box["height"] for box in boxes if box}) == 1
    assert (len({box["y"] for box in boxes if box}) == 1) is (width == 1280), "in one row where there is room for it"


def test_the_switch_changes_the_language_of_the_very_page(open_page):
    page = open_page("/console/ids/ZZ.156.1301")
    page.get_by_role("link", name="中文").click()
    until(page, "document.documentElement.lang.startsWith('zh')")
    assert page.url.endswith("/console/ids/ZZ.156.1301")
    page.goto("/console/blocks")
    assert (page.locator("html").get_attribute("lang") or "").startswith("zh")
