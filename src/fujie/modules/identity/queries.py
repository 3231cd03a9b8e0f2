"""What may be read of identity: by the rules of this room and of others, and by anyone as a query with proof.

The functions take State and StateRead alike. Money needs an identifier only through :func:`is_live`, which the machine
hands it as a read-only protocol.
"""

from typing import ClassVar, Final, NamedTuple

from fujie.core import identifiers
from fujie.core.errors import Refused
from fujie.core.policy import KeyPolicy
from fujie.core.query import Audience, Query
from fujie.core.state import Key
from fujie.modules.identity import state_keys
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import (
    NO_USAGE,
    Agency,
    Alias,
    AliasCode,
    CodebookEdition,
    EditionName,
    Identifier,
    Identity,
    Namespace,
    Prefix,
    Scheme,
    Series,
    Status,
    Usage,
)
from fujie.modules.membership import queries as membership
from fujie.modules.membership.queries import Readable

AGENCY_CHARACTERS: Final = 2
"""Characters of a prefix that is no identifier but the agency, under which the countries stand."""


class Authority(NamedTuple):
    """Who governs something: the policy that must be satisfied, and whose it is.

    ``prefix`` is the identifier that holds the policy, which is charged and must be active; ``account`` is the account
    of the root authority, or empty below it.
    """

    prefix: str
    policy: KeyPolicy
    account: str


# For rules.


def agency(state: Readable) -> Agency:
    """Return the agency, which stands in state since genesis."""
    found = state.get(state_keys.AGENCY_KEY)
    assert found is not None, "genesis writes the agency"
    return found


def identity(state: Readable, identifier: str) -> Identity | None:
    """Return the record of an identifier, or None if it was never allocated."""
    return state.get(state_keys.identity(identifier))


def namespace(state: Readable, prefix: str) -> Namespace | None:
    """Return the terms of a prefix, or None if it was never delegated."""
    return state.get(state_keys.namespace(prefix))


def usage(state: Readable, prefix: str) -> Usage:
    """Return the counters of a prefix; all zero for one that has none."""
    return state.get(state_keys.usage(prefix)) or NO_USAGE


def alias(state: Readable, scheme: str, code: str) -> Alias | None:
    """Return what an outside code is or was last bound to, or None if it never was."""
    return state.get(state_keys.alias(scheme, code))


def codebook(state: Readable, edition: str) -> CodebookEdition | None:
    """Return a registered edition, or None."""
    return state.get(state_keys.codebook(edition))


def is_live(state: Readable, identifier: str) -> bool:
    """Tell whether an identifier is allocated and neither suspended nor retired.

    A suspension does not reach what stands under the identifier: that has controllers and holders of its own.
    """
    found = identity(state, identifier)
    return found is not None and found.status is Status.ACTIVE


def above(prefix: str) -> str:
    """Return the prefix that an identifier was allocated under: its parent, or the agency for a country."""
    return identifiers.parent(prefix) or prefix[:AGENCY_CHARACTERS]


def registrar(state: Readable, prefix: str) -> Authority:
    """Return who allocates directly under ``prefix``: its own registrar, or whoever controls it.

    Refuses with NAMESPACE_UNKNOWN.
    """
    found = namespace(state, prefix)
    if found is None:
        raise Refused(IdentityReason.NAMESPACE_UNKNOWN)
    if found.terms.controllers is not None:
        return Authority(prefix, found.terms.controllers, "")
    return controller(state, prefix)


def controller(state: Readable, prefix: str) -> Authority:
    """Return who controls an identifier: its own controllers, or whoever allocates at the level above; at the agency
    the account of the root authority. Climbs at most ``IDENTIFIER_NODES_MAX`` levels.

    Refuses with IDENTIFIER_UNKNOWN, then NAMESPACE_UNKNOWN for an agency that is not this chain's.
    """
    if len(prefix) == AGENCY_CHARACTERS:
        return _root(state, prefix)
    found = identity(state, prefix)
    if found is None:
        raise Refused(IdentityReason.IDENTIFIER_UNKNOWN)
    if found.controllers is not None:
        return Authority(prefix, found.controllers, "")
    return registrar(state, above(prefix))


def governing_policy(state: Readable, identifier: str) -> KeyPolicy:
    """Return the key policy that controls an identifier. Refuses as :func:`controller`."""
    return controller(state, identifier).policy


def _root(state: Readable, prefix: str) -> Authority:
    root = agency(state)
    if prefix != root.agency:
        raise Refused(IdentityReason.NAMESPACE_UNKNOWN)
    account = membership.account(state, root.account)
    assert account is not None, "genesis demands the account, and accounts are never removed"
    return Authority(prefix, account.policy, root.account)


# For readers.


class IdentityQuery(Query, tag=2001):
    """What an identifier stands for."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    identifier: Identifier

    def key(self) -> Key[Identity]:
        """See :class:`Query`."""
        return state_keys.identity(self.identifier)

    def holder(self) -> str:
        """See :class:`Query`."""
        return f"id/{self.identifier}"


class NamespaceQuery(Query, tag=2002):
    """On what terms a prefix is delegated."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    prefix: Prefix

    def key(self) -> Key[Namespace]:
        """See :class:`Query`."""
        return state_keys.namespace(self.prefix)


class UsageQuery(Query, tag=2003):
    """How much was allocated under a prefix."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    prefix: Prefix

    def key(self) -> Key[Usage]:
        """See :class:`Query`."""
        return state_keys.usage(self.prefix)


class AliasQuery(Query, tag=2004):
    """What an outside code is bound to."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    scheme: Scheme
    code: AliasCode

    def key(self) -> Key[Alias]:
        """See :class:`Query`."""
        return state_keys.alias(self.scheme, self.code)


class CodebookQuery(Query, tag=2005):
    """An edition of a codebook."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    edition: EditionName

    def key(self) -> Key[CodebookEdition]:
        """See :class:`Query`."""
        return state_keys.codebook(self.edition)


class SeriesQuery(Query, tag=2006):
    """The series of codebook editions that belongs to a scheme."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})
    series: Scheme

    def key(self) -> Key[Series]:
        """See :class:`Query`."""
        return state_keys.series(self.series)


class AgencyQuery(Query, tag=2007):
    """The agency whose identifiers this chain gives out."""

    audience: ClassVar[frozenset[Audience]] = frozenset({Audience.ANYONE})

    def key(self) -> Key[Agency]:
        """See :class:`Query`."""
        return state_keys.AGENCY_KEY
