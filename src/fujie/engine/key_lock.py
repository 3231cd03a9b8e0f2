"""One validator key signs in one process of this machine at a time, whatever engine and data folder it signs for."""

import os
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.engine.user_folder import user_folder
from fujie.proof.validators import validator_address
from fujie.store.files import FileLock

FOLDER_NAME: Final = "locks"
HOLDER_BYTES_MAX: Final = 4_096


class KeyLock(FileLock):
    """The right to sign with one validator key, of all processes of this user. A process that dies gives it back."""

    def __init__(self, public_key: bytes, home: Path) -> None:
        """Take it for the folder ``home``, which others are told.

        Raises :class:`KeyInUse` when another folder's node signs with the key, and :class:`OperationalError` when the lock
        cannot be made.
        """
        address = validator_address(public_key).hex()
        folder = user_folder() / FOLDER_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperationalError(
                f"The folder {folder} for locks on validator keys cannot be made: {error.strerror}.",
                "Give the node's user a home folder, or name one in XDG_DATA_HOME.",
            ) from error
        super().__init__(
            folder / f"validator-{address}",
            lambda file: KeyInUse(public_key, read_holder(file)),
        )
        write_holder(self.descriptor, os.fsencode(home.absolute()))


class KeyInUse(OperationalError):
    """A validator key signs already, for the data folder ``holder``, or an unknown one where that is empty."""

    def __init__(self, public_key: bytes, holder: str) -> None:
        super().__init__(
            f"The validator key {public_key.hex()[:16]}… signs already, for the data folder {holder or 'of another node'}.",
            "Two nodes with one key sign two blocks of one height, which ends a validator. Stop the other one for good, "
            "or give this folder a key of its own.",
        )
        self.holder = holder


def read_holder(file: int) -> str:
    """Return what whoever holds a lock has written into its open file, or has left there."""
    return os.pread(file, HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()


def write_holder(file: int, holder: bytes) -> None:
    """Write into the open file of a lock who holds it."""
    os.ftruncate(file, 0)
    os.pwrite(file, holder + b"\n", 0)
