"""The words that people search by, written."""

import sqlite3

from fujie.reader.projection.text import pairs


def write_word(connection: sqlite3.Connection, kind: str, key: str, folded: str, retired: bool) -> None:
    """Set the word of ``kind`` that leads to ``key``. ``folded`` is as ``text.folded`` returns it."""
    execute = connection.execute
    before = execute("SELECT number, folded, retired FROM words WHERE kind = ? AND key = ?", (kind, key)).fetchone()
    if before is None:
        number = execute(
            "INSERT INTO words (kind, key, folded, retired) VALUES (?, ?, ?, ?)", (kind, key, folded, retired)
        ).lastrowid
    else:
        number, old, was_retired = before
        if old == folded and was_retired == retired:
            return
        execute("UPDATE words SET folded = ?, retired = ? WHERE number = ?", (folded, retired, number))
        if old == folded:
            return
        execute("INSERT INTO word_parts (word_parts, rowid, folded) VALUES ('delete', ?, ?)", (number, old))
        connection.executemany(
            "DELETE FROM word_pairs WHERE pair = ? AND number = ?", [(pair, number) for pair in pairs(old)]
        )
    execute("INSERT INTO word_parts (rowid, folded) VALUES (?, ?)", (number, folded))
    connection.executemany("INSERT INTO word_pairs VALUES (?, ?)", [(pair, number) for pair in sorted(pairs(folded))])
