"""Carrying out a block of which some transactions raise what they must not.

Such a transaction is a fault of the program, not of its sender. It is kept out, with its traceback in the log, so that the
ledger lives on for everybody else.
"""

import logging
from typing import NamedTuple

from fujie.core.errors import OperationalError, Refused
from fujie.core.transaction import VerifiedBlock
from fujie.engine.executor import Executor
from fujie.machine.transition import BlockResult

log = logging.getLogger(__name__)


class Sound(NamedTuple):
    """The part of a block that can be carried out, what it does, and the places in the block of what was kept out."""

    block: VerifiedBlock
    result: BlockResult
    faulty: frozenset[int]


def apply_sound(executor: Executor, block: VerifiedBlock) -> Sound:
    """Carry ``block`` out on the committed state, but for transactions that raise.

    Raises what :meth:`Executor.apply` does for reasons that lie in no transaction.
    """
    kept = list(enumerate(block.transactions))
    faulty: set[int] = set()
    while True:
        rest = block._replace(transactions=tuple(transaction for _, transaction in kept))
        try:
            return Sound(rest, executor.apply(rest), frozenset(faulty))
        except (OperationalError, Refused):
            raise
        except Exception:
            culprits = dict(executor.failing(rest))
            if not culprits:
                raise
        for number, error in culprits.items():
            place, transaction = kept[number]
            # Whoever knows a whole id may have its receipt (ADR 12).
            log.error("transaction %s… is quarantined", transaction.id.hex()[:8], exc_info=error)
            faulty.add(place)
        kept = [pair for number, pair in enumerate(kept) if number not in culprits]
