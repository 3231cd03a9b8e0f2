"""What became of a transaction, as the client tells it."""

from dataclasses import dataclass
from typing import Any

from fujie.client.reasons import reason_of
from fujie.client.transport import TransportOutcome
from fujie.client.verifier import VerifiedReceipt
from fujie.core.errors import DecodeError, OperationalError, Reason, Refused, VerificationError
from fujie.core.transaction import SIGNED_TRANSACTION, Receipt, transaction_id
from fujie.modules.catalog import RECEIPT


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


def outcome_of(transaction: bytes, answer: TransportOutcome) -> Outcome:
    """Return a node's answer about a canonical signed transaction as an outcome. Raises ``answer-transaction``, ``answer-receipt``."""
    identifier = transaction_id(SIGNED_TRANSACTION.decode(transaction).body)
    if answer.transaction_id not in (b"", identifier):
        raise VerificationError(
            "answer-transaction",
            f"submitted was {identifier.hex()}, the answer is about {answer.transaction_id.hex()}",
        )
    if answer.receipt is None:
        if answer.code == 0:
            raise VerificationError("answer-receipt", "the node reports success without a receipt")
        return Outcome(identifier, answer.code, None, None, transaction)
    try:
        receipt = RECEIPT.decode(answer.receipt)
    except DecodeError as error:
        raise VerificationError("answer-receipt", error.detail) from None
    if receipt.transaction_id != identifier or receipt.code != answer.code:
        raise VerificationError("answer-receipt", "the receipt is of another transaction, or has another code")
    return Outcome(identifier, receipt.code, receipt, answer.log_index, transaction)
