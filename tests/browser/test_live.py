"""What moves by itself: the height on the first page, and the live tail."""

import pytest

from tests.browser.conftest import sign_in, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOWN = "document.querySelector('#height a').textContent.replace(/[^0-9]/g, '')"


def test_the_height_on_the_first_page_follows_a_payment(node, open_page):
    page = open_page("/console/")
    paid = node.json("pay", "alice", "shop", "1")
    assert paid["height"] > 0
    until(page, f"Number({SHOWN}) >= {paid['height']}")


def test_the_live_tail_shows_an_auditor_the_payment_made_meanwhile(node, open_page):
    page = open_page("/console/")
    sign_in(node, page)
    page.goto("/console/live")
    until(page, "document.querySelector('#live-state').textContent !== ''")
    paid = node.json("pay", "alice", "shop", "2")
    page.wait_for_selector(f"#live li.of-transaction a[href$='{paid['transaction_id']}']")


def test_the_live_tail_shows_a_stranger_the_block_and_nothing_of_the_payment(node, open_page):
    page = open_page("/console/live")
    until(page, "document.querySelector('#live-state').textContent !== ''")
    paid = node.json("pay", "alice", "shop", "3")
    page.wait_for_selector(f"#live li.of-block a[href$='/{paid['height']}']")
    assert page.locator(f"#live a[href*='{paid['transaction_id']}']").count() == 0


def test_a_paused_tail_counts_what_arrives_and_shows_it_later(node, open_page):
    page = open_page("/console/live")
    until(page, "document.querySelector('#live-state').textContent !== ''")
    page.click("#live-pause")
    paid = node.json("pay", "alice", "shop", "4")
    row = f"#live li.of-block a[href$='/{paid['height']}']"
    until(page, "/[1-9]/.test(document.querySelector('#live-state').textContent)")
    assert page.locator(row).count() == 0
    page.click("#live-pause")
    page.wait_for_selector(row)


def test_a_tail_that_cannot_go_on_says_so_and_shows_what_is_new(node, open_page):
    page = open_page("/console/live")
    page.route("**/live/stream?*", lambda route: route.continue_(url=route.request.url.split("=")[0] + "=999999999.0"))
    page.reload()
    until(page, "document.querySelector('#live-state').textContent.includes('some may be missing')")
    paid = node.json("pay", "alice", "shop", "5")
    page.wait_for_selector(f"#live li.of-block a[href$='/{paid['height']}']")
