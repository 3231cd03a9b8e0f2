"""Pages of transactions, by any combination of filters.

A filter is a group of parties of which a transaction has one. Where several groups are asked for, the rarest leads: its
places are found stretch by stretch, newest first, and only where it has some are the others looked at. Work is counted,
and a page ends when it has cost enough, with or without rows.
"""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator
from sys import byteorder
from typing import Any, Final, NamedTuple

from fujie.core.json_form import type_name
from fujie.modules.catalog import OPERATIONS
from fujie.modules.currency.events import ISSUED, vault_account
from fujie.reader.projection import postings
from fujie.reader.projection.rows import TransactionPage, TransactionRow
from fujie.reader.projection.schema import SEGMENT, in_list, padded
from fujie.reader.projection.transactions import NO_PARTY, kind_bytes

PARTIES_SHOWN_MAX: Final = 16
PARTIES_ASKED_MAX: Final = 64  # names in one set of what a reader may see
WORK_MAX: Final = 100_000  # places looked at for one page: some 20 ms
STRETCH_WORK: Final = 20  # of looking into a stretch at all
ROW_WORK: Final = 40  # of reading a row
SAMPLED: Final = 8  # newest stretches by which the rarest group is told
NAMES_KEPT_MAX: Final = 65_536
ROWS_AT_ONCE: Final = 64

_OPERATION_NAMES: Final = {kind_bytes(kind): type_name(kind) for kind in OPERATIONS}

_ROWS: Final = (
    "SELECT t.log_index, t.height, b.time_ms, t.transaction_id, t.code, t.operations, t.parties, t.instrument, t.amount_minor,"
    " t.payer, t.payee, t.postings FROM transactions t JOIN blocks b ON b.height = t.height WHERE t.log_index IN (these)"
)
_RANGE: Final = (
    "SELECT log_index, code FROM transactions WHERE log_index >= ? AND log_index < ? ORDER BY log_index DESC"
)
_STRETCHES: Final = "SELECT segment FROM segments WHERE segment <= ? AND segment >= ? ORDER BY segment DESC"
_POSTINGS: Final = "SELECT places FROM postings WHERE segment = ? AND party IN (these)"
_SIZES: Final = "SELECT coalesce(sum(length(places)), 0) FROM postings WHERE segment = ? AND party IN (these)"
_RECENT: Final = "SELECT log_index FROM recent WHERE party IN (these) AND log_index >= ? AND log_index < ?"

Group = list[int]
"""Numbers of parties, one of which a transaction must have."""


class Filters(NamedTuple):
    """What is asked for; None asks for nothing. See ``Lists.transactions``."""

    party: str | None = None
    parties: frozenset[str] | None = None
    operation: str | None = None
    code: int | None = None
    height: int | None = None


class _Work:
    """What a page has cost so far."""

    def __init__(self) -> None:
        self.left = WORK_MAX

    def did(self, amount: int) -> bool:
        """Count work; False when it has been enough."""
        self.left -= amount
        return self.left > 0


def page(
    connection: sqlite3.Connection, names: dict[int, str], before: int, limit: int, filters: Filters
) -> TransactionPage:
    """Return the transactions below log index ``before``, newest first. ``names`` keeps names of parties by number."""
    low, high = _range(connection, before, filters.height)
    groups = _groups(connection, filters)
    if groups is None or low >= high or not limit:
        return TransactionPage(rows=(), next=None)
    work = _Work()
    wanted: list[int] = []
    reached = low
    matching = (
        _matching(connection, groups, low, high, filters.code, work)
        if groups
        else _plain(connection, low, high, filters.code, work)
    )
    for index, is_match in matching:
        reached = index
        if is_match:
            wanted.append(index)
        if len(wanted) == limit:
            break
    rows = tuple(_rows(connection, names, wanted))
    return TransactionPage(rows=rows, next=reached if reached > low else None)


def _range(connection: sqlite3.Connection, before: int, height: int | None) -> tuple[int, int]:
    """Return the log indices, from the first to behind the last, among which to look."""
    [(first, log_size)] = connection.execute("SELECT first_index, log_size FROM position")
    low, high = first, min(before, log_size)
    if height is not None:
        row = connection.execute(
            "SELECT first_index, first_index + transactions FROM blocks WHERE height = ?", (min(height, 2**62),)
        ).fetchone()
        low, high = (row[0], min(high, row[1])) if row is not None else (0, 0)
    return low, high


def _groups(connection: sqlite3.Connection, filters: Filters) -> list[Group] | None:
    """Return the groups that filters ask for; None where one of them matches nothing."""
    asked: list[Iterable[str]] = []
    if filters.party is not None:
        asked.append([filters.party])
    if filters.parties is not None and filters.party not in filters.parties:
        asked.append(sorted(filters.parties)[:PARTIES_ASKED_MAX])
    if filters.operation is not None:
        asked.append([f"operation/{filters.operation}"])
    if filters.code:
        asked.append([f"code/{filters.code}"])
    groups = [[number for name in group for number in _number_of(connection, name)] for group in asked]
    return groups if all(groups) else None


def _number_of(connection: sqlite3.Connection, name: str) -> list[int]:
    """Return the number of a party; nothing for one that no transaction has had."""
    prefix, _, subject = name.partition("/")
    if prefix == "wallet":
        try:
            wallet = bytes.fromhex(subject)
        except ValueError:
            return []
        rows = connection.execute("SELECT number FROM wallets WHERE wallet = ?", (wallet,))
    else:
        try:
            rows = connection.execute("SELECT number FROM parties WHERE name = ?", (name,))
        except UnicodeEncodeError:  # a lone surrogate is in no name
            return []
    return [number for (number,) in rows]


def _plain(
    connection: sqlite3.Connection, low: int, high: int, code: int | None, work: _Work
) -> Iterator[tuple[int, bool]]:
    """Yield (log index, whether it matches), newest first, where nothing but success may be asked for.

    The last that is yielded tells how far the search has come: to ``low``, unless it had cost enough before.
    """
    for index, found in connection.execute(_RANGE, (low, high)):
        yield index, code is None or found == code
        if not work.did(1):
            return
    yield low, False


def _matching(
    connection: sqlite3.Connection, groups: list[Group], low: int, high: int, code: int | None, work: _Work
) -> Iterator[tuple[int, bool]]:
    """As :func:`_plain`, where groups are asked for as well."""
    if len(groups) > 1:
        groups = sorted(groups, key=lambda group: _size(connection, group, high))
    for stretch_low, found in _stretches(connection, groups, low, high, work):
        for index in found:
            ok = code is None or _code_of(connection, index) == code
            work.did(1)
            yield index, ok
        if stretch_low > low and work.left <= 0:
            yield stretch_low, False
            return
    yield low, False


def _stretches(
    connection: sqlite3.Connection, groups: list[Group], low: int, high: int, work: _Work
) -> Iterator[tuple[int, list[int]]]:
    """Yield, newest first, where a stretch begins and the matching log indices in it, descending."""
    recent = [_recent(connection, group, low, high, work) for group in groups]
    newest = connection.execute("SELECT max(segment) FROM segments").fetchone()[0]
    yield 0 if newest is None else (newest + 1) * SEGMENT, sorted(set.intersection(*recent), reverse=True)
    stretches = connection.execute(_STRETCHES, (max(high - 1, 0) // SEGMENT, low // SEGMENT)).fetchall()
    for (segment,) in stretches:
        begin = segment * SEGMENT
        matching: set[int] | None = None
        for group in groups:
            places = _places(connection, segment, group, work)
            matching = places if matching is None else matching & places
            if not matching:
                break
        found = sorted((begin + place for place in matching or ()), reverse=True)
        yield begin, [index for index in found if low <= index < high]


def _places(connection: sqlite3.Connection, segment: int, group: Group, work: _Work) -> set[int]:
    """Return the places of a group in a stretch."""
    numbers = padded(group)
    found: set[int] = set()
    for (places,) in connection.execute(in_list(_POSTINGS, len(numbers)), (segment, *numbers)):
        found.update(postings.unpack(places))
    work.did(STRETCH_WORK + len(found))
    return found


def _recent(connection: sqlite3.Connection, group: Group, low: int, high: int, work: _Work) -> set[int]:
    """Return the log indices of a group behind the last full stretch."""
    numbers = padded(group)
    found = {index for (index,) in connection.execute(in_list(_RECENT, len(numbers)), (*numbers, low, high))}
    work.did(len(found))
    return found


def _size(connection: sqlite3.Connection, group: Group, high: int) -> int:
    """Return about how many transactions a group has: what its newest postings below ``high`` weigh."""
    numbers = padded(group)
    newest = connection.execute(_STRETCHES + " LIMIT ?", (max(high - 1, 0) // SEGMENT, 0, SAMPLED)).fetchall()
    sql = in_list(_SIZES, len(numbers))
    return sum(connection.execute(sql, (segment, *numbers)).fetchone()[0] for (segment,) in newest)


def _code_of(connection: sqlite3.Connection, index: int) -> int:
    code: int = connection.execute("SELECT code FROM transactions WHERE log_index = ?", (index,)).fetchone()[0]
    return code


def _rows(connection: sqlite3.Connection, names: dict[int, str], wanted: list[int]) -> Iterator[TransactionRow]:
    """Yield the rows of these log indices, in their order."""
    found: dict[int, Any] = {}
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        chunk = padded(wanted[start : start + ROWS_AT_ONCE])
        found.update((row[0], row) for row in connection.execute(in_list(_ROWS, len(chunk)), chunk))
    numbers = {index: _unpacked(row[6]) for index, row in found.items()}
    shown = {number for all_of in numbers.values() for number in all_of[:PARTIES_SHOWN_MAX]}
    shown.update(number for row in found.values() for number in row[9:11] if number)
    _learn(connection, names, shown)
    for index in wanted:
        _, height, time_ms, transaction_id, code, operations, _, instrument, amount_minor, *money = found[index]
        payer, payee, lines = money
        parties = numbers[index]
        yield TransactionRow(
            index=index,
            height=height,
            time_ms=time_ms,
            transaction_id=transaction_id,
            code=code,
            operations=tuple(_OPERATION_NAMES[operations[at : at + 2]] for at in range(0, len(operations), 2)),
            parties=tuple(names[number] for number in parties[:PARTIES_SHOWN_MAX]),
            party_count=len(parties),
            instrument=instrument,
            amount_minor=amount_minor,
            payer=_ledger_account(names, payer),
            payee=_ledger_account(names, payee),
            postings=lines,
        )


def _ledger_account(names: dict[int, str], number: int | None) -> str | None:
    """Return the ledger account of a payer or payee: that of a wallet, of an institution's vault, or of nobody."""
    if number is None:
        return None
    if number == NO_PARTY:
        return ISSUED
    name = names[number]
    return name if name.startswith("wallet/") else vault_account(name.removeprefix("account/"))


def _learn(connection: sqlite3.Connection, names: dict[int, str], wanted: set[int]) -> None:
    """Have ``names`` know these numbers."""
    if len(names) > NAMES_KEPT_MAX:
        names.clear()
    missing = sorted(wanted - names.keys())
    for start in range(0, len(missing), ROWS_AT_ONCE):
        chunk = padded(missing[start : start + ROWS_AT_ONCE])
        count = len(chunk)
        names.update(
            connection.execute(in_list("SELECT number, name FROM parties WHERE number IN (these)", count), chunk)
        )
        wallets = connection.execute(
            in_list("SELECT number, wallet FROM wallets WHERE number IN (these)", count), chunk
        )
        names.update((number, f"wallet/{wallet.hex()}") for number, wallet in wallets)


def _unpacked(packed: bytes) -> "array[int]":
    numbers = array("I")
    numbers.frombytes(packed)
    if byteorder != "little":
        numbers.byteswap()
    return numbers
