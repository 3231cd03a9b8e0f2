"""The newest records of what is listed and searched: identifiers, aliases, accounts, organisations, wallets, proposals.

Every record is written as it stands; what counts (children, totals) counts rows. So taking a record in twice, or one
that is newer than the batch, does no harm.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from fujie.core import identifiers
from fujie.core.encoding import Record
from fujie.core.json_form import type_name
from fujie.core.state import Key
from fujie.modules.currency import records as currency
from fujie.modules.identity import records as identity
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.membership import records as membership
from fujie.modules.membership import state_keys as membership_keys
from fujie.reader.projection.numbers import Numbers
from fujie.reader.projection.source import Source, records_at
from fujie.reader.projection.text import folded
from fujie.reader.projection.touched import changed_by_action
from fujie.reader.projection.words import write_word

AGENCY_CHARACTERS: Final = 2
_HAS_ORGANISATION: Final = "SELECT 1 FROM organisations WHERE name = ?"
_HAS_ACCOUNT: Final = "SELECT 1 FROM accounts WHERE name = ?"

Found = tuple[str, Record]
"""A path and the record that stands there."""


class Entities:
    """Writes the records of one batch, within its transaction, and counts what is new."""

    def __init__(self, connection: sqlite3.Connection, numbers: Numbers, source: Source) -> None:
        self._connection = connection
        self._numbers = numbers
        self._source = source
        self._series: dict[str, str] = {}  # edition of a codebook → its series, which never changes
        self.added: dict[str, int] = {"identifiers": 0, "wallets": 0, "accounts": 0, "organisations": 0}

    def refresh(self, keys: Iterable[Key[Any]]) -> None:
        """Write the newest records at ``keys``, and at those that they lead to."""
        wanted = {key.path: key for key in keys}
        asked: set[str] = set()
        while wanted:
            asked.update(wanted)
            records = zip(wanted.values(), records_at(self._source, list(wanted.values())), strict=True)
            found = [(key.path, record) for key, record in records if record is not None]
            self.take(found)
            wanted = {key.path: key for key in self._led_to(found) if key.path not in asked}

    def take(self, found: Iterable[Found]) -> None:
        """Write records. Paths that are not listed are passed over."""
        rows = [(self._writer_of(path), path, record) for path, record in found]
        wallets = [(_subject_bytes(path), each) for _, path, each in rows if isinstance(each, currency.Wallet)]
        self._numbers.prepare(wallet for wallet, _ in wallets)
        for wallet, each in wallets:
            self._numbers.serve(wallet, each.institution)
        self._numbers.write()
        for writer, path, record in rows:
            if writer is not None:
                writer(self, path, record)

    def _writer_of(self, path: str) -> "Callable[[Entities, str, Any], None] | None":
        return _WRITERS.get(path[: path.find("/", path.find("/") + 1) + 1])

    def _led_to(self, found: list[Found]) -> Iterable[Key[Any]]:
        """Yield the keys of records that change together with those of ``found``."""
        for _, record in found:
            if isinstance(record, identity.Identity):
                yield from self._aliases_of(record)
            elif isinstance(record, membership.Proposal) and record.status is membership.ProposalStatus.CARRIED:
                yield from changed_by_action(record.action)
            elif isinstance(record, membership.Account):
                yield membership_keys.organisation(record.organisation)

    def _aliases_of(self, record: identity.Identity) -> Iterable[Key[Any]]:
        """Yield the keys of every alias that is, or may have been, bound to an identifier."""
        for alias in record.aliases:
            yield identity_keys.alias(alias.scheme, alias.code)
        bound = self._connection.execute(
            "SELECT scheme, code FROM aliases WHERE identifier = ? AND until_ms IS NULL", (record.identifier,)
        )
        for scheme, code in bound.fetchall():
            yield identity_keys.alias(scheme, code)
        if record.evidence is not None:
            yield identity_keys.alias(self._series_of(record.evidence.edition), record.evidence.code)

    def _series_of(self, edition: str) -> str:
        known = self._series.get(edition)
        if known is None:
            [found] = records_at(self._source, [identity_keys.codebook(edition)])
            assert isinstance(found, identity.CodebookEdition), "an edition that is relied on is registered"
            known = self._series[edition] = found.series
        return known

    def _identity(self, _path: str, record: identity.Identity) -> None:
        execute = self._connection.execute
        name, within = record.identifier, record.within
        parent = identifiers.parent(name) or name[:AGENCY_CHARACTERS]
        place = within or parent
        values = (within, place, record.name, record.kind, record.status.value, record.standing.number)
        before = execute("SELECT place FROM identifiers WHERE identifier = ?", (name,)).fetchone()
        if before is None:
            execute(
                "INSERT INTO identifiers VALUES (?, ?, ?, ?, ?, ?, ?, ?,"
                " (SELECT count(*) FROM identifiers WHERE parent = ?), (SELECT count(*) FROM identifiers WHERE place = ?))",
                (name, parent, *values, name, name),
            )
            execute("UPDATE identifiers SET children = children + 1 WHERE identifier = ?", (parent,))
            execute("UPDATE identifiers SET places = places + 1 WHERE identifier = ?", (place,))
            self.added["identifiers"] += 1
        else:
            execute(
                "UPDATE identifiers SET within = ?, place = ?, name = ?, kind = ?, status = ?, version = ?"
                " WHERE identifier = ?",
                (*values, name),
            )
            if before[0] != place:
                execute("UPDATE identifiers SET places = places - 1 WHERE identifier = ?", before)
                execute("UPDATE identifiers SET places = places + 1 WHERE identifier = ?", (place,))
        write_word(self._connection, "identifier", name, folded(record.name), record.status is identity.Status.RETIRED)

    def _alias(self, _path: str, record: identity.Alias) -> None:
        values = (record.scheme, record.code, record.identifier, record.since_ms, record.until_ms)
        self._connection.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?, ?)", values)

    def _organisation(self, _path: str, record: membership.Organisation) -> None:
        suspended = record.status is not membership.Status.ACTIVE
        self._count("organisations", _HAS_ORGANISATION, record.name)
        self._connection.execute(
            "INSERT OR REPLACE INTO organisations VALUES (?, ?, ?, ?)",
            (record.name, record.title, suspended, record.accounts),
        )
        write_word(self._connection, "organisation", record.name, record.name, False)
        write_word(self._connection, "organisation-title", record.name, folded(record.title), False)

    def _account(self, _path: str, record: membership.Account) -> None:
        suspended = record.status is not membership.Status.ACTIVE
        roles = " ".join(role.value for role in record.roles)
        self._count("accounts", _HAS_ACCOUNT, record.name)
        self._connection.execute(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)",
            (record.name, record.organisation, roles, suspended),
        )
        write_word(self._connection, "account", record.name, record.name, False)

    def _count(self, counter: str, has: str, name: str) -> None:
        """Count a name that its table does not have yet."""
        found = self._connection.execute(has, (name,)).fetchone()
        self.added[counter] += found is None

    def _instrument(self, path: str, record: currency.Instrument) -> None:
        code = _subject(path)
        self._connection.execute(
            "INSERT OR REPLACE INTO instruments VALUES (?, ?, ?, ?)",
            (code, record.title, record.decimals, record.issuer),
        )
        write_word(self._connection, "instrument", code, folded(code), False)
        write_word(self._connection, "instrument-title", code, folded(record.title), False)

    def _wallet(self, path: str, record: currency.Wallet) -> None:
        number, _ = self._numbers.wallet(_subject_bytes(path))
        execute = self._connection.execute
        opened = execute("SELECT opened_ms FROM wallets WHERE number = ?", (number,)).fetchone()
        self.added["wallets"] += opened[0] is None
        execute(
            "UPDATE wallets SET wallet_class = ?, kind = ?, status = ?, opened_height = ?, opened_ms = ? WHERE number = ?",
            (record.wallet_class, record.kind, record.status, record.opened_height, record.opened_ms, number),
        )

    def _proposal(self, _path: str, record: membership.Proposal) -> None:
        values = (
            record.id,
            record.proposer,
            type_name(type(record.action)),
            record.status.value,
            len(record.votes),
            record.deadline_ms,
        )
        self._connection.execute(
            "INSERT INTO proposals (id, proposer, action, status, votes, deadline_ms) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET status = excluded.status, votes = excluded.votes",
            values,
        )


_WRITERS: Final[Mapping[str, Callable[[Entities, str, Any], None]]] = {
    identity_keys.IDENTITY_PREFIX: Entities._identity,
    identity_keys.ALIAS_PREFIX: Entities._alias,
    membership_keys.ORGANISATION_PREFIX: Entities._organisation,
    membership_keys.ACCOUNT_PREFIX: Entities._account,
    membership_keys.PROPOSAL_PREFIX: Entities._proposal,
    "currency/instrument/": Entities._instrument,
    "currency/wallet/": Entities._wallet,
}


def listed(path: str) -> bool:
    """Tell whether what stands at a path is listed or searched."""
    return path[: path.find("/", path.find("/") + 1) + 1] in _WRITERS


def _subject(path: str) -> str:
    return path[path.find("/", path.find("/") + 1) + 1 :]


def _subject_bytes(path: str) -> bytes:
    return bytes.fromhex(_subject(path))
