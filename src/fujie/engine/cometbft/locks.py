"""What keeps one validator key from signing in two processes: locks that `cometbft` itself holds as long as it lives.

The open files are handed down to it, so a node that is killed gives nothing back before its `cometbft` has ended too.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.engine.cometbft.binary import user_folder
from fujie.proof.validators import validator_address
from fujie.store.files import FileLock

LOCK_NAME: Final = "lock"
HOLDER_BYTES_MAX: Final = 4_096
ORPHAN_S: Final = 30.0  # after which one that was told to end is given up on
POLL_S: Final = 0.05


class FolderLock(FileLock):
    """The right to run `cometbft` on one home. Whoever takes it holds the node's own folder already."""

    def __init__(self, home: Path) -> None:
        """Take the lock; one that a killed node's `cometbft` still holds is told to end, and waited for.

        Raises :class:`OperationalError` when it does not end.
        """
        give_up_s = time.monotonic() + ORPHAN_S
        while True:
            try:
                super().__init__(home / LOCK_NAME, lambda file: _InUse(home, _read(file)))
            except _InUse as held:
                if time.monotonic() > give_up_s:
                    raise
                _end_orphan(held.holder, home)
                time.sleep(POLL_S)
            else:
                return

    def name(self, process: int) -> None:
        """Write down which process holds it now."""
        _write(self.descriptor, str(process))


class KeyLock(FileLock):
    """The right to sign with one validator key on this machine, in whatever folder."""

    def __init__(self, public_key: bytes, home: Path) -> None:
        """Raises :class:`OperationalError` when another folder's node signs with it, or the lock cannot be made."""
        address = validator_address(public_key).hex()
        folder = user_folder().with_name("locks")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OperationalError(
                f"The folder {folder} for locks on validator keys cannot be made: {error.strerror}.",
                "Give the node's user a home folder, or name one in XDG_DATA_HOME.",
            ) from error
        super().__init__(
            folder / f"validator-{address}",
            lambda file: OperationalError(
                f"The validator key {public_key.hex()[:16]}… signs already, for the data folder {_read(file) or 'of another node'}.",
                "Two nodes with one key sign two blocks of one height, which ends a validator. Stop the other one for good, "
                "or give this folder a key of its own.",
            ),
        )
        _write(self.descriptor, str(home.absolute()))


class _InUse(OperationalError):
    def __init__(self, home: Path, holder: str) -> None:
        super().__init__(
            f"A cometbft of an earlier node still runs on {home} (process {holder or 'unknown'}).",
            "Stop that process, then start the node again.",
        )
        self.holder = holder


def _end_orphan(holder: str, home: Path) -> None:
    """Tell the process to end, if it is what the lock says: numbers are given out again."""
    if not holder.isascii() or not holder.isdigit():
        return
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{holder}/cmdline").read_bytes().split(b"\0")
        if os.fsencode(home) in command:
            os.kill(int(holder), signal.SIGTERM)


def _read(file: int) -> str:
    return os.pread(file, HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()


def _write(file: int, text: str) -> None:
    os.ftruncate(file, 0)
    os.pwrite(file, f"{text}\n".encode(), 0)
