"""A node with the demonstration, as people start it, and Chromium that opens its console."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.e2e.cli_node import CliNode
from tools.chromium import NAME, Complaints, chromium

PATIENCE_MS = 60_000  # after which a test gives up waiting; nothing is measured by it

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliNode]:
    """A running node. Tests only add to it."""
    node = CliNode(tmp_path_factory.mktemp("console"))
    node.environment["FUJIE_HTTP_HOSTS"] = NAME
    node.start()
    yield node
    assert node.stop() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Its absence fails a test, and never skips one."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def complaints() -> list[Complaints]:
    """What the pages of this test complained about, by context. Every test that opens pages ends without any."""
    return []


@pytest.fixture
def open_page(node: CliNode, browser: Browser, complaints: list[Complaints]) -> Iterator[Open]:
    """Opens a page of the console in a browser of its own, where nothing is kept from before."""
    contexts: list[BrowserContext] = []

    def open_page(path: str = "/console/", *, locale: str = "en-GB", width: int = 1280, **options: Any) -> Page:
        viewport: ViewportSize = {"width": width, "height": 900}
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{node.port}", locale=locale, viewport=viewport, **options
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        complaints.append(Complaints(context))
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [each for heard in complaints for each in heard] == []


def until(page: Page, expression: str) -> None:
    """Wait until an expression holds in a page. The page's policy lets nobody wait there by text, so it is asked again."""
    for _ in range(PATIENCE_MS // 50):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")


def sign_in(node: CliNode, page: Page, account: str = "auditor") -> None:
    """Sign in with a one-time code, as the operator of the node hands it out."""
    code = node.json("access", "code", account)["code"]
    page.goto("/console/sign-in")
    page.fill("#code", code)
    page.press("#code", "Enter")
    page.wait_for_url("**/console/")
