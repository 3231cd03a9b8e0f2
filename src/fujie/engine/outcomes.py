"""What is said of a transaction that gets no place in a block now: its first receipt, the reason, or that nobody here can know."""

from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedTransaction
from fujie.engine.base import Outcome
from fujie.engine.executor import Executor, longest_window_ms
from fujie.engine.intake import turned_away
from fujie.modules.catalog import RECEIPT
from fujie.modules.membership.records import Parameters
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.store.layout import Table
from fujie.store.snapshot import META_ORIGIN, read_origin


def carried_out(executor: Executor, transaction_id: bytes) -> Outcome | None:
    """Return the outcome of a transaction that the ledger has carried out, or None."""
    receipt = executor.receipt_of(transaction_id)
    if receipt is None or not receipt.authorised:
        return None
    return Outcome(transaction_id, receipt.code, receipt, executor.index_of(transaction_id))


def not_carried_out(executor: Executor, transaction: VerifiedTransaction, code: int) -> Outcome:
    """Return the outcome of what is turned away now with reason ``code``, and may have been carried out before.

    That it has expired is said only where the log goes back so far that it would be found: who hears it enters it anew.
    """
    first = carried_out(executor, transaction.id)
    if first is not None:
        return first
    if code == TransactionReason.TRANSACTION_EXPIRED and not log_reaches(executor, transaction.body.expires_at_ms):
        code = TransactionReason.OUTCOME_NOT_KEPT
    return turned_away(code, transaction.id)


def log_reaches(executor: Executor, expires_at_ms: int) -> bool:
    """Tell whether the log of this store holds whatever may have been carried out before it expired at that time."""
    origin = executor.store.get(Table.META, META_ORIGIN)
    first_index = 0 if origin is None else read_origin(origin).first_index
    if first_index == 0:
        return True
    oldest = executor.entry(first_index)
    if oldest is None:
        return False
    leaf = executor.live.peek(PARAMETERS_KEY)
    parameters = None if leaf is None else leaf.record
    assert isinstance(parameters, Parameters), "a chain without parameters cannot be"
    earliest_ms = expires_at_ms - longest_window_ms(parameters, expires_at_ms, executor.live.archived)
    return RECEIPT.decode_trusted(oldest.receipt).time_ms < earliest_ms
