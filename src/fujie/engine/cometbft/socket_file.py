"""The socket in the file system that CometBFT connects to: for the owner alone.

CometBFT opens it by its path, so a path that is too long cannot be helped here as it is for the link.
"""

import contextlib
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError

PATH_BYTES_MAX: Final = 103 if sys.platform == "darwin" else 107  # the kernel's 104 or 108, less the zero at the end
BACKLOG: Final = 16

_ASK_TIMEOUT_S: Final = 1.0


class SocketFile:
    """A socket that listens at a path. What a dead process left there is replaced, nothing else."""

    def __init__(self, path: Path) -> None:
        """Raises :class:`OperationalError`: the path is too long, something else stands there, another process
        listens, the folder cannot be written to.
        """
        size = len(os.fsencode(path))
        if size > PATH_BYTES_MAX:
            raise OperationalError(
                f"The path of the socket {path} has {size} bytes; the system takes {PATH_BYTES_MAX}.",
                "Choose a data folder with a shorter path.",
            )
        _remove_stale(path)
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.listener.bind(str(path))
            path.chmod(0o600)  # before it listens: until then nobody can connect
            self._inode = path.lstat().st_ino
            self.listener.listen(BACKLOG)
            self.listener.setblocking(False)
        except OSError as error:
            self.listener.close()
            raise OperationalError(
                f"The socket {path} cannot be made: {error.strerror}.", "Check the folder and who may write to it."
            ) from error

    def close(self) -> None:
        """Stop listening and remove the file, unless another one stands there by now. Idempotent."""
        self.listener.close()
        with contextlib.suppress(OSError):
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()


def _remove_stale(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except OSError:
        return  # nothing there, or nothing that can be seen: bind says which
    if not stat.S_ISSOCK(kind):
        raise OperationalError(f"{path} is not a socket.", "Move it away; CometBFT is to be reached there.")
    if _answers(path):
        raise OperationalError(
            f"Another process listens at {path}.", "Stop the node that runs there, or use another data folder."
        )
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _answers(path: Path) -> bool:
    """Tell whether a process listens. One that does not take the connection in time does listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(_ASK_TIMEOUT_S)
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
