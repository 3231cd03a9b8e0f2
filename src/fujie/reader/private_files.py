"""Small files that only the node's own user may read: written whole or not at all, changed under one lock.

The client has such functions for its own files; what serves does not import the client.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError

FILE_BYTES_MAX: Final = 65_536  # of one file: ten times what any of them holds


def read_private(path: Path) -> bytes | None:
    """Return the content of a small file, or None where there is none. Raises :class:`OperationalError`."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(data) > FILE_BYTES_MAX:
        raise OperationalError(f"{path} is longer than {FILE_BYTES_MAX} bytes.", "Remove it, and make a new one.")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Replace a file (0600) durably, whole or not at all. Raises :class:`OperationalError`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        make_private_folder(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None


def remove_private(path: Path) -> bool:
    """Remove a file durably; tell whether it was there. Raises :class:`OperationalError`."""
    try:
        path.unlink()
        _sync(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(path, error) from None
    return True


def make_private_folder(path: Path) -> None:
    """Make a folder (0700) where there is none. Raises :class:`OperationalError`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the one lock of ``folder``: no other process or thread changes its files meanwhile.

    Raises :class:`OperationalError`. The lock goes with the process that holds it.
    """
    make_private_folder(folder)
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(folder / "lock", error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> OperationalError:
    return OperationalError(f"{path} cannot be read: {error.strerror}.", "Check its rights and its owner.")


def _unwritable(path: Path, error: OSError) -> OperationalError:
    return OperationalError(
        f"{path} cannot be written: {error.strerror}.", "Check the folder, its rights, and free space."
    )
