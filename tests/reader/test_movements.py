"""Who pays and who is paid: the sides of an operation are those of the postings that its event makes."""

from typing import Any

import pytest

from fujie.core.room import Event
from fujie.modules.catalog import OPERATIONS
from fujie.modules.currency import events, operations
from fujie.modules.currency.events import postings, vault_account, wallet_account
from fujie.reader.movements import MOVING, POSTINGS_EACH, moving

A, B = bytes([10] * 16), bytes([11] * 16)
BANK, CODE = "bank-east", "CNY"


def test_every_operation_that_moves_money_is_known() -> None:
    assert set(MOVING) == {kind for kind in OPERATIONS if "amount_minor" in kind.__struct_fields__}


@pytest.mark.parametrize(
    ("operation", "event"),
    [
        (operations.Issue(BANK, CODE, 5, b"\x01" * 16), events.Issued(BANK, CODE, 5, b"\x01" * 16)),
        (operations.Redeem(BANK, CODE, 5, b"\x02" * 16), events.Redeemed(BANK, CODE, 5, b"\x02" * 16)),
        (operations.Distribute(BANK, A, CODE, 5), events.Distributed(BANK, A, CODE, 5)),
        (operations.Return(A, CODE, 5), events.Returned(BANK, A, CODE, 5)),
        (operations.Pay(A, B, CODE, 5), events.Paid(A, B, CODE, 5)),
    ],
)
def test_payer_is_credited_and_payee_debited(operation: Any, event: Event) -> None:
    payer, payee = MOVING[type(operation)](operation)
    debited, credited = postings(event)
    assert len(postings(event)) == POSTINGS_EACH
    named = [wallet_account(side) if isinstance(side, bytes) else side for side in (payer, payee)]
    # The operation does not name the institution that serves its wallet.
    assert named == [credited.ledger_account, None if payee is None else debited.ledger_account]
    assert payee is not None or debited.ledger_account == vault_account(BANK)


def test_an_operation_without_money_moves_none() -> None:
    pay = operations.Pay(A, B, CODE, 5)
    assert moving([operations.CloseWallet(A), pay, operations.CloseWallet(B), pay]) == [pay, pay]
