"""What this is, and how not to have to believe it."""

from fujie.console.errors import BadVisitError
from fujie.console.files import trust_text
from fujie.console.visit import Page, Visit


async def about(visit: Visit) -> Page:
    """Explain the chain, the trust root, and where programs find everything."""
    data = {"status": visit.status, "trust": await trust_text(visit.stranger, visit.settings)}
    return Page("about.html", data, visit.words("about.title"))


async def nowhere(visit: Visit) -> Page:
    """Say that there is no such page, to a visitor who stays signed in meanwhile."""
    raise BadVisitError(404, "no_page")
