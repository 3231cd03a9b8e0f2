"""Which rules are in force at which height.

The state says which version of a room's rules is active from which height (``membership`` activates it by vote); this
table says which versions this binary knows. A binary never runs past a height whose rules it lacks.
"""

from collections.abc import Mapping
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.room import Handler, Operation, Room
from fujie.core.state import StateRead
from fujie.modules.currency.transitions import ROOM_V1 as CURRENCY_V1
from fujie.modules.identity.transitions import ROOM_V1 as IDENTITY_V1
from fujie.modules.membership import queries as membership
from fujie.modules.membership.transitions import ROOM_V1 as MEMBERSHIP_V1

Handlers = Mapping[type[Operation], Handler]


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


class Schedule:
    """The rule versions a binary knows: room name → version → :class:`Room`."""

    def __init__(self, rooms: Mapping[str, Mapping[int, Room]]) -> None:
        self.rooms = rooms
        self._merged: dict[tuple[tuple[str, int], ...], dict[type[Operation], Handler]] = {}

    def active(self, state: StateRead, height: int) -> tuple[tuple[str, int], ...]:
        """Return (room, version) of every room that runs at ``height``, by the state as it stands before that block.

        Raises :class:`UnknownRules` when one of them is not in this binary, also for a room it has never heard of.
        """
        running = []
        for name in membership.room_names(state):
            version = membership.active_version(state, name, height)
            if version == 0:
                continue
            if version not in self.rooms.get(name, {}):
                raise UnknownRules(name, version, height)
            running.append((name, version))
        return tuple(running)

    def running(self, state: StateRead, height: int) -> tuple[Room, ...]:
        """Return the rules of every room that runs at ``height``, by name of the room. Errors as :meth:`active`."""
        return tuple(self.rooms[name][version] for name, version in self.active(state, height))

    def handlers(self, state: StateRead, height: int) -> Handlers:
        """Return the handler of every operation that the chain accepts at ``height``. Errors as :meth:`active`."""
        running = self.active(state, height)
        merged = self._merged.get(running)
        if merged is None:
            merged = {}
            for name, version in running:
                merged.update(self.rooms[name][version].handlers)
            self._merged[running] = merged
        return merged


SCHEDULE: Final = Schedule(
    {
        "membership": {1: MEMBERSHIP_V1},
        "identity": {1: IDENTITY_V1},
        "currency": {1: CURRENCY_V1},
    }
)
