"""What a check of the whole state finds, and how a room takes part in it (`fujie check`).

An invariant is a sentence in a room's README.md that every state must satisfy. A check is a single pass over all leaves,
of which there may be millions: each leaf is shown to the checker of every room, and the findings are asked for at the end.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from fujie.core.encoding import Record


class Finding(NamedTuple):
    """One place where the state contradicts an invariant."""

    invariant: str  # name of the invariant, as in the room's README.md
    path: str  # path of the leaf that shows it
    detail: str  # what stands there and what should, for people


class InvariantChecker(Protocol):
    """The invariants of one room over one state. Made for one pass; pure; keeps no more than the invariants need.

    The caller shows every leaf exactly once, in any order, and only then asks for the findings. A checker neither reads
    nor writes anything else, and a leaf of another room is none of its business: it passes over it.
    """

    def see(self, path: str, record: Record) -> None:
        """Take one leaf of the state into account. Never raises for a record that its codec has decoded."""
        ...

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong: findings of single leaves in the order seen, then those that need the whole state."""
        ...
