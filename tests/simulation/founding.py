"""The chain that is simulated: its genesis with several validators, and the rules of an older and a newer program."""

from functools import cache
from typing import Any, Final

from fujie.core.errors import Refused
from fujie.core.room import Room
from fujie.core.signing import Signer
from fujie.machine.genesis import Genesis
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.transitions import ROOM_V1
from fujie.modules.membership.records import SetValidator
from tests import world
from tests.world import VALIDATOR, WALLETS, MemoryChain, funded

POWER: Final = 10  # of each validator at the start
POISON_MINOR: Final = 13  # a payment of so much raises what no rule may raise
OUTDATED_MINOR: Final = 17  # a payment of so much is refused by the newer rules
FUNDS_MINOR: Final = WALLETS * world.FUNDS_MINOR  # what all wallets hold together, always


def validator(number: int) -> Signer:
    """The key of validator ``number``."""
    return VALIDATOR if number == 0 else world.signer(f"validator {number}")


@cache
def founding(validators: int) -> Genesis:
    """The genesis of a chain with so many validators and wallets that hold money."""
    chain = MemoryChain(funded())
    for number in range(1, validators):
        action = SetValidator(validator(number).public_key, POWER, "world")
        for raw in chain.signing.decide(action, number):
            chain.carry_out(raw)
    return chain.export()


def _currency(version: int, handlers: Any, refused_minor: int | None) -> Room:
    """Rules under which a payment of one amount raises what no rule may raise, and one of another is refused."""
    handler = handlers[Pay]

    def pay(state: Any, context: Any, operation: Pay) -> Any:
        if operation.amount_minor == POISON_MINOR:
            raise ZeroDivisionError("a fault of the program")
        if operation.amount_minor == refused_minor:
            raise Refused(CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED)
        return handler.transition(state, context, operation)

    return Room("currency", version, {**handlers, Pay: handler._replace(transition=pay)}, ROOM_V1.genesis)


_FIRST: Final = _currency(1, ROOM_V1.handlers, None)
_SECOND: Final = _currency(2, ROOM_V1.handlers, OUTDATED_MINOR)

OLDER: Final = Schedule({**SCHEDULE.rooms, "currency": {1: _FIRST}})
NEWER: Final = Schedule({**SCHEDULE.rooms, "currency": {1: _FIRST, 2: _SECOND}})
