"""Delegation: on what terms, and by whom, identifiers are given out under a prefix."""

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.state import State
from fujie.core.versions import first, succeed
from fujie.modules.identity import events, queries, state_keys
from fujie.modules.identity.operations import AmendDelegation, Delegate, RotateRegistrar
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import Delegation, Namespace
from fujie.modules.identity.transitions import authority


def delegate(state: State, context: Context, operation: Delegate) -> events.Delegated:
    """Turn an identifier into a namespace.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED, then as :func:`require_terms`,
    NAMESPACE_EXISTS.
    """
    identifier = operation.identifier
    authority.require_acting(state, authority.of_level_above(state, operation), identifier)
    authority.require_active(authority.known(state, identifier))
    require_terms(state, operation.delegation)
    if queries.namespace(state, identifier) is not None:
        raise Refused(IdentityReason.NAMESPACE_EXISTS)
    # From here nothing may refuse.
    open_namespace(state, context, identifier, operation.delegation)
    return events.Delegated(identifier, operation.delegation.rule, 1)


def amend_delegation(state: State, context: Context, operation: AmendDelegation) -> events.Delegated:
    """Replace the terms of a namespace. A suspended one may be amended: so a registrar whose keys are lost is replaced.

    Refuses, in order: NAMESPACE_UNKNOWN, AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, then as :func:`require_terms`,
    RULE_FIXED, QUOTA_BELOW_ALLOCATED, IDENTIFIER_WOULD_NOT_CHANGE.
    """
    identifier, terms = operation.identifier, operation.delegation
    namespace = _delegated(state, identifier)
    authority.require_acting(state, authority.of_level_above(state, operation), identifier)
    authority.require_unretired(authority.known(state, identifier))
    require_terms(state, terms)
    allocated = queries.usage(state, identifier).allocated
    if allocated and (terms.rule, terms.width) != (namespace.terms.rule, namespace.terms.width):
        raise Refused(IdentityReason.RULE_FIXED)
    if terms.quota < allocated:
        raise Refused(IdentityReason.QUOTA_BELOW_ALLOCATED)
    if terms == namespace.terms:
        raise Refused(IdentityReason.IDENTIFIER_WOULD_NOT_CHANGE)
    # From here nothing may refuse.
    number = _replace_terms(state, context, namespace, terms)
    return events.Delegated(identifier, terms.rule, number)


def rotate_registrar(state: State, context: Context, operation: RotateRegistrar) -> events.RegistrarRotated:
    """Name another registrar.

    Refuses, in order: NAMESPACE_UNKNOWN, AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED,
    CONTROLLER_POLICY_UNSOUND, IDENTIFIER_WOULD_NOT_CHANGE.
    """
    prefix = operation.prefix
    namespace = _delegated(state, prefix)
    authority.require_acting(state, authority.of_prefix(state, operation), prefix)
    record = queries.identity(state, prefix)
    if record is not None:  # the agency has no record: it is no identifier
        authority.require_active(record)
    authority.require_sound(operation.controllers)
    if operation.controllers == namespace.terms.controllers:
        raise Refused(IdentityReason.IDENTIFIER_WOULD_NOT_CHANGE)
    # From here nothing may refuse.
    number = _replace_terms(state, context, namespace, replace(namespace.terms, controllers=operation.controllers))
    return events.RegistrarRotated(prefix, number)


def require_terms(state: State, terms: Delegation) -> None:
    """Refuse, in order: CONTROLLER_POLICY_UNSOUND, DELEGATION_UNSOUND, CODEBOOK_SERIES_UNKNOWN."""
    authority.require_sound(terms.controllers)
    if not terms.is_consistent():
        raise Refused(IdentityReason.DELEGATION_UNSOUND)
    if terms.series and state.get(state_keys.series(terms.series)) is None:
        raise Refused(IdentityReason.CODEBOOK_SERIES_UNKNOWN)


def open_namespace(state: State, context: Context, prefix: str, terms: Delegation) -> None:
    """Write a namespace that is new; the identifier may have a meter already. Nothing is checked here."""
    state.put(state_keys.namespace(prefix), Namespace(prefix, terms, first(context)))
    state.put(state_keys.usage(prefix), queries.usage(state, prefix))


def _delegated(state: State, prefix: str) -> Namespace:
    """Return the terms of a prefix. Refuses with NAMESPACE_UNKNOWN."""
    found = queries.namespace(state, prefix)
    if found is None:
        raise Refused(IdentityReason.NAMESPACE_UNKNOWN)
    return found


def _replace_terms(state: State, context: Context, namespace: Namespace, terms: Delegation) -> int:
    """Write the next version of a namespace and return its number."""
    standing = succeed(state, context, namespace, state_keys.NAMESPACE)
    state.put(state_keys.namespace(namespace.prefix), replace(namespace, terms=terms, standing=standing))
    return standing.number
