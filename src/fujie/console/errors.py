"""What went wrong, as a page: what it is, what to do, and a number under which the log has the rest."""

import logging
import secrets
from typing import Any, Final, NamedTuple

from litestar.exceptions import HTTPException

from fujie.advice import kind_of
from fujie.client.explorer import ProblemError, UnreachableError
from fujie.console.language import FALLBACK
from fujie.console.visit import Page, Visit

log = logging.getLogger(__name__)

SIGN_IN_HELPS = frozenset(
    {
        "GRANT_REQUIRED",
        "GRANT_MALFORMED",
        "GRANT_EXPIRED",
        "READER_NOT_ENTITLED",
        "READER_POLICY_NOT_SATISFIED",
        "READER_SUSPENDED",
        "CREDENTIAL_REQUIRED",
    }
)


_NAMES: Final = {403: "FORBIDDEN", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}
_UNEXPLAINED: Final = frozenset({"FORBIDDEN", "PROBLEM"})


class BadVisitError(Exception):
    """A request to the console itself that it does not take: its status, the word of the catalogue that says why, and the
    name of the problem where it is not the one that all of this status have.
    """

    def __init__(self, status: int, word: str, name: str = "") -> None:
        super().__init__(status, word)
        self.status = status
        self.word = word
        self.name = name


def error_page(visit: Visit, error: Exception) -> Page:
    """Return the page for an error. What nobody foresaw is logged under the number that the page shows."""
    words = visit.words
    match error:
        case ProblemError(name="PROJECTION_OFF"):
            return _page(visit, error.status, "lists_off", error.name)
        case ProblemError():
            return _problem_page(visit, error)
        case UnreachableError():
            log.warning("the node does not answer the console: %s", error.what)
            return _page(visit, 502, "unreachable", "UNAVAILABLE")
        case BadVisitError():
            return _page(visit, error.status, error.word, error.name)
        case HTTPException(status_code=404 | 405):
            return _page(visit, error.status_code, "no_page")
        case HTTPException(status_code=status) if status < 500:
            return _page(visit, status, "malformed")
    number = secrets.token_hex(8)
    log.error("the console failed, correlation id %s", number, exc_info=error)
    shown = Shown(words("error.internal"), words("error.internal_do"), correlation_id=number)
    return problem_page(visit, 500, "INTERNAL", shown)


def needs_sign_in(error: ProblemError) -> bool:
    """Tell whether the node would answer somebody else, or the same visitor signed in."""
    return error.status in (401, 403) or error.name in SIGN_IN_HELPS


class Shown(NamedTuple):
    """What a page of a problem says. ``node`` is what the node said besides, in English, where the page is in another
    language: it names the very place.
    """

    title: str
    detail: str
    node: str = ""
    correlation_id: str | None = None
    sign_in: bool = False


def problem_page(visit: Visit, status: int, name: str, shown: Shown) -> Page:
    """Return the page of a problem; its twin is a problem document like those of the node."""
    data = {"status": status, "name": name, **shown._asdict()}
    document = problem_document(visit, status, name, shown.title, shown.detail)
    if shown.node:
        document["node"] = shown.node
    if shown.correlation_id is not None:
        document["correlation_id"] = shown.correlation_id
    return Page("error.html", {"problem": data}, shown.title, status, document)


def problem_document(visit: Visit, status: int, name: str, title: str, detail: str) -> dict[str, Any]:
    """Return a problem document (RFC 9457). Only what the node explains at ``/problems/…`` has a type of its own."""
    known = "about:blank" if name in _UNEXPLAINED else f"/problems/{name}"
    return {"type": known, "title": title, "status": status, "detail": detail, "instance": visit.request.scope["path"]}


def _problem_page(visit: Visit, error: ProblemError) -> Page:
    """Return the page for a problem of the node; its own words where the catalogue has none for it."""
    words = visit.words
    title, detail, node = error.what, error.do, ""
    if words.language != FALLBACK:
        for family in ("reason", "problem"):
            if words.has(f"{family}.{error.name}"):
                title, node = words(f"{family}.{error.name}"), error.do
                kind = kind_of(error.name)
                detail = words(f"problem_do.{error.name}" if kind is None else f"advice.{kind}")
    correlation = error.document.get("correlation_id")
    number = str(correlation) if correlation else None
    status = error.status if error.status >= 400 else 502
    return problem_page(
        visit, status, error.name or "PROBLEM", Shown(title, detail, node, number, needs_sign_in(error))
    )


def _page(visit: Visit, status: int, word: str, name: str = "") -> Page:
    """Return the page for a problem of the console's own, which the catalogue words."""
    shown = Shown(visit.words(f"error.{word}"), visit.words(f"error.{word}_do"))
    return problem_page(visit, status, name or _NAMES.get(status, "MALFORMED"), shown)
