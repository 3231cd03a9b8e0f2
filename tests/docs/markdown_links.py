"""Links and anchors of Markdown pages, as a code host resolves them."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tests.conftest import ROOT

FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1`*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
AUTO = re.compile(r"<(https?://[^>\s]+)>")
HEADING = re.compile(r"^#{1,6} +(.*?)(?: +#+)?$", re.MULTILINE)


class Link(NamedTuple):
    """Where a link of a page leads."""

    page: Path
    target: str

    def fault(self) -> str:
        """Return what is wrong with it, or nothing."""
        parts = urlsplit(self.target)
        if parts.scheme or parts.netloc:
            sound = parts.scheme in ("http", "https") and re.fullmatch(r"[a-z0-9.-]+(:\d+)?", parts.netloc)
            return "" if sound else "is no address"
        if self.target.startswith("/"):
            return "begins at the root of the site, which differs from host to host"
        there = (self.page.parent / unquote(parts.path)).resolve() if parts.path else self.page
        if not there.exists():
            return "leads to no file"
        if not there.is_relative_to(ROOT):
            return "leads out of the checkout"
        if parts.fragment and unquote(parts.fragment) not in anchors(there):
            return f"names no heading of {there.name}"
        return ""


def prose(path: Path) -> str:
    """Return a page without its code."""
    return CODE.sub("code", FENCED.sub("", path.read_text("utf-8")))


def links(path: Path) -> Iterator[Link]:
    """Yield every link and picture of a page."""
    text = FENCED.sub("", path.read_text("utf-8"))
    for found in LINK.finditer(CODE.sub("code", text)):
        yield Link(path, found[1])
    for found in AUTO.finditer(text):
        yield Link(path, found[1])


def anchors(path: Path) -> set[str]:
    """Return the anchors that a code host gives to the headings of a page."""
    known: dict[str, int] = {}
    found = set()
    for heading in HEADING.findall(FENCED.sub("", path.read_text("utf-8"))):
        slug = slug_of(heading)
        number = known.get(slug, 0)
        known[slug] = number + 1
        found.add(f"{slug}-{number}" if number else slug)
    return found


def slug_of(heading: str) -> str:
    """Return the anchor of one heading: small letters, spaces as hyphens, no punctuation."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    kept = (each for each in text if each in " -_" or unicodedata.category(each)[0] in "LNM")
    return "".join(kept).strip().replace(" ", "-")
