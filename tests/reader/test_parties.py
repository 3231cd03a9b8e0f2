"""Who is a party to what: reader names of accounts, wallets, the institutions that serve them, and identifiers."""

from typing import Any

import pytest

from fujie.core.policy import single
from fujie.core.room import Event, Operation
from fujie.core.transaction import Receipt, Transaction
from fujie.modules.currency import operations as currency
from fujie.modules.currency.records import FreezeScope, WalletKind
from fujie.modules.identity import operations as identity
from fujie.modules.identity.events import Allocated
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership import operations as membership
from fujie.modules.membership.records import GrantRole, Role, SuspendOrganisation
from fujie.reader.parties import parties_of
from tests import world

A, B, UNKNOWN = bytes([10] * 16), bytes([11] * 16), bytes([12] * 16)
SERVED = {A: "bank-east", B: "bank-west"}
PAYER, PAYEE = f"wallet/{A.hex()}", f"wallet/{B.hex()}"
POLICY = single(world.ROOT.public_key)
TERMS = Delegation(Rule.FREE, True, 10, 0, "", None)
ITEM = identity.NamedItem("GAS", "department", "Gas works", (), b"", "ZZ.156.13", None, None)


def parties(*operations: Operation, events: tuple[Event, ...] = (), code: int = 0) -> set[str]:
    body: Transaction[Any] = Transaction("chain", bytes(16), 1, operations, (bytes(32),))
    return set(parties_of(body, Receipt(bytes(32), 1, 1, code, True, 0, events), SERVED.get))


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        (membership.OpenAccount("bank-east", "desk", POLICY), {"account/bank-east", "account/desk"}),
        (membership.RotateKeys("bank-east", POLICY), {"account/bank-east"}),
        (membership.Propose("root", bytes(16), GrantRole("desk", Role.AUDITOR), 1), {"account/root", "account/desk"}),
        (membership.Propose("root", bytes(16), SuspendOrganisation("house"), 1), {"account/root"}),
        (membership.Vote("root", bytes(16)), {"account/root"}),
        (membership.Withdraw("root", bytes(16)), {"account/root"}),
        (identity.WithdrawCodebook("gbt2260-2026"), set()),
        (identity.Allocate("ZZ", ITEM), set()),
        (identity.Allocate("ZZ.156", ITEM), {"id/ZZ.156"}),
        (identity.Delegate("ZZ.156.1301", TERMS), {"id/ZZ.156.1301", "id/ZZ.156"}),
        (
            identity.Suspend(
                "ZZ.156",
            ),
            {"id/ZZ.156"},
        ),
        (identity.RotateRegistrar("ZZ", None), set()),
        (identity.RotateRegistrar("ZZ.156.1301", None), {"id/ZZ.156.1301"}),
        (identity.Retire("ZZ.156.1301"), {"id/ZZ.156.1301"}),
        (identity.BindAlias("ZZ.156.1301", "MA", "1", b""), {"id/ZZ.156.1301", "id/ZZ.156"}),
        (currency.SetInstitutionQuota("bank-east", "CNY", 1), {"account/bank-east"}),
        (currency.Redeem("bank-east", "CNY", 1, bytes(16)), {"account/bank-east"}),
        (currency.Distribute("bank-east", A, "CNY", 1), {"account/bank-east", PAYER}),
        (currency.Return(A, "CNY", 1), {"account/bank-east", PAYER}),
        (
            currency.OpenWallet("bank-east", UNKNOWN, "CNY", 1, WalletKind.PERSONAL, POLICY, bytes(32)),
            {"account/bank-east", f"wallet/{UNKNOWN.hex()}"},
        ),
        (currency.RotateWalletKeys(B, POLICY), {"account/bank-west", PAYEE}),
        (
            currency.FreezeWallet(A, "regulator", FreezeScope.ALL, "order"),
            {"account/regulator", "account/bank-east", PAYER},
        ),
        (currency.Pay(A, B, "CNY", 1), {PAYER, PAYEE, "account/bank-east", "account/bank-west"}),
        (currency.Pay(A, UNKNOWN, "CNY", 1), {PAYER, f"wallet/{UNKNOWN.hex()}", "account/bank-east"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Operation) else "",
)
def test_the_parties_of_an_operation_are_whom_it_names_and_who_serves_them(operation, wanted):
    assert parties(operation) == wanted
    assert parties(operation, code=3001) == wanted, "a refusal concerns the same"


def test_what_was_given_out_is_told_by_the_event():
    event = Allocated("ZZ.156", ("ZZ.156.GAS", "ZZ.156.GAT"))
    operation = identity.AllocateMany("ZZ.156", (ITEM,))
    assert parties(operation, events=(event,)) == {"id/ZZ.156", "id/ZZ.156.GAS", "id/ZZ.156.GAT"}


def test_several_operations_have_the_parties_of_all():
    both = parties(currency.Return(A, "CNY", 1), currency.Return(B, "CNY", 1))
    assert both == {PAYER, PAYEE, "account/bank-east", "account/bank-west"}
