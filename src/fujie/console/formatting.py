"""How values are written for people: times, amounts, hashes, ages."""

import time
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from fujie.client.amounts import format_amount
from fujie.console.language import Words


def amount(amount_minor: int | str, decimals: int | None, instrument: str) -> str:
    """Return ``1,250.00 CNY``; the bare minor units where the decimals are not known."""
    minor = int(amount_minor)
    if decimals is None:
        return f"{minor:,} × {instrument} (minor)"
    sign = "−" if minor < 0 else ""
    whole, point, fraction = format_amount(abs(minor), decimals).partition(".")
    return f"{sign}{int(whole):,}{point}{fraction} {instrument}".rstrip()


def number(value: Any) -> str:
    """Return an integer with separators; a dash where there is none."""
    return "–" if value is None else f"{int(value):,}"


def offset(minutes: int | str) -> str:
    """Return an offset from UTC as people write it: ``+08:00``, ``−03:30``."""
    hours, rest = divmod(abs(int(minutes)), 60)
    return f"{'−' if int(minutes) < 0 else '+'}{hours:02d}:{rest:02d}"


def utc(time_ms: int | str) -> str:
    """Return a time for people, to the second, in UTC."""
    try:
        return datetime.fromtimestamp(int(time_ms) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def iso(time_ms: int | str) -> str:
    """Return a time as ``<time datetime>`` wants it; empty where it is out of reach."""
    try:
        return datetime.fromtimestamp(int(time_ms) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def now_ms() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


def ago(words: Words, time_ms: int | str) -> str:
    """Return how long ago a time was, roughly: ``3 minutes ago``."""
    seconds = max(0, now_ms() - int(time_ms)) // 1000
    if seconds < 2:
        return words("ago.now")
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return words(f"ago.{unit}", n=seconds // size)
    return words("ago.second", n=seconds)


def moment(words: Words, time_ms: int | str | None, relative: bool = True) -> Markup:
    """Return a ``<time>`` element: the full time, or how long ago it was with the full time as its title."""
    if time_ms is None:
        return Markup("–")
    full = utc(time_ms)
    if not relative:
        return Markup('<time datetime="{}">{}</time>').format(iso(time_ms), full)
    text = ago(words, time_ms)
    return Markup('<time datetime="{}" data-ago="{}" title="{}">{}</time>').format(iso(time_ms), time_ms, full, text)


def short(text: str, keep: int = 8) -> str:
    """Return the beginning of a hash, and that there is more."""
    return text if len(text) <= keep + 4 else f"{text[:keep]}…"


def digest(words: Words, text: str, keep: int = 0, copy: bool = True) -> Markup:
    """Return a hash as HTML: shortened to ``keep`` characters (0: whole), with a button that copies all of it."""
    shown = short(text, keep) if keep else text
    button = Markup("")
    if copy:
        button = Markup('<button type="button" class="copy" data-copy="{}" aria-label="{}" hidden></button>').format(
            text, words("frame.copy")
        )
    return Markup('<code class="hash" title="{}">{}</code>{}').format(text, shown, button)


def duration(words: Words, milliseconds: int) -> str:
    """Return a span of time: ``3.2 s``, ``4 min``, ``30 days``."""
    seconds = max(0, milliseconds) / 1000
    if seconds < 10:
        return words("span.seconds", n=f"{seconds:.1f}")
    if seconds < 120:
        return words("span.seconds", n=int(seconds))
    if seconds < 2 * 3_600:
        return words("span.minutes", n=int(seconds // 60))
    if seconds < 2 * 86_400:
        return words("span.hours", n=int(seconds // 3_600))
    return words("span.days", n=int(seconds // 86_400))
