"""The reading side of the projection: lists, pages, search. One read-only connection; any number of processes may read.

Used from the reader's event loop, so every answer is bounded: at most ``LIMIT_MAX`` rows, at most a few hundred b-tree
look-ups. The file may be deleted or built anew at any time: each call looks whether it is still the one that is open,
and opens it again where it is not. Where there is none, every method raises :class:`ProjectionUnavailable`.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from fujie.reader.projection import history, search
from fujie.reader.projection.history import Filters
from fujie.reader.projection.projection import MINUTE_MS
from fujie.reader.projection.rows import (
    AccountRow,
    BlockRow,
    ChildRow,
    InstrumentRow,
    Match,
    OrganisationRow,
    Position,
    ProjectionUnavailable,
    ProposalRow,
    Statistics,
    TransactionPage,
    WalletRow,
)
from fujie.reader.projection.schema import SCHEMA, connect_to_read, description, in_list, padded
from fujie.store.files import identity_of

LIMIT_MAX: Final = 200  # rows of one answer
INTEGER_MAX: Final = 2**63 - 1  # of SQLite
MINUTES_MAX: Final = 1_440

T = TypeVar("T")

_BLOCK: Final = "SELECT height, time_ms, transactions, first_index, app_hash, block_hash, proposer FROM blocks "
_IDENTIFIER: Final = "SELECT identifier, name, kind, status, within, version, children, places FROM identifiers "
_ACCOUNT: Final = (
    "SELECT a.name, a.organisation, o.title, a.roles, a.suspended OR o.suspended"
    " FROM accounts a JOIN organisations o ON o.name = a.organisation "
)
_WALLET: Final = (
    "SELECT w.number, w.wallet, substr(p.name, 9), w.wallet_class, w.kind, w.status, w.opened_height, w.opened_ms"
    " FROM wallets w JOIN parties p ON p.number = w.institution "
)
_SERVED: Final = (
    "WHERE w.institution = (SELECT number FROM parties WHERE name = ?) AND w.number > ? ORDER BY w.number LIMIT ?"
)


class Lists:
    """Answers from the projection at one path. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        """As :meth:`open`."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._party_names: dict[int, str] = {}  # of this file: numbers of another mean something else

    @classmethod
    def open(cls, path: Path) -> "Lists":
        """Return the lists of the projection at ``path``, which need not exist yet."""
        return cls(path)

    def close(self) -> None:
        """Close the file. Idempotent; the next call would open it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._file = None, None
        self._party_names = {}

    # -- blocks and transactions

    def position(self) -> Position:
        """Return how far the projection has come. All methods raise :class:`ProjectionUnavailable`."""
        [(log_size, height, time_ms)] = self._all("SELECT log_size, height, time_ms FROM position")
        return Position(log_size=log_size, height=height, time_ms=time_ms)

    def blocks(self, before: int | None, limit: int) -> list[BlockRow]:
        """Return blocks below height ``before`` (None: from the newest), newest first.

        For the next page give the height of the last row; there is none when fewer than ``limit`` came.
        """
        return self._blocks("WHERE height < ? ORDER BY height DESC LIMIT ?", (_bound(before), _limit(limit)))

    def block(self, height: int) -> BlockRow | None:
        """Return one block, or None."""
        return next(iter(self._blocks("WHERE height = ?", (_bound(height),))), None)

    def transactions(
        self,
        before: int | None,
        limit: int,
        *,
        party: str | None = None,
        parties: frozenset[str] | None = None,
        operation: str | None = None,
        code: int | None = None,
        height: int | None = None,
    ) -> TransactionPage:
        """Return transactions of log indices below ``before`` (None: from the newest), newest first.

        ``party`` is the reader name asked for (``wallet/<hex>``, ``id/<identifier>``, ``account/<name>``), ``parties``
        what the reader may see: only transactions with one of them; None is everything, an empty set nothing.
        ``operation`` is a type name (``pay``), ``code`` a reason's number or 0, ``height`` a block. A name that the
        projection does not know matches nothing.
        """
        filters = Filters(party, parties, operation, code, height)

        def read(connection: sqlite3.Connection) -> TransactionPage:
            return history.page(connection, self._party_names, _bound(before), _limit(limit), filters)

        return self._read(read)

    def per_minute(self, until_ms: int, minutes: int = 60) -> list[int]:
        """Return how many transactions each of ``minutes`` minutes of block time had, oldest first.

        The last is the minute that ``until_ms`` lies in.
        """
        count = max(1, min(minutes, MINUTES_MAX))
        last = _bound(until_ms) // MINUTE_MS
        found = dict(
            self._all("SELECT minute, transactions FROM minutes WHERE minute BETWEEN ? AND ?", (last - count + 1, last))
        )
        return [found.get(minute, 0) for minute in range(last - count + 1, last + 1)]

    def statistics(self) -> Statistics:
        """Return the totals."""
        [row] = self._all(
            "SELECT height, time_ms, log_size, log_size - first_index, refused, identifiers, wallets, accounts, organisations,"
            " (SELECT count(*) FROM proposals WHERE status = 'open' AND deadline_ms > p.time_ms) FROM position p"
        )
        return Statistics(**dict(zip(Statistics.__struct_fields__, row, strict=True)))

    # -- identifiers

    def children(self, identifier: str, after: str | None, limit: int) -> list[ChildRow]:
        """Return the identifiers directly under ``identifier`` (or under the agency, ``ZZ``), ascending, after ``after``.

        Retired ones are among them.
        """
        return self._identifiers(
            "WHERE parent = ? AND identifier > ? ORDER BY identifier LIMIT ?", (identifier, after or "", _limit(limit))
        )

    def child_count(self, identifier: str) -> int:
        """Return how many :meth:`children` there are over all pages."""
        return self._count("SELECT children FROM identifiers WHERE identifier = ?", "parent", identifier)

    def places(self, identifier: str, after: str | None, limit: int) -> list[ChildRow]:
        """As :meth:`children`, as people browse: those that say they are within ``identifier``, and those directly under
        it that say nothing. So a country has its provinces, a province its cities, a city its counties.
        """
        return self._identifiers(
            "WHERE place = ? AND identifier > ? ORDER BY identifier LIMIT ?", (identifier, after or "", _limit(limit))
        )

    def place_count(self, identifier: str) -> int:
        """Return how many :meth:`places` there are over all pages."""
        return self._count("SELECT places FROM identifiers WHERE identifier = ?", "place", identifier)

    def identifiers(self, identifiers: Iterable[str]) -> dict[str, ChildRow]:
        """Return the rows of those of ``identifiers`` (at most ``LIMIT_MAX``) that were allocated."""
        wanted = padded(sorted(set(identifiers))[:LIMIT_MAX])
        rows = self._identifiers(in_list("WHERE identifier IN (these)", len(wanted)), wanted)
        return {row.identifier: row for row in rows}

    def names(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Return the names of those of ``identifiers`` (at most ``LIMIT_MAX``) that were allocated."""
        return {identifier: row.name for identifier, row in self.identifiers(identifiers).items()}

    # -- members and money

    def accounts(self, after: str | None, limit: int, organisation: str | None = None) -> list[AccountRow]:
        """Return accounts by name, after ``after``; of one organisation or all."""
        if organisation is None:
            return self._accounts("WHERE a.name > ? ORDER BY a.name LIMIT ?", (after or "", _limit(limit)))
        where = "WHERE a.organisation = ? AND a.name > ? ORDER BY a.name LIMIT ?"
        return self._accounts(where, (organisation, after or "", _limit(limit)))

    def account(self, name: str) -> AccountRow | None:
        """Return one account, or None."""
        return next(iter(self._accounts("WHERE a.name = ?", (name,))), None)

    def organisations(self, after: str | None, limit: int) -> list[OrganisationRow]:
        """Return organisations by name, after ``after``."""
        rows = self._all(
            "SELECT name, title, suspended, accounts FROM organisations WHERE name > ? ORDER BY name LIMIT ?",
            (after or "", _limit(limit)),
        )
        return [
            OrganisationRow(name=name, title=title, suspended=bool(suspended), accounts=accounts)
            for name, title, suspended, accounts in rows
        ]

    def instruments(self) -> list[InstrumentRow]:
        """Return every instrument by code."""
        rows = self._all("SELECT instrument, title, decimals, issuer FROM instruments ORDER BY instrument")
        return [_row(InstrumentRow, row) for row in rows]

    def proposals(self, limit: int, *, open_at_ms: int | None = None) -> list[ProposalRow]:
        """Return proposals, newest first; with ``open_at_ms`` only those that can still be voted for at that time."""
        sql = "SELECT id, proposer, action, status, votes, deadline_ms FROM proposals "
        if open_at_ms is None:
            rows = self._all(sql + "ORDER BY number DESC LIMIT ?", (_limit(limit),))
        else:
            rows = self._all(
                sql + "WHERE status = 'open' AND deadline_ms > ? ORDER BY number DESC LIMIT ?",
                (_bound(open_at_ms), _limit(limit)),
            )
        return [_row(ProposalRow, row) for row in rows]

    def wallets(self, after: int | None, limit: int, institution: str | None = None) -> list[WalletRow]:
        """Return wallets in the order in which the ledger met them, after number ``after``; of one institution or all."""
        beyond = _bound(0 if after is None else after)
        if institution is None:
            rows = self._all(_WALLET + "WHERE w.number > ? ORDER BY w.number LIMIT ?", (beyond, _limit(limit)))
        else:
            rows = self._all(_WALLET + _SERVED, (f"account/{institution}", beyond, _limit(limit)))
        return [_row(WalletRow, row) for row in rows]

    # -- search

    def search(
        self,
        text: str,
        limit: int,
        *,
        wallets: bool = True,
        institution: str | None = None,
        index_of: Callable[[bytes], int | None] | None = None,
    ) -> list[Match]:
        """Return what ``text`` may mean, best first: exact before prefix before part, shorter first, active before retired.

        Of ``text``, ``QUERY_CHARACTERS_MAX`` characters count. ``wallets`` False leaves wallets out, ``institution`` finds
        only those that it serves: ids of wallets are not for strangers. ``index_of`` is the ledger's
        (``Served.index_of``): without it no transaction is found by its id. Never raises for a text, whatever it holds.
        """
        scope = search.Scope(wallets, institution, index_of)
        return self._read(lambda connection: search.find(connection, text, _limit(limit), scope))

    # -- inside

    def _blocks(self, where: str, values: Sequence[Any]) -> list[BlockRow]:
        return [_row(BlockRow, row) for row in self._all(_BLOCK + where, values)]

    def _identifiers(self, where: str, values: Sequence[Any]) -> list[ChildRow]:
        return [_row(ChildRow, row) for row in self._all(_IDENTIFIER + where, values)]

    def _accounts(self, where: str, values: Sequence[Any]) -> list[AccountRow]:
        return [
            AccountRow(
                name=name, organisation=organisation, title=title, roles=tuple(roles.split()), suspended=bool(suspended)
            )
            for name, organisation, title, roles, suspended in self._all(_ACCOUNT + where, values)
        ]

    def _count(self, kept: str, column: str, identifier: str) -> int:
        """Return a count that an identifier's row keeps; the agency has none, and few countries to count."""
        rows = self._all(kept, (identifier,))
        if not rows:
            rows = self._all("SELECT count(*) FROM identifiers WHERE this = ?".replace("this", column), (identifier,))
        count: int = rows[0][0]
        return count

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._read(lambda connection: connection.execute(sql, values).fetchall())
        except UnicodeEncodeError:  # a lone surrogate is in no name
            return []

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``read`` reads of the file that is at the path now, all of it as of one moment."""
        connection = self._open()
        try:
            connection.execute("BEGIN")
            try:
                return read(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            raise ProjectionUnavailable(f"The projection does not read: {error}.") from error

    def _open(self) -> sqlite3.Connection:
        """Return a connection to the file that is at the path now. Raises :class:`ProjectionUnavailable`."""
        file = identity_of(self._path)
        if self._connection is not None and file == self._file:
            return self._connection
        self.close()
        if file is None:
            raise ProjectionUnavailable()
        try:
            self._connection = connect_to_read(self._path)
            found = description(self._connection)
        except sqlite3.Error as error:
            self.close()
            raise ProjectionUnavailable(f"The projection does not open: {error}.") from error
        if found.get("schema") != str(SCHEMA):
            self.close()
            raise ProjectionUnavailable("The projection is being built, or is of another version.")
        self._file = file
        return self._connection


def _row(kind: Any, values: Sequence[Any]) -> Any:
    """Return a row whose columns are the fields of ``kind`` in their order."""
    return kind(**dict(zip(kind.__struct_fields__, values, strict=True)))


def _limit(limit: int) -> int:
    return max(0, min(limit, LIMIT_MAX))


def _bound(number: int | None) -> int:
    """Return a number that SQLite can hold; None is beyond the greatest."""
    return INTEGER_MAX if number is None else max(-INTEGER_MAX, min(number, INTEGER_MAX))
