"""``apply_block``: the pure function at the centre (docs/adr/0001).

    apply_block
      ├─ begin_block: what consensus tells besides transactions
      └─ for each transaction: apply_transaction
           ├─ its own form against the chain: chain id, expiry, repetition
           ├─ may its sender act, and is there quota left          (refused here: not charged, not remembered)
           └─ each operation: authorise, transition                (refused here: charged, remembered, nothing else)

It reads a snapshot and writes only into an overlay that it owns. Signatures were verified before, since that needs no
state; what is checked here is that the keys which signed satisfy the policies that the state holds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.reasons import TransactionReason
from fujie.core.room import Event, Handler
from fujie.core.state import BlockOverlay, Key, Leaf, Overlay, StateRead
from fujie.core.transaction import Receipt, VerifiedBlock, VerifiedTransaction
from fujie.machine.schedule import SCHEDULE, Handlers, Schedule
from fujie.modules.membership import queries as membership


class BlockResult(NamedTuple):
    """What a block does: to be staged and committed by ``engine.executor``, or thrown away.

    ``changes`` is path → (key, leaf); ``archive`` is digest → canonical bytes of an old version; ``receipts`` stand in
    the order of the transactions; ``remembered`` is id → expiry of those whose sender was entitled to send them.
    """

    changes: dict[str, tuple[Key[Any], Leaf]]
    archive: dict[bytes, bytes]
    receipts: list[Receipt[Any]]
    remembered: dict[bytes, int]


def apply_block(state: StateRead, block: VerifiedBlock, schedule: Schedule = SCHEDULE) -> BlockResult:
    """Carry out ``block`` on ``state`` and return what it changes.

    Raises ``UnknownRules`` before anything is carried out when the block's height needs rules that ``schedule`` lacks.
    Any other exception is a fault of the program: the caller must not go on.
    """
    overlay = BlockOverlay(state)
    handlers = schedule.handlers(overlay, block.height)
    window_ms = membership.parameters(overlay).transaction_window_ms
    result = BlockResult(overlay.leaves, overlay.archive, [], {})
    begin_block(overlay, block, schedule)
    for transaction in block.transactions:
        apply_transaction(overlay, handlers, window_ms, block, transaction, result)
    return result


def begin_block(overlay: BlockOverlay, block: VerifiedBlock, schedule: Schedule) -> None:
    """Let the rooms write what validators were proven to have done. A block that tells of nothing writes nothing."""
    if not block.misbehaviour:
        return
    state = Overlay(overlay)
    for room in schedule.running(overlay, block.height):
        if room.begin_block is not None:
            room.begin_block(state, block.misbehaviour)
    state.merge(b"")  # no salt advances: these leaves are not salted


def apply_transaction(
    overlay: BlockOverlay,
    handlers: Handlers,
    window_ms: int,
    block: VerifiedBlock,
    transaction: VerifiedTransaction,
    result: BlockResult,
) -> None:
    """Carry out one transaction on ``overlay`` and append its receipt to ``result``."""
    body = transaction.body
    position = 0
    charged = False
    events: tuple[Event, ...] = ()
    code = 0
    state = Overlay(overlay)
    try:
        context, first = _entitle(overlay, state, handlers, window_ms, block, transaction, result.remembered)
        operations = body.operations
        state.keep()
        charged = True
        result.remembered[transaction.id] = body.expires_at_ms
        if len(operations) == 1:
            events = (first.transition(state, context, operations[0]),)
        else:
            events = _apply_all(state, context, operations, handlers)
    except _RefusedAt as refused:
        code, position = int(refused.reason), refused.position
        state.drop()
    except Refused as refused:
        code = int(refused.reason)
        state.drop()
    if charged:
        state.merge(body.nonce)
    result.receipts.append(Receipt(transaction.id, block.height, block.time_ms, code, charged, position, events))


def entitle(state: StateRead, block: VerifiedBlock, schedule: Schedule = SCHEDULE) -> list[int]:
    """Return, for each transaction of ``block`` by itself, 0 or the reason why its sender is not entitled to it.

    What :func:`apply_transaction` refuses without charging for it: whether the rest would succeed is not asked. Raises
    ``UnknownRules``, and whatever a rule raises by a fault of the program.
    """
    handlers = schedule.handlers(state, block.height)
    window_ms = membership.parameters(state).transaction_window_ms
    codes = []
    for transaction in block.transactions:
        overlay = BlockOverlay(state)
        try:
            _entitle(overlay, Overlay(overlay), handlers, window_ms, block, transaction, {})
            codes.append(0)
        except Refused as refused:
            codes.append(int(refused.reason))
    return codes


def _entitle(
    overlay: BlockOverlay,
    state: Overlay,
    handlers: Handlers,
    window_ms: int,
    block: VerifiedBlock,
    transaction: VerifiedTransaction,
    remembered: dict[bytes, int],
) -> tuple[Context, Handler]:
    """Check that a transaction fits the chain and its sender may ask for it, and charge for it."""
    _check_form(overlay, block, window_ms, transaction, remembered)
    body = transaction.body
    context = Context(
        block.chain_id, block.height, block.time_ms, transaction.id, body.nonce, frozenset(body.public_keys)
    )
    first = handlers.get(type(body.operations[0]))
    if first is None:
        raise Refused(TransactionReason.ROOM_NOT_ACTIVE)
    first.authorise(state, context, body.operations[0])
    first.charge(state, context, body.operations[0], len(body.operations))
    return context, first


class _RefusedAt(Refused):
    """A refusal of one operation among several."""

    def __init__(self, refused: Refused, position: int) -> None:
        super().__init__(refused.reason)
        self.position = position


def _apply_all(state: Overlay, context: Context, operations: Sequence[Any], handlers: Handlers) -> tuple[Event, ...]:
    """Carry out several operations, each seeing what those before it wrote."""
    events = []
    for position, operation in enumerate(operations):
        try:
            handler = handlers.get(type(operation))
            if handler is None:
                raise Refused(TransactionReason.ROOM_NOT_ACTIVE)
            if position:
                handler.authorise(state, context, operation)
            events.append(handler.transition(state, context, operation))
        except Refused as refused:
            raise _RefusedAt(refused, position) from None
    return tuple(events)


def _check_form(
    overlay: BlockOverlay,
    block: VerifiedBlock,
    window_ms: int,
    transaction: VerifiedTransaction,
    remembered: dict[bytes, int],
) -> None:
    """Refuse a transaction for another chain, expired, valid for too long, or carried out before."""
    body = transaction.body
    if body.chain_id != block.chain_id:
        raise Refused(TransactionReason.CHAIN_ID_DIFFERS)
    if body.expires_at_ms <= block.time_ms:
        raise Refused(TransactionReason.TRANSACTION_EXPIRED)
    if body.expires_at_ms > block.time_ms + window_ms:
        raise Refused(TransactionReason.EXPIRY_TOO_FAR)
    if transaction.id in remembered or overlay.remembers(transaction.id, body.expires_at_ms):
        raise Refused(TransactionReason.TRANSACTION_REPEATED)


def touched_keys(handlers: Handlers, transactions: Sequence[VerifiedTransaction]) -> dict[str, Key[Any]]:
    """Return path → key of what the transactions are likely to read, for one sorted sweep over the store. A hint."""
    keys: dict[str, Key[Any]] = {}
    for transaction in transactions:
        for operation in transaction.body.operations:
            handler = handlers.get(type(operation))
            if handler is not None:
                for key in handler.touches(operation):
                    keys[key.path] = key
    return keys
