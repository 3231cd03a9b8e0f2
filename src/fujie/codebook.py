"""The GB/T 2260 codebook that ships with Fujie: entries, Merkle root and paths, and the record of past changes.

The ledger holds only the root and the size of an edition. Whoever proposes an allocation under the ``codebook`` rule
reads the entry and its path here and puts them into the operation; the ledger checks them with ``fujie.core.codebook``
and never opens a file. Source, licence and meaning of the data: ``data/codebook/README.md``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from typing import Final, NamedTuple, Self

from fujie.core.codebook import (
    CODEBOOK_ENTRIES_MAX,
    CODEBOOK_PATH_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    CodebookEntry,
    Level,
    build_path,
    build_rows,
    check_entry,
    expected_identifier,
    node_for,
    verify_entries,
    verify_entry,
)
from fujie.core.errors import OperationalError, VerificationError

__all__ = [
    "CODEBOOK_ENTRIES_MAX",
    "CODEBOOK_PATH_BYTES_MAX",
    "LATEST_EDITION",
    "NAME_CHARACTERS_MAX",
    "ChangeKind",
    "Codebook",
    "CodebookEntry",
    "CodebookEvent",
    "EntryProof",
    "Level",
    "UnknownCode",
    "check_entry",
    "expected_identifier",
    "load_events",
    "node_for",
    "parse_entries",
    "parse_events",
    "verify_entries",
    "verify_entry",
]

LATEST_EDITION: Final = "gbt2260-2026-09-16"
ENTRIES_HEADER: Final = "code\tlevel\tparent\tname"
EVENTS_HEADER: Final = (
    "year\tkind\tlevel\told_code\told_name\told_parent\tnew_code\tnew_name\tnew_parent"
    "\tdocument\tsource\tsource_url\tdetail\tnote"
)
EDITIONS_HEADER: Final = "edition\tfile\tsize\troot"

_REINSTALL: Final = "Reinstall Fujie: its codebook files are not the ones it was published with."


class UnknownCode(OperationalError):
    """A code is not in an edition of the codebook."""

    def __init__(self, code: str, edition: str) -> None:
        super().__init__(
            f"The code {code[:16]!a} is not in the codebook edition {edition}.",
            "If it is an old code, look it up among the change events.",
        )


class ChangeKind(StrEnum):
    """What a change event did. The Chinese term of the source stands behind each."""

    RECODED = "recoded"  # 同名改码: same name, new code
    CREATED = "created"  # 新设
    CODE_REASSIGNED = "code-reassigned"  # 码位改派: the code passed to another division
    ABOLISHED = "abolished"  # 撤销
    COUNTY_TO_CITY = "county-to-city"  # 撤县设市
    RENAMED = "renamed"  # 更名
    COUNTY_TO_DISTRICT = "county-to-district"  # 撤县设区
    PREFECTURE_TO_CITY = "prefecture-to-city"  # 撤地设市
    CITY_TO_DISTRICT = "city-to-district"  # 撤市设区
    ADJUSTED = "adjusted"  # 区划调整
    TRANSFERRED = "transferred"  # 划转
    SEAT_MOVED = "seat-moved"  # 驻地迁移
    DISTRICT_REORGANISED = "district-reorganised"  # 撤区设区
    BANNER_TO_DISTRICT = "banner-to-district"  # 撤旗设区


class CodebookEvent(NamedTuple):
    """One change of the past. Fields that the source leaves open are ``""``; codes have six digits.

    ``old_name`` and ``new_name`` of a transfer may describe villages or towns and then have no code. Events are
    evidence to weigh, not a list to trust: the source warns of noise before 1984.
    """

    year: int
    kind: ChangeKind
    level: Level
    old_code: str
    old_name: str
    old_parent: str
    new_code: str
    new_name: str
    new_parent: str
    document: str
    source: str
    source_url: str
    detail: str
    note: str

    def mentions(self, code: str) -> bool:
        """Return whether the event took this code away or gave it."""
        return code in (self.old_code, self.new_code)


@dataclass(frozen=True, slots=True)
class EntryProof:
    """What an operation carries to show that ``entry`` is in an edition: the arguments of ``verify_entry``."""

    entry: CodebookEntry
    index: int
    size: int
    path: bytes


class Codebook:
    """One edition, in memory. Immutable once built; building the tree of 3,214 entries takes some 10 ms."""

    __slots__ = ("_index", "_rows", "edition", "entries")

    def __init__(self, edition: str, entries: Iterable[CodebookEntry]) -> None:
        """Build the tree over ``entries``, which ascend by code without duplicates and agree with themselves.

        Raises :class:`VerificationError`: ``codebook-size`` (none, or more than ``CODEBOOK_ENTRIES_MAX``),
        ``codebook-entry``, ``codebook-order``, ``codebook-parent`` (a parent is not in the edition).
        """
        self.edition = edition
        self.entries = tuple(entries)
        if not 0 < len(self.entries) <= CODEBOOK_ENTRIES_MAX:
            raise VerificationError("codebook-size", f"{len(self.entries)} entries")
        self._index = {entry.code: index for index, entry in enumerate(self.entries)}
        _check_entries(self.entries, self._index)
        self._rows = build_rows(self.entries)

    @classmethod
    def load(cls, edition: str = LATEST_EDITION) -> Self:
        """Return an edition that ships with Fujie, once it has shown the root it was published with.

        Raises :class:`OperationalError` for an edition that is not here, and for files that are missing or changed.
        """
        try:
            editions = {name: published for name, *published in _lines(_read("editions.tsv"), EDITIONS_HEADER)}
            if edition not in editions:
                what = f"There is no codebook edition {edition[:64]!a} here."
                raise OperationalError(what, f"Ask for one of: {', '.join(editions)}.")
            file, size, root = editions[edition]
            book = cls(edition, parse_entries(_read(file)))
        except VerificationError as error:
            raise OperationalError(f"The codebook edition {edition} is damaged ({error}).", _REINSTALL) from None
        if book.root.hex() != root or str(book.size) != size:
            raise OperationalError(f"The codebook edition {edition} has another root than published.", _REINSTALL)
        return book

    @property
    def root(self) -> bytes:
        """The 32-byte Merkle root."""
        return self._rows[-1][0]

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[CodebookEntry]:
        return iter(self.entries)

    def __contains__(self, code: object) -> bool:
        return code in self._index

    def index(self, code: str) -> int:
        """Return the place of ``code`` among the entries, from 0. Raises :class:`UnknownCode`."""
        try:
            return self._index[code]
        except KeyError:
            raise UnknownCode(code, self.edition) from None

    def entry(self, code: str) -> CodebookEntry:
        """Return the entry of ``code``. Raises :class:`UnknownCode`."""
        return self.entries[self.index(code)]

    def path(self, code: str) -> bytes:
        """Return the sibling digests from the leaf of ``code`` to the root, 32 bytes each, joined, for ``verify_entry``.

        Raises :class:`UnknownCode`.
        """
        return self.range_path(self.index(code), 1)

    def range_path(self, first: int, count: int) -> bytes:
        """Return the one path of ``count`` neighbouring entries from number ``first`` on, for ``verify_entries``.

        A division and everything it governs are neighbours, as entries ascend by code. Raises
        :class:`OperationalError` for a range that is empty or reaches beyond the edition.
        """
        if not 0 <= first < first + count <= self.size:
            raise OperationalError(
                f"There are no {count} entries from number {first} on.", f"Ask within the {self.size} of the edition."
            )
        return build_path(self._rows, first, count)

    def proof(self, code: str) -> EntryProof:
        """Return everything an operation needs to rely on ``code``. Raises :class:`UnknownCode`."""
        return EntryProof(self.entry(code), self.index(code), self.size, self.path(code))

    def identifier(self, root_prefix: str, code: str) -> str:
        """Return the identifier of ``code`` under the country ``root_prefix``, e.g. ``ZZ.156``.

        Raises :class:`UnknownCode`, then ``IdentifierError``.
        """
        return expected_identifier(root_prefix, self.entry(code))

    def children(self, code: str) -> tuple[CodebookEntry, ...]:
        """Return the entries that ``code`` governs directly, by code; the provinces for ``""``."""
        if code:
            self.index(code)
        return tuple(entry for entry in self.entries if entry.parent == code)

    def named(self, name: str) -> tuple[CodebookEntry, ...]:
        """Return the entries with exactly this name, by code. Names repeat: there are several 鼓楼区."""
        return tuple(entry for entry in self.entries if entry.name == name)


def load_events() -> tuple[CodebookEvent, ...]:
    """Return the change events of 1981 to 2026 that ship with Fujie, by year.

    Raises :class:`OperationalError` if the file is missing or damaged.
    """
    try:
        return parse_events(_read("gbt2260_events.tsv"))
    except VerificationError as error:
        raise OperationalError(f"The codebook events are damaged ({error}).", _REINSTALL) from None


def parse_entries(text: str) -> tuple[CodebookEntry, ...]:
    """Return the entries of a tab-separated file with header ``code level parent name``, in its order.

    Raises :class:`VerificationError` with step ``codebook-file``. Order and parents are checked by :class:`Codebook`.
    """
    levels = {level.name.lower(): level for level in Level}
    entries: list[CodebookEntry] = []
    for code, level, above, name in _lines(text, ENTRIES_HEADER):
        if level not in levels or not _is_code(code) or not (above == "" or _is_code(above)):
            raise VerificationError("codebook-file", f"no entry can be read from the row of {code[:16]!a}")
        if not 0 < len(name) <= NAME_CHARACTERS_MAX or not name.isprintable() or name != name.strip():
            raise VerificationError("codebook-file", f"the name of {code} is empty, too long or not printable")
        entries.append(CodebookEntry(code, levels[level], above, name))
    return tuple(entries)


def parse_events(text: str) -> tuple[CodebookEvent, ...]:
    """Return the events of a tab-separated file. Raises :class:`VerificationError` with step ``codebook-file``."""
    levels = {level.name.lower(): level for level in Level}
    kinds = {kind.value: kind for kind in ChangeKind}
    events: list[CodebookEvent] = []
    for year, kind, level, *texts in _lines(text, EVENTS_HEADER):
        codes = (texts[0], texts[2], texts[3], texts[5])
        year_fits = len(year) == 4 and year.isascii() and year.isdigit()
        if not year_fits or kind not in kinds or level not in levels or not all(c == "" or _is_code(c) for c in codes):
            raise VerificationError("codebook-file", f"no event can be read from row {len(events) + 1}")
        unescaped = [field.replace("\\n", "\n") for field in texts]
        events.append(CodebookEvent(int(year), kinds[kind], levels[level], *unescaped))
    return tuple(events)


def _check_entries(entries: tuple[CodebookEntry, ...], index: dict[str, int]) -> None:
    before = ""
    for entry in entries:
        check_entry(entry)
        if entry.code <= before:
            raise VerificationError("codebook-order", f"{entry.code} follows {before}")
        if entry.parent and entry.parent not in index:
            raise VerificationError("codebook-parent", f"{entry.parent}, parent of {entry.code}, is not in the edition")
        before = entry.code


def _is_code(text: str) -> bool:
    return len(text) == 6 and text.isascii() and text.isdigit()


def _lines(text: str, header: str) -> Iterator[list[str]]:
    """Yield the rows of a tab-separated file, split into as many fields as its header has."""
    first, *rows = text.split("\n")
    if first != header or rows[-1:] != [""]:
        raise VerificationError("codebook-file", "the header line or the line feed at the end is missing")
    width = header.count("\t") + 1
    for number, row in enumerate(rows[:-1], start=2):
        fields = row.split("\t")
        if len(fields) != width:
            raise VerificationError("codebook-file", f"line {number} has {len(fields)} fields instead of {width}")
        yield fields


def _read(file: str) -> str:
    try:
        data = (resources.files("fujie") / "data" / "codebook" / file).read_bytes()
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"The codebook file {file} cannot be read ({type(error).__name__})."
        raise OperationalError(what, _REINSTALL) from None
