"""What became of a transaction, as the client tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fujie.client.verifier import VerifiedReceipt
from fujie.core.errors import OperationalError, Reason, Refused
from fujie.core.reasons import ReadReason
from fujie.core.transaction import Receipt
from fujie.modules import catalog

_READ_REASONS: Final[Mapping[int, Reason]] = {int(reason): reason for reason in ReadReason}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a transaction.

    With ``receipt`` the ledger carried it out (``code`` 0) or refused it, durably. Without, it was turned away and
    nothing of it is stored. ``verified`` holds the proof where it was awaited; without it the rest is the node's word.
    ``transaction`` is the canonical signed transaction, fit to be submitted again.
    """

    transaction_id: bytes
    code: int
    receipt: Receipt[Any] | None
    log_index: int | None
    transaction: bytes
    verified: VerifiedReceipt | None = None

    @property
    def reason(self) -> Reason | None:
        """Why it was refused; None for success, and for a reason that this version does not know."""
        return reason_of(self.code)

    @property
    def event(self) -> Any:
        """The event of the first operation. Only of a transaction that was carried out."""
        assert self.receipt is not None, "a transaction without receipt was not carried out"
        return self.receipt.events[0]


class RefusedTransaction(Refused):
    """The ledger refused the transaction. ``outcome`` holds the receipt of the refusal, if it has one."""

    def __init__(self, reason: Reason, outcome: Outcome) -> None:
        super().__init__(reason)
        self.outcome = outcome


def reason_of(code: int) -> Reason | None:
    """Return the reason with this number: of a room, of a transaction, or of reading. None for 0 and unknown ones."""
    return catalog.reason(code) or _READ_REASONS.get(code)


def refusal_of(outcome: Outcome) -> Exception:
    """Return the error for an outcome that is no success."""
    reason = outcome.reason
    if reason is None:
        return OperationalError(
            f"The ledger refused with reason {outcome.code}, which this version of Fujie does not know.",
            "Install a newer version.",
        )
    return RefusedTransaction(reason, outcome)
