"""Reading a data folder as it stands at one moment, without changing it: for `fujie check` and snapshots.

A SQLite file can be read beside the process that writes it: the reader holds one read transaction and sees one commit. A
RocksDB folder cannot, so there the lock of the data folder is taken, and the node must be stopped.

SQLite coordinates readers through files that it makes beside the store. Where it cannot make them, on a read-only file
system say, the store is read as one that does not change, and a lock holds whoever would change it off meanwhile.
"""

import os
from pathlib import Path

from fujie.core.errors import OperationalError
from fujie.store.base import ReadOnlyStore
from fujie.store.opening import STORE_NAMES, FolderLock, LockedStore, SharedLock, StoreKind
from fujie.store.sqlite import SqliteMoment


def open_for_reading(kind: StoreKind, folder: Path, *, untouched: bool = False) -> ReadOnlyStore:
    """Open the store of data folder ``folder`` as it stands now.

    ``untouched``: leave not even SQLite's own files behind, where no node runs; one that starts meanwhile is turned away,
    so this is for a brief look. Raises :class:`OperationalError` when there is no store or it does not open, and for
    ``rocks`` when a node has it open.
    """
    path = folder / STORE_NAMES[kind]
    if not path.exists():
        raise OperationalError(f"There is no store at {path}.", "Check the data folder, or start a node there first.")
    if kind == "rocks":
        return _open_rocks(folder, path)
    still = _hold_still(folder, path) if untouched or not os.access(folder, os.W_OK) else None
    return SqliteMoment(path, still)


def _hold_still(folder: Path, path: Path) -> SharedLock | None:
    """Return the lock under which the file at ``path`` is the whole store and does not change; None where it is not so."""
    lock = SharedLock.take(folder)
    if lock is None:
        return None  # a node runs
    log = path.with_name(f"{path.name}-wal")
    try:
        merged = not log.exists() or log.stat().st_size == 0
    except OSError:
        merged = False
    if not merged:  # the newest commits stand in the write-ahead log, which a file that does not change is read without
        lock.release()
        return None
    return lock


def _open_rocks(folder: Path, path: Path) -> ReadOnlyStore:
    """Open a RocksDB store that nobody else has open, with the lock of its folder."""
    try:
        from fujie.store.rocks import RocksStore  # not at the top: as in store.opening
    except ImportError as error:
        raise OperationalError(
            "A store of kind 'rocks' needs the package rocksdict.", "Install Fujie again, or read a 'sqlite' store."
        ) from error
    try:
        lock = FolderLock(folder)
    except OperationalError as error:
        raise OperationalError(
            f"{error.what} A store of kind 'rocks' has one reader at a time.", "Stop the node first."
        ) from error
    try:
        return LockedStore(RocksStore.open(path), lock)
    except BaseException:
        lock.release()
        raise
