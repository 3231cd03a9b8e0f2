"""The rules of membership, version 1: for every operation who may ask for it, what it is charged, what it does."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.room import Event, Handler, Operation, Room
from fujie.core.state import Key, State
from fujie.modules.membership import queries, state_keys
from fujie.modules.membership.genesis import found
from fujie.modules.membership.operations import OpenAccount, Propose, RotateKeys, Vote, Withdraw
from fujie.modules.membership.queries import Role
from fujie.modules.membership.transitions.accounts import open_account, rotate_keys
from fujie.modules.membership.transitions.misbehaviour import record_misbehaviour
from fujie.modules.membership.transitions.proposals import propose, vote, withdraw

__all__ = ["HANDLERS", "ROOM_V1"]

Touches = Callable[[Any], tuple[Key[Any], ...]]


def _handler(transition: Callable[[State, Context, Any], Event], role: Role | None, touches: Touches) -> Handler:
    """Return the handler of an operation whose field ``account`` names who acts and is charged."""

    def authorise(state: State, context: Context, operation: Any) -> None:
        queries.authorise_account(state, context, operation.account, role)

    def charge(state: State, context: Context, operation: Any, count: int) -> None:
        queries.charge_account(state, context, operation.account, count)

    return Handler(authorise, charge, transition, touches)


def _touches_account(operation: RotateKeys) -> tuple[Key[Any], ...]:
    return queries.touched_by(operation.account)


def _touches_new_account(operation: OpenAccount) -> tuple[Key[Any], ...]:
    return (*queries.touched_by(operation.account), state_keys.account(operation.name))


def _touches_proposal(operation: Propose | Vote | Withdraw) -> tuple[Key[Any], ...]:
    return (*queries.touched_by(operation.account), state_keys.proposal(operation.id))


HANDLERS: Final[Mapping[type[Operation], Handler]] = MappingProxyType(
    {
        OpenAccount: _handler(open_account, None, _touches_new_account),
        RotateKeys: _handler(rotate_keys, None, _touches_account),
        Propose: _handler(propose, Role.GOVERNOR, _touches_proposal),
        Vote: _handler(vote, Role.GOVERNOR, _touches_proposal),
        Withdraw: _handler(withdraw, None, _touches_proposal),
    }
)


def governing(rooms: Mapping[str, Room]) -> dict[type[Operation], Handler]:
    """Return the handlers that need to know which rooms are in force: a vote may found one of them."""
    return {Vote: HANDLERS[Vote]._replace(transition=partial(vote, rooms=rooms))}


ROOM_V1: Final = Room("membership", 1, HANDLERS, found, record_misbehaviour, governing=governing)
