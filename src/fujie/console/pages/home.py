"""The first page: how the chain is doing, what is new, what needs attention."""

import asyncio
from typing import Any

from fujie.client.explorer import Answer, ProblemError
from fujie.console.visit import Page, Part, Visit

NEWEST = 8
BEHIND = "projection-behind"
WHY_NOT_READY = frozenset({"ledger-stopped", "block-old"})  # what the statistics say of a node that does not serve
BEHIND_MAX = 100  # log entries: under load the lists are always a few behind, and that is no news


async def home(visit: Visit) -> Page:
    """Show the chain at a glance."""
    data = await _data(visit)
    return Page("home.html", {**data, "examples": await _examples(visit, data["blocks"])}, visit.words("home.title"))


async def now(visit: Visit) -> Part:
    """Return the part of the first page that changes, for htmx."""
    return Part("parts/now.html", await _data(visit))


async def _data(visit: Visit) -> dict[str, Any]:
    """Return what changes. Lists that are off are said to be so; the rest of the page stands."""
    explorer = visit.explorer
    ready, statistics, blocks, transactions = await asyncio.gather(
        explorer.readiness(),
        _or_none(explorer.statistics()),
        _or_none(explorer.blocks(limit=NEWEST)),
        _or_none(explorer.transactions({"limit": NEWEST})),
    )
    attention: list[Answer] = list((statistics or {}).get("attention") or [])
    if ready.get("status") != "ready" and not any(each["kind"] in WHY_NOT_READY for each in attention):
        attention.insert(0, {"kind": "not_ready", "detail": str(ready.get("detail", "")), "number": None})
    if lists_lag(statistics) and not any(each["kind"] == BEHIND for each in attention):
        behind = int((statistics or {})["projection"]["behind"])
        attention.append({"kind": BEHIND, "detail": "", "number": behind})
    if statistics is None:
        attention.append({"kind": "lists_off", "detail": "", "number": None})
    return {
        "status": visit.status,
        "ready": ready,
        "statistics": statistics,
        "attention": attention,
        "blocks": (blocks or {}).get("blocks") or [],
        "transactions": (transactions or {}).get("transactions") or [],
        "hidden": bool((transactions or {}).get("hidden")),
    }


def lists_lag(statistics: Answer | None) -> bool:
    """Tell whether the lists lack what people would miss: more than a moment's worth, or anything for over a second."""
    behind = int(((statistics or {}).get("projection") or {}).get("behind") or 0)
    return behind > BEHIND_MAX or (behind > 0 and int((statistics or {}).get("block_age_ms") or 0) > 1_000)


async def _or_none(asked: Any) -> Answer | None:
    try:
        answer: Answer = await asked
    except ProblemError:
        return None
    return answer


async def _examples(visit: Visit, blocks: list[Answer]) -> list[str]:
    """Return searches that find something on this chain: its agency's countries, and the newest block."""
    examples = [str(each["height"]) for each in blocks[:1]]
    answer = await _or_none(visit.explorer.supply())
    examples += [each["instrument"] for each in (answer or {}).get("instruments", [])[:1]]
    agency = await visit.explorer.read({"type": "agency_query"})
    record = agency[0] if agency else None
    if record is not None:
        tops = await _or_none(visit.explorer.children(record["agency"], limit=1, by="place"))
        for top in (tops or {}).get("children", []):
            examples.insert(0, top["identifier"])
            inside = await _or_none(visit.explorer.children(top["identifier"], limit=3, by="place"))
            examples = [each["name"] for each in (inside or {}).get("children", [])[:2]] + examples
    return examples
