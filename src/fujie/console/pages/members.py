"""Who takes part: accounts, organisations, validators."""

import asyncio

from fujie.client.explorer import Answer, ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.pages.blocks import signatures
from fujie.console.visit import Page, Visit

PAGE = 100
ACTIVITY = 10
LISTED = 200  # the most that the node lists at once
PAGES_MAX = 50


async def accounts(visit: Visit) -> Page:
    """List accounts by name."""
    answer = await visit.explorer.accounts(visit.parameter("after", 80) or None, PAGE)
    return Page("accounts.html", {**answer, "after": visit.parameter("after", 80)}, visit.words("accounts.title"))


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
    members = await _members(visit, name, int(record["accounts"]))
    return Page("organisation.html", {"organisation": record, "accounts": members}, record["title"])


async def _members(visit: Visit, organisation: str, count: int) -> list[Answer]:
    """Return the accounts of an organisation, which the record counts. The node lists accounts by name alone, so its
    pages are followed until they are all found; in a very long list the last ones may stay out.
    """
    found: list[Answer] = []
    after = None
    for _ in range(PAGES_MAX):
        listed = await visit.explorer.accounts(after, LISTED)
        found += [each for each in listed["accounts"] if each["organisation"] == organisation]
        after = listed["next"]
        if len(found) >= count or after is None:
            break
    return found


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
