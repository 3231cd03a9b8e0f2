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
