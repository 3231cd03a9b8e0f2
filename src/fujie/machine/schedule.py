"""Which rules are in force at which height.

The state says which version of a room's rules is active from which height (``membership`` activates it by vote); this
table says which versions this binary knows. A binary never runs past a height whose rules it lacks.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.core.room import Handler, Operation, Room
from fujie.core.state import StateRead
from fujie.core.wording import count
from fujie.modules.currency.transitions import ROOM_V1 as CURRENCY_V1
from fujie.modules.identity.transitions import ROOM_V1 as IDENTITY_V1
from fujie.modules.membership import queries as membership
from fujie.modules.membership.transitions import ROOM_V1 as MEMBERSHIP_V1

Handlers = Mapping[type[Operation], Handler]


UPGRADE: Final = "The node stops before that block: install a version of Fujie that knows them, and start it again."


class ComingRules(NamedTuple):
    """A version of a room's rules that is in force from ``from_height`` on: decided by vote."""

    room: str
    version: int
    from_height: int


class UnknownRules(OperationalError):
    """The chain activates rules that this binary does not have. Nothing of the block was carried out."""

    def __init__(self, room: str, version: int, height: int) -> None:
        super().__init__(
            f"From block {height} on this chain runs version {version} of the rules of '{room}', "
            "which this installation of Fujie does not know.",
            "Install a version of Fujie that does and start again; the data folder is intact up to the block before.",
        )
        self.room = room
        self.version = version
        self.height = height


def lacking_text(rules: ComingRules, height: int) -> str:
    """Return what to tell people of rules that a program lacks, after block ``height``."""
    ahead = rules.from_height - height
    return (
        f"From block {rules.from_height:,} on, {count(ahead, 'block')} ahead, this chain runs version {rules.version} of "
        f"the rules of '{rules.room}', which this installation of Fujie does not know. {UPGRADE}"
    )


def coming(state: membership.Readable, height: int) -> tuple[ComingRules, ...]:
    """Return what is decided and not in force yet after block ``height``, in the order of heights."""
    return tuple(
        sorted(
            (
                ComingRules(name, entry.version, entry.from_height)
                for name in membership.room_names(state)
                if (rules := membership.rules(state, name)) is not None
                for entry in rules.versions
                if entry.from_height > height
            ),
            key=lambda each: (each.from_height, each.room),
        )
    )


class Schedule:
    """The rule versions a binary knows: room name → version → :class:`Room`."""

    def __init__(self, rooms: Mapping[str, Mapping[int, Room]]) -> None:
        self.rooms = rooms
        # By (room, version) of those in force, and which of them have begun.
        self._merged: dict[tuple[tuple[tuple[str, int], ...], tuple[str, ...]], dict[type[Operation], Handler]] = {}

    def active(self, state: membership.Readable, height: int) -> tuple[tuple[str, int], ...]:
        """Return (room, version) of every room that runs at ``height``, by the state as it stands before that block.

        Raises :class:`UnknownRules` when one of them is not in this binary, also for a room it has never heard of.
        """
        running = []
        for name in membership.room_names(state):
            version = membership.active_version(state, name, height)
            if version == 0:
                continue
            if not self.knows(name, version):
                raise UnknownRules(name, version, height)
            running.append((name, version))
        return tuple(running)

    def knows(self, room: str, version: int) -> bool:
        """Tell whether this binary can run a room under a version of its rules; 0, not running it, any can."""
        return version == 0 or version in self.rooms.get(room, {})

    def newest(self, room: str) -> int:
        """Return the newest version of a room's rules that this binary has, 0 for a room that it lacks."""
        return max(self.rooms.get(room, {}), default=0)

    def lacking(self, state: membership.Readable, height: int) -> tuple[ComingRules, ...]:
        """Return what is decided for after block ``height`` and not in this binary, in the order of heights."""
        return tuple(each for each in coming(state, height) if not self.knows(each.room, each.version))

    def running(self, state: StateRead, height: int) -> tuple[Room, ...]:
        """Return the rules of every room that runs at ``height``, by name of the room. Errors as :meth:`active`."""
        return tuple(self.rooms[name][version] for name, version in self.active(state, height))

    def handlers(self, state: StateRead, height: int) -> Handlers:
        """Return the handler of every operation that the chain accepts at ``height``: of rooms in force that have begun.

        Errors as :meth:`active`.
        """
        active = self.active(state, height)
        rooms = {name: self.rooms[name][version] for name, version in active}
        begun = tuple(name for name, room in rooms.items() if room.part is None or membership.has_begun(state, name))
        merged = self._merged.get((active, begun))
        if merged is None:
            merged = {}
            for name in begun:
                merged.update(rooms[name].handlers)
                governing = rooms[name].governing
                if governing is not None:
                    merged.update(governing(rooms))
            self._merged[active, begun] = merged
        return merged


SCHEDULE: Final = Schedule(
    {
        "membership": {1: MEMBERSHIP_V1},
        "identity": {1: IDENTITY_V1},
        "currency": {1: CURRENCY_V1},
    }
)
