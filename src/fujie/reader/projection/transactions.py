"""The transactions of a batch, written: a row for each, and a posting for each of its parties."""

import sqlite3
from array import array
from collections.abc import Iterable
from sys import byteorder
from typing import Any, Final

from fujie.core.json_form import type_name
from fujie.core.room import Operation
from fujie.core.state import Key
from fujie.modules.catalog import OPERATIONS
from fujie.modules.currency.events import ISSUED, VAULT, WalletOpened
from fujie.modules.currency.operations import Pay
from fujie.reader.movements import MOVING, POSTINGS_EACH, moving
from fujie.reader.parties import concerned_by, told_by
from fujie.reader.projection import postings
from fujie.reader.projection.batch import Batch, Entry
from fujie.reader.projection.numbers import Numbers
from fujie.reader.projection.touched import touched_by


def kind_bytes(operation: type[Operation]) -> bytes:
    """Return the kind number of an operation as it stands in a row: 2 bytes, little endian."""
    number = operation.__struct_config__.tag
    assert isinstance(number, int), "the tag of an operation is its permanent number"
    return number.to_bytes(2, "little")


_KINDS: Final = {kind: (kind_bytes(kind), f"operation/{type_name(kind)}") for kind in OPERATIONS}
"""Operation → its kind number as it stands in a row, and the name of the party that all its transactions have."""

NO_PARTY: Final = 0  # stands for ``issued``, which is nobody's
_WITHOUT_MONEY: Final = (None, None, None, None, 0)

_Money = tuple[str | None, int | None, int | None, int | None, int]
"""Of a row: instrument, amount, numbers of payer and payee, and how many postings there are."""


def write_transactions(
    connection: sqlite3.Connection, numbers: Numbers, batch: Batch, begin: int
) -> tuple[int, dict[str, Key[Any]]]:
    """Write the transactions of a batch, whose first log index is ``begin``, and their postings.

    Return how many were refused, and which listed records were touched, by path. Within the transaction of the batch.
    """
    numbers.prepare(_wallets_of(batch.entries))
    links: postings.Places = {}
    rows = []
    refused = 0
    touched: dict[str, Key[Any]] = {}
    for entry in batch.entries:
        receipt = entry.receipt
        operations = entry.body.operations
        first = operations[0]
        if type(first) is Pay and len(operations) == 1:
            found, payer, payee = _parties_of_payment(numbers, first)
            kinds, name = _KINDS[Pay]
            named = [numbers.name(name)]
            money: _Money = (first.instrument, first.amount_minor, payer, payee, POSTINGS_EACH)
        else:
            found = _parties(numbers, entry)
            names = dict.fromkeys(_KINDS[type(operation)] for operation in operations)
            named = [numbers.name(name) for _, name in names]
            kinds = b"".join(_KINDS[type(operation)][0] for operation in operations)
            money = _money(numbers, operations)
            for operation, event in zip(operations, receipt.events, strict=False):
                touched.update((key.path, key) for key in touched_by(operation, event))
        if receipt.code:
            refused += 1
            named.append(numbers.name(f"code/{receipt.code}"))
        index = entry.place
        for number in (*found, *named):
            places = links.get(number)
            if places is None:
                links[number] = [index]
            else:
                places.append(index)
        row = (index, entry.height, receipt.code, receipt.transaction_id, kinds, *money, _packed(found))
        rows.append(row)
    numbers.write()
    connection.executemany("INSERT INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    postings.write(connection, links, begin, batch.end)
    return refused, touched


def _wallets_of(entries: Iterable[Entry]) -> Iterable[bytes]:
    """Yield every wallet that the operations name."""
    for entry in entries:
        for operation in entry.body.operations:
            if type(operation) is Pay:
                yield operation.payer
                yield operation.payee
            else:
                yield from concerned_by(operation).wallets


def _parties_of_payment(numbers: Numbers, payment: Pay) -> tuple[list[int], int, int]:
    """Return the numbers of the parties of a plain payment, the same as :func:`_parties` and quicker, of payer and of payee."""
    payer, payer_serves = numbers.wallet(payment.payer)
    payee, payee_serves = numbers.wallet(payment.payee)
    found = {payer, payer_serves, payee, payee_serves}
    found.discard(0)
    return sorted(found), payer, payee


def _parties(numbers: Numbers, entry: Entry) -> list[int]:
    """Return the numbers of the parties of a transaction, ascending: those of ``parties.parties_of``."""
    found: set[int] = set()
    for event in entry.receipt.events:
        if isinstance(event, WalletOpened):
            numbers.serve(event.wallet, event.institution)
    concerned = (*map(concerned_by, entry.body.operations), *map(told_by, entry.receipt.events))
    for accounts, wallets, identifiers in concerned:
        found.update([numbers.name(f"account/{name}") for name in accounts])
        found.update([numbers.name(f"id/{identifier}") for identifier in identifiers])
        for wallet in wallets:
            found.update(numbers.wallet(wallet))
    found.discard(0)
    return sorted(found)


def _money(numbers: Numbers, operations: Iterable[Operation]) -> _Money:
    """Return what a row says of the first operation that moves money, and how many postings all of them make."""
    found = moving(operations)
    if not found:
        return _WITHOUT_MONEY
    first = found[0]
    payer, payee = MOVING[type(first)](first)
    if payee is None:
        assert isinstance(payer, bytes), "a wallet pays what goes to the vault of its institution"
        paid: int | None = numbers.wallet(payer)[1] or None  # no such wallet: refused
    else:
        paid = _number_of(numbers, payee)
    return first.instrument, first.amount_minor, _number_of(numbers, payer), paid, POSTINGS_EACH * len(found)


def _number_of(numbers: Numbers, side: bytes | str) -> int:
    """Return the number of whom a ledger account belongs to."""
    if isinstance(side, bytes):
        return numbers.wallet(side)[0]
    return NO_PARTY if side == ISSUED else numbers.name(f"account/{side.removeprefix(VAULT)}")


def _packed(numbers: list[int]) -> bytes:
    packed = array("I", numbers)
    if byteorder != "little":
        packed.byteswap()
    return packed.tobytes()
