"""The routes of the HTTP interface, from the table that the application is built of."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fujie.api.access_table import Rule
from fujie.api.app import ROUTES
from fujie.api.parameters import Parameter
from tools.reference.markdown import code, doc, first_paragraph, page, table


def routes() -> Iterator[tuple[str, str, Any, Rule]]:
    """Yield (method, path, handler, rule) of every route."""
    for route in ROUTES:
        yield route.method.value, re.sub(r":\w+\}", "}", route.path), route.handler, route.rule


def render() -> str:
    """Return the page."""
    return page(
        "HTTP routes",
        "Forms of bodies and answers, problems, credentials, limits and retries stand in [09 HTTP](../spec/09-http.md). A "
        "running node describes itself for programs at `/openapi.json`.",
        table(
            ("method", "path", "what it does", "who may have the answer"),
            ((method, f"`{path}`", first_paragraph(handler), rule.title) for method, path, handler, rule in routes()),
        ),
        "## Who may have the answer",
        "A *party* is a holder or account that is concerned. On a public chain everyone may have everything but the metrics "
        "of a node that keeps them to itself.",
        table(
            ("rule", "public chain", "restricted: a stranger", "restricted: a party", "restricted: an auditor"),
            ((rule.title, rule.public, rule.stranger, rule.party, rule.auditor) for rule in Rule),
        ),
        *(_route(method, path, handler) for method, path, handler, _ in routes()),
    )


def _route(method: str, path: str, handler: Any) -> str:
    parts = [f"## {method} {path}", doc(handler)]
    parameters: Mapping[str, Parameter] = getattr(handler, "parameters", {})
    if parameters:
        rows = [(code(name), each.about, _default(each)) for name, each in parameters.items()]
        parts.append(table(("parameter", "meaning", "default"), rows))
    return "\n\n".join(parts)


def _default(parameter: Parameter) -> str:
    return "required" if parameter.required else "" if parameter.default is None else code(parameter.default)
