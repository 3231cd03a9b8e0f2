"""The rules of the currency room, version 1: for every operation who may ask, whom it is charged to, what it does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from fujie.core.room import Handler, Operation, Room
from fujie.modules.currency.genesis import GENESIS, found
from fujie.modules.currency.transitions import payments, policy, supply, wallets

__all__ = ["HANDLERS", "ROOM_V1"]

HANDLERS: Final[Mapping[type[Operation], Handler]] = MappingProxyType(
    {**policy.HANDLERS, **supply.HANDLERS, **wallets.HANDLERS, **payments.HANDLERS}
)

ROOM_V1: Final = Room("currency", 1, HANDLERS, found, part=GENESIS)
