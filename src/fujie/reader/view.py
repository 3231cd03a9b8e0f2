"""The store as of one block: a moment of it, and over that what the blocks since have changed.

A view never changes. Reading one whose moment has been given back raises ``MomentGone``: a newer view stands in its place.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, Final

from fujie.engine.feed import Rows
from fujie.store.following import Moment, scan_by_rows
from fujie.store.layout import Table

_MISSING: Final[Any] = object()


class Layer:
    """What some consecutive blocks changed. Not changed any more once it is made, but for what it remembers of itself."""

    __slots__ = ("_sorted", "last", "size", "tables")

    def __init__(self, last: int, tables: dict[Table, Rows]) -> None:
        self.last = last  # height of the newest of its blocks
        self.tables = tables
        self.size = sum(map(len, tables.values()))  # rows
        self._sorted: dict[Table, list[bytes]] = {}

    def keys_between(self, table: Table, start: bytes, end: bytes | None) -> list[bytes]:
        """Return the keys ``start <= key < end`` that the blocks changed, ascending."""
        keys = self._sorted.get(table)
        if keys is None:
            keys = self._sorted[table] = sorted(self.tables.get(table, ()))
        return keys[bisect_left(keys, start) : len(keys) if end is None else bisect_left(keys, end)]

    def merged(self, newer: "Layer") -> "Layer":
        """Return this layer with ``newer`` over it."""
        tables = dict(self.tables)
        for table, rows in newer.tables.items():
            below = tables.get(table)
            tables[table] = {**below, **rows} if below else rows
        return Layer(newer.last, tables)


class View:
    """Reads the newest layer first, then the older ones, then the moment below. Any thread."""

    __slots__ = ("base", "layers")

    def __init__(self, base: Moment, layers: Sequence[Layer] = ()) -> None:
        self.base = base
        self.layers = tuple(layers)  # oldest first

    def with_layer(self, layer: Layer) -> "View":
        """Return this view with the next block over it."""
        return View(self.base, (*self.layers, layer))

    def compacted(self) -> "View":
        """Return the same view in fewer layers: each is more than twice as large as the next, so a read meets few.

        As in a log-structured store, so that a row is copied a few times and not with every block.
        """
        layers: list[Layer] = []
        for layer in self.layers:
            layers.append(layer)
            while len(layers) > 1 and layers[-2].size <= 2 * layers[-1].size:
                newer = layers.pop()
                layers[-1] = layers[-1].merged(newer)
        return self if len(layers) == len(self.layers) else View(self.base, layers)

    def on(self, base: Moment, height: int) -> "View":
        """Return this view over another moment, which is as of block ``height``: what that holds is left out."""
        return View(base, [layer for layer in self.layers if layer.last > height])

    @property
    def size(self) -> int:
        """How many rows are in the layers."""
        return sum(layer.size for layer in self.layers)

    def get(self, table: Table, key: bytes) -> bytes | None:
        """Return the value of ``key``, or None."""
        for layer in reversed(self.layers):
            rows = layer.tables.get(table)
            if rows is not None:
                found = rows.get(key, _MISSING)
                if found is not _MISSING:
                    value: bytes | None = found
                    return value
        return self.base.get(table, key)

    def rows(self, table: Table, start: bytes, end: bytes | None, limit: int) -> list[tuple[bytes, bytes]]:
        """Return the first ``limit`` (key, value) with ``start <= key < end``, ascending."""
        changed: dict[bytes, bytes | None] = {}
        for layer in self.layers:
            rows = layer.tables.get(table)
            if rows:
                changed.update({key: rows[key] for key in layer.keys_between(table, start, end)})
        # Every changed key may take the place of one below, so with so many more below, what counts is all there.
        below = self.base.rows(table, start, end, limit + len(changed))
        if not changed:
            return below
        kept = {key: value for key, value in [*below, *changed.items()] if value is not None}
        for key, value in changed.items():
            if value is None:
                kept.pop(key, None)
        if len(below) == limit + len(changed):
            # The moment has more beyond its last row; what was changed beyond it is for the next time.
            last = below[-1][0]
            kept = {key: value for key, value in kept.items() if key <= last}
        return sorted(kept.items())[:limit]

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending."""
        return scan_by_rows(self.rows, table, start, end)

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """Return the entry with the greatest key of ``table``, one to which blocks only add; None when it is empty."""
        found = self.base.last(table)
        for layer in self.layers:
            keys = layer.keys_between(table, b"", None)
            if keys and (found is None or keys[-1] >= found[0]):
                value = layer.tables[table][keys[-1]]
                assert value is not None, "nothing is deleted from this table"
                found = keys[-1], value
        return found
