"""Who takes part: accounts, organisations, validators."""

import asyncio

from fujie.client.explorer import Answer, ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.pages.blocks import signatures
from fujie.console.visit import Page, Visit

PAGE = 100
ACTIVITY = 10
LISTED = 50  # accounts on the page of an organisation; a link leads to the rest
NOTHING: Answer = {"accounts": [], "next": None}


async def accounts(visit: Visit) -> Page:
    """List accounts by name; those of one organisation where it is asked for."""
    after, organisation = visit.parameter("after", 80), visit.parameter("organisation", 80)
    answer, status, document = NOTHING, 200, None
    try:
        answer = await visit.explorer.accounts(after or None, PAGE, organisation or None)
    except ProblemError as error:
        if not organisation or error.status not in (400, 404):
            raise
        status, document = error.status, error.document
    data = {**answer, "after": after, "organisation": organisation, "is_unknown": document is not None}
    return Page("accounts.html", data, visit.words("accounts.title"), status, document)


async def account(visit: Visit) -> Page:
    """Show an account: its organisation, roles, keys, and what it did as far as the visitor may see."""
    name = visit.path_parameter("name")
    found, activity = await asyncio.gather(visit.explorer.account(name), activity_of(visit, f"account/{name}"))
    data = {"account": found, "activity": activity}
    return Page("account.html", data, name)


async def organisation(visit: Visit) -> Page:
    """Show an organisation and its accounts."""
    name = visit.path_parameter("name")
    [record] = await visit.explorer.read({"type": "organisation_query", "name": name})
    if record is None:
        raise BadVisitError(404, "no_organisation")
    listed = await visit.explorer.accounts(None, LISTED, name)
    data = {"organisation": record, "accounts": listed["accounts"], "next": listed["next"]}
    return Page("organisation.html", data, record["title"])


async def validators(visit: Visit) -> Page:
    """Show who signs the blocks, and the rules and parameters in force."""
    [decided, parameters], newest = await asyncio.gather(
        visit.explorer.read({"type": "validators_query"}, {"type": "parameters_query"}), visit.explorer.block("latest")
    )
    data = {
        "validators": decided,
        "signatures": signatures(newest, decided),
        "height": int(newest["header"]["height"]),
        "parameters": parameters,
        "rooms": visit.status.get("rooms") or {},
    }
    return Page("validators.html", data, visit.words("validators.title"))


async def activity_of(visit: Visit, party: str) -> Answer | None:
    """Return the newest transactions of a party, or None where this node keeps no lists or the visitor may see none."""
    try:
        return await visit.explorer.transactions({"party": party, "limit": ACTIVITY})
    except ProblemError as error:
        if error.status in (401, 403) or error.status >= 500:
            return None
        raise
