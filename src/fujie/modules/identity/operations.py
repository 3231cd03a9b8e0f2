"""What the room is asked to do. Every operation names the prefix or identifier it is about; the signatures must satisfy
the policy of whoever governs that (README.md, "Operations").
"""

from typing import Annotated

from msgspec import Meta

from fujie.core.codebook import CODEBOOK_ENTRIES_MAX, CODEBOOK_PATH_BYTES_MAX, CodebookEntry
from fujie.core.encoding import Record
from fujie.core.limits import BULK_ITEMS_MAX
from fujie.core.policy import KeyPolicy
from fujie.core.room import Operation
from fujie.core.units import Count, Digest, OptionalDigest, ShortText
from fujie.modules.identity.records import (
    AliasCode,
    Attributes,
    CodebookSize,
    Delegation,
    EditionName,
    Identifier,
    Kind,
    Name,
    Node,
    OptionalIdentifier,
    Prefix,
    Scheme,
)


class NamedItem(Record, tag=1):
    """An allocation whose node the registrar chooses."""

    node: Node
    kind: Kind
    name: Name
    attributes: Attributes
    content: OptionalDigest
    within: OptionalIdentifier
    controllers: KeyPolicy | None
    delegation: Delegation | None


class NumberedItem(Record, tag=2):
    """An allocation whose node is the next number of the prefix."""

    kind: Kind
    name: Name
    attributes: Attributes
    content: OptionalDigest
    within: OptionalIdentifier
    controllers: KeyPolicy | None
    delegation: Delegation | None


class CodebookItem(Record, tag=1):
    """An allocation whose node, kind, name and code follow from a codebook entry."""

    entry: CodebookEntry
    attributes: Attributes
    controllers: KeyPolicy | None
    delegation: Delegation | None


class CodebookRange(Record, tag=1):
    """Neighbouring entries of the codebook from number ``first`` on, and their one path (``core.codebook``).

    A city's counties are neighbours, so that their allocation carries one path of at most 24 digests for 3,214 entries.
    """

    first: Annotated[int, Meta(ge=0, le=CODEBOOK_ENTRIES_MAX)]
    path: Annotated[bytes, Meta(max_length=CODEBOOK_PATH_BYTES_MAX)]
    items: Annotated[tuple[CodebookItem, ...], Meta(min_length=1, max_length=BULK_ITEMS_MAX)]


class RegisterCodebook(Operation, tag=2001):
    """Make an edition of a codebook known to the ledger. The root authority signs."""

    edition: EditionName
    series: Scheme
    root: Digest
    size: CodebookSize
    title: ShortText
    source: ShortText


class WithdrawCodebook(Operation, tag=2002):
    """Let nothing more be allocated by an edition. The root authority signs."""

    edition: EditionName


class Allocate(Operation, tag=2003):
    """Give out one identifier directly under ``namespace``. Its registrar signs."""

    namespace: Prefix
    item: NamedItem | NumberedItem


class AllocateMany(Operation, tag=2004):
    """Give out several identifiers directly under ``namespace``, all or none, in this order. Its registrar signs."""

    namespace: Prefix
    items: Annotated[tuple[NamedItem | NumberedItem, ...], Meta(min_length=1, max_length=BULK_ITEMS_MAX)]


class AllocateFromCodebook(Operation, tag=2005):
    """Give out one or several identifiers directly under ``namespace`` as an edition demands. Its registrar signs.

    At most ``BULK_ITEMS_MAX`` items over all ranges.
    """

    namespace: Prefix
    edition: EditionName
    ranges: Annotated[tuple[CodebookRange, ...], Meta(min_length=1, max_length=BULK_ITEMS_MAX)]


class Delegate(Operation, tag=2006):
    """Turn an identifier into a namespace on these terms. The registrar of the level above signs."""

    identifier: Identifier
    delegation: Delegation


class AmendDelegation(Operation, tag=2007):
    """Replace quota, series and ``named`` of a namespace; rule and width only while nothing was allocated under it.

    The registrar of the level above signs. ``delegation.controllers`` replaces the registrar as well.
    """

    identifier: Identifier
    delegation: Delegation


class RotateRegistrar(Operation, tag=2008):
    """Name who allocates under a prefix; None gives that back to whoever controls the identifier, who signs."""

    prefix: Prefix
    controllers: KeyPolicy | None


class RotateControllers(Operation, tag=2009):
    """Name who controls an identifier; None gives it back to its allocator. Whoever controls it now signs."""

    identifier: Identifier
    controllers: KeyPolicy | None


class UpdateRecord(Operation, tag=2010):
    """Replace what a record says. ``number`` is the version that the sender has seen. Whoever controls it signs.

    The kind never changes, and a name that a codebook decided changes only by the operations of lineage.
    """

    identifier: Identifier
    number: Count
    name: Name
    attributes: Attributes
    content: OptionalDigest
    within: OptionalIdentifier


class Retire(Operation, tag=2011):
    """Retire an identifier for ever and release its aliases. Whoever controls it signs."""

    identifier: Identifier


class Suspend(Operation, tag=2012):
    """Keep an identifier from acting. The registrar of the level above signs."""

    identifier: Identifier


class Restore(Operation, tag=2013):
    """Let a suspended identifier act again. The registrar of the level above signs."""

    identifier: Identifier


class BindAlias(Operation, tag=2014):
    """Bind an outside code to an identifier. Its registrar signs, so that nobody vouches for himself."""

    identifier: Identifier
    scheme: Scheme
    code: AliasCode
    document: OptionalDigest


class ReleaseAlias(Operation, tag=2015):
    """End the binding of an outside code to an identifier. Its registrar signs."""

    identifier: Identifier
    scheme: Scheme
    code: AliasCode
