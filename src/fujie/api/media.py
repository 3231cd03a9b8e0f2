"""Media types of the interface, and how a request chooses among them.

Canonical bytes have types of their own (``application/vnd.fujie.…``), people get JSON. What comes in is told by
``Content-Type``, what goes out by ``Accept`` (RFC 9110, section 12.5.1).
"""

from collections.abc import Sequence
from typing import Final

from fujie.api.problems import Kind, Problem

TRANSACTIONS: Final = "application/vnd.fujie.transactions+msgpack"  # array of signed transactions, as byte strings
OUTCOMES: Final = (
    "application/vnd.fujie.outcomes+msgpack"  # array of [transaction id, code, receipt or nil, index or nil]
)
READ: Final = "application/vnd.fujie.read+msgpack"  # [[query, …], grant or nil, time in ms or nil]
BUNDLE: Final = "application/vnd.fujie.bundle"  # proof.bundle.Bundle, as in a .fujie file
LIGHT_BLOCK: Final = "application/vnd.fujie.light-block"  # tendermint.types.LightBlock
GENESIS: Final = "application/vnd.fujie.genesis"  # machine.genesis.Genesis
REPLICATION: Final = "application/vnd.fujie.replication+msgpack"  # array of [light block, [signed transaction, …]]
JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"  # RFC 9457


def sent_type(content_type: str | None, accepted: Sequence[str]) -> str:
    """Return which of the ``accepted`` media types a body has.

    Refuses anything else, also a body without type: guessing what bytes mean is how parsers get confused.
    """
    media = (content_type or "").partition(";")[0].strip().lower()
    if media not in accepted:
        raise Problem(Kind.MEDIA_TYPE_UNSUPPORTED, f"Send the body as {' or '.join(accepted)}, and say so.")
    return media


def wanted_type(accept: str | None, offered: Sequence[str]) -> str:
    """Return which of the ``offered`` media types suits ``accept`` best; the first when it has no preference."""
    if not accept:
        return offered[0]
    ranges = [_parse_range(part) for part in accept.split(",")]
    best = max(offered, key=lambda media: _quality(media, ranges))  # the first of equals
    if _quality(best, ranges) <= 0:
        raise Problem(Kind.NOT_ACCEPTABLE, f"This answer exists as {' and '.join(offered)}; accept one of them.")
    return best


def _parse_range(part: str) -> tuple[str, float]:
    """Return media range and weight of one element of an Accept header; a weight that is none counts as 0."""
    media, _, parameters = part.partition(";")
    quality = 1.0
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return media.strip().lower(), quality if 0.0 <= quality <= 1.0 else 0.0


def _quality(media: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the weight of the most specific range that covers ``media``."""
    family = media.partition("/")[0] + "/*"
    for wanted in (media, family, "*/*"):
        found = [quality for name, quality in ranges if name == wanted]
        if found:
            return max(found)
    return 0.0
