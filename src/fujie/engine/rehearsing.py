"""Dry runs: what would become of a transaction now, on any engine that has its own executor."""

import logging
from collections.abc import Callable

from fujie.core.errors import OperationalError, Refused
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedBlock
from fujie.engine.admission import verify_transaction
from fujie.engine.base import Outcome
from fujie.engine.executor import Executor, Head, StateTooOld
from fujie.engine.intake import turned_away

log = logging.getLogger(__name__)


def dry_run(executor: Executor, transaction: bytes, next_time_ms: Callable[[Head], int]) -> Outcome:
    """Carry a signed transaction out on the committed state and forget it; see ``Engine.dry_run``.

    ``next_time_ms`` says which time a block after a head would have.
    """
    try:
        verified = verify_transaction(transaction)
    except Refused as refused:
        return turned_away(refused.reason)
    while True:
        head = executor.head
        block = VerifiedBlock(executor.chain_id, head.height + 1, next_time_ms(head), (verified,))
        try:
            receipt = executor.rehearse(block).receipts[0]
        except StateTooOld:
            continue  # several blocks were made meanwhile
        except OperationalError:
            raise
        except Exception:
            # Whoever knows a whole id may have its receipt (ADR 12).
            log.exception("transaction %s… fails unexpectedly in a dry run", verified.id.hex()[:8])
            return turned_away(TransactionReason.EXECUTION_FAILED, verified.id)
        return Outcome(verified.id, receipt.code, receipt, None)
