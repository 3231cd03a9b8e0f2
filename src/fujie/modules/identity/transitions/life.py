"""The life of an identifier after its allocation: its record, its controllers, suspension, and its end."""

from itertools import pairwise
from typing import Any

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.state import State
from fujie.core.versions import succeed
from fujie.modules.identity import events, queries, state_keys
from fujie.modules.identity.operations import Restore, Retire, RotateControllers, Suspend, UpdateRecord
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import Attributes, Identity, Status
from fujie.modules.identity.transitions import aliases, authority


def update_record(state: State, context: Context, operation: UpdateRecord) -> events.RecordUpdated:
    """Replace what a record says.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED, VERSION_NUMBER_DIFFERS,
    ATTRIBUTES_NOT_ASCENDING, WITHIN_UNKNOWN, NAME_FIXED_BY_CODEBOOK, IDENTIFIER_WOULD_NOT_CHANGE.
    """
    record = _controlled(state, operation)
    if operation.number != record.standing.number:
        raise Refused(IdentityReason.VERSION_NUMBER_DIFFERS)
    require_ascending(operation.attributes)
    within = operation.within
    if within and (within == record.identifier or queries.identity(state, within) is None):
        raise Refused(IdentityReason.WITHIN_UNKNOWN)
    if record.evidence is not None and operation.name != record.name:
        raise Refused(IdentityReason.NAME_FIXED_BY_CODEBOOK)
    said = (record.name, record.attributes, record.content, record.within)
    if said == (operation.name, operation.attributes, operation.content, within):
        raise Refused(IdentityReason.IDENTIFIER_WOULD_NOT_CHANGE)
    # From here nothing may refuse.
    number = _replace(
        state,
        context,
        record,
        name=operation.name,
        attributes=operation.attributes,
        content=operation.content,
        within=within,
    )
    return events.RecordUpdated(record.identifier, number)


def rotate_controllers(state: State, context: Context, operation: RotateControllers) -> events.ControllersRotated:
    """Name other controllers. An announced recovery lapses: whoever can rotate has not lost the keys.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED, CONTROLLER_POLICY_UNSOUND,
    IDENTIFIER_WOULD_NOT_CHANGE.
    """
    record = _controlled(state, operation)
    authority.require_sound(operation.controllers)
    if operation.controllers == record.controllers:
        raise Refused(IdentityReason.IDENTIFIER_WOULD_NOT_CHANGE)
    # From here nothing may refuse.
    number = _replace(state, context, record, controllers=operation.controllers, recovery=None)
    return events.ControllersRotated(record.identifier, number)


def retire(state: State, context: Context, operation: Retire) -> events.Retired:
    """Retire an identifier for ever. Its record stays as the tombstone, with its history.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED, CHILDREN_LIVE.
    """
    record = _controlled(state, operation)
    below = queries.usage(state, record.identifier)
    if below.allocated > below.retired:
        raise Refused(IdentityReason.CHILDREN_LIVE)
    # From here nothing may refuse.
    for name in record.aliases:
        aliases.release(state, context, name)
    _replace(state, context, record, status=Status.RETIRED, aliases=(), recovery=None)
    prefix = queries.above(record.identifier)
    level = queries.usage(state, prefix)
    state.put(state_keys.usage(prefix), replace(level, retired=level.retired + 1))
    return events.Retired(record.identifier, len(record.aliases))


def suspend(state: State, context: Context, operation: Suspend) -> events.Suspended:
    """Suspend an identifier. What stands under it goes on.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED.
    """
    authority.require_acting(state, authority.of_level_above(state, operation), operation.identifier)
    record = authority.known(state, operation.identifier)
    authority.require_active(record)
    # From here nothing may refuse.
    _replace(state, context, record, status=Status.SUSPENDED)
    return events.Suspended(record.identifier)


def restore(state: State, context: Context, operation: Restore) -> events.Restored:
    """End a suspension. Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_NOT_SUSPENDED."""
    authority.require_acting(state, authority.of_level_above(state, operation), operation.identifier)
    record = authority.known(state, operation.identifier)
    authority.require_unretired(record)
    if record.status is not Status.SUSPENDED:
        raise Refused(IdentityReason.IDENTIFIER_NOT_SUSPENDED)
    # From here nothing may refuse.
    _replace(state, context, record, status=Status.ACTIVE)
    return events.Restored(record.identifier)


def require_ascending(attributes: Attributes) -> None:
    """Refuse with ATTRIBUTES_NOT_ASCENDING."""
    if any(a[0] >= b[0] for a, b in pairwise(attributes)):
        raise Refused(IdentityReason.ATTRIBUTES_NOT_ASCENDING)


def _controlled(state: State, operation: UpdateRecord | RotateControllers | Retire) -> Identity:
    """Return the record of an identifier whose controllers act.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED.
    """
    authority.require_acting(state, authority.of_identifier(state, operation), operation.identifier)
    record = authority.known(state, operation.identifier)
    authority.require_active(record)
    return record


def _replace(state: State, context: Context, record: Identity, **changes: Any) -> int:
    """Write the next version of a record and return its number."""
    standing = succeed(state, context, record, state_keys.IDENTITY)
    state.put(state_keys.identity(record.identifier), replace(record, standing=standing, **changes))
    return standing.number
