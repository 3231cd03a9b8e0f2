"""What an event stream tells: every block, then each of its transactions, in the order of the ledger.

The id of an event is ``<height>.<next log index>``: block ``height`` was told, and so was every transaction below that
index. A block that begins at log index 7 has the id ``h.7``, its first transaction ``h.8``. So an id says where to go on,
no two events share one, and whoever follows keeps one line.
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

import msgspec

from fujie.api.pages import Page, exact
from fujie.api.pages_explorer import Block, TransactionLine
from fujie.core.json_form import type_name
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.base import Served
from fujie.engine.executor import LogEntry
from fujie.engine.reading import ProvenState
from fujie.engine.stored_block import BlockAt
from fujie.modules.catalog import RECEIPT, TRANSACTION, reason
from fujie.modules.currency import state_keys as currency
from fujie.modules.currency.events import vault_account, wallet_account
from fujie.modules.currency.operations import OpenWallet
from fujie.proof.header import header_hash
from fujie.reader.movements import MOVING, POSTINGS_EACH, moving
from fujie.reader.parties import parties_of

PARTIES_SHOWN_MAX: Final = 16  # names in one event; whoever is a party gets it whether he is shown or not
WALLETS_KEPT: Final = 10_000  # whose institution is remembered; it never changes

STEP: Final = 10  # events of history read at once: a millisecond or less
STEPS_KEPT: Final = 1_000  # of these, some 10 MB: streams that catch up side by side share them


class Position(NamedTuple):
    """Between two events: ``height`` was told, and every transaction below ``next_index``."""

    height: int
    next_index: int

    def __str__(self) -> str:
        return f"{self.height}.{self.next_index}"


class View(NamedTuple):
    """What one stream shows. ``visible``: the reader's parties, None for all; the others are what he asked for."""

    visible: frozenset[str] | None
    party: str | None
    operation: str | None


class Moment(NamedTuple):
    """One event as it is sent, and what decides to whom: no parties for a block, which is for anyone."""

    data: bytes
    parties: frozenset[str] | None
    operations: tuple[str, ...]

    def shows_in(self, view: View) -> bool:
        """Tell whether the event belongs into a stream."""
        if self.parties is None:
            return True
        return (
            (view.visible is None or not view.visible.isdisjoint(self.parties))
            and (view.party is None or view.party in self.parties)
            and (view.operation is None or view.operation in self.operations)
        )


class Moments:
    """Reads events from the ledger, as many at a time as is asked for. Not for several threads at once."""

    def __init__(self, engine: Served) -> None:
        self._engine = engine
        self._institutions: OrderedDict[bytes, str] = OrderedDict()
        self._steps: OrderedDict[Position, tuple[list[Moment], Position]] = OrderedDict()

    def now(self) -> Position:
        """Return the position after everything that was committed."""
        head = self._engine.head
        return Position(head.height, head.log_size)

    def is_position(self, position: Position) -> bool:
        """Tell whether an event with this id was told or can have been: the block is there and has that index."""
        if position.height == 0:
            return position.next_index == 0
        found = self._engine.block(position.height)
        return found is not None and found.stored.first_index <= position.next_index <= _end(found)

    def goes_on(self, position: Position) -> bool:
        """Tell whether what comes after ``position``, which is before the newest, is here: a node that was loaded from a
        snapshot lacks what came before that.
        """
        block = self._engine.block(position.height) if position.height else None
        if block is not None and position.next_index < _end(block):
            return self._engine.entry(position.next_index) is not None
        return self._engine.block(position.height + 1) is not None

    def history(self, position: Position, until: Position) -> tuple[list[Moment], Position]:
        """As :meth:`after`, up to ``STEP`` events; those of the past are kept a while for others who pass there."""
        kept = self._steps.get(position)
        if kept is not None and kept[1] <= until:
            self._steps.move_to_end(position)
            return kept
        made = self.after(position, STEP, until)
        if len(made[0]) == STEP:  # as many as there will ever be: a shorter one ends where the ledger does now
            self._steps[position] = made
            if len(self._steps) > STEPS_KEPT:
                self._steps.popitem(last=False)
        return made

    def after(self, position: Position, count: int, until: Position) -> tuple[list[Moment], Position]:
        """Return up to ``count`` events after ``position`` and up to ``until``, and the position after the last.

        None and the same position where there is none yet, or where the next block is not kept here.
        """
        found: list[Moment] = []
        block = self._engine.block(position.height) if position.height else None
        end = _end(block) if block is not None else position.next_index
        while len(found) < count and position < until:
            if position.next_index < end:
                stop = min(end, position.next_index + count - len(found))
                entries = self._engine.entries(position.next_index, stop)
                if not entries:
                    break
                for entry in entries:
                    position = Position(position.height, position.next_index + 1)
                    found.append(self._transaction(entry, position))
                continue
            block = self._engine.block(position.height + 1)
            if block is None:
                break
            position, end = Position(position.height + 1, block.stored.first_index), _end(block)
            found.append(Moment(_event(position, "block", _block_page(block)), None, ()))
        return found, position

    def _transaction(self, entry: LogEntry, position: Position) -> Moment:
        raw = SIGNED_TRANSACTION.decode_trusted(entry.transaction).body
        body, receipt = TRANSACTION.decode_trusted(raw), RECEIPT.decode_trusted(entry.receipt)
        operations = tuple(type_name(operation.__class__) for operation in body.operations)
        for operation in body.operations:
            if isinstance(operation, OpenWallet) and receipt.code == 0:
                self._remember(operation.wallet, operation.institution)
        parties = parties_of(body, receipt, self._institution)
        why = reason(receipt.code)
        money = moving(body.operations)
        first = money[0] if money else None
        payer, payee = (None, None) if first is None else self._sides(first)
        page = TransactionLine(
            index=position.next_index - 1,
            height=receipt.height,
            time_ms=receipt.time_ms,
            transaction_id=transaction_id(raw).hex(),
            code=receipt.code,
            reason=None if why is None else why.name,
            operations=list(operations),
            parties=sorted(parties)[:PARTIES_SHOWN_MAX],
            party_count=len(parties),
            instrument=None if first is None else first.instrument,
            amount_minor=None if first is None else exact(first.amount_minor),
            payer=payer,
            payee=payee,
            postings=POSTINGS_EACH * len(money),
        )
        return Moment(_event(position, "transaction", page), parties, operations)

    def _sides(self, operation: Any) -> tuple[str | None, str | None]:
        """Return the ledger accounts of payer and payee; None for the vault of a wallet that does not exist."""
        payer, payee = MOVING[type(operation)](operation)
        if payee is None and isinstance(payer, bytes) and (institution := self._institution(payer)) is not None:
            payee = vault_account(institution)
        return _named(payer), _named(payee)

    def _institution(self, wallet: bytes) -> str | None:
        """Return the institution of a wallet: of the newest proven state, or of a wallet opened since."""
        known = self._institutions.get(wallet)
        if known is None:
            found = ProvenState(self._engine).get(currency.wallet(wallet))
            if found is None:
                return None
            known = found.institution
        self._remember(wallet, known)
        return known

    def _remember(self, wallet: bytes, institution: str) -> None:
        self._institutions[wallet] = institution
        self._institutions.move_to_end(wallet)
        if len(self._institutions) > WALLETS_KEPT:
            self._institutions.popitem(last=False)


def _end(block: BlockAt) -> int:
    """Return the log index after the last transaction of a block."""
    return block.stored.first_index + block.stored.transactions


def _block_page(block: BlockAt) -> Block:
    header, stored = block.header, block.stored
    return Block(
        height=header.height,
        time_ms=header.time_ms,
        transactions=stored.transactions,
        first_index=stored.first_index,
        app_hash=header.app_hash.hex(),
        block_hash=header_hash(header).hex(),
        proposer=header.proposer_address.hex(),
    )


def _named(side: bytes | str | None) -> str | None:
    return wallet_account(side) if isinstance(side, bytes) else side


def _event(position: Position, kind: str, page: Page) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(position).encode(), kind.encode(), msgspec.json.encode(page))
