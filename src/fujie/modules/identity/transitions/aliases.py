"""Aliases: which outside code means which identifier, and since when."""

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.state import State
from fujie.core.versions import first, succeed
from fujie.modules.identity import events, queries, state_keys
from fujie.modules.identity.operations import BindAlias, ReleaseAlias
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import ALIASES_MAX, Alias, AliasName, Identity
from fujie.modules.identity.transitions import authority


def bind_alias(state: State, context: Context, operation: BindAlias) -> events.AliasBound:
    """Bind a code.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED, ALIAS_RESERVED_TO_CODEBOOK,
    ALIAS_TAKEN, ALIASES_EXHAUSTED.
    """
    identifier, scheme, code = operation.identifier, operation.scheme, operation.code
    authority.require_acting(state, authority.of_level_above(state, operation), identifier)
    record = authority.known(state, identifier)
    authority.require_active(record)
    _require_open_scheme(state, scheme)
    require_unbound(state, scheme, code)
    if len(record.aliases) >= ALIASES_MAX:
        raise Refused(IdentityReason.ALIASES_EXHAUSTED)
    # From here nothing may refuse.
    bind(state, context, identifier, scheme, code, operation.document)
    names = sorted((*record.aliases, AliasName(scheme, code)), key=_order)
    _replace_names(state, context, record, tuple(names))
    return events.AliasBound(identifier, scheme, code, context.time_ms)


def release_alias(state: State, context: Context, operation: ReleaseAlias) -> events.AliasReleased:
    """End a binding. That of a suspended identifier may be ended.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, ALIAS_RESERVED_TO_CODEBOOK, ALIAS_NOT_BOUND.
    """
    identifier, name = operation.identifier, AliasName(operation.scheme, operation.code)
    authority.require_acting(state, authority.of_level_above(state, operation), identifier)
    record = authority.known(state, identifier)
    authority.require_unretired(record)
    _require_open_scheme(state, name.scheme)
    if name not in record.aliases:
        raise Refused(IdentityReason.ALIAS_NOT_BOUND)
    # From here nothing may refuse.
    release(state, context, name)
    _replace_names(state, context, record, tuple(other for other in record.aliases if other != name))
    return events.AliasReleased(identifier, name.scheme, name.code, context.time_ms)


def require_unbound(state: State, scheme: str, code: str) -> None:
    """Refuse with ALIAS_TAKEN when the code is bound now."""
    standing = queries.alias(state, scheme, code)
    if standing is not None and standing.until_ms is None:
        raise Refused(IdentityReason.ALIAS_TAKEN)


def bind(state: State, context: Context, identifier: str, scheme: str, code: str, document: bytes) -> None:
    """Write the alias record of a code that is not bound now. The identity's own list is the caller's."""
    key = state_keys.alias(scheme, code)
    before = state.get(key)
    standing = first(context) if before is None else succeed(state, context, before, state_keys.ALIAS)
    state.put(key, Alias(scheme, code, identifier, document, context.time_ms, None, standing))


def release(state: State, context: Context, name: AliasName) -> None:
    """Write the end of a binding. The identity's own list is the caller's."""
    key = state_keys.alias(name.scheme, name.code)
    before = state.get(key)
    assert before is not None, "an alias in an identity's list has a record"
    standing = succeed(state, context, before, state_keys.ALIAS)
    state.put(key, replace(before, until_ms=context.time_ms, standing=standing))


def _require_open_scheme(state: State, scheme: str) -> None:
    """Refuse with ALIAS_RESERVED_TO_CODEBOOK: else whoever is first could keep a division from its own code."""
    if state.get(state_keys.series(scheme)) is not None:
        raise Refused(IdentityReason.ALIAS_RESERVED_TO_CODEBOOK)


def _replace_names(state: State, context: Context, record: Identity, names: tuple[AliasName, ...]) -> None:
    standing = succeed(state, context, record, state_keys.IDENTITY)
    state.put(state_keys.identity(record.identifier), replace(record, aliases=names, standing=standing))


def _order(name: AliasName) -> tuple[str, str]:
    return name.scheme, name.code
