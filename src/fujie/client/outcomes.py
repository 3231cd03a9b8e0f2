"""What became of a transaction, as the client tells it."""

from dataclasses import dataclass
from typing import Any

from fujie.client.reasons import reason_of
from fujie.client.verifier import VerifiedReceipt
from fujie.core.errors import OperationalError, Reason, Refused
from fujie.core.transaction import Receipt


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


def refusal_of(outcome: Outcome) -> Exception:
    """Return the error for an outcome that is no success."""
    reason = outcome.reason
    if reason is None:
        return OperationalError(
            f"The ledger refused with reason {outcome.code}, which this version of Fujie does not know.",
            "Install a newer version.",
        )
    return RefusedTransaction(reason, outcome)
