"""What a node says no with: its reasons by their numbers, and the one answer that is neither yes nor no."""

from collections.abc import Mapping
from typing import Final

from fujie.core.errors import OperationalError, Reason
from fujie.core.reasons import ReadReason
from fujie.modules import catalog

_READ_REASONS: Final[Mapping[int, Reason]] = {int(reason): reason for reason in ReadReason}


class OutcomePendingError(OperationalError):
    """The node took a submission in, and the chain makes no block now: it may still be carried out, until it expires."""


def reason_of(code: int) -> Reason | None:
    """Return the reason with this number: of a room, of a transaction, or of reading. None for 0 and unknown ones."""
    return catalog.reason(code) or _READ_REASONS.get(code)
