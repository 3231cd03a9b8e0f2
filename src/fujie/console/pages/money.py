"""Money: instruments and supply, and wallets."""

import asyncio
import re

from fujie.client.explorer import Answer, ProblemError
from fujie.console.errors import BadVisitError, needs_sign_in, problem_document
from fujie.console.links import wallet_proof
from fujie.console.pages.members import activity_of
from fujie.console.visit import Page, Visit

CLASSES_MAX = 99  # as many as the ledger knows; one request asks for the limits of all
_WALLET = re.compile(r"[0-9a-f]{32}")
_INSTRUMENT = re.compile(r"[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*")


async def supply(visit: Visit) -> Page:
    """Show every instrument with what is in circulation of it."""
    return Page("money.html", await visit.explorer.supply(), visit.words("money.title"))


async def instrument(visit: Visit) -> Page:
    """Show one instrument: its supply, and the limits of its wallet classes in words."""
    code = visit.path_parameter("instrument")
    if len(code) > 24 or not _INSTRUMENT.fullmatch(code):
        raise BadVisitError(404, "no_instrument")
    listed, limits = await asyncio.gather(visit.explorer.supply(), limits_of(visit, code))
    found = next((each for each in listed["instruments"] if each["instrument"] == code), None)
    if found is None:
        raise BadVisitError(404, "no_instrument")
    return Page("instrument.html", {"instrument": found, "limits": limits}, found["title"])


async def wallet(visit: Visit) -> Page:
    """Show a wallet to those who may read it; to others what they would have to do."""
    identifier = visit.path_parameter("wallet")
    if not _WALLET.fullmatch(identifier):
        raise BadVisitError(400, "no_wallet_id")
    try:
        found, activity = await asyncio.gather(
            visit.explorer.wallet(identifier), activity_of(visit, f"wallet/{identifier}")
        )
    except ProblemError as error:
        if not needs_sign_in(error):
            raise
        document = problem_document(visit, error.status, error.name, error.what, error.do)
        closed = {"wallet_id": identifier, "wallet": None}
        return Page("wallet_closed.html", closed, visit.words("wallet.title"), error.status, document)
    record = found["record"]
    visit.instruments.learn(found.get("decimals") or {})
    limits = {code: await limits_of(visit, code, record["wallet_class"]) for code in record["instruments"]}
    data = {
        "wallet_id": identifier,
        **found,
        "wallet": record,
        "limits": {code: rows[0]["entry"] if rows else None for code, rows in limits.items()},
        "activity": activity,
        "proof_viewer": found["proof"],
        "proof_file": wallet_proof(identifier),
    }
    return Page("wallet.html", data, visit.words("wallet.title"))


async def limits_of(visit: Visit, code: str, only: int | None = None) -> list[Answer]:
    """Return the limits in force of an instrument's wallet classes, or of one of them."""
    classes = [only] if only is not None else list(range(1, CLASSES_MAX + 1))
    records = await visit.explorer.read(
        *({"type": "limits_query", "instrument": code, "wallet_class": number} for number in classes)
    )
    found = []
    for number, record in zip(classes, records, strict=True):
        if record is not None:
            begun = [each for each in record["entries"] if each["effective_from_ms"] <= visit.status["time_ms"]]
            ahead = record["entries"][len(begun) :]
            found.append({"wallet_class": number, "entry": begun[-1] if begun else None, "ahead": ahead})
    return found
