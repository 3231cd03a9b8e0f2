"""A machine with a fault: a payment that raises what no rule may raise."""

from collections.abc import Callable
from typing import Any

from fujie.core.room import Room
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.transitions import ROOM_V1


def failing_schedule(fails: Callable[[Any, Pay], bool]) -> Schedule:
    """The schedule with a payment that raises where ``fails(state, operation)``."""
    handler = ROOM_V1.handlers[Pay]

    def pay_or_fail(state: Any, context: Any, operation: Pay) -> Any:
        if fails(state, operation):
            raise ZeroDivisionError("a fault of the program")
        return handler.transition(state, context, operation)

    room = Room("currency", 1, {**ROOM_V1.handlers, Pay: handler._replace(transition=pay_or_fail)}, ROOM_V1.genesis)
    return Schedule({**SCHEDULE.rooms, "currency": {1: room}})
