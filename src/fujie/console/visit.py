"""One request to the console: who reads, in which language, and what a page answers with."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from litestar import Request

from fujie.client.explorer import Answer, Explorer, ProblemError
from fujie.console.language import Words, choose, words
from fujie.console.links import ROOT
from fujie.console.settings import ConsoleSettings

AnyRequest = Request[Any, Any, Any]

SESSION_COOKIE: Final = "fujie_session"
LANGUAGE_COOKIE: Final = "fujie_language"
SIGNED_OUT: Final = frozenset({401, 403})

_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,512}")  # what may stand in a header; the node says whether it is a token
_HERE: Final = re.compile(rf"{ROOT}/[\x21-\x7e]*")


class Page(NamedTuple):
    """A page: its template, the data it shows and its JSON twin is, its title, and the HTTP status.

    A page that says what went wrong has a problem document (RFC 9457) as its twin.
    """

    template: str
    data: dict[str, Any]
    title: str
    status: int = 200
    problem: dict[str, Any] | None = None


class Part(NamedTuple):
    """A piece of a page, for htmx."""

    template: str
    data: dict[str, Any]


class File(NamedTuple):
    """A file that a browser saves, or the proof viewer reads."""

    data: bytes
    media_type: str
    name: str


class Redirect(NamedTuple):
    """Another page. ``cookies`` are lines for ``Set-Cookie``; 308 is for what is found there for good."""

    location: str
    cookies: tuple[str, ...] = ()
    status: int = 303


class Instruments:
    """The decimals of instruments, which never change once they are known."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    async def refresh(self, explorer: Explorer) -> None:
        """Learn the instruments of the chain."""
        for each in (await explorer.supply())["instruments"]:
            self._known[each["instrument"]] = int(each["decimals"])

    def learn(self, decimals: dict[str, int]) -> None:
        """Learn the decimals that an answer tells beside its amounts."""
        self._known.update(decimals)

    def decimals(self, instrument: str) -> int | None:
        """Return the decimals of an instrument, or None for one that is not known."""
        return self._known.get(instrument)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was learnt yet."""
        return not self._known


class Visit:
    """What a page works with. ``me`` is as whom the visitor reads: None for a stranger."""

    def __init__(
        self, request: AnyRequest, explorer: Explorer, settings: ConsoleSettings, instruments: Instruments
    ) -> None:
        self.request = request
        self.settings = settings
        self.instruments = instruments
        cookies = request.cookies
        self.words: Words = words(
            choose(settings.language, cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))
        )
        token = cookies.get(SESSION_COOKIE) or ""
        self.token = token if _TOKEN.fullmatch(token) else None
        self.stranger = explorer
        self.explorer = explorer.reading_as(self.token)
        self.me: Answer | None = None
        self.status: Answer = {}

    async def begin(self) -> None:
        """Ask where the chain stands and as whom the visitor reads. A session that has ended makes a stranger."""
        asked = [self.stranger.status(), self._whoami()]
        if self.instruments.is_empty:
            asked.append(self._learn())
        self.status, me, *_ = await asyncio.gather(*asked)
        self.me = me or None
        if self.me is None:
            self.explorer = self.stranger

    async def _whoami(self) -> Answer:
        if self.token is None:
            return {}
        try:
            return await self.explorer.me()
        except ProblemError as error:
            if error.status in SIGNED_OUT:
                return {}
            raise

    async def _learn(self) -> Answer:
        try:
            await self.instruments.refresh(self.stranger)
        except ProblemError:
            return {}  # amounts are shown in minor units; the page that needs more says what is wrong
        return {}

    def parameter(self, name: str, characters_max: int = 200) -> str:
        """Return a parameter of the query, stripped and bounded; empty where there is none."""
        return str(self.request.query_params.get(name) or "").strip()[:characters_max]

    def path_parameter(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    @property
    def wants_json(self) -> bool:
        """Tell whether the JSON twin is asked for: by ``?format=json``, or by accepting JSON and no HTML."""
        asked = self.request.query_params.get("format")
        if asked is not None:
            return str(asked) == "json"
        accept = self.request.headers.get("accept", "")
        return "application/json" in accept and "text/html" not in accept

    @property
    def is_part(self) -> bool:
        """Tell whether htmx asks, for a piece of a page."""
        return str(self.request.headers.get("hx-request")) == "true"

    @property
    def here(self) -> str:
        """The path and query of the request, for coming back to it."""
        path = quote(self.request.scope["path"], safe="/:@!$&'()*+,;=~-._")
        query = self.request.scope["query_string"].decode("latin-1")
        return f"{path}?{query}" if query else path

    def instead_of(self, part: str, meant: str) -> Redirect:
        """Return the redirect to this address with ``meant`` in place of a part of its path."""
        path = self.request.scope["path"].replace(part, meant, 1)
        query = self.request.scope["query_string"].decode("latin-1")
        target = quote(path, safe="/:@!$&'()*+,;=~-._")
        return Redirect(f"{target}?{query}" if query else target, status=308)

    @property
    def is_secure(self) -> bool:
        """Tell whether the visitor's browser speaks TLS, to this process or to a proxy before it.

        A visitor who lies about it only keeps his own cookie from coming back.
        """
        request = self.request
        return "https" in (request.scope["scheme"], request.headers.get("x-forwarded-proto", "").lower())


Handler = Callable[[Visit], Awaitable[Page | Part | File | Redirect]]


def way_back(text: str) -> str:
    """Return ``text`` if it is a path of the console, else its first page: nobody is sent elsewhere."""
    return text if _HERE.fullmatch(text) and "//" not in text and "\\" not in text else f"{ROOT}/"
