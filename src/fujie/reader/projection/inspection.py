"""What a projection's file says of itself, for whoever looks whether all is well; it is not used and not changed."""

import sqlite3
from pathlib import Path

import msgspec

from fujie.reader.projection.schema import connect_to_read, description


class Inspection(msgspec.Struct, frozen=True):
    """The version of the tables, the chain, and how far the projection has come."""

    schema: int
    chain_id: str
    log_size: int
    height: int


def inspect(path: Path) -> Inspection | None:
    """Return what the file at ``path`` says of itself, or None for one that is damaged or no projection."""
    try:
        connection = connect_to_read(path)
        try:
            said = description(connection)
            row = connection.execute("SELECT log_size, height FROM position").fetchone()
        finally:
            connection.close()
        return Inspection(int(said["schema"]), said["chain_id"], row[0], row[1])
    except (sqlite3.Error, KeyError, ValueError, TypeError):
        return None
