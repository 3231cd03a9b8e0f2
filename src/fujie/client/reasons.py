"""What a node says no with: its reasons by their numbers, and the one answer that is neither yes nor no."""

from collections.abc import Mapping
from typing import Final

from fujie.core.errors import OperationalError, Reason
from fujie.core.reasons import ReadReason
from fujie.modules import catalog

SAME_AGAIN: Final = (
    "Submit the very same bytes again, which are never carried out twice; a new transaction may be carried out besides."
)

_READ_REASONS: Final[Mapping[int, Reason]] = {int(reason): reason for reason in ReadReason}


class OutcomePendingError(OperationalError):
    """It is not known what becomes of a submission: it may still be carried out, until it expires.

    The node took it in and the chain makes no block now, or its answer was not heard. ``transaction_id`` (32 bytes) and
    ``expires_at_ms`` say of which transaction, where one was submitted alone, and ``transaction`` holds its canonical signed
    bytes: those may be submitted again, and are never carried out twice.
    """

    def __init__(
        self, what: str, do: str, *, transaction_id: bytes = b"", expires_at_ms: int = 0, transaction: bytes = b""
    ) -> None:
        super().__init__(what, do)
        self.transaction_id = transaction_id
        self.expires_at_ms = expires_at_ms
        self.transaction = transaction


class NotSubmittedError(OperationalError):
    """What was to be submitted has not reached the ledger, for certain."""


def reason_of(code: int) -> Reason | None:
    """Return the reason with this number: of a room, of a transaction, or of reading. None for 0 and unknown ones."""
    return catalog.reason(code) or _READ_REASONS.get(code)
