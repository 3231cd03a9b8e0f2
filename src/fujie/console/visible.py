"""What people wrote, as people may safely read it: characters that cannot be seen are written out.

A name on the ledger may hold any character. One that turns the direction of what follows would let a name rewrite the
page around it; one that shows as nothing makes two names look alike. Every value that a template shows goes through
here.
"""

import re
from typing import Any, Final

# Control characters but those of plain text; marks, embeddings, overrides and isolates of direction; line and paragraph
# separators; what has no width; halves of pairs, which no encoding takes.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(value: Any) -> Any:
    """Return a text with the numbers of its unseen characters in their place; anything else as it is."""
    if not isinstance(value, str) or _UNSEEN.search(value) is None:
        return value
    return type(value)(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", value))
