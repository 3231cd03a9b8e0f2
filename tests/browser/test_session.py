"""Signing in with a one-time code, on the demonstration, whose chain is restricted."""

import pytest

from tests.browser.conftest import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_auditor_signs_in_with_a_code_sees_a_payment_and_signs_out(node, open_page, complaints):
    paid = node.json("pay", "alice", "shop", "1.25")
    link = f"a[href$='{paid['transaction_id']}']"
    page = open_page("/console/transactions")
    assert page.locator(link).count() == 0
    sign_in(node, page)
    page.goto("/console/transactions")
    page.locator(link).first.click()
    page.wait_for_url(f"**/{paid['transaction_id']}")
    text = page.locator("main").inner_text()
    assert "1.25" in text
    assert "Postings" in text
    cookies = page.context.cookies()
    assert [(one["httpOnly"], one["sameSite"]) for one in cookies if one["httpOnly"]] == [(True, "Strict")]
    page.locator("form[action='/console/sign-out'] button").click()
    page.wait_for_selector("a[href^='/console/sign-in']")
    page.goto("/console/transactions")
    assert page.locator(link).count() == 0


def test_an_institution_sees_the_payments_of_its_wallets_and_no_others(node, open_page):
    paid = node.json("pay", "bob", "carol", "0.10")  # both at bank-west
    for account, count in (("bank-west", 1), ("bank-east", 0)):
        page = open_page("/console/")
        sign_in(node, page, account)
        page.goto("/console/transactions")
        assert min(page.locator(f"a[href$='{paid['transaction_id']}']").count(), 1) == count


def test_a_code_opens_once(node, open_page):
    code = node.json("access", "code", "auditor")["code"]
    for attempt in (1, 2):
        page = open_page("/console/sign-in")
        page.fill("#code", code)
        page.press("#code", "Enter")
        if attempt == 1:
            page.wait_for_url("**/console/")
        else:
            assert page.locator("#problem").inner_text().strip()


def test_going_back_and_loading_again_sends_no_code_twice(node, open_page):
    page = open_page("/console/blocks")
    page.get_by_role("link", name="Sign in").click()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.fill("#code", "AAAA-BBBB-CCCC")
    page.press("#code", "Enter")
    page.wait_for_selector("#problem")
    assert "AAAA" not in page.url
    page.reload()
    page.wait_for_selector("#problem")
    page.go_back()
    page.wait_for_selector("#code")
    assert page.locator("#problem").count() == 0
    page.go_forward()
    page.wait_for_selector("#problem")
    assert len(sent) == 1
    page.fill("#code", node.json("access", "code", "auditor")["code"])
    page.press("#code", "Enter")
    page.wait_for_url("**/console/blocks")
