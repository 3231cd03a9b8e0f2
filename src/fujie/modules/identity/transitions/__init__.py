"""The rules of identity, version 1: for every operation who authorises it, what it touches, and what it does."""

from collections.abc import Callable
from typing import Any, Final

from fujie.core.context import Context
from fujie.core.room import Event, Handler, Operation, Room
from fujie.core.state import Key, State
from fujie.modules.identity import operations, queries, state_keys
from fujie.modules.identity.genesis import GENESIS, found
from fujie.modules.identity.queries import Authority
from fujie.modules.identity.transitions import aliases, allocation, authority, codebooks, delegation, life

Who = Callable[[State, Any], Authority]
Transition = Callable[[State, Context, Any], Event]
Touches = Callable[[Any], tuple[Key[Any], ...]]


def _handler(who: Who, transition: Transition, touches: Touches) -> Handler:
    """Return the three functions of an operation that ``who`` authorises and pays for."""

    def authorise(state: State, context: Context, operation: Operation) -> None:
        authority.authorise(state, context, who(state, operation))

    def charge(state: State, context: Context, operation: Operation, count: int) -> None:
        authority.charge(state, context, who(state, operation), count)

    return Handler(authorise, charge, transition, touches)


def _level(prefix: str) -> tuple[Key[Any], ...]:
    return state_keys.identity(prefix), state_keys.namespace(prefix), state_keys.usage(prefix)


def _of_allocation(operation: Any) -> tuple[Key[Any], ...]:
    """The prefix, and where the node is known the new identifier. Hints only: entries are not resolved here."""
    keys = _level(operation.namespace)
    if isinstance(operation, operations.AllocateFromCodebook):
        return (*keys, state_keys.codebook(operation.edition))
    items = (operation.item,) if isinstance(operation, operations.Allocate) else operation.items
    named = (item.node for item in items if isinstance(item, operations.NamedItem))
    return (*keys, *(state_keys.identity(f"{operation.namespace}.{node}") for node in named))


def _of_identifier(operation: Any) -> tuple[Key[Any], ...]:
    return (*_level(operation.identifier), *_level(queries.above(operation.identifier)))


def _of_prefix(operation: Any) -> tuple[Key[Any], ...]:
    return _level(operation.prefix)


def _of_alias(operation: Any) -> tuple[Key[Any], ...]:
    return (*_of_identifier(operation), state_keys.alias(operation.scheme, operation.code))


def _of_edition(operation: Any) -> tuple[Key[Any], ...]:
    return state_keys.AGENCY_KEY, state_keys.codebook(operation.edition)


ROOM_V1: Final = Room(
    "identity",
    1,
    {
        operations.RegisterCodebook: _handler(authority.of_agency, codebooks.register_codebook, _of_edition),
        operations.WithdrawCodebook: _handler(authority.of_agency, codebooks.withdraw_codebook, _of_edition),
        operations.Allocate: _handler(authority.of_namespace, allocation.allocate, _of_allocation),
        operations.AllocateMany: _handler(authority.of_namespace, allocation.allocate_many, _of_allocation),
        operations.AllocateFromCodebook: _handler(
            authority.of_namespace, allocation.allocate_from_codebook, _of_allocation
        ),
        operations.Delegate: _handler(authority.of_level_above, delegation.delegate, _of_identifier),
        operations.AmendDelegation: _handler(authority.of_level_above, delegation.amend_delegation, _of_identifier),
        operations.RotateRegistrar: _handler(authority.of_prefix, delegation.rotate_registrar, _of_prefix),
        operations.RotateControllers: _handler(authority.of_identifier, life.rotate_controllers, _of_identifier),
        operations.UpdateRecord: _handler(authority.of_identifier, life.update_record, _of_identifier),
        operations.Retire: _handler(authority.of_identifier, life.retire, _of_identifier),
        operations.Suspend: _handler(authority.of_level_above, life.suspend, _of_identifier),
        operations.Restore: _handler(authority.of_level_above, life.restore, _of_identifier),
        operations.BindAlias: _handler(authority.of_level_above, aliases.bind_alias, _of_alias),
        operations.ReleaseAlias: _handler(authority.of_level_above, aliases.release_alias, _of_alias),
    },
    found,
    part=GENESIS,
)
