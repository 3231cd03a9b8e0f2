"""The stores that every contract test runs over, and how to open one."""

from collections.abc import Callable
from pathlib import Path

from fujie.store.base import Store
from fujie.store.rocks import RocksStore
from fujie.store.sqlite import SqliteStore

OPENERS: dict[str, Callable[[Path], Store]] = {
    "sqlite": lambda folder: SqliteStore.open(folder / "store.sqlite"),
    "rocks": lambda folder: RocksStore.open(folder / "store.rocks"),
}
KINDS = sorted(OPENERS)

_in_memory: list[SqliteStore] = []


def memory_store() -> SqliteStore:
    """Open a store in memory; ``conftest`` closes it when the test ends."""
    store = SqliteStore.open(None)
    _in_memory.append(store)
    return store


def close_memory_stores() -> None:
    """Close what ``memory_store`` opened."""
    while _in_memory:
        _in_memory.pop().close()
