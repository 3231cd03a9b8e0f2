"""Chromium for tests and pictures: the one of this machine, which speaks to nobody but the node that it is sent to."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, sync_playwright

NAME: Final = "fujie.test"
"""A host name that leads to this machine; RFC 6761 keeps such names out of the world."""

ARGUMENTS: Final = (
    "--no-sandbox",  # it only ever opens our own pages, and root has no sandbox
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    f"--host-resolver-rules=MAP {NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--font-render-hinting=none",  # the same pictures wherever they are taken
    "--force-color-profile=srgb",
)

# What a page complains about, as far as its own events do not tell. Runs before anything of the page.
LISTENER: Final = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`));
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium with a profile of its own, and end it."""
    found = shutil.which("chromium")
    if found is None:
        raise FileNotFoundError("Chromium is not installed; `make tools` installs what the tests need")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


class Complaints(list[str]):
    """What the pages of a context complain about: errors and warnings, failed requests, answers of 400 and above."""

    def __init__(self, context: BrowserContext) -> None:
        super().__init__()
        context.add_init_script(LISTENER)
        context.on("page", self.watch)

    def watch(self, page: Page) -> None:
        """Listen to ``page``."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.append(f"{page.url}: {error}"))
        page.on("response", self._on_response)
        page.on("requestfailed", self._on_failure)

    def _on_console(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.append(f"{said.page.url if said.page else ''}: {said.text}")

    def _on_response(self, answer: Response) -> None:
        if answer.status >= 400:
            self.append(f"{answer.status} {answer.url}")

    def _on_failure(self, request: Request) -> None:
        # Whoever goes on to another page breaks off what the old one was still asking for.
        if request.failure != "net::ERR_ABORTED":
            self.append(f"{request.failure} {request.url}")
