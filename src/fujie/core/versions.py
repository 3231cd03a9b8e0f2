"""The version chain: how one proof under today's root proves every past state of a record (docs/spec/04-proofs.md).

The record that stands in state knows since when it stands, when its subject was created, and the digests of two older
versions: the previous one and one further back. Old versions are kept by digest. Following the links from today's
record reaches the version in force at any time T; a creation after T proves absence at T.

The further link of version n leads to ``skip_target(n)``, chosen so that any version is reached in O(log n) links.
"""

from typing import Protocol, TypeVar

from fujie.core.context import Context
from fujie.core.encoding import Codec, Record
from fujie.core.state import State
from fujie.core.units import Count, Height, OptionalDigest, TimeMs


class Standing(Record, tag=1):
    """Where a versioned record stands in its own history. ``number`` starts at 1; links of version 1 are empty."""

    number: Count
    since_height: Height
    since_ms: TimeMs
    created_height: Height
    created_ms: TimeMs
    previous: OptionalDigest
    skip: OptionalDigest


class Versioned(Protocol):
    """A record with a history."""

    @property
    def standing(self) -> Standing:
        """Where this version stands."""
        ...


V = TypeVar("V", bound=Record)


def first(context: Context) -> Standing:
    """Return the standing of a record that is created now."""
    return Standing(1, context.height, context.time_ms, context.height, context.time_ms, b"", b"")


def skip_target(number: int) -> int:
    """Return the version that the further link of version ``number`` leads to; 0 means none.

    Write ``number`` as a sum of weights 2^k - 1, largest first, and drop the last one (Myers 1983, "An applicative
    random-access stack"). Any of n versions is then reached in O(log n) links (31 at
    most among 10,000 versions), with no more than two links stored in each.
    """
    rest = number
    weight = 0
    while rest:
        weight = (1 << ((rest + 1).bit_length() - 1)) - 1
        rest -= weight
    return number - weight


def succeed(state: State, context: Context, record: V, codec: Codec[V]) -> Standing:
    """Archive ``record``, a versioned record about to be replaced, and return the standing of its successor."""
    old: Standing = record.standing  # type: ignore[attr-defined]  # V is a Record that satisfies Versioned
    previous = state.archive(record)
    number = old.number + 1
    target = skip_target(number)
    skip = b""
    if target:
        skip = previous if target == old.number else _digest_of(state, old, target, codec)
    return Standing(number, context.height, context.time_ms, old.created_height, old.created_ms, previous, skip)


def _digest_of(state: State, standing: Standing, target: int, codec: Codec[V]) -> bytes:
    """Return the digest of version ``target``, older than ``standing``, by following links."""
    version = b""
    while standing.number > target:
        version = standing.skip if skip_target(standing.number) >= target and standing.skip else standing.previous
        data = state.archived(version)
        assert data is not None, "an old version that is linked is always archived"
        standing = codec.decode_trusted(data).standing  # type: ignore[attr-defined]  # as above
    return version
