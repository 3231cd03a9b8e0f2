"""Rows of a snapshot that hash to every root and frame, and are not those of the chain."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.hashing import version_digest
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.engine.executor import LOG_ENTRY, LogEntry
from fujie.store.layout import Table
from fujie.store.snapshot import Rows

JUNK: Final = b"what no record leads to"
Row = tuple[bytes, bytes]


def _changed(
    chunks: Iterable[Rows], table: Table, change: Callable[[tuple[Row, ...]], Iterable[Row]]
) -> Iterator[Rows]:
    changed = False
    for chunk in chunks:
        mine = chunk.prefix == table.prefix
        changed |= mine
        yield Rows(chunk.prefix, tuple(change(chunk.rows))) if mine else chunk
    assert changed, "the snapshot has rows of the table"


def _entries(chunks: Iterable[Rows], change: Callable[[LogEntry], LogEntry]) -> Iterator[Rows]:
    def changed(rows: tuple[Row, ...]) -> list[Row]:
        return [(key, encode(change(LOG_ENTRY.decode(value)))) for key, value in rows]

    return _changed(chunks, Table.LOG_ENTRIES, changed)


def _unsigned(entry: LogEntry) -> LogEntry:
    signed = SIGNED_TRANSACTION.decode(entry.transaction)
    nothing = tuple(bytes(64) for _ in signed.signatures)
    return replace(entry, transaction=encode(replace(signed, signatures=nothing)))


def lie_of(name: str, chunks: Iterable[Rows]) -> Iterator[Rows]:
    """Return the chunks of an honest snapshot with one lie in them; that of :data:`CUT` is told in ``first_index`` as well."""
    if name == "a version left out":
        return _changed(chunks, Table.VERSIONS, lambda rows: rows[1:])
    if name == "all versions left out":
        return (chunk for chunk in chunks if chunk.prefix != Table.VERSIONS.prefix)
    if name == "a version too many":
        return _changed(chunks, Table.VERSIONS, lambda rows: sorted([*rows, (version_digest(JUNK), JUNK)]))
    if name == "another height":
        return _entries(chunks, lambda entry: replace(entry, height=entry.height + 1))
    if name == "no signatures":
        return _entries(chunks, _unsigned)
    assert name == CUT
    return _changed(chunks, Table.LOG_ENTRIES, lambda rows: rows[-1:])


CUT: Final = "a window cut"
STEPS: Final = {
    "a version left out": "snapshot-version",
    "all versions left out": "snapshot-version",
    "a version too many": "snapshot-version",
    "another height": "snapshot-log",
    "no signatures": "transaction-signature",
    CUT: "snapshot-window",
}
