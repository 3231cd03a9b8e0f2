"""Which transactions a party has: written once per stretch of the log, in order (``schema``, "postings")."""

import sqlite3
from array import array
from collections.abc import Mapping
from sys import byteorder

from fujie.reader.projection.schema import SEGMENT

Places = dict[int, list[int]]
"""Number of a party → log indices, ascending."""


def write(connection: sqlite3.Connection, links: Mapping[int, list[int]], begin: int, end: int) -> None:
    """Add ``links``, those of the log entries ``begin <= index < end``. Within the transaction of the batch."""
    full_before = end - end % SEGMENT
    if full_before <= begin:  # no stretch becomes full
        _keep_recent(connection, links)
        return
    # What stands in `recent` belongs to the first stretch that becomes full.
    whole: Places = {}
    for party, index in connection.execute("SELECT party, log_index FROM recent ORDER BY party, log_index"):
        whole.setdefault(party, []).append(index)
    for party, indices in links.items():
        whole.setdefault(party, []).extend(indices)
    connection.execute("DELETE FROM recent")
    _keep_recent(connection, _pack(connection, whole, full_before))


def unpack(places: bytes) -> "array[int]":
    """Return the places of a posting in their stretch, ascending."""
    found = array("H")
    found.frombytes(places)
    if byteorder != "little":
        found.byteswap()
    return found


def _pack(connection: sqlite3.Connection, whole: Places, full_before: int) -> Places:
    """Write the full stretches of ``whole`` and return what lies behind them."""
    rest: Places = {}
    segments: dict[int, list[tuple[int, int, bytes]]] = {}
    for party in sorted(whole):
        stretch, places = -1, array("H")
        for index in whole[party]:
            if index >= full_before:
                rest.setdefault(party, []).append(index)
                continue
            segment = index // SEGMENT
            if segment != stretch:
                if places:
                    segments.setdefault(stretch, []).append((stretch, party, _packed(places)))
                stretch, places = segment, array("H")
            places.append(index % SEGMENT)
        if places:
            segments.setdefault(stretch, []).append((stretch, party, _packed(places)))
    for segment in sorted(segments):
        connection.execute("INSERT INTO segments VALUES (?)", (segment,))
        connection.executemany("INSERT INTO postings VALUES (?, ?, ?)", segments[segment])
    return rest


def _packed(places: "array[int]") -> bytes:
    if byteorder != "little":
        places = places[:]
        places.byteswap()
    return places.tobytes()


def _keep_recent(connection: sqlite3.Connection, links: Mapping[int, list[int]]) -> None:
    rows = [(party, index) for party in sorted(links) for index in links[party]]
    connection.executemany("INSERT INTO recent VALUES (?, ?)", rows)
