"""The frame of the proof viewer; the viewer itself is JavaScript that verifies in the visitor's browser."""

import re

from fujie.console.errors import BadVisitError
from fujie.console.files import trust_text
from fujie.console.links import wallet_proof
from fujie.console.visit import File, Page, Visit

BUNDLE_TYPE = "application/vnd.fujie.bundle"
_OF = re.compile(
    r"/ids/[A-Z]{2}\.[0-9]{3}[0-9A-Z.]{0,128}\.fujie(?:\?versionTime=[0-9TZ:.+-]{1,40})?"
    r"|/receipts/[0-9a-f]{64}\.fujie"
    r"|/accounts/[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\.fujie"
    r"|/wallets/[0-9a-f]{32}\.fujie"
    r"|/supply/(?=[^.]{3,24}\.)[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*\.fujie"
)
_HASH = re.compile(r"[0-9a-f]{64}")
_WALLET = re.compile(r"(?:/wallets/)?([0-9a-f]{32})\.fujie")


async def proof(visit: Visit) -> Page:
    """Show the viewer, for one proof of this node or for a file."""
    asked = visit.parameter("of", 400)
    of = asked if _OF.fullmatch(asked) else ""
    wallet = _WALLET.fullmatch(of)
    data = {
        "of": of,
        "from": of if wallet is None else wallet_proof(wallet[1]),
        "asked": asked,
        "has_trust": bool(await trust_text(visit.stranger, visit.settings)),
    }
    return Page("proof.html", data, visit.words("proof.title"))


async def of_wallet(visit: Visit) -> File:
    """Hand out the proof of a wallet and its balances to whoever may read it.

    The session's cookie reaches the console alone, so the node cannot be asked for this file by a link.
    """
    name, since = visit.path_parameter("wallet"), visit.parameter("since", 64)
    if not _WALLET.fullmatch(name) or (since and not _HASH.fullmatch(since)):
        raise BadVisitError(400, "no_wallet_id")
    path = f"/wallets/{name}?since={since}" if since else f"/wallets/{name}"
    return File(await visit.explorer.file(path, BUNDLE_TYPE), BUNDLE_TYPE, f"wallet-{name}")
