"""Blocks."""

import asyncio
import re

from fujie.client.explorer import Answer, ProblemError
from fujie.console.errors import BadVisitError
from fujie.console.visit import Page, Visit
from fujie.proof.validators import validator_address

PAGE = 50
COMMIT = 2  # flag of an entry that votes for the block
_HEIGHT = re.compile(r"[1-9][0-9]{0,15}|latest")


async def blocks(visit: Visit) -> Page:
    """List blocks, newest first."""
    data = await visit.explorer.blocks(visit.parameter("before", 20) or None, PAGE)
    return Page("blocks.html", {**data, "before": visit.parameter("before", 20)}, visit.words("blocks.title"))


async def block(visit: Visit) -> Page:
    """Show one block: its header, who signed it, its transactions."""
    written = visit.path_parameter("height")
    if not _HEIGHT.fullmatch(written):
        raise BadVisitError(400, "no_height")
    found = await visit.explorer.block(written)
    height = int(found["header"]["height"])
    listed, newest, organisations = await asyncio.gather(
        _transactions(visit, height), visit.stranger.status(), visit.explorer.read({"type": "validators_query"})
    )
    data = {
        "height": height,
        "time_ms": int(found["header"]["time_ns"]) // 1_000_000,
        "header": found["header"],
        "block_hash": found["commit"]["block_id"]["hash"],
        "signatures": signatures(found, organisations[0] if organisations else None),
        "previous": height - 1 if height > 1 else None,
        "next": height + 1 if height < int(newest["height"]) else None,
        "transactions": listed,
        "light_block": f"/blocks/{height}",
    }
    return Page("block.html", data, visit.words("block.title", height=height))


def signatures(found: Answer, decided: Answer | None) -> Answer:
    """Return how many validators, with how much of the power, signed a block, and each of them by organisation."""
    by_key = {each["public_key"]: each["organisation"] for each in (decided or {}).get("members", [])}
    rows = []
    entries = found["commit"]["signatures"]
    for place, validator in enumerate(found["validators"]["validators"]):
        entry = entries[place] if place < len(entries) else {"flag": 0}
        rows.append(
            {
                "public_key": validator["public_key"],
                "address": address_of(validator),
                "organisation": by_key.get(validator["public_key"]),
                "power": int(validator["voting_power"]),
                "signed": entry["flag"] == COMMIT,
            }
        )
    return {
        "signed": sum(row["signed"] for row in rows),
        "validators": len(rows),
        "power_signed": sum(row["power"] for row in rows if row["signed"]),
        "power": sum(row["power"] for row in rows),
        "rows": rows,
    }


def address_of(validator: Answer) -> str:
    """Return the address, in hexadecimal, by which votes and the records of misbehaviour name a validator."""
    return validator_address(bytes.fromhex(validator["public_key"])).hex()


async def _transactions(visit: Visit, height: int) -> Answer | None:
    """Return the block's transactions, or None where this node keeps no lists."""
    try:
        return await visit.explorer.block_transactions(height, visit.parameter("before", 20) or None, PAGE)
    except ProblemError as error:
        if error.status < 500:
            raise
        return None
