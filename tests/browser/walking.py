"""A walk through the console, along its own links: what every page shows, and what it complains about."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import Page

PAGES_MAX = 90
ALIKE_MAX = 3  # pages of one kind, such as identifiers, that are enough to see

# Links that are no pages: files, the JSON form, the switch of the language (which would leave the walk's own).
NO_PAGE = re.compile(r"[?&]format=json|^/console/(?:language|static|proofs|trust\.json)")
NUMBER_OR_NAME = re.compile(r"(?<=/)(?:[0-9]+|[0-9a-f]{32,}|ZZ[.0-9A-Z]*|[a-z]+(?:-[a-z0-9]+)+)(?=/|$)")


class Seen(NamedTuple):
    """A page of the walk."""

    path: str
    status: int
    language: str
    heading: str
    text: str
    overflow_px: int
    title: str


def kind_of(path: str) -> str:
    """What a page is of: its path without what it is about, and the names of its parameters."""
    parts = urlsplit(path)
    names = sorted(re.findall(r"(?:^|&)([a-z]+)=", parts.query))
    return NUMBER_OR_NAME.sub("*", parts.path) + "?" + "&".join(names)


def look(page: Page, path: str) -> Seen:
    """Open a page and say what it shows."""
    answer = page.goto(path)
    assert answer is not None
    main = page.locator("main")
    return Seen(
        path,
        answer.status,
        page.locator("html").get_attribute("lang") or "",
        page.locator("h1").first.inner_text(),
        main.inner_text(),
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"),
        page.title(),
    )


def walk(page: Page, start: str = "/console/") -> list[Seen]:
    """Follow the links of the console, breadth first, to a few pages of every kind."""
    waiting, known, alike, found = [start], {start}, {kind_of(start): 1}, list[Seen]()
    while waiting and len(found) < PAGES_MAX:
        found.append(look(page, waiting.pop(0)))
        for link in page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
            parts = urlsplit(link)
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            is_here = f"{parts.scheme}://{parts.netloc}" == page.url.split("/console")[0]
            if not is_here or not path.startswith("/console") or NO_PAGE.search(path) or path in known:
                continue
            known.add(path)
            kind = kind_of(path)
            alike[kind] = alike.get(kind, 0) + 1
            if alike[kind] <= ALIKE_MAX:
                waiting.append(path)
    return found
