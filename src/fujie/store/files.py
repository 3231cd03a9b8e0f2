"""Files as the system knows them: who holds one, whether it is still the same, and a new one, whole or not at all."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from fujie.core.errors import OperationalError


class HeldFile:
    """An open file with a lock on it (``flock``), which the system gives back when the process dies."""

    def __init__(self, file: int | None) -> None:
        self._file = file

    @property
    def descriptor(self) -> int:
        """The open file, for a process that is to hold the lock as well. Only while it is held."""
        assert self._file is not None, "it is held"
        return self._file

    def release(self) -> None:
        """Give the lock back. Idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class FileLock(HeldFile):
    """The lock that one process holds alone. The file stays when it is given back: a crash leaves nothing to clean up."""

    def __init__(self, path: Path, in_use: Callable[[int], OperationalError]) -> None:
        """Take the lock at ``path``, making the file where it is missing.

        Raises :class:`OperationalError` when it does not open, and what ``in_use`` returns for the open file when
        another process holds it.
        """
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise OperationalError(
                f"The lock {path} does not open: {error.strerror}.", "Check who owns the folder and may write to it."
            ) from error
        super().__init__(file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            refusal = in_use(file)
            self.release()
            raise refusal from error


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells one file or folder from another at the same path (device, inode), or None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def write_whole(path: Path, parts: Iterator[bytes]) -> None:
    """Write ``parts`` to ``path``, which is free, so that it holds all of them or does not exist.

    Raises :class:`OperationalError`, also when the name is taken.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        try:
            # For its owner alone: it holds what the store does.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(temporary)  # fails when the name is taken, where a rename would replace it
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise OperationalError(f"{path} exists already.", "Choose another name.") from None
    except OSError as error:
        raise OperationalError(
            f"{path} cannot be written: {error.strerror}.", "Check the folder, its rights and the free space."
        ) from error
