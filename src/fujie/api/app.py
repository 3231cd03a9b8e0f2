"""The routes of a node's HTTP interface, and the application that answers them.

Every answer that claims something of the ledger is, or links to, a proof bundle: a client verifies it and need not trust
this server. Every error is a problem document (``api.problems``). Who may read what stands beside each route
(``api.access_table``), what it takes and answers in ``api.description``.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from litestar import Litestar, Request, Response
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from fujie.api import (
    chain,
    events,
    explorer,
    log_tiles,
    metrics,
    openapi,
    reading,
    records,
    replication,
    sessions,
    submission,
)
from fujie.api.access_table import Rule
from fujie.api.hosts import check_host
from fujie.api.parameters import Taking, read_parameters
from fujie.api.problems import ProblemAnswer, answer_for
from fujie.api.resolving import PREFIX, Resolver, resolve
from fujie.api.serving import Answer, AnyRequest, Serving
from fujie.engine.base import Served

Handler = Callable[[Serving, AnyRequest], Awaitable[Answer]]

log = logging.getLogger(__name__)

GET, POST, DELETE = HttpMethod.GET, HttpMethod.POST, HttpMethod.DELETE
CONSOLE: Final = "/console"
CONNECTIONS_BESIDE_STREAMS_MAX: Final = 1_024  # requests and idle browsers; as many again as there may be streams


class Route(NamedTuple):
    """One row of the table. ``{name:str}`` is a part of the path; ``rule`` says who may have the answer."""

    method: HttpMethod
    path: str
    handler: Handler
    rule: Rule


ROUTES: Final[tuple[Route, ...]] = (
    Route(POST, "/transactions", submission.submit, Rule.ANYONE),
    Route(POST, "/dry-run", submission.dry_run, Rule.ANYONE),
    Route(POST, "/read", reading.read, Rule.QUERY),
    Route(GET, "/ids/{identifier:str}", resolve, Rule.ANYONE),  # answered by api.resolving, in front of these
    Route(GET, "/ids/{identifier:str}/children", explorer.children, Rule.ANYONE),
    Route(GET, "/ids/{identifier:str}/history", records.history, Rule.ANYONE),
    Route(GET, "/receipts/{transaction_id:str}", reading.receipt, Rule.KNOWER),
    Route(GET, "/transactions", explorer.transactions, Rule.LISTED),
    Route(GET, "/transactions/{transaction_id:str}", records.transaction, Rule.KNOWER),
    Route(GET, "/blocks", explorer.blocks, Rule.ANYONE),
    Route(GET, "/blocks/{height:str}", chain.block, Rule.ANYONE),
    Route(GET, "/blocks/{height:str}/transactions", explorer.block_transactions, Rule.LISTED),
    Route(GET, "/accounts", explorer.accounts, Rule.ANYONE),
    Route(GET, "/accounts/{name:str}", records.account, Rule.ANYONE),
    Route(GET, "/organisations", explorer.organisations, Rule.ANYONE),
    Route(GET, "/wallets/{wallet:str}", records.wallet, Rule.PARTY),
    Route(GET, "/supply", records.supply, Rule.ANYONE),
    Route(GET, "/supply/{instrument:str}", records.instrument_supply, Rule.ANYONE),
    Route(GET, "/search", explorer.search, Rule.FOUND),
    Route(GET, "/statistics", explorer.statistics, Rule.ANYONE),
    Route(GET, "/events", events.events, Rule.LISTED),
    Route(GET, "/validators/{validators_hash:str}", chain.validators, Rule.ANYONE),
    Route(GET, "/genesis", chain.genesis, Rule.WHOLE),
    Route(GET, "/trust", chain.trust, Rule.ANYONE),
    Route(GET, "/log/checkpoint", log_tiles.checkpoint, Rule.ANYONE),
    Route(GET, "/log/vkey", log_tiles.verifier_key, Rule.ANYONE),
    Route(GET, "/log/tile/entries/{tile:path}", log_tiles.entries, Rule.ANYONE),
    Route(GET, "/log/tile/{tile:path}", log_tiles.tile, Rule.ANYONE),
    Route(GET, "/replication/{height:str}", replication.replication, Rule.WHOLE),
    Route(GET, "/me", sessions.me, Rule.SELF),
    Route(POST, "/sessions", sessions.sign_in, Rule.SELF),
    Route(DELETE, "/sessions", sessions.sign_out, Rule.SELF),
    Route(GET, "/status", chain.status, Rule.ANYONE),
    Route(GET, "/health/live", chain.live, Rule.ANYONE),
    Route(GET, "/health/ready", chain.ready, Rule.ANYONE),
    Route(GET, "/metrics", metrics.metrics, Rule.METRICS),
    Route(GET, "/problems", chain.problems, Rule.ANYONE),
    Route(GET, "/problems/{name:str}", chain.problem, Rule.ANYONE),
    Route(GET, "/openapi.json", openapi.openapi, Rule.ANYONE),
)


class Application(Litestar):
    """Litestar with the check of the host, the resolver and the console in front of its router."""

    serving: Serving
    metrics: metrics.Metrics
    resolver: Resolver
    console: Any

    @property
    def connections_max(self) -> int:
        """How many connections a server of this application holds at once: every stream is one."""
        return self.serving.settings.streams_max + CONNECTIONS_BESIDE_STREAMS_MAX

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request that came to this process, and count it."""
        await self.answer(scope, receive, self._counting(scope, send) if scope["type"] == "http" else send)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer what stands below ``/ids/`` at once, pages of the console by it, and everything else by the router.

        The console asks here what its pages show: that is part of a request that is counted, and none of its own.
        """
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        path = scope["path"]
        try:
            check_host(scope["headers"], self.serving.settings.hosts)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a problem document
            scope["path_template"] = metrics.UNMATCHED
            await _send_problem(send, answer_for(error, path))
            return
        if path.startswith(PREFIX) and not path.endswith(("/children", "/history"), len(PREFIX)):
            scope["path_template"] = PREFIX + "{identifier}"
            await self.resolver(scope, receive, send)
        elif self.console is not None and (path in ("/", CONSOLE) or path.startswith(CONSOLE + "/")):
            scope["path_template"] = CONSOLE
            await (_to_console(send) if path == "/" else self.console(scope, receive, send))
        else:
            await super().__call__(scope, receive, send)

    def stop(self) -> None:
        """End what would never end by itself; called in the event loop when the server stops."""
        self.serving.hub.close()
        self.serving.end_waiting()
        self.metrics.stop()

    def _counting(self, scope: Any, send: Any) -> Any:
        """Return ``send`` that counts the answer under the template of its route."""
        began = time.perf_counter()
        counted = self.metrics.answered

        async def counting(message: Any) -> None:
            if message["type"] == "http.response.start":
                route = scope.get("path_template") or metrics.UNMATCHED
                took_s = time.perf_counter() - began
                counted(route, scope["method"], message["status"], took_s)
                if log.isEnabledFor(logging.DEBUG):  # never the path, what is asked, the address or the credential
                    method = scope["method"] if scope["method"] in HttpMethod.__members__ else "another method"
                    log.debug("%s %s: %d in %.1f ms", method, route, message["status"], took_s * 1000)
            await send(message)

        return counting


def create_app(engine: Served, *, console: Any = None, **services: Any) -> Application:
    """Return the ASGI application that serves ``engine``. The caller opens and closes the engine.

    ``services`` are those of :class:`Serving`; what is not given is off. ``console`` is the ASGI application that answers
    ``/console`` and what stands below it; then ``/`` leads there.
    """
    serving = Serving(engine, **services)
    serving.routes = ROUTES
    app = Application(
        [*_handlers(serving)],
        exception_handlers={Exception: _problem},
        logging_config=None,  # the node configures logging; a library that does so surprises everybody
        openapi_config=None,
        request_max_body_size=None,  # bounded per route, by Serving.body
        debug=False,
    )
    app.serving = serving
    app.metrics = metrics.Metrics(serving)
    app.resolver = Resolver(app.serving)
    app.console = console
    return app


def _handlers(serving: Serving) -> Iterator[BaseRouteHandler]:
    """Yield one handler for each path, for all its methods: so OPTIONS and 405 name all of them."""
    by_path: dict[str, dict[str, Handler]] = {}
    for method, path, function, _ in ROUTES:
        methods = by_path.setdefault(path, {})
        methods[method.value] = function
        if method is GET:
            methods["HEAD"] = function
    for path, methods in by_path.items():
        yield _handler(path, methods, serving)


def _handler(path: str, methods: Mapping[str, Handler], serving: Serving) -> BaseRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        function = methods[request.method]
        if not isinstance(function, Taking):
            read_parameters(request.scope["query_string"], {})
        try:
            return await function(serving, request)
        finally:
            serving.let_go(request)

    return HTTPRouteHandler(path, http_method=[HttpMethod(name) for name in methods], status_code=200)(handle)


def _problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    answer = answer_for(error, request.scope["path"])
    headers = {name: value for name, value in answer.headers.items() if name != "content-type"}
    return Response(answer.body, status_code=answer.status, media_type=answer.headers["content-type"], headers=headers)


async def _send_problem(send: Any, answer: ProblemAnswer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _to_console(send: Any) -> None:
    headers = [(b"location", CONSOLE.encode()), (b"content-length", b"0"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
