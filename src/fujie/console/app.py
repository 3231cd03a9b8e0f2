"""The console as an ASGI application: the table of its pages, and how a page becomes an answer.

Every page is a GET that works without JavaScript, has a JSON twin (``?format=json``, or an Accept that names JSON and no
HTML), and carries a content security policy that lets nothing run or load but the console's own files.
"""

from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from fujie.client.explorer import Explorer
from fujie.client.http import PROBLEM_TYPE
from fujie.console import files
from fujie.console.errors import error_page
from fujie.console.links import ROOT
from fujie.console.live import stream
from fujie.console.pages import about, blocks, home, identifiers, members, money, proof, search, session, transactions
from fujie.console.render import SECURITY_HEADERS, render
from fujie.console.settings import ConsoleSettings
from fujie.console.visit import File, Handler, Instruments, Page, Part, Redirect, Visit

PAGES: Final[tuple[tuple[HttpMethod, str, Handler], ...]] = (
    (HttpMethod.GET, "/", home.home),
    (HttpMethod.GET, "/parts/home", home.now),
    (HttpMethod.GET, "/search", search.search),
    (HttpMethod.GET, "/parts/suggestions", search.suggestions),
    (HttpMethod.GET, "/blocks", blocks.blocks),
    (HttpMethod.GET, "/blocks/{height:str}", blocks.block),
    (HttpMethod.GET, "/transactions", transactions.transactions),
    (HttpMethod.GET, "/transactions/{transaction_id:str}", transactions.transaction),
    (HttpMethod.GET, "/ids", identifiers.top),
    (HttpMethod.GET, "/ids/{identifier:str}", identifiers.identifier),
    (HttpMethod.GET, "/ids/{identifier:str}/children", identifiers.children),
    (HttpMethod.GET, "/ids/{identifier:str}/history", identifiers.history),
    (HttpMethod.GET, "/accounts", members.accounts),
    (HttpMethod.GET, "/accounts/{name:str}", members.account),
    (HttpMethod.GET, "/organisations/{name:str}", members.organisation),
    (HttpMethod.GET, "/validators", members.validators),
    (HttpMethod.GET, "/money", money.supply),
    (HttpMethod.GET, "/money/{instrument:str}", money.instrument),
    (HttpMethod.GET, "/wallets/{wallet:str}", money.wallet),
    (HttpMethod.GET, "/live", transactions.live),
    (HttpMethod.GET, "/proof", proof.proof),
    (HttpMethod.GET, "/proofs/wallets/{wallet:str}", proof.of_wallet),
    (HttpMethod.GET, "/sign-in", session.form),
    (HttpMethod.POST, "/sign-in", session.sign_in),
    (HttpMethod.POST, "/sign-out", session.sign_out),
    (HttpMethod.GET, "/language/{language:str}", session.language),
    (HttpMethod.GET, "/about", about.about),
    (HttpMethod.GET, "/{nowhere:path}", about.nowhere),
)


class Console:
    """What the handlers share: the node that is read, the settings, and the instruments that are known."""

    def __init__(self, explorer: Explorer, settings: ConsoleSettings) -> None:
        self.explorer = explorer
        self.settings = settings
        self.instruments = Instruments()

    def visit(self, request: Request[Any, Any, Any]) -> Visit:
        """Return the visit that a request is."""
        return Visit(request, self.explorer, self.settings, self.instruments)

    async def answer(self, request: Request[Any, Any, Any], handler: Handler) -> Response[Any]:
        """Return what a page answers, or the page that says why it cannot."""
        visit = self.visit(request)
        try:
            await visit.begin()
            return respond(visit, await handler(visit))
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a page that says so
            return respond(visit, error_page(visit, error))


def create_console(explorer: Explorer, settings: ConsoleSettings | None = None) -> Litestar:
    """Return the ASGI application that answers ``/console`` and all paths below it, reading the node of ``explorer``.

    Whoever composes it closes ``explorer``, and sends ``/`` to ``/console/``.
    """
    console = Console(explorer, settings or ConsoleSettings())
    handlers = [_handler(method, ROOT + path, function, console) for method, path, function in PAGES]

    def not_found(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        visit = console.visit(request)
        return respond(visit, error_page(visit, error))

    return Litestar(
        [*handlers, *files.handlers(explorer, console.settings), stream(console.visit)],
        exception_handlers={Exception: not_found},
        logging_config=None,
        openapi_config=None,
        request_max_body_size=65_536,  # the largest form holds a code and a path
        debug=False,
    )


def respond(visit: Visit, found: Page | Part | File | Redirect) -> Response[Any]:
    """Return the answer to a request in the form that it asks for."""
    headers = {
        **SECURITY_HEADERS,
        "vary": "accept, accept-language, cookie, hx-request",
        "cache-control": "no-store" if visit.token else "no-cache",
    }
    if isinstance(found, Redirect):
        answer: Response[Any] = Response(b"", status_code=found.status, headers={**headers, "location": found.location})
        for line in found.cookies:
            answer.set_header("set-cookie", line)
        return answer
    if isinstance(found, File):
        headers["content-disposition"] = f'attachment; filename="{found.name}"'
        return Response(found.data, status_code=200, media_type=found.media_type, headers=headers)
    if visit.wants_json:
        status, problem = (found.status, found.problem) if isinstance(found, Page) else (200, None)
        body = msgspec.json.encode(found.data if problem is None else problem)
        media_type = "application/json" if problem is None else PROBLEM_TYPE
        return Response(body, status_code=status, media_type=media_type, headers=headers)
    if isinstance(found, Part):
        html = render(found.template, visit, found.data)
        return Response(html, status_code=200, media_type="text/html", headers=headers)
    html = render(found.template, visit, found.data, found.title)
    return Response(html, status_code=found.status, media_type="text/html", headers=headers)


def _handler(method: HttpMethod, path: str, function: Handler, console: Console) -> BaseRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        return await console.answer(request, function)

    handle.__doc__ = function.__doc__
    methods = [method, HttpMethod.HEAD] if method is HttpMethod.GET else [method]
    return HTTPRouteHandler(path, http_method=methods, status_code=200, name=f"{method} {path}")(handle)
