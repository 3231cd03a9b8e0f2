"""Transactions: lists of them, one in full, and the live tail."""

import asyncio
import re
from typing import Any

from fujie.advice import kind_of
from fujie.client.explorer import Answer, Parameters, ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.spelling import as_identifier
from fujie.console.visit import Page, Visit
from fujie.core.json_form import type_name
from fujie.modules.catalog import OPERATIONS, REASONS, reason

PAGE = 25
NOTHING: Answer = {"transactions": [], "next": None, "hidden": False}
LIVE_ROWS = 25
_ID = re.compile(r"[0-9a-f]{64}")
_CURSOR = re.compile(r"[0-9]{1,15}")  # as many as the node takes at least


async def transactions(visit: Visit) -> Page:
    """List transactions, newest first, filtered as asked."""
    before, party = visit.parameter("before", 20), visit.parameter("party")
    operation, code = visit.parameter("operation", 60), visit.parameter("code", 6)
    if (before and not _CURSOR.fullmatch(before)) or (code and not _CURSOR.fullmatch(code)):
        raise BadVisitError(400, "malformed")
    asked: Parameters = {
        "before": before,
        "party": as_party(party),
        "operation": operation,
        "code": code,
        "limit": PAGE,
    }
    answer, status, problem, document = NOTHING, 200, None, None
    try:
        answer = await visit.explorer.transactions(asked)
    except ProblemError as error:
        wrong = "operation" if error.name == "OPERATION_UNKNOWN" else "party"
        if error.status != 400 or not (operation if wrong == "operation" else party):
            raise
        status, document = error.status, error.document
        problem = {"field": wrong, "nearest": document.get("nearest") or []}
    data = {
        **answer,
        "problem": problem,
        "filters": {"operation": operation, "code": code, "party": party},
        "before": before,
        "known_operations": [type_name(kind) for kind in OPERATIONS],
        "known_reasons": [(str(number), each.name) for number, each in REASONS.items() if not _is_of_reading(number)],
    }
    return Page("transactions.html", data, visit.words("transactions.title"), status, document)


async def transaction(visit: Visit) -> Page:
    """Show one transaction: what it did, decoded, with its postings and its receipt."""
    written = visit.path_parameter("transaction_id")
    if not _ID.fullmatch(written):
        raise BadVisitError(400, "no_transaction_id")
    found = await visit.explorer.transaction(written)
    visit.instruments.learn(found.get("decimals") or {})
    data: dict[str, Any] = {**found, "advice": None, "totals": totals(found.get("postings") or [])}
    code = int(found["code"])
    if code:
        refused = reason(code)
        data["advice"] = None if refused is None else visit.words(f"advice.{kind_of(refused.name)}")
    return Page("transaction.html", data, visit.words("transaction.title"))


async def live(visit: Visit) -> Page:
    """Show what happens as it happens; without JavaScript the newest, with a link to look again."""
    try:
        blocks, newest = await asyncio.gather(
            visit.explorer.blocks(limit=LIVE_ROWS), visit.explorer.transactions({"limit": LIVE_ROWS})
        )
    except ProblemError as error:
        if error.status < 500:
            raise
        blocks, newest = {"blocks": []}, {"transactions": [], "hidden": False}
    rows: list[Answer] = [{"event": "block", **each} for each in blocks["blocks"]]
    rows += [{"event": "transaction", **each} for each in newest["transactions"]]
    rows.sort(key=lambda row: (int(row["height"]), row["event"] == "block", row.get("index", 0)), reverse=True)
    data = {
        "rows": rows[:LIVE_ROWS],
        "hidden": bool(newest.get("hidden")),
        "after": _end_of(blocks["blocks"], visit.status),
    }
    return Page("live.html", data, visit.words("live.title"))


def _end_of(blocks: list[Answer], status: Answer) -> str:
    """Return the id of the last event that a page of these blocks shows: the stream goes on from there."""
    if not blocks:
        return f"{status['height']}.{status['log_size']}"
    return f"{blocks[0]['height']}.{int(blocks[0]['first_index']) + int(blocks[0]['transactions'])}"


def as_party(text: str) -> str:
    """Return the reader name that a text means: ``wallet/…``, ``id/…`` or ``account/…``; the prefix may be left out."""
    if not text or "/" in text:
        return text
    if re.fullmatch(r"[0-9a-f]{32}", text):
        return f"wallet/{text}"
    identifier = as_identifier(text)
    return f"account/{text}" if identifier is None else f"id/{identifier}"


def _is_of_reading(number: int) -> bool:
    """Tell whether a reason is one of reading (docs/spec/09-http.md): those leave no receipt."""
    return 100 < number < 200


def totals(postings: list[Answer]) -> list[Answer]:
    """Return debits, credits and their difference for each instrument: the difference is zero, and the page shows it."""
    sums: dict[str, list[int]] = {}
    for posting in postings:
        entry = sums.setdefault(posting["instrument"], [0, 0])
        entry[0] += int(posting["debit_minor"])
        entry[1] += int(posting["credit_minor"])
    return [
        {"instrument": instrument, "debit_minor": debit, "credit_minor": credit, "difference_minor": debit - credit}
        for instrument, (debit, credit) in sums.items()
    ]
