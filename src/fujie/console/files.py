"""The files of the pages, and the trust root, as routes."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler

from fujie.client.explorer import Explorer, ProblemError, UnreachableError
from fujie.console import assets
from fujie.console.links import ROOT
from fujie.console.render import SECURITY_HEADERS
from fujie.console.settings import ConsoleSettings

_YEAR_S = 31_536_000


async def trust_text(explorer: Explorer, settings: ConsoleSettings) -> str:
    """Return the text of the trust root that the console was set up with, else of what the node says; empty for neither."""
    if settings.trust:
        return settings.trust
    try:
        found = await explorer.get("/trust")
    except ProblemError:
        return ""
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def handlers(explorer: Explorer, settings: ConsoleSettings) -> list[BaseRouteHandler]:
    """Return the handlers of ``/console/static/…`` and ``/console/trust.json``."""

    @get(f"{ROOT}/static/{{name:path}}")
    async def static(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return a file; for good where its digest was asked for, else to be asked about again."""
        found = assets.asset(str(request.path_params["name"]).lstrip("/"))
        if found is None:
            return Response(b"", status_code=404, media_type="text/plain", headers=SECURITY_HEADERS)
        tag = f'"{found.digest}"'
        asked = request.query_params.get("v") == found.digest
        headers = {
            **SECURITY_HEADERS,
            "etag": tag,
            "cache-control": f"public, max-age={_YEAR_S}, immutable" if asked else "no-cache",
        }
        if tag in request.headers.get("if-none-match", ""):
            return Response(b"", status_code=304, media_type=found.media_type, headers=headers)
        return Response(found.data, status_code=200, media_type=found.media_type, headers=headers)

    @get(f"{ROOT}/trust.json")
    async def trust() -> Response[bytes]:
        """Return the trust root, for comparison: whoever verifies takes his own."""
        try:
            text = await trust_text(explorer, settings)
        except UnreachableError:
            return Response(b"{}", status_code=502, media_type="application/json", headers=SECURITY_HEADERS)
        if not text:
            return Response(b"{}", status_code=404, media_type="application/json", headers=SECURITY_HEADERS)
        headers = {**SECURITY_HEADERS, "cache-control": "no-cache"}
        return Response(text.encode(), status_code=200, media_type="application/json", headers=headers)

    return [static, trust]
