"""Who must sign, who is charged, and whether whoever signs may act at all.

A bulk operation is charged as one operation: a transaction is bounded in bytes and items, every item ends in the quota of
its prefix, and a registrar that starts with thousands of entries is what bulk operations are for. The meter belongs to
whoever authorised, so the holder of one identifier cannot use up the minute of its registrar.
"""

from typing import Any

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.meter import charged
from fujie.core.policy import KeyPolicy
from fujie.core.reasons import TransactionReason
from fujie.core.state import State
from fujie.modules.identity import queries, state_keys
from fujie.modules.identity.queries import Authority
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import Identity, Status
from fujie.modules.membership import queries as membership

# Who authorises an operation: one of these stands beside each operation in the room's table.


def of_namespace(state: State, operation: Any) -> Authority:
    """Return the registrar of ``operation.namespace``. Refuses as ``queries.registrar``."""
    return queries.registrar(state, operation.namespace)


def of_level_above(state: State, operation: Any) -> Authority:
    """Return the registrar of the level above ``operation.identifier``. Refuses with IDENTIFIER_UNKNOWN."""
    known(state, operation.identifier)
    return queries.registrar(state, queries.above(operation.identifier))


def of_identifier(state: State, operation: Any) -> Authority:
    """Return who controls ``operation.identifier``. Refuses with IDENTIFIER_UNKNOWN."""
    return queries.controller(state, operation.identifier)


def of_prefix(state: State, operation: Any) -> Authority:
    """Return who controls ``operation.prefix``, an identifier or the agency. Refuses as ``queries.controller``."""
    return queries.controller(state, operation.prefix)


def of_agency(state: State, _operation: Any) -> Authority:
    """Return the root authority."""
    return queries.controller(state, queries.agency(state).agency)


# What is asked of the authority.


def authorise(state: State, context: Context, authority: Authority) -> None:
    """Refuse with POLICY_NOT_SATISFIED; for the root authority as ``membership.authorise_account``."""
    if authority.account:
        membership.authorise_account(state, context, authority.account, membership.Role.ROOT_AUTHORITY)
    elif not authority.policy.satisfied_by(context.signers):
        raise Refused(TransactionReason.POLICY_NOT_SATISFIED)


def charge(state: State, context: Context, authority: Authority, count: int) -> None:
    """Charge ``count`` operations to whoever authorised. Refuses with QUOTA_EXCEEDED."""
    if authority.account:
        membership.charge_account(state, context, authority.account, count)
        return
    limit = membership.parameters(state).operations_per_minute
    used = queries.usage(state, authority.prefix)
    meter = charged(used.meter, context.time_ms, count, limit)
    state.put(state_keys.usage(authority.prefix), replace(used, meter=meter))


def require_acting(state: State, authority: Authority, subject: str) -> None:
    """Refuse with AUTHORITY_NOT_ACTIVE when whoever authorised is suspended or retired.

    Where that is the ``subject`` of the operation itself, its state is judged with reasons of its own.
    """
    if authority.account or authority.prefix == subject:
        return
    if not queries.is_live(state, authority.prefix):
        raise Refused(IdentityReason.AUTHORITY_NOT_ACTIVE)


def known(state: State, identifier: str) -> Identity:
    """Return the record of an identifier. Refuses with IDENTIFIER_UNKNOWN."""
    found = queries.identity(state, identifier)
    if found is None:
        raise Refused(IdentityReason.IDENTIFIER_UNKNOWN)
    return found


def require_active(record: Identity) -> None:
    """Refuse with IDENTIFIER_RETIRED, then IDENTIFIER_SUSPENDED."""
    require_unretired(record)
    if record.status is Status.SUSPENDED:
        raise Refused(IdentityReason.IDENTIFIER_SUSPENDED)


def require_unretired(record: Identity) -> None:
    """Refuse with IDENTIFIER_RETIRED."""
    if record.status is Status.RETIRED:
        raise Refused(IdentityReason.IDENTIFIER_RETIRED)


def require_sound(policy: KeyPolicy | None) -> None:
    """Refuse with CONTROLLER_POLICY_UNSOUND."""
    if policy is not None and not policy.is_sound():
        raise Refused(IdentityReason.CONTROLLER_POLICY_UNSOUND)
