"""The lock on the home of a `cometbft`, which it holds itself as long as it lives, as it does the lock on its key.

The open files are handed down to it, so a node that is killed gives nothing back before its `cometbft` has ended too.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.engine.key_lock import read_holder, write_holder
from fujie.store.files import FileLock

LOCK_NAME: Final = "lock"
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
                super().__init__(home / LOCK_NAME, lambda file: _InUse(home, read_holder(file)))
            except _InUse as held:
                if time.monotonic() > give_up_s:
                    raise
                _end_orphan(held.holder, home)
                time.sleep(POLL_S)
            else:
                return

    def name(self, process: int) -> None:
        """Write down which process holds it now."""
        write_holder(self.descriptor, b"%d" % process)


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
