"""Outcomes as they travel over the link: in pieces, because receipts may be many times as long as what they are for."""

from collections.abc import Iterable, Iterator
from typing import Final

from fujie.core.encoding import encode
from fujie.engine.base import Outcome
from fujie.engine.link import messages
from fujie.modules.catalog import RECEIPT

PIECE_ROWS: Final = 1_024  # encoded in a few milliseconds, so that others get their turn
PIECE_BYTES: Final = 1_048_576  # of receipts; a piece has at least one


def frames_of(number: int, outcomes: Iterable[Outcome]) -> Iterator[bytes]:
    """Yield the frames that answer request ``number``; each is encoded when it is asked for."""
    rows: list[messages.OutcomeRow] = []
    size = 0
    for outcome in outcomes:
        receipt = None if outcome.receipt is None else encode(outcome.receipt)
        if rows and (len(rows) >= PIECE_ROWS or size + len(receipt or b"") > PIECE_BYTES):
            yield messages.frame(messages.Outcomes(number, rows, more=True))
            rows, size = [], 0
        rows.append(messages.OutcomeRow(outcome.transaction_id, outcome.code, receipt, outcome.log_index))
        size += len(receipt or b"")
    yield messages.frame(messages.Outcomes(number, rows))


def read(piece: messages.Outcomes) -> list[Outcome]:
    """Return the outcomes in a piece."""
    decode = RECEIPT.decode_trusted
    return [
        Outcome(row.transaction_id, row.code, None if row.receipt is None else decode(row.receipt), row.log_index)
        for row in piece.rows
    ]
