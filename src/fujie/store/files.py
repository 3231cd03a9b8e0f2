"""Files of a data folder as the system knows them: who holds one, and whether it is still the same."""

import fcntl
import os
from collections.abc import Callable
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
