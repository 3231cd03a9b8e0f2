"""Pieces of sentences for people: a text as it was typed, what was probably meant by it, and a number with its noun.

What strangers chose may hold characters that a terminal acts on or that nobody sees. They are escaped; every other
character stays what it is, in whichever script.
"""

import difflib
import re
from collections.abc import Iterable
from typing import Final

QUOTED_CHARACTERS_MAX: Final = 60

# Controls, line ends of Unicode, directions of text, and what nobody sees.
_HIDDEN: Final = (
    "\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE: Final = re.compile(f"[\x00-\x1f{_HIDDEN}]")
UNSAFE_BUT_LINES: Final = re.compile(f"[\x00-\x09\x0b-\x1f{_HIDDEN}]")
"""One character that a terminal acts on or that nobody sees, but for the end of a line."""


def visible(text: str, lines: bool = False) -> str:
    """Return ``text`` with every character escaped that a terminal acts on: controls, and what turns text around.

    ``lines``: it is a text of the program, whose line ends stay.
    """
    unsafe = UNSAFE_BUT_LINES if lines else _UNSAFE
    return unsafe.sub(lambda match: match.group().encode("unicode_escape", "surrogatepass").decode(), text)


def quoted(text: str, characters_max: int = QUOTED_CHARACTERS_MAX) -> str:
    """Return ``text`` between quotes, as it was typed but for :func:`visible`, and cut where it is longer."""
    shown = text if len(text) <= characters_max else f"{text[:characters_max]}…"
    return f"'{visible(shown)}'"


def count(number: int, noun: str) -> str:
    """Return ``1 log entry``, ``2 log entries`` or ``1,250 payments``."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}s"


def span(milliseconds: int) -> str:
    """Return a span of time as people say it: ``850 ms``, ``90 s``, ``12 minutes``, ``5 hours`` or ``3 days``, rounded down."""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    seconds = milliseconds // 1_000
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def nearest(wrong: str, known: Iterable[str], form: str = "{}") -> str:
    """Return the sentence that offers what was probably meant, or nothing."""
    folded = {each.lower(): each for each in known}
    close = difflib.get_close_matches(wrong.lower()[:100], folded, 1)
    return f" Did you mean {form.format(folded[close[0]])}?" if close else ""
