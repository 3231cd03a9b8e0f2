"""A newer Fujie: everything as in this one, and a second version of the rules of currency.

As a module it is what tests hand to a machine or an engine (``NEWER``). As a program, ``python -m tests.newer ARGUMENTS``, it
is ``fujie ARGUMENTS`` of that newer version: what a person has after installing it, while ``fujie`` is what they had before.
"""

from typing import Final

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.room import Room
from fujie.core.state import State
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.currency.events import Paid
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.transitions import ROOM_V1
from fujie.modules.currency.transitions.payments import HANDLERS as PAYMENTS
from fujie.modules.currency.transitions.payments import pay as pay_v1

LEAST_MINOR: Final = 100


def pay_v2(state: State, context: Context, operation: Pay) -> Paid:
    """As in version 1, but pennies are not worth a payment."""
    if operation.amount_minor < LEAST_MINOR:
        raise Refused(CurrencyReason.AMOUNT_IS_ZERO)
    return pay_v1(state, context, operation)


CURRENCY_V2: Final = Room(
    "currency", 2, {**ROOM_V1.handlers, Pay: PAYMENTS[Pay]._replace(transition=pay_v2)}, ROOM_V1.genesis
)
NEWER: Final = Schedule({**SCHEDULE.rooms, "currency": {1: ROOM_V1, 2: CURRENCY_V2}})
"""What a newer program knows: the same rooms, and a second version of the currency's rules."""


def main() -> None:
    """Run ``fujie`` with the newer rules, in this process and for everything that it imports."""
    from fujie.cli import main as fujie

    SCHEDULE.rooms = NEWER.rooms
    fujie()


if __name__ == "__main__":
    main()
