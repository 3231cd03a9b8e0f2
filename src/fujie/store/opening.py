"""Opening a data folder: one process at a time, and the kind of store that is in it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from fujie.core.errors import OperationalError
from fujie.store.base import Store
from fujie.store.files import FileLock, HeldFile
from fujie.store.layout import Table
from fujie.store.sqlite import SqliteStore

StoreKind = Literal["sqlite", "rocks"]

LOCK_NAME: Final = "lock"
STORE_NAMES: Final[dict[str, str]] = {"sqlite": "store.sqlite", "rocks": "store.rocks"}  # a file, a folder


class FolderLock(FileLock):
    """The right to use a data folder, held by one process at a time.

    The file holds the process number of the holder, for the message that another process gets.
    """

    def __init__(self, folder: Path) -> None:
        """Take the lock of ``folder``, which exists. Raises :class:`OperationalError` when another process has it."""

        def in_use(file: int) -> OperationalError:
            holder = os.pread(file, 32, 0).decode("ascii", "replace").strip() or "unknown"
            return OperationalError(
                f"The data folder {folder} is in use by process {holder}.",
                "Stop that process, or give this one another data folder.",
            )

        super().__init__(folder / LOCK_NAME, in_use)
        assert self._file is not None, "it was taken"
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode("ascii"), 0)


class SharedLock(HeldFile):
    """The right that nobody begins to use a data folder: for readers of files that must not change meanwhile.

    Unlike :class:`FolderLock` it needs no right to write, so it works on a read-only file system.
    """

    @classmethod
    def take(cls, folder: Path) -> "SharedLock | None":
        """Return the lock, or None where a process uses the folder. Without a lock file nobody ever did."""
        try:
            file = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return cls(None)
        except OSError:
            return None  # it may not even be read: nothing is known
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        return cls(file)


class LockedStore:
    """A store together with the lock of its data folder; closing it releases both, in this order."""

    def __init__(self, store: Store, lock: FolderLock) -> None:
        self._store = store
        self._lock = lock
        self.name = store.name
        # The methods of the store itself, not one call more on the hot path.
        self.get = store.get
        self.get_many = store.get_many
        self.last = store.last
        self.moment = store.moment
        self.commit = store.commit

    def scan(self, table: Table, start: bytes = b"", end: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key, value) with ``start <= key < end`` ascending."""
        return self._store.scan(table, start, end)

    def close(self) -> None:
        """Close the store, then give back the lock. Idempotent."""
        try:
            self._store.close()
        finally:
            self._lock.release()


def open_store(kind: StoreKind, folder: Path) -> Store:
    """Open the store of data folder ``folder``, creating both where they are missing, for this process alone.

    Raises :class:`OperationalError` when the folder cannot be made, another process holds it, it holds a store of the
    other kind, the package for ``rocks`` is not installed, or the store itself does not open.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperationalError(
            f"The data folder {folder} cannot be made: {error.strerror}.", "Check the path and who may write to it."
        ) from error
    lock = FolderLock(folder)
    try:
        return LockedStore(_open(kind, folder), lock)
    except BaseException:
        lock.release()
        raise


def _open(kind: StoreKind, folder: Path) -> Store:
    for other, name in STORE_NAMES.items():
        if other != kind and (folder / name).exists():
            raise OperationalError(
                f"The data folder {folder} holds a store of kind '{other}', not '{kind}'.",
                f"Set the kind of store to '{other}', or give another data folder.",
            )
    path = folder / STORE_NAMES[kind]
    if kind == "sqlite":
        # For its owner alone, as are the files that SQLite makes beside it. An empty file is an empty database.
        with contextlib.suppress(OSError):  # opening it says why
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return SqliteStore.open(path)
    try:
        from fujie.store.rocks import RocksStore  # not at the top: who keeps to sqlite loads no RocksDB
    except ImportError as error:
        raise OperationalError(
            "A store of kind 'rocks' needs the package rocksdict.", "Install Fujie again, or choose 'sqlite'."
        ) from error
    return RocksStore.open(path)
