"""What went wrong, as a page: what it is, what to do, and a number under which the log has the rest."""

import logging
import secrets
from typing import Any

from litestar.exceptions import HTTPException

from fujie.client.explorer import ProblemError, UnreachableError
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


class BadVisitError(Exception):
    """A request to the console itself that it does not take: its status, and the word of the catalogue that says why."""

    def __init__(self, status: int, word: str) -> None:
        super().__init__(status, word)
        self.status = status
        self.word = word


def error_page(visit: Visit, error: Exception) -> Page:
    """Return the page for an error. What nobody foresaw is logged under the number that the page shows."""
    words = visit.words
    match error:
        case ProblemError():
            return _problem_page(visit, error)
        case UnreachableError():
            log.warning("the node does not answer the console: %s", error.what)
            return _page(visit, 502, words("error.unreachable"), words("error.unreachable_do"), "UNREACHABLE")
        case BadVisitError():
            return _page(
                visit, error.status, words(f"error.{error.word}"), words(f"error.{error.word}_do"), "BAD_REQUEST"
            )
        case HTTPException(status_code=404 | 405):
            return _page(visit, error.status_code, words("error.no_page"), words("error.no_page_do"), "NOT_FOUND")
        case HTTPException(status_code=status) if status < 500:
            return _page(visit, status, words("error.malformed"), words("error.malformed_do"), "BAD_REQUEST")
    number = secrets.token_hex(8)
    log.error("the console failed, correlation id %s", number, exc_info=error)
    return _page(visit, 500, words("error.internal"), words("error.internal_do"), "INTERNAL", correlation_id=number)


def needs_sign_in(error: ProblemError) -> bool:
    """Tell whether the node would answer somebody else, or the same visitor signed in."""
    return error.status in (401, 403) or error.name in SIGN_IN_HELPS


def _problem_page(visit: Visit, error: ProblemError) -> Page:
    """Return the page for a problem of the node; its own words where the catalogue has none for it."""
    words = visit.words
    title, detail = error.what, error.do
    if words.language != "en":
        for family in ("reason", "problem"):
            if words.has(f"{family}.{error.name}"):
                title = words(f"{family}.{error.name}")
                detail = words.known("problem_do", error.name) if words.has(f"problem_do.{error.name}") else detail
    more: dict[str, Any] = {}
    if correlation := error.document.get("correlation_id"):
        more["correlation_id"] = str(correlation)
    status = error.status if error.status >= 400 else 502
    return _page(visit, status, title, detail, error.name or "PROBLEM", sign_in=needs_sign_in(error), **more)


def _page(visit: Visit, status: int, title: str, detail: str, name: str, **more: Any) -> Page:
    data = {
        "type": name,
        "status": status,
        "title": title,
        "detail": detail,
        "correlation_id": None,
        "sign_in": False,
        **more,
    }
    return Page("error.html", {"problem": data}, title, status)
