"""The socket of the link in the file system: ``<home>/run/node.sock``, for the owner of the folder alone.

The path of a Unix socket has at most some 100 bytes, that of a data folder may have more. The socket is therefore bound
and connected to by a short name of its folder: the open folder's in ``/proc``, or a symbolic link in the folder for
temporary files where there is no ``/proc``.
"""

import contextlib
import errno
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.engine.link.messages import LinkError

RUN_NAME: Final = "run"
SOCKET_NAME: Final = "node.sock"
PATH_BYTES_MAX: Final = 100  # macOS has room for 104 with the zero, Linux for 108
BACKLOG: Final = 64

_NONE_LISTENS: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED})
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid


def listen(home: Path) -> socket.socket:
    """Return the listening socket of the ledger of ``home``. The caller holds the folder's lock.

    What an earlier process left is replaced. Raises :class:`OperationalError`.
    """
    folder = home / RUN_NAME
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with contextlib.suppress(FileNotFoundError):
            (folder / SOCKET_NAME).unlink()
        with _short(folder) as name:
            listener.bind(f"{name}/{SOCKET_NAME}")
        (folder / SOCKET_NAME).chmod(0o600)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise OperationalError(
            f"The socket {folder / SOCKET_NAME} cannot be made: {error.strerror}.",
            "Check the folder and who may write to it.",
        ) from error
    return listener


def remove(home: Path) -> None:
    """Remove the socket, when the ledger stops."""
    with contextlib.suppress(OSError):
        (home / RUN_NAME / SOCKET_NAME).unlink()


def connect(home: Path, timeout_s: float) -> socket.socket:
    """Return a socket connected to the ledger of ``home``. Raises :class:`LinkError` where none listens."""
    folder = home / RUN_NAME
    with contextlib.ExitStack() as undo:
        try:
            connection = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.settimeout(timeout_s)
            with _short(folder) as name:
                connection.connect(f"{name}/{SOCKET_NAME}")
        except TimeoutError as error:
            raise LinkError(f"The node in {home} takes no connection.", "See its log; it may be stopped.") from error
        except OSError as error:
            if error.errno in _NONE_LISTENS:
                raise LinkError(f"No node runs in {home} ({error.strerror}).", "Start one with `fujie up`.") from error
            raise LinkError(
                f"The node in {home} cannot be reached: {error.strerror or error}.", "Put that right and try again."
            ) from error
        undo.pop_all()
    return connection


def same_user(connection: socket.socket) -> bool:
    """Tell whether the process at the other end runs as the user of this one, or as root.

    The rights of the folder say so already; this holds as well where somebody has changed them.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return uid in (os.geteuid(), 0)


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Give ``folder`` a name that is short enough, for the time of a bind or connect."""
    if len(os.fsencode(folder)) + 1 + len(SOCKET_NAME) <= PATH_BYTES_MAX:
        yield str(folder)
    elif Path("/proc/self/fd").is_dir():
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory(prefix="fujie-") as place:
            name = Path(place) / "run"
            name.symlink_to(folder.absolute(), target_is_directory=True)
            yield str(name)
