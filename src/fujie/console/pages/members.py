"""Who takes part: accounts, organisations, validators."""

import asyncio
from collections.abc import Sequence

from fujie.client.explorer import Answer, ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.pages.blocks import address_of, signatures
from fujie.console.visit import Page, Visit

PAGE = 100
ACTIVITY = 10
RECORDS = 50  # asked for at a time
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
    """Show who signs the blocks, who was proven to break their protocol, and the rules and parameters in force."""
    [decided, parameters], newest = await asyncio.gather(
        visit.explorer.read({"type": "validators_query"}, {"type": "parameters_query"}), visit.explorer.block("latest")
    )
    signed, members = signatures(newest, decided), (decided or {}).get("members", [])
    addresses = {row["address"] for row in signed["rows"]} | {address_of(each) for each in members}
    data = {
        "validators": decided,
        "signatures": signed,
        "changing": _changing(signed["rows"], members),
        "misbehaviour": await _misbehaviour(visit, sorted(addresses)),
        "height": int(newest["header"]["height"]),
        "parameters": parameters,
        "rooms": visit.status.get("rooms") or {},
        "coming": visit.status.get("coming") or [],
    }
    return Page("validators.html", data, visit.words("validators.title"))


def _changing(signers: Sequence[Answer], decided: Sequence[Answer]) -> list[Answer]:
    """Return whose power was voted to be another than that with which the newest block was signed; 0 leaves."""
    now = {row["public_key"]: row["power"] for row in signers}
    voted = {each["public_key"]: each for each in decided}
    return [
        {
            "public_key": key,
            "organisation": voted[key]["organisation"] if key in voted else None,
            "power": now.get(key, 0),
            "power_voted": int(voted[key]["power"]) if key in voted else 0,
        }
        for key in sorted(now.keys() | voted.keys())
        if now.get(key, 0) != (int(voted[key]["power"]) if key in voted else 0)
    ]


async def _misbehaviour(visit: Visit, addresses: Sequence[str]) -> list[Answer]:
    """Return what the chain has on record against validators."""
    found = []
    for start in range(0, len(addresses), RECORDS):
        asked = [{"type": "misbehaviour_query", "address": each} for each in addresses[start : start + RECORDS]]
        found += await visit.explorer.read(*asked)
    return [record for record in found if record is not None]


async def activity_of(visit: Visit, party: str) -> Answer | None:
    """Return the newest transactions of a party, or None where this node keeps no lists or the visitor may see none."""
    try:
        return await visit.explorer.transactions({"party": party, "limit": ACTIVITY})
    except ProblemError as error:
        if error.status in (401, 403) or error.status >= 500:
            return None
        raise
