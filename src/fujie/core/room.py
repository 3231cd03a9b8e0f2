"""What a room hands to the machine: for every operation who may ask for it, what it costs in quota, and what it does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fujie.core.context import Context
from fujie.core.encoding import Codec, Record
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.state import Key, State


class Operation(Record):
    """Base of every operation; the tag is its permanent kind number (room × 1000 + kind)."""


class Event(Record):
    """Base of every event; the tag is its permanent kind number (room × 1000 + kind)."""


class Handler(NamedTuple):
    """The three functions of one operation; each takes ``(state, context, operation)`` and may raise ``Refused``.

    ``authorise`` reads only. ``charge`` also takes how many operations to charge; what it writes stays even when the
    transaction is refused afterwards. ``transition`` carries the operation out and returns its event. ``touches`` names
    the keys that the operation is likely to read, so that a block's reads can be done in one sorted sweep; it is a hint
    and decides nothing.
    """

    authorise: Callable[[State, Context, Any], None]
    charge: Callable[[State, Context, Any, int], None]
    transition: Callable[[State, Context, Any], Event]
    touches: Callable[[Any], tuple[Key[Any], ...]] = lambda _operation: ()


class Room(NamedTuple):
    """One version of a room's rules.

    ``part`` reads the record that ``genesis`` takes; a room that has one runs only once it was founded, with the chain or by
    vote. ``governing``: the handlers that need to know which rooms are in force, by name, in place of those in ``handlers``.

    ``begin_block`` is called before the transactions of a block that tells of misbehaviour of validators. No nonce belongs
    to what it writes, so it writes no salted leaf; it may not refuse.
    """

    name: str
    version: int
    handlers: Mapping[type[Operation], Handler]
    genesis: Callable[[State, Context, Any], None]
    begin_block: Callable[[State, Sequence[Misbehaviour]], None] | None = None
    part: Codec[Any] | None = None
    governing: "Callable[[Mapping[str, Room]], Mapping[type[Operation], Handler]] | None" = None
