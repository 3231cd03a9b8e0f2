"""Finding anything by a text."""

import re
from typing import Any

from fujie.client.explorer import Answer, ProblemError
from fujie.console.links import ROOT, page_of
from fujie.console.spelling import as_identifier, check_is_mistaken
from fujie.console.visit import Page, Part, Redirect, Visit, way_back

SUGGESTIONS = 8
RESULTS = 50

_EXACT = frozenset({"identifier", "alias", "wallet", "transaction", "block", "account", "organisation", "instrument"})

_LINK = re.compile(rf"(?:https?://[^/]*)?({ROOT}/(?:ids|blocks|transactions|wallets)/[\x21-\x7e]+)")


async def search(visit: Visit) -> Page | Redirect:
    """Show what a text may mean; go straight to a page where it can mean one thing only."""
    text = visit.parameter("q")
    matches: list[Answer] = []
    off, behind = False, 0
    if text:
        try:
            found = await visit.explorer.search(text, RESULTS)
            matches, behind = found["matches"], found["behind"]
        except ProblemError as error:
            if error.status < 500:
                raise
            off = True
        target = only_meaning(text, matches, off)
        if target is not None and not visit.wants_json:
            return Redirect(target)
    data = {"query": text, "matches": matches, "off": off, "behind": behind, "check_mistaken": check_is_mistaken(text)}
    return Page("search.html", data, visit.words("search.title"))


async def suggestions(visit: Visit) -> Part:
    """Return the first matches for what is being typed, for htmx."""
    text = visit.parameter("q")
    matches: list[Answer] = []
    if text:
        try:
            matches = (await visit.explorer.search(text, SUGGESTIONS))["matches"]
        except ProblemError:
            matches = []  # the page behind the form says what is wrong
    data = {"query": text, "matches": matches, "check_mistaken": check_is_mistaken(text)}
    return Part("parts/suggestions.html", data)


def only_meaning(text: str, matches: list[Answer], off: bool) -> str | None:
    """Return the page that a text means, if it can mean one thing only.

    An identifier that was never allocated has a page as well: it proves that. Without lists what has a form of its own
    is still found, and a link to a page leads there.
    """
    if len(matches) == 1:
        return page_of(matches[0]["kind"], matches[0]["key"])
    exact = [match for match in matches if match["kind"] in _EXACT and _is_written(text, match)]
    if len({(match["kind"], match["key"]) for match in exact}) == 1:
        return page_of(exact[0]["kind"], exact[0]["key"])
    if matches:
        return None
    linked = _LINK.fullmatch(text)
    if linked is not None:
        return way_back(linked[1])  # whose page says what is missing, or that signing in helps
    identifier = as_identifier(text)
    if identifier is not None:
        return page_of("identifier", identifier)
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return page_of("transaction", text)
    if re.fullmatch(r"[0-9a-f]{32}", text):
        return page_of("wallet", text)
    if off and re.fullmatch(r"[1-9][0-9]{0,15}", text):
        return page_of("block", text)
    return None


def _is_written(text: str, match: Answer) -> bool:
    written: set[Any] = {str(match["key"]).casefold(), str(match["title"]).casefold()}
    return text.casefold() in written
