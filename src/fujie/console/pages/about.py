"""What this is, and how not to have to believe it."""

from fujie.console.files import trust_text
from fujie.console.visit import Page, Visit


async def about(visit: Visit) -> Page:
    """Explain the chain, the trust root, and where programs find everything."""
    data = {"status": visit.status, "trust": await trust_text(visit.stranger, visit.settings)}
    return Page("about.html", data, visit.words("about.title"))
