"""How texts are made comparable for searching, and cut into what is looked up."""

import re
import unicodedata
from typing import Final

_SPACES: Final = re.compile(r"\s+")
PAIR_END: Final = ""


def folded(text: str) -> str:
    """Return ``text`` as it is compared: compatible forms unified, case and runs of space without meaning, no controls."""
    unified = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(" " if character.isspace() else character for character in unified if _is_seen(character))
    return _SPACES.sub(" ", visible).strip()


def pairs(text: str) -> frozenset[str]:
    """Return the pairs of neighbours in a folded text of which one is not ASCII, and the last character alone if it is
    not: a text of one or two characters is found in another by the pairs that begin with it.
    """
    found = {text[at : at + 2] for at in range(len(text) - 1) if not text[at : at + 2].isascii()}
    if text and not text[-1].isascii():
        found.add(text[-1])
    return frozenset(found)


def spread_parts(text: str, count: int) -> list[str]:
    """Return at most ``count`` (two or more) different parts of three characters of a longer text: its first, its last, and
    those that lie evenly between them.
    """
    newest = len(text) - 3
    places = range(newest + 1) if newest < count else (newest * step // (count - 1) for step in range(count))
    return list(dict.fromkeys(text[at : at + 3] for at in places))


def after_all(text: str) -> str:
    """Return a text that sorts behind everything that begins with ``text``."""
    return text + "\U0010ffff"


def _is_seen(character: str) -> bool:
    """Tell whether a character shows: no control, format, surrogate or unassigned one; white space stays."""
    return character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Cn", "Co")
