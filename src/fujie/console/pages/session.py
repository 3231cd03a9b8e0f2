"""Signing in and out with a one-time code, and the language."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from fujie.client.explorer import ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.formatting import now_ms
from fujie.console.language import LANGUAGES
from fujie.console.links import ROOT, with_parameters
from fujie.console.visit import LANGUAGE_COOKIE, SESSION_COOKIE, Page, Redirect, Visit, way_back

CODE_CHARACTERS_MAX = 40  # as many as the node reads; a longer text is no code
_YEAR_S = 31_536_000

# What was wrong with a code, as the address of the form says it: never the code.
MISSING, REFUSED, GUESSES = "missing", "refused", "guesses"
_REFUSALS: Final[Mapping[str, str]] = {"CODE_UNKNOWN": REFUSED, "GUESSES_EXHAUSTED": GUESSES}


async def form(visit: Visit) -> Page:
    """Show the form for a one-time code, and what was wrong with the one that was sent before."""
    problems = {
        MISSING: visit.words("session.code_missing"),
        REFUSED: visit.words("session.code_refused"),
        GUESSES: visit.words("session.too_many_guesses"),
    }
    problem = problems.get(visit.parameter("problem"), "")
    data = {"problem": problem, "back": way_back(visit.parameter("back", 2_000))}
    return Page("sign_in.html", data, visit.words("session.title"))


async def sign_in(visit: Visit) -> Redirect:
    """Exchange the code for a session, whose token the browser keeps where no script can read it.

    Whatever comes of it is shown by a page of its own, so that going back or loading it again sends no code.
    """
    require_own_page(visit)
    fields = await visit.request.form()
    code = str(fields.get("code") or "").strip()
    back = way_back(str(fields.get("back") or ""))
    if not code:
        return _again(MISSING, back)
    if len(code) > CODE_CHARACTERS_MAX:
        return _again(REFUSED, back)
    try:
        session = await visit.stranger.sign_in(code)
    except ProblemError as error:
        if error.name not in _REFUSALS:
            raise
        return _again(_REFUSALS[error.name], back)
    seconds = max(0, (int(session["expires_at_ms"]) - now_ms()) // 1000)
    return Redirect(back, (_cookie(visit, SESSION_COOKIE, str(session["token"]), seconds),))


async def sign_out(visit: Visit) -> Redirect:
    """End the session, here and at the node."""
    require_own_page(visit)
    if visit.token is not None:
        try:
            await visit.stranger.reading_as(visit.token).sign_out()
        except ProblemError as error:
            if error.status >= 500:
                raise  # the session still stands; the page says so
    return Redirect(f"{ROOT}/", (_cookie(visit, SESSION_COOKIE, "", 0),))


async def language(visit: Visit) -> Redirect:
    """Remember the language and go back to where the visitor was."""
    wanted = visit.path_parameter("language")
    if wanted not in LANGUAGES:
        raise BadVisitError(404, "no_page")
    back = way_back(visit.parameter("back", 2_000))
    return Redirect(back, (_cookie(visit, LANGUAGE_COOKIE, wanted, _YEAR_S, "Lax"),))


def require_own_page(visit: Visit) -> None:
    """Raise :class:`BadVisitError` unless a form was sent from a page of this console.

    The session's cookie is not sent from elsewhere at all (SameSite=Strict); this also keeps a stranger's page from
    signing a visitor in as somebody else.
    """
    headers = visit.request.headers
    origin = urlsplit(headers.get("origin") or headers.get("referer") or "")
    if not origin.netloc or origin.netloc.lower() != headers.get("host", "").lower():
        raise BadVisitError(403, "foreign_form")


def _again(problem: str, back: str) -> Redirect:
    """Return the way to the form, which says what was wrong. The code itself stands in no address."""
    return Redirect(with_parameters(f"{ROOT}/sign-in", problem=problem, back=back))


def _cookie(visit: Visit, name: str, value: str, seconds: int, same_site: str = "Strict") -> str:
    secure = "; Secure" if visit.is_secure else ""
    return f"{name}={value}; Path={ROOT}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
