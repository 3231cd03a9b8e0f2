"""Why the ledger is not followed, told to the log: each reason when it comes up, and a warning when it lasts.

A follower tries again many times a second; a line for each attempt would hide everything else, and none at all would leave
a reader that waits for ever without a word.
"""

import logging
import time
from typing import Final

from fujie.core.errors import OperationalError

log = logging.getLogger(__name__)

LONG_S: Final = 30.0


class Absence:
    """One follower's. One thread tells it; ``error`` is the newest reason, for any."""

    def __init__(self) -> None:
        self.error: OperationalError | None = None
        self._since_s: float | None = None  # when it began; None while the ledger is followed
        self._was_followed = False
        self._told = ""  # the reason that was told last
        self._told_s = 0.0
        self._warned = False

    def failed(self, error: Exception) -> None:
        """Take in that an attempt to follow failed, or following ended, with ``error``."""
        now_s = time.monotonic()
        came = self._was_followed and self._since_s is None  # it was followed until now
        if self._since_s is None:
            self._since_s = now_s
        expected = isinstance(error, OperationalError)
        if isinstance(error, OperationalError):
            self.error = error
        else:
            self.error = OperationalError(f"The ledger could not be followed: {error!r}.", "See the log.")
        what = self.error.what
        if what != self._told or (came and now_s - self._told_s > LONG_S):
            self._told, self._told_s = what, now_s
            if not expected:
                log.error("the ledger could not be followed", exc_info=error)
            elif self._was_followed:
                log.warning("the ledger is not followed for now: %s", what)
            else:
                log.info("the ledger is not followed yet: %s", what)
        if not self._warned and now_s - self._since_s > LONG_S:
            self._warned = True
            log.warning("the ledger has not been followed for %.0f s: %s", now_s - self._since_s, what)

    def over(self) -> None:
        """Take in that the ledger is followed."""
        if self._warned:
            log.info("the ledger is followed again")
        self._since_s, self._warned, self._was_followed = None, False, True
