"""The console without a mouse."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STOPS_MAX = 150


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what ``selector`` names has the focus, and see that the focus is shown."""
    for _ in range(STOPS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate(
                "() => { const it = getComputedStyle(document.activeElement); return it.outlineStyle + it.boxShadow; }"
            )
            assert outline != "nonenone", f"nothing shows that {selector} has the focus"
            return
    raise AssertionError(f"{selector} is not reached within {STOPS_MAX} stops")


def test_from_the_first_page_through_search_to_a_city_and_into_its_tree(open_page):
    page = open_page("/console/")
    tab_to(page, "#q")
    page.keyboard.type("市")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/search?q=*")
    tab_to(page, "main .results a[href^='/console/ids/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/ids/ZZ.156.*")
    page.goto("/console/ids/ZZ.156.13")
    tab_to(page, "main #list summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("main #list details[open]")


def test_the_first_stop_of_a_page_skips_to_its_content(open_page):
    page = open_page("/console/blocks")
    tab_to(page, "a.skip")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'main' || location.hash === '#main'")
    tab_to(page, "main a")


def test_a_slash_leads_to_the_search(open_page):
    page = open_page("/console/blocks")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"


def test_the_live_tail_is_paused_and_resumed(open_page):
    page = open_page("/console/")
    tab_to(page, "nav a[href='/console/live']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/live")
    tab_to(page, "#live-pause")
    page.keyboard.press("Space")
    page.wait_for_selector("#live-pause[aria-pressed=true]")
    page.keyboard.press("Space")
    page.wait_for_selector("#live-pause[aria-pressed=false]")


def test_a_proof_is_pinned_broken_and_mended(open_page):
    page = open_page("/console/proof?of=/ids/ZZ.156.1301.fujie")
    page.wait_for_selector("#proof-verdict[data-verdict=cannot-tell]")
    tab_to(page, "#proof-first-use")
    page.keyboard.press("Enter")
    page.wait_for_selector("#proof-verdict[data-verdict=proven]")
    assert page.evaluate("document.activeElement.id") == "proof-forget"
    tab_to(page, "li[data-step=path] > details > summary")
    page.keyboard.press("Enter")
    tab_to(page, "#proof-flip")
    page.keyboard.press("Space")
    page.wait_for_selector("#proof-verdict[data-verdict=not-proven]")
    tab_to(page, "#proof-restore")
    page.keyboard.press("Space")
    page.wait_for_selector("#proof-verdict[data-verdict=proven]")
    assert page.evaluate("document.activeElement.id") == "proof-flip"
