"""Between which ledger accounts an operation moves money: payer and payee, as they were asked for.

What a list shows of a transaction stands in the transaction alone, so that one that was refused is shown as well. What was
really moved are the postings of its events (``modules.currency.events``); they are the same where it was carried out.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from fujie.core.room import Operation
from fujie.modules.currency import operations as currency
from fujie.modules.currency.events import ISSUED, vault_account

POSTINGS_EACH: Final = 2  # a debit and a credit


class Movement(NamedTuple):
    """Who pays and who is paid: a wallet (16-byte id), or the name of another ledger account.

    ``payee`` None is the vault of the institution that serves the payer, which the operation does not name.
    """

    payer: bytes | str
    payee: bytes | str | None


MOVING: Final[Mapping[type[Operation], Callable[[Any], Movement]]] = {
    currency.Issue: lambda operation: Movement(ISSUED, vault_account(operation.institution)),
    currency.Redeem: lambda operation: Movement(vault_account(operation.institution), ISSUED),
    currency.Distribute: lambda operation: Movement(vault_account(operation.institution), operation.wallet),
    currency.Return: lambda operation: Movement(operation.wallet, None),
    currency.Pay: lambda operation: Movement(operation.payer, operation.payee),
}
"""Operation → between which ledger accounts it moves money, for every operation that moves some; a test misses none."""


def moving(operations: Iterable[Operation]) -> list[Any]:
    """Return those of ``operations`` that move money."""
    return [operation for operation in operations if type(operation) in MOVING]
