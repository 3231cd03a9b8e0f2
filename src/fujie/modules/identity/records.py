"""What the room keeps in state (docs/spec/05-identifiers.md). Everything here is public and stands unsalted."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from fujie.core.codebook import CODEBOOK_ENTRIES_MAX
from fujie.core.encoding import Record
from fujie.core.limits import IDENTIFIER_BYTES_MAX, IDENTIFIER_NODE_BYTES_MAX, IDENTIFIER_NODES_MAX
from fujie.core.meter import UNUSED, Meter
from fujie.core.policy import KeyPolicy
from fujie.core.units import AccountName, Count, Digest, OptionalDigest, ShortText, TimeMs
from fujie.core.versions import Standing

# Bounds of the room, fixed by rule version 1.
ATTRIBUTES_MAX: Final = 16  # pairs in one record: more belong into the document behind ``content``
ATTRIBUTE_VALUE_CHARACTERS_MAX: Final = 200
ALIASES_MAX: Final = 16  # live at once: a record stays under 4 KiB and retiring it writes no more leaves than this
LINEAGE_MAX: Final = 64  # identifiers on one side of a split or merge
QUOTA_MAX: Final = 10**12  # children of one prefix: every lamp post of a country
SEQUENCE_WIDTH_MAX: Final = 18  # digits: the largest number stays below 2^63

_NODES = rf"(?:\.[0-9A-Z]{{1,{IDENTIFIER_NODE_BYTES_MAX}}}){{0,{IDENTIFIER_NODES_MAX - 2}}}"

Identifier = Annotated[str, Meta(max_length=IDENTIFIER_BYTES_MAX, pattern=rf"\A[A-Z]{{2}}\.[0-9]{{3}}{_NODES}\Z")]
"""An identifier in its one spelling: ``ZZ.156.1301``."""

OptionalIdentifier = Annotated[
    str, Meta(max_length=IDENTIFIER_BYTES_MAX, pattern=rf"\A(?:[A-Z]{{2}}\.[0-9]{{3}}{_NODES})?\Z")
]
"""An identifier, or nothing (empty) where there is none."""

AgencyCode = Annotated[str, Meta(min_length=2, max_length=2, pattern=r"\A[A-Z]{2}\Z")]
"""The first node of every identifier of the chain: ``ZZ``. Two letters alone are no identifier yet."""

Prefix = Annotated[str, Meta(max_length=IDENTIFIER_BYTES_MAX, pattern=rf"\A[A-Z]{{2}}(?:\.[0-9]{{3}}{_NODES})?\Z")]
"""What allocations stand under: an identifier, or the agency, under which the countries stand."""

Node = Annotated[str, Meta(min_length=1, max_length=IDENTIFIER_NODE_BYTES_MAX, pattern=r"\A[0-9A-Z]+\Z")]
"""One node of an identifier."""

Kind = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z")]
"""What sort of thing an identifier stands for: ``city``, ``department``, ``gas-pipe``. Free within the grammar."""

Name = Annotated[str, Meta(min_length=1, max_length=200)]
"""A name for people."""

AttributeKey = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z")]
AttributeValue = Annotated[str, Meta(max_length=ATTRIBUTE_VALUE_CHARACTERS_MAX)]
Attributes = Annotated[tuple[tuple[AttributeKey, AttributeValue], ...], Meta(max_length=ATTRIBUTES_MAX)]
"""Pairs of key and value; keys ascend and are distinct."""

Scheme = Annotated[str, Meta(min_length=1, max_length=20, pattern=r"\A[A-Z0-9]+(?:-[A-Z0-9]+)*\Z")]
"""A system of codes outside this chain: ``GBT2260``, ``USCC``, ``MA``, ``OID``."""

OptionalScheme = Annotated[str, Meta(max_length=20, pattern=r"\A(?:[A-Z0-9]+(?:-[A-Z0-9]+)*)?\Z")]

AliasCode = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[!-~]+\Z")]
"""A code of such a system: 1 to 100 visible ASCII characters. It may hold a slash, as codes of ``MA`` do."""

EditionName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[a-z0-9]+(?:-[a-z0-9]+)*\Z")]
"""One edition of a codebook: ``gbt2260-2026-09-16``."""

Quota = Annotated[int, Meta(ge=0, le=QUOTA_MAX)]
"""Children that may ever be allocated directly under a prefix; retired ones count."""

SequenceWidth = Annotated[int, Meta(ge=0, le=SEQUENCE_WIDTH_MAX)]
"""Digits of a sequence number, padded with zeros; 0 where the rule is not ``sequence``."""

CodebookSize = Annotated[int, Meta(ge=1, le=CODEBOOK_ENTRIES_MAX)]


class Status(StrEnum):
    """Whether an identifier may act. ``retired`` is for ever: the record stays, as its tombstone."""

    ACTIVE = "active"
    SUSPENDED = "suspended"  # by its registrar; it still resolves, and what stands under it is not suspended with it
    RETIRED = "retired"


class Rule(StrEnum):
    """Who decides the next node under a prefix."""

    CODEBOOK = "codebook"  # an edition of the codebook series: the node follows from the entry
    SEQUENCE = "sequence"  # the ledger: the next number
    FREE = "free"  # the registrar


class EditionStatus(StrEnum):
    """Whether an edition may still be relied on. What was allocated by it stays."""

    CURRENT = "current"
    WITHDRAWN = "withdrawn"


class Evidence(Record, tag=1):
    """The codebook entry an allocation relied on: edition and code."""

    edition: EditionName
    code: AliasCode


class AliasName(Record, tag=1):
    """An outside code and the system it belongs to."""

    scheme: Scheme
    code: AliasCode


class Lineage(Record, tag=1):
    """What an identifier came from and what followed it. Filled by rename, re-code, split and merge.

    ``predecessors`` and ``successors`` ascend; ``reason`` is the kind of change, ``document`` the digest of what ordered
    it.
    """

    predecessors: Annotated[tuple[Identifier, ...], Meta(max_length=LINEAGE_MAX)]
    successors: Annotated[tuple[Identifier, ...], Meta(max_length=LINEAGE_MAX)]
    reason: Annotated[str, Meta(max_length=32)]
    document: OptionalDigest


NO_LINEAGE: Final = Lineage((), (), "", b"")


class Recovery(Record, tag=1):
    """New controllers that the registrar has announced for an identifier whose keys were lost, and when they take over.

    It stands in the identifier's own record, so whoever resolves the identifier sees it during the notice period.
    """

    controllers: KeyPolicy
    announced_ms: TimeMs
    effective_ms: TimeMs


class Identity(Record, tag=1):
    """What an identifier stands for.

    ``content`` is the digest of a larger document, or empty. ``within`` is for browsing only (city → province) and
    gives no right. ``controllers`` None: whoever allocates under the parent prefix controls it. ``evidence`` stands
    where a codebook decided name, kind and node. ``aliases`` are the live ones, ascending.
    """

    identifier: Identifier
    kind: Kind
    name: Name
    attributes: Attributes
    content: OptionalDigest
    within: OptionalIdentifier
    controllers: KeyPolicy | None
    status: Status
    evidence: Evidence | None
    aliases: Annotated[tuple[AliasName, ...], Meta(max_length=ALIASES_MAX)]
    lineage: Lineage
    recovery: Recovery | None
    standing: Standing


class Delegation(Record, tag=1):
    """On what terms a prefix is given to those who allocate under it: set by the level above.

    ``rule`` owns the nodes of digits alone (rule ``free``: every node); with ``named`` the registrar may also allocate
    nodes with a letter, as a city does for its departments beside its counties. ``quota`` bounds the direct children.
    ``width`` belongs to ``sequence``, ``series`` (the scheme of the codes) to ``codebook``. ``controllers`` None:
    whoever controls the identifier is its registrar.
    """

    rule: Rule
    named: bool
    quota: Quota
    width: SequenceWidth
    series: OptionalScheme
    controllers: KeyPolicy | None

    def is_consistent(self) -> bool:
        """Tell whether ``width`` and ``series`` stand with their rule and only there, and ``free`` has ``named`` on."""
        return (
            (self.width > 0) == (self.rule is Rule.SEQUENCE)
            and (self.series != "") == (self.rule is Rule.CODEBOOK)
            and (self.named or self.rule is not Rule.FREE)
        )


class Namespace(Record, tag=1):
    """A delegated prefix and its terms."""

    prefix: Prefix
    terms: Delegation
    standing: Standing


class Usage(Record, tag=1):
    """What changes at every allocation, and so stands apart from the terms.

    ``allocated`` counts the direct children ever, ``retired`` those of them that are; ``next_number`` is the next of the
    sequence, from 1; ``meter`` counts the operations of the current minute. An identifier that acts without being a
    prefix has one too, for its meter.
    """

    allocated: Count
    retired: Count
    next_number: Count
    meter: Meter


NO_USAGE: Final = Usage(0, 0, 1, UNUSED)


class Alias(Record, tag=1):
    """What an outside code is bound to. ``until_ms`` None: it is bound now. Its history proves every past binding.

    ``document`` is the digest of the evidence the registrar saw; for a codebook the edition stands in the identity.
    """

    scheme: Scheme
    code: AliasCode
    identifier: Identifier
    document: OptionalDigest
    since_ms: TimeMs
    until_ms: TimeMs | None
    standing: Standing


class CodebookEdition(Record, tag=1):
    """An edition of a codebook, by the root of its Merkle tree (``core.codebook``) and its number of entries."""

    edition: EditionName
    series: Scheme
    root: Digest
    size: CodebookSize
    title: ShortText
    source: ShortText
    status: EditionStatus
    standing: Standing


class Series(Record, tag=1):
    """A series of editions. Its codes are bound as aliases by allocation only; ``newest`` was registered last."""

    series: Scheme
    newest: EditionName
    editions: Count


class Agency(Record, tag=1):
    """The agency whose identifiers this chain gives out, and the account that is its root authority."""

    agency: AgencyCode
    account: AccountName
