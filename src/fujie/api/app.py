"""The routes of a node's HTTP interface.

Every answer that claims something of the ledger is, or links to, a proof bundle: a client verifies it and need not trust
this server. Every error is a problem document (``api.problems``).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from fujie.api import chain, reading, submission
from fujie.api.problems import answer_for
from fujie.api.resolving import PREFIX, Resolver
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.engine.base import Served

Handler = Callable[[Serving, AnyRequest], Awaitable[Answer]]

ROUTES: Final[tuple[tuple[HttpMethod, str, Handler], ...]] = (
    (HttpMethod.POST, "/transactions", submission.submit),
    (HttpMethod.POST, "/dry-run", submission.dry_run),
    (HttpMethod.POST, "/read", reading.read),
    # GET /ids/{identifier} is answered by api.resolving, in front of these.
    (HttpMethod.GET, "/receipts/{transaction_id:str}", reading.receipt),
    (HttpMethod.GET, "/blocks/{height:str}", chain.block),
    (HttpMethod.GET, "/genesis", chain.genesis),
    (HttpMethod.GET, "/status", chain.status),
    (HttpMethod.GET, "/health/live", chain.live),
    (HttpMethod.GET, "/health/ready", chain.ready),
    (HttpMethod.GET, "/problems", chain.problems),
    (HttpMethod.GET, "/problems/{name:str}", chain.problem),
)


class Application(Litestar):
    """Litestar with the resolver in front of its router."""

    resolver: Resolver

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer what stands below ``/ids/`` at once, and hand everything else to the router."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.resolver(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(engine: Served) -> Litestar:
    """Return the ASGI application that serves ``engine``. The caller opens and closes the engine."""
    serving = Serving(engine)
    app = Application(
        [_handler(method, path, function, serving) for method, path, function in ROUTES],
        exception_handlers={Exception: _problem},
        logging_config=None,  # the node configures logging; a library that does so surprises everybody
        openapi_config=None,
        request_max_body_size=None,  # bounded per route, by Serving.body
        debug=False,
    )
    app.resolver = Resolver(engine)
    return app


def _handler(method: HttpMethod, path: str, function: Handler, serving: Serving) -> BaseRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        return await function(serving, request)

    handle.__doc__ = function.__doc__
    methods = [method, HttpMethod.HEAD] if method is HttpMethod.GET else [method]
    return HTTPRouteHandler(path, http_method=methods, status_code=200, name=f"{method} {path}")(handle)


def _problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    answer = answer_for(error, request.scope["path"])
    headers = {name: value for name, value in answer.headers.items() if name != "content-type"}
    return Response(answer.body, status_code=answer.status, media_type=answer.headers["content-type"], headers=headers)
