"""Identifiers: the register as a tree, and one identifier with all that is known of it."""

import asyncio
from typing import Any

from fujie.client.explorer import Answer, ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.spelling import as_identifier, check_is_mistaken
from fujie.console.visit import Page, Part, Redirect, Visit
from fujie.core.identifier_forms import with_check
from fujie.core.identifiers import ancestors, parent

PAGE = 100
PATH_MAX = 12  # as many steps as an identifier can have nodes


async def top(visit: Visit) -> Page:
    """Show where the register begins: the countries under the chain's agency."""
    [agency] = await visit.explorer.read({"type": "agency_query"})
    listed = None
    if agency is not None:
        listed = await _children(visit, agency["agency"])
    found = (listed or {}).get("children") or []
    inside = await _children(visit, found[0]["identifier"]) if len(found) == 1 else None
    data = {"agency": agency, "children": listed, "inside": inside}
    return Page("identifiers.html", data, visit.words("ids.title"))


async def identifier(visit: Visit) -> Page | Redirect:
    """Show an identifier, or the page that proves that it was never allocated."""
    written = visit.path_parameter("identifier")
    if (meant := meant_by(written)) != written:
        return visit.instead_of(written, meant)
    try:
        found = await visit.explorer.identifier(written)
    except ProblemError as error:
        if error.name != "IDENTIFIER_ABSENT":
            raise
        return await _absent(visit, written, error)
    record = found["record"]
    path, children, history, (namespace, usage) = await asyncio.gather(
        _path(visit, record),
        _children(visit, written),
        _history(visit, written),
        visit.explorer.read({"type": "namespace_query", "prefix": written}, {"type": "usage_query", "prefix": written}),
    )
    data = {
        **found,
        "checked": with_check(written),
        "path": path,
        "children": children,
        "history": history,
        "namespace": namespace,
        "usage": usage,
        "proof_viewer": f"/ids/{written}.fujie",
    }
    return Page("identifier.html", data, f"{record['name']} · {written}")


async def children(visit: Visit) -> Page | Part | Redirect:
    """Show what stands under an identifier: a page, or for htmx a branch of the tree."""
    written = visit.path_parameter("identifier")
    if (meant := meant_by(written)) != written:
        return visit.instead_of(written, meant)
    listed = await _children(visit, written)
    if visit.is_part:
        return Part("parts/branch.html", {"identifier": written, "children": listed})
    found = await visit.explorer.identifier(written)
    data = {
        "identifier": written,
        "record": found["record"],
        "path": await _path(visit, found["record"]),
        "children": listed,
    }
    return Page("children.html", data, visit.words("id.children_of", name=found["record"]["name"]))


async def history(visit: Visit) -> Page | Redirect:
    """Show every version of a record, and what changed from one to the next."""
    written = visit.path_parameter("identifier")
    if (meant := meant_by(written)) != written:
        return visit.instead_of(written, meant)
    found, versions = await asyncio.gather(visit.explorer.identifier(written), visit.explorer.history(written))
    data = {
        "identifier": written,
        "record": found["record"],
        "path": await _path(visit, found["record"]),
        "history": versions,
    }
    return Page("history.html", data, visit.words("id.history_of", name=found["record"]["name"]))


def meant_by(written: str) -> str:
    """Return the identifier that a text means; the text itself where it is none, and the node says what is wrong.

    Raises :class:`BadVisitError` for check characters that do not fit.
    """
    if check_is_mistaken(written):
        raise BadVisitError(400, "check_mistaken", "IDENTIFIER_MALFORMED")
    return as_identifier(written) or written


async def _absent(visit: Visit, written: str, error: ProblemError) -> Page:
    """Return the page of an identifier that was never allocated, with what stands nearest above it."""
    above: Answer | None = None
    for each in ancestors(written):
        try:
            above = await visit.explorer.identifier(each)
            break
        except ProblemError as nothing:
            if nothing.name != "IDENTIFIER_ABSENT":
                raise
    data = {
        **{name: error.document.get(name) for name in ("identifier", "chain_id", "height", "time_ms", "proof")},
        "record": None,
        "checked": with_check(written),
        "nearest": None if above is None else {"identifier": above["identifier"], "name": above["record"]["name"]},
        "proof_viewer": f"/ids/{written}.fujie",
    }
    return Page("absent.html", data, written, 404)


async def _path(visit: Visit, record: Answer) -> list[dict[str, Any]]:
    """Return the way from the root to the place above a record, by ``within`` where it says so, else by its parent."""
    steps: list[dict[str, Any]] = []
    seen = {record["identifier"]}
    above = record["within"] or parent(record["identifier"])
    while above and above not in seen and len(steps) < PATH_MAX:
        seen.add(above)
        try:
            found = (await visit.explorer.identifier(above))["record"]
        except ProblemError:
            break
        steps.append({"identifier": above, "name": found["name"], "kind": found["kind"]})
        above = found["within"] or parent(above)
    return steps[::-1]


async def _children(visit: Visit, identifier: str) -> Answer | None:
    """Return a page of what is browsed under an identifier, or None where this node keeps no lists."""
    try:
        return await visit.explorer.children(identifier, visit.parameter("after", 140), PAGE, "place")
    except ProblemError as error:
        if error.status < 500:
            raise
        return None


async def _history(visit: Visit, identifier: str) -> Answer | None:
    try:
        return await visit.explorer.history(identifier)
    except ProblemError as error:
        if error.status < 500:
            raise
        return None
