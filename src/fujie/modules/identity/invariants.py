"""What must hold in every state of identity (README.md, "Invariants"), checked in one pass over all leaves.

There may be millions of identifiers, so the checker keeps a few words for each and no whole record of any.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from fujie.core.encoding import Record
from fujie.core.finding import Finding
from fujie.core.policy import KeyPolicy
from fujie.core.versions import Standing, skip_target
from fujie.modules.identity import state_keys
from fujie.modules.identity.queries import AGENCY_CHARACTERS, above
from fujie.modules.identity.records import (
    NO_USAGE,
    Agency,
    Alias,
    CodebookEdition,
    Identity,
    Namespace,
    Rule,
    Series,
    Status,
    Usage,
)

ROOM_PREFIX: Final = "identity/"


class _Terms(NamedTuple):
    """What is kept of a namespace."""

    quota: int
    is_sequence: bool
    series: str


class _Children:
    """What is counted under a prefix: children ever, retired ones, and those of digits alone."""

    __slots__ = ("allocated", "numbered", "retired")

    def __init__(self) -> None:
        self.allocated = 0
        self.retired = 0
        self.numbered = 0


class Checker:
    """Implements ``core.finding.InvariantChecker`` for identity."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._agency = ""
        self._status: dict[str, Status] = {}
        self._within: dict[str, str] = {}
        self._children: dict[str, _Children] = {}
        self._terms: dict[str, _Terms] = {}
        self._usages: dict[str, Usage] = {}
        self._listed: dict[tuple[str, str], str] = {}  # live aliases by the identities' own lists
        self._bound: dict[tuple[str, str], str] = {}  # live aliases by the alias records
        self._relied_on: dict[str, str] = {}  # edition → one identifier that relies on it
        self._editions: dict[str, str] = {}  # edition → series
        self._series: dict[str, int] = {}

    def see(self, path: str, record: Record) -> None:
        """See :class:`InvariantChecker`."""
        if not path.startswith(ROOM_PREFIX):
            return
        if path != _path_of(path, record):
            self._find("leaf-at-its-path", path, f"a {type(record).__name__} of another path stands here")
            return
        if isinstance(record, Identity):
            self._see_identity(path, record)
        elif isinstance(record, Namespace):
            self._see_namespace(path, record)
        elif isinstance(record, Usage):
            self._usages[path.removeprefix(state_keys.USAGE_PREFIX)] = record
        elif isinstance(record, Alias):
            self._see_alias(path, record)
        elif isinstance(record, CodebookEdition):
            self._editions[record.edition] = record.series
        elif isinstance(record, Series):
            self._series[record.series] = record.editions
        elif isinstance(record, Agency):
            self._agency = record.agency
        if isinstance(record, Identity | Namespace | Alias | CodebookEdition):
            self._see_standing(path, record.standing)

    def findings(self) -> Iterator[Finding]:
        """See :class:`InvariantChecker`."""
        yield from self._findings
        yield from self._tree()
        yield from self._counters()
        yield from self._aliases()
        yield from self._codebooks()

    # Single leaves.

    def _see_identity(self, path: str, record: Identity) -> None:
        identifier = record.identifier
        self._status[identifier] = record.status
        retired = record.status is Status.RETIRED
        children = self._children.setdefault(above(identifier), _Children())
        children.allocated += 1
        children.retired += retired
        children.numbered += identifier[identifier.rfind(".") + 1 :].isdigit()
        if record.within:
            self._within[identifier] = record.within
        for name in record.aliases:
            self._listed[name.scheme, name.code] = identifier
        if record.evidence is not None:
            self._relied_on[record.evidence.edition] = identifier
        if retired and record.aliases:
            self._find("retired-has-no-alias", path, f"{len(record.aliases)} aliases are listed")
        if not _ascends([key for key, _ in record.attributes]):
            self._find("lists-in-order", path, "the keys of the attributes do not ascend")
        if not _ascends([(name.scheme, name.code) for name in record.aliases]):
            self._find("lists-in-order", path, "the aliases do not ascend")
        self._see_policy(path, record.controllers)

    def _see_namespace(self, path: str, record: Namespace) -> None:
        terms = record.terms
        self._terms[record.prefix] = _Terms(terms.quota, terms.rule is Rule.SEQUENCE, terms.series)
        if not terms.is_consistent():
            self._find("terms-consistent", path, "rule, width, series and named contradict one another")
        self._see_policy(path, terms.controllers)

    def _see_alias(self, path: str, record: Alias) -> None:
        if record.until_ms is None:
            self._bound[record.scheme, record.code] = record.identifier
        elif record.until_ms < record.since_ms:
            self._find("alias-interval", path, "the binding ends before it begins")

    def _see_policy(self, path: str, policy: KeyPolicy | None) -> None:
        if policy is not None and not policy.is_sound():
            self._find("key-policies-sound", path, "the keys are out of order, unsound or too few for the threshold")

    def _see_standing(self, path: str, standing: Standing) -> None:
        number = standing.number
        linked = bool(standing.previous) == (number > 1) and bool(standing.skip) == (
            number > 1 and skip_target(number) > 0
        )
        dated = standing.created_height <= standing.since_height and standing.created_ms <= standing.since_ms
        if number < 1 or not linked or not dated:
            self._find("standing-consistent", path, f"version {number} has impossible links or dates")

    def _find(self, invariant: str, path: str, detail: str) -> None:
        self._findings.append(Finding(invariant, path, detail))

    # The whole room.

    def _tree(self) -> Iterator[Finding]:
        if self._status and not self._agency:
            yield Finding("agency-stands", state_keys.AGENCY_KEY.path, "the leaf is missing")
        for identifier in self._status:
            prefix = above(identifier)
            if prefix not in self._terms:
                detail = f"{prefix} is not delegated, so nothing can stand under it"
                yield Finding("parent-delegated", state_keys.identity(identifier).path, detail)
        for prefix in self._terms:
            is_agency = len(prefix) == AGENCY_CHARACTERS and prefix == self._agency
            if not is_agency and prefix not in self._status:
                detail = "no such identifier was allocated"
                yield Finding("namespace-of-an-identifier", state_keys.namespace(prefix).path, detail)
        for identifier, within in self._within.items():
            if within == identifier or within not in self._status:
                detail = f"{within} is the identifier itself or was never allocated"
                yield Finding("within-exists", state_keys.identity(identifier).path, detail)

    def _counters(self) -> Iterator[Finding]:
        for prefix, terms in self._terms.items():
            path = state_keys.usage(prefix).path
            usage = self._usages.get(prefix)
            if usage is None:
                yield Finding("children-counted", path, "the prefix has no counters")
                continue
            children = self._children.get(prefix) or _Children()
            if (usage.allocated, usage.retired) != (children.allocated, children.retired):
                detail = (
                    f"{usage.allocated} allocated and {usage.retired} retired are recorded, "
                    f"{children.allocated} and {children.retired} exist"
                )
                yield Finding("children-counted", path, detail)
            if children.allocated > terms.quota:
                yield Finding("within-quota", path, f"{children.allocated} children exceed the quota of {terms.quota}")
            numbers = children.numbered if terms.is_sequence else 0
            if usage.next_number != numbers + 1:
                yield Finding("sequence-counted", path, f"{usage.next_number} is next after {numbers} numbers")
            if self._status.get(prefix) is Status.RETIRED and children.allocated > children.retired:
                yield Finding("retired-has-no-live-child", state_keys.identity(prefix).path, "a child is not retired")
        for prefix, usage in self._usages.items():
            if prefix in self._terms:
                continue
            if prefix not in self._status:
                yield Finding("usage-of-an-identifier", state_keys.usage(prefix).path, "no such identifier exists")
            elif (usage.allocated, usage.retired, usage.next_number) != (0, 0, NO_USAGE.next_number):
                yield Finding("usage-of-an-identifier", state_keys.usage(prefix).path, "counters without a namespace")

    def _aliases(self) -> Iterator[Finding]:
        for (scheme, code), identifier in self._bound.items():
            path = state_keys.alias(scheme, code).path
            status = self._status.get(identifier)
            if status is None or status is Status.RETIRED:
                yield Finding("alias-of-a-live-identifier", path, f"{identifier} is retired or was never allocated")
            elif self._listed.get((scheme, code)) != identifier:
                yield Finding("alias-listed", path, f"{identifier} does not list it")
        for (scheme, code), identifier in self._listed.items():
            if self._bound.get((scheme, code)) != identifier:
                detail = f"the alias record of {scheme} {code} does not lead here"
                yield Finding("alias-listed", state_keys.identity(identifier).path, detail)

    def _codebooks(self) -> Iterator[Finding]:
        counted: dict[str, int] = {}
        for series in self._editions.values():
            counted[series] = counted.get(series, 0) + 1
        for series in sorted({*counted, *self._series}):
            recorded, found = self._series.get(series, 0), counted.get(series, 0)
            if recorded != found:
                detail = f"{recorded} editions are recorded, {found} exist"
                yield Finding("editions-counted", state_keys.series(series).path, detail)
        for edition, identifier in self._relied_on.items():
            if edition not in self._editions:
                detail = f"it relies on the edition {edition}, which is not registered"
                yield Finding("evidence-registered", state_keys.identity(identifier).path, detail)
        for prefix, terms in self._terms.items():
            if terms.series and terms.series not in self._series:
                detail = f"the series {terms.series} has no edition"
                yield Finding("series-registered", state_keys.namespace(prefix).path, detail)


def _path_of(path: str, record: Record) -> str:
    """Return the path at which ``record`` belongs; counters do not know whose they are, so any prefix will do."""
    if isinstance(record, Usage):
        return state_keys.USAGE_PREFIX + path.removeprefix(state_keys.USAGE_PREFIX)
    if isinstance(record, Identity):
        return state_keys.identity(record.identifier).path
    if isinstance(record, Namespace):
        return state_keys.namespace(record.prefix).path
    if isinstance(record, Alias):
        return state_keys.alias(record.scheme, record.code).path
    if isinstance(record, CodebookEdition):
        return state_keys.codebook(record.edition).path
    if isinstance(record, Series):
        return state_keys.series(record.series).path
    if isinstance(record, Agency):
        return state_keys.AGENCY_KEY.path
    return ""


def _ascends(items: list[Any]) -> bool:
    """Tell whether each item is greater than the one before it."""
    return all(a < b for a, b in pairwise(items))
