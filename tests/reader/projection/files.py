"""Projections for tests: made, caught up, and looked into."""

import sqlite3
from pathlib import Path
from typing import Any

from fujie.engine.embedded import EmbeddedEngine
from fujie.reader.projection.projection import Projection
from fujie.reader.projection.source import EngineSource, Source

TABLES = [
    "position",
    "blocks",
    "minutes",
    "transactions",
    "parties",
    "wallets",
    "recent",
    "segments",
    "postings",
    "identifiers",
    "aliases",
    "organisations",
    "accounts",
    "instruments",
    "proposals",
]

# Words are numbered in the order in which they came, which nobody sees.
WORDS = {
    "words": "SELECT kind, key, folded, retired FROM words",
    "pairs": "SELECT p.pair, w.kind, w.key FROM word_pairs p JOIN words w ON w.number = p.number",
    "parts": "SELECT w.kind, w.key FROM word_parts f JOIN words w ON w.number = f.rowid WHERE word_parts MATCH ?",
}


def catch_up(path: Path, engine: EmbeddedEngine, at_once: int = 4_096) -> None:
    """Bring the projection at ``path`` to the head of the ledger."""
    with Projection(path, engine.chain_id) as projection:
        follow(projection, EngineSource(engine), at_once)


def follow(projection: Projection, source: Source, at_once: int = 4_096) -> None:
    """Take in batches until there is none."""
    while projection.advance(source, at_once):
        pass


def content(path: Path) -> dict[str, list[Any]]:
    """Return every row of every table, in key order, and what the full-text index finds."""
    connection = sqlite3.connect(path)
    try:
        found = {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
        found |= {name: sorted(connection.execute(WORDS[name])) for name in ("words", "pairs")}
        for part in ("gas", "石家庄", "market", "des", "hou"):
            found[f"part {part}"] = sorted(connection.execute(WORDS["parts"], (f'"{part}"',)))
    finally:
        connection.close()
    return found
