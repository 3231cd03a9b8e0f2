"""What people wrote, as people may safely read it: characters that cannot be seen are written out.

A name on the ledger may hold any character. One that turns the direction of what follows would let a name rewrite the
page around it; one that shows as nothing makes two names look alike. Every value that a template shows goes through
here.
"""

from typing import Any

from fujie.core import wording


def visible(value: Any) -> Any:
    """Return a text with its unseen characters written out, but for line ends; anything else as it is."""
    if not isinstance(value, str):
        return value
    shown = wording.visible(value, lines=True)
    return value if shown == value else type(value)(shown)
