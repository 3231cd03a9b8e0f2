"""The frame of the proof viewer; the viewer itself is JavaScript that verifies in the visitor's browser."""

import re

from fujie.console import assets
from fujie.console.files import trust_text
from fujie.console.visit import Page, Visit

VIEWER = "proof/viewer.mjs"
_OF = re.compile(
    r"/ids/[A-Z]{2}\.[0-9]{3}[0-9A-Z.]{0,128}\.fujie(?:\?versionTime=[0-9TZ:.+-]{1,40})?|/receipts/[0-9a-f]{64}\.fujie"
)


async def proof(visit: Visit) -> Page:
    """Show the viewer, for one proof of this node or for a file."""
    of = visit.parameter("of", 400)
    data = {
        "of": of if _OF.fullmatch(of) else "",
        "asked": of,
        "has_trust": bool(await trust_text(visit.stranger, visit.settings)),
        "has_viewer": assets.asset(VIEWER) is not None,
    }
    return Page("proof.html", data, visit.words("proof.title"))
