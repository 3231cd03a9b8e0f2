"""Reading and writing the small files of a client: bounded, whole or not at all."""

import os
import secrets
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError

OWNER_ONLY: Final = 0o600


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return the content of a file of at most ``bytes_max`` bytes. Raises :class:`OperationalError`."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except FileNotFoundError:
        raise OperationalError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror}.", "Check the path and its rights.") from None
    if len(data) > bytes_max:
        raise OperationalError(f"{path} is longer than {bytes_max} bytes.", "Check that this is the file you mean.")
    return data


def write_atomically(
    path: Path, data: bytes, *, mode: int = 0o644, overwrite: bool = True, durable: bool = True
) -> None:
    """Write a file so that ``path`` holds either what it held or all of ``data``, even across a crash.

    The data goes to a new file beside it with ``mode``, is fsynced (unless not ``durable``) and takes its name. With
    ``overwrite`` off an existing file stays and ``FileExistsError`` is raised. Raises :class:`OperationalError` when the
    folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            if overwrite:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)  # fails when the name is taken, where a rename would replace it
        finally:
            temporary.unlink(missing_ok=True)
        if durable:
            sync_folder(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise OperationalError(
            f"{path} cannot be written: {error.strerror}.", "Check that the folder exists, its rights, and free space."
        ) from None


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
