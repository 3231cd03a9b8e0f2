"""Allocation: giving out identifiers, each once and for ever, by the rule of their prefix.

    allocate, allocate_many            the registrar chooses a node, or the ledger counts
    allocate_from_codebook             the entry of a codebook edition decides node, kind, name and alias
      ├─ the prefix: active, its rule, its quota
      ├─ each item: a place that is free            → a draft
      └─ from here nothing may refuse: write every draft

Prefix confinement needs no check: an operation names its prefix and a node, never a whole identifier, and a codebook
entry whose identifier is no child of the prefix is refused.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from fujie.core import identifiers
from fujie.core.codebook import CodebookEntry, Level, expected_identifier, verify_entries
from fujie.core.context import Context
from fujie.core.errors import Refused, VerificationError
from fujie.core.limits import BULK_ITEMS_MAX, IDENTIFIER_BYTES_MAX, IDENTIFIER_NODES_MAX
from fujie.core.policy import KeyPolicy
from fujie.core.state import State
from fujie.core.versions import first
from fujie.modules.identity import events, queries, state_keys
from fujie.modules.identity.operations import (
    Allocate,
    AllocateFromCodebook,
    AllocateMany,
    CodebookItem,
    CodebookRange,
    NamedItem,
    NumberedItem,
)
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import (
    NO_LINEAGE,
    AliasName,
    Attributes,
    CodebookEdition,
    Delegation,
    Evidence,
    Identity,
    Namespace,
    Rule,
    Status,
    Usage,
)
from fujie.modules.identity.transitions import aliases, authority
from fujie.modules.identity.transitions.codebooks import current_edition
from fujie.modules.identity.transitions.delegation import open_namespace, require_terms
from fujie.modules.identity.transitions.life import require_ascending

KIND_OF_LEVEL: Final = {Level.PROVINCE: "province", Level.PREFECTURE: "city", Level.COUNTY: "county"}
COUNTRY_DIGITS: Final = 3
COUNTRY_CHARACTERS: Final = queries.AGENCY_CHARACTERS + 1 + COUNTRY_DIGITS  # ``ZZ.156``


class _Draft(NamedTuple):
    """One identifier that can be written: every refusal lies behind it."""

    kind: str
    name: str
    attributes: Attributes
    content: bytes
    within: str
    controllers: KeyPolicy | None
    delegation: Delegation | None
    evidence: Evidence | None


def allocate(state: State, context: Context, operation: Allocate) -> events.Allocated:
    """Give out one identifier. Refuses as :func:`allocate_many`."""
    return _allocate(state, context, operation, (operation.item,))


def allocate_many(state: State, context: Context, operation: AllocateMany) -> events.Allocated:
    """Give out several identifiers, all or none.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED (of the prefix); for each item
    CONTROLLER_POLICY_UNSOUND, ATTRIBUTES_NOT_ASCENDING, DELEGATION_UNSOUND, CODEBOOK_SERIES_UNKNOWN;
    ALLOCATION_QUOTA_EXCEEDED; for each item as :func:`_place`, then WITHIN_UNKNOWN.
    """
    return _allocate(state, context, operation, operation.items)


def allocate_from_codebook(state: State, context: Context, operation: AllocateFromCodebook) -> events.Allocated:
    """Give out what an edition demands, and bind each code to its identifier.

    Refuses, in order: AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED (of the prefix),
    CODEBOOK_EDITION_UNKNOWN, CODEBOOK_EDITION_WITHDRAWN; for each item CONTROLLER_POLICY_UNSOUND, ATTRIBUTES_NOT_ASCENDING,
    DELEGATION_UNSOUND, CODEBOOK_SERIES_UNKNOWN; BULK_ITEMS_EXCEEDED, ALLOCATION_QUOTA_EXCEEDED, RULE_DIFFERS,
    CODEBOOK_SERIES_DIFFERS; for each range CODEBOOK_PROOF_INVALID, and for each of its items CODEBOOK_ENTRY_UNSOUND,
    CODEBOOK_ENTRY_OUTSIDE_PREFIX, IDENTIFIER_TAKEN, WITHIN_UNKNOWN, ALIAS_TAKEN.
    """
    prefix = operation.namespace
    namespace, usage = _open(state, operation)
    edition = current_edition(state, operation.edition)
    items = [item for group in operation.ranges for item in group.items]
    for item in items:
        _require_form(state, item)
    if len(items) > BULK_ITEMS_MAX:
        raise Refused(IdentityReason.BULK_ITEMS_EXCEEDED)
    _require_quota(namespace, usage, len(items))
    if namespace.terms.rule is not Rule.CODEBOOK:
        raise Refused(IdentityReason.RULE_DIFFERS)
    if namespace.terms.series != edition.series:
        raise Refused(IdentityReason.CODEBOOK_SERIES_DIFFERS)
    drafts: dict[str, _Draft] = {}
    for group in operation.ranges:
        _require_proof(edition, group)
        for item in group.items:
            _draft_entry(state, prefix, edition, item, drafts)
    # From here nothing may refuse.
    for identifier, draft in drafts.items():
        assert draft.evidence is not None, "every draft of this rule relies on an entry"
        code = draft.evidence.code
        aliases.bind(state, context, identifier, edition.series, code, b"")
        _write(state, context, identifier, draft, (AliasName(edition.series, code),))
    _count(state, prefix, usage, len(drafts), usage.next_number)
    return events.Allocated(prefix, tuple(drafts))


def _allocate(
    state: State, context: Context, operation: Allocate | AllocateMany, items: Sequence[NamedItem | NumberedItem]
) -> events.Allocated:
    prefix = operation.namespace
    namespace, usage = _open(state, operation)
    for item in items:
        _require_form(state, item)
    _require_quota(namespace, usage, len(items))
    next_number = usage.next_number
    drafts: dict[str, _Draft] = {}
    for item in items:
        identifier, next_number = _place(state, namespace, item, next_number, drafts)
        _require_within(state, item.within, identifier, drafts)
        drafts[identifier] = _Draft(
            item.kind, item.name, item.attributes, item.content, item.within, item.controllers, item.delegation, None
        )
    # From here nothing may refuse.
    for identifier, draft in drafts.items():
        _write(state, context, identifier, draft, ())
    _count(state, prefix, usage, len(drafts), next_number)
    return events.Allocated(prefix, tuple(drafts))


# What may refuse.


def _open(state: State, operation: Allocate | AllocateMany | AllocateFromCodebook) -> tuple[Namespace, Usage]:
    """Return terms and counters of a prefix that may allocate.

    Refuses, in order: NAMESPACE_UNKNOWN, AUTHORITY_NOT_ACTIVE, IDENTIFIER_RETIRED, IDENTIFIER_SUSPENDED.
    """
    prefix = operation.namespace
    authority.require_acting(state, authority.of_namespace(state, operation), prefix)
    namespace = queries.namespace(state, prefix)
    assert namespace is not None, "a registrar was found for it"
    record = queries.identity(state, prefix)
    if record is not None:  # the agency has no record: it is no identifier
        authority.require_active(record)
    return namespace, queries.usage(state, prefix)


def _require_form(state: State, item: NamedItem | NumberedItem | CodebookItem) -> None:
    """Refuse, in order: CONTROLLER_POLICY_UNSOUND, ATTRIBUTES_NOT_ASCENDING, then as ``delegation.require_terms``."""
    authority.require_sound(item.controllers)
    require_ascending(item.attributes)
    if item.delegation is not None:
        require_terms(state, item.delegation)


def _require_quota(namespace: Namespace, usage: Usage, count: int) -> None:
    """Refuse with ALLOCATION_QUOTA_EXCEEDED."""
    if usage.allocated + count > namespace.terms.quota:
        raise Refused(IdentityReason.ALLOCATION_QUOTA_EXCEEDED)


def _place(
    state: State,
    namespace: Namespace,
    item: NamedItem | NumberedItem,
    next_number: int,
    drafts: dict[str, _Draft],
) -> tuple[str, int]:
    """Return the identifier of an item, and the next number after it.

    Refuses, in order: RULE_DIFFERS, COUNTRY_NODE_REQUIRED, NODE_RESERVED, SEQUENCE_EXHAUSTED, IDENTIFIER_TOO_LONG,
    IDENTIFIER_TOO_DEEP, IDENTIFIER_TAKEN.
    """
    terms, prefix = namespace.terms, namespace.prefix
    if isinstance(item, NumberedItem):
        if terms.rule is not Rule.SEQUENCE:
            raise Refused(IdentityReason.RULE_DIFFERS)
        node = str(next_number).zfill(terms.width)
        if len(node) > terms.width:
            raise Refused(IdentityReason.SEQUENCE_EXHAUSTED)
        next_number += 1
    else:
        if not terms.named:
            raise Refused(IdentityReason.RULE_DIFFERS)
        node = item.node
        digits_only = node.isdigit()  # a node is ASCII
        if len(prefix) == queries.AGENCY_CHARACTERS and not (digits_only and len(node) == COUNTRY_DIGITS):
            raise Refused(IdentityReason.COUNTRY_NODE_REQUIRED)
        if digits_only and terms.rule is not Rule.FREE:
            raise Refused(IdentityReason.NODE_RESERVED)
    identifier = f"{prefix}.{node}"
    if len(identifier) > IDENTIFIER_BYTES_MAX:
        raise Refused(IdentityReason.IDENTIFIER_TOO_LONG)
    if identifiers.depth(identifier) > IDENTIFIER_NODES_MAX:
        raise Refused(IdentityReason.IDENTIFIER_TOO_DEEP)
    _require_untaken(state, identifier, drafts)
    return identifier, next_number


def _draft_entry(
    state: State, prefix: str, edition: CodebookEdition, item: CodebookItem, drafts: dict[str, _Draft]
) -> None:
    """Add the draft of a codebook entry to ``drafts``; a city is shown within its province, allocated before it.

    Refuses, in order: CODEBOOK_ENTRY_UNSOUND, CODEBOOK_ENTRY_OUTSIDE_PREFIX, IDENTIFIER_TAKEN, WITHIN_UNKNOWN,
    ALIAS_TAKEN.
    """
    entry = item.entry
    country = prefix[:COUNTRY_CHARACTERS]
    identifier = _identifier_of(country, entry)
    if queries.above(identifier) != prefix:
        raise Refused(IdentityReason.CODEBOOK_ENTRY_OUTSIDE_PREFIX)
    _require_untaken(state, identifier, drafts)
    within = f"{country}.{entry.parent[:2]}" if entry.level is Level.PREFECTURE else ""
    _require_within(state, within, identifier, drafts)
    aliases.require_unbound(state, edition.series, entry.code)
    drafts[identifier] = _Draft(
        KIND_OF_LEVEL[entry.level],
        entry.name,
        item.attributes,
        b"",
        within,
        item.controllers,
        item.delegation,
        Evidence(edition.edition, entry.code),
    )


def _require_proof(edition: CodebookEdition, group: CodebookRange) -> None:
    """Refuse with CODEBOOK_PROOF_INVALID."""
    try:
        verify_entries(edition.root, edition.size, group.first, [item.entry for item in group.items], group.path)
    except VerificationError:
        raise Refused(IdentityReason.CODEBOOK_PROOF_INVALID) from None


def _identifier_of(country: str, entry: CodebookEntry) -> str:
    """Return the identifier that the codebook rule demands. Refuses with CODEBOOK_ENTRY_UNSOUND."""
    try:
        return expected_identifier(country, entry)
    except VerificationError:
        raise Refused(IdentityReason.CODEBOOK_ENTRY_UNSOUND) from None


def _require_untaken(state: State, identifier: str, drafts: dict[str, _Draft]) -> None:
    """Refuse with IDENTIFIER_TAKEN, whatever became of the identifier since it was allocated."""
    if identifier in drafts or queries.identity(state, identifier) is not None:
        raise Refused(IdentityReason.IDENTIFIER_TAKEN)


def _require_within(state: State, within: str, identifier: str, drafts: dict[str, _Draft]) -> None:
    """Refuse with WITHIN_UNKNOWN. What the same operation allocates before counts as allocated."""
    if within and within not in drafts and (within == identifier or queries.identity(state, within) is None):
        raise Refused(IdentityReason.WITHIN_UNKNOWN)


# What writes.


def _write(state: State, context: Context, identifier: str, draft: _Draft, names: tuple[AliasName, ...]) -> None:
    """Write the record of a new identifier, and its namespace where it is delegated at once."""
    record = Identity(
        identifier,
        draft.kind,
        draft.name,
        draft.attributes,
        draft.content,
        draft.within,
        draft.controllers,
        Status.ACTIVE,
        draft.evidence,
        names,
        NO_LINEAGE,
        None,
        first(context),
    )
    state.put(state_keys.identity(identifier), record)
    if draft.delegation is not None:
        open_namespace(state, context, identifier, draft.delegation)


def _count(state: State, prefix: str, usage: Usage, count: int, next_number: int) -> None:
    """Write the counters of a prefix after ``count`` allocations."""
    state.put(state_keys.usage(prefix), replace(usage, allocated=usage.allocated + count, next_number=next_number))
