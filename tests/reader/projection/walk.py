"""Every list of a projection, compared with a walk over all leaves of the state that it was made from."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from fujie.core.json_form import to_json
from fujie.modules.catalog import record_at
from fujie.modules.currency import records as currency
from fujie.modules.identity import records as identity
from fujie.modules.membership import records as membership
from fujie.reader.projection.lists import LIMIT_MAX, Lists
from fujie.reader.projection.text import folded
from fujie.store.base import Store
from tests import world
from tests.reader.projection.histories import above

LISTED = (
    identity.Identity,
    identity.Alias,
    membership.Organisation,
    membership.Account,
    membership.Proposal,
    currency.Instrument,
    currency.Wallet,
)

Records = dict[type[Any], dict[str, Any]]
"""Kind of record → the last part of its path → the record."""


def records_of(store: Store) -> Records:
    """Return every listed record that stands in the state."""
    found: Records = {kind: {} for kind in LISTED}
    for path, _, data in world.leaves_of(store):
        record = record_at(path, data)
        if type(record) in found:
            found[type(record)][path.split("/", 2)[2]] = record
    return found


def assert_lists_are_the_state(lists: Lists, store: Store) -> Records:
    """Compare every list, every count and what search finds with the state; return the records."""
    found = records_of(store)
    _identifiers(lists, found)
    _members(lists, found)
    _wallets(lists, found)
    _proposals(lists, found)
    _words(lists, found)
    totals = lists.statistics()
    assert (totals.identifiers, totals.wallets, totals.accounts, totals.organisations) == tuple(
        len(found[kind]) for kind in (identity.Identity, currency.Wallet, membership.Account, membership.Organisation)
    )
    return found


def all_of(page: Callable[[Any, int], list[Any]], key: Callable[[Any], Any], limit: int = 7) -> list[Any]:
    """Return the rows of all pages."""
    rows: list[Any] = []
    while more := page(key(rows[-1]) if rows else None, limit):
        rows += more
    return rows


def chunks(names: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(names)
    return (ordered[at : at + LIMIT_MAX] for at in range(0, len(ordered), LIMIT_MAX))


def _identifiers(lists: Lists, found: Records) -> None:
    records = found[identity.Identity]
    children: dict[str, list[str]] = {}
    places: dict[str, list[str]] = {}
    for name, record in sorted(records.items()):
        children.setdefault(above(name), []).append(name)
        places.setdefault(record.within or above(name), []).append(name)
    rows = {name: row for chunk in chunks(records) for name, row in lists.identifiers(chunk).items()}
    assert {name: (row.name, row.kind, row.status, row.within, row.version) for name, row in rows.items()} == {
        name: (each.name, each.kind, each.status, each.within, each.standing.number) for name, each in records.items()
    }
    for name in {name[:2] for name in records} | set(records) | set(places):
        for page, count, wanted in (
            (lists.children, lists.child_count, children.get(name, [])),
            (lists.places, lists.place_count, places.get(name, [])),
        ):
            listed = all_of(partial(page, name), lambda row: row.identifier)
            assert [row.identifier for row in listed] == wanted, name
            assert count(name) == len(wanted), name
            assert all(row == rows[row.identifier] for row in listed)
    for name, row in rows.items():
        assert (row.children, row.places) == (len(children.get(name, [])), len(places.get(name, []))), name


def _members(lists: Lists, found: Records) -> None:
    organisations, accounts = found[membership.Organisation], found[membership.Account]
    suspended = {name for name, each in organisations.items() if each.status is not membership.Status.ACTIVE}
    assert [(row.name, row.title, row.suspended, row.accounts) for row in all_of(lists.organisations, _name)] == [
        (name, each.title, name in suspended, each.accounts) for name, each in sorted(organisations.items())
    ]
    wanted = {
        name: (
            each.organisation,
            organisations[each.organisation].title,
            tuple(each.roles),
            each.status is not membership.Status.ACTIVE or each.organisation in suspended,
        )
        for name, each in sorted(accounts.items())
    }
    rows = all_of(lists.accounts, _name)
    assert {row.name: (row.organisation, row.title, row.roles, row.suspended) for row in rows} == wanted
    assert [row.name for row in rows] == list(wanted)
    assert [lists.account(name) for name in wanted] == rows
    for name in organisations:
        own = all_of(partial(lists.accounts, organisation=name), _name)
        assert own == [row for row in rows if row.organisation == name]
    assert {row.instrument: (row.title, row.decimals, row.issuer) for row in lists.instruments()} == {
        code: (each.title, each.decimals, each.issuer) for code, each in found[currency.Instrument].items()
    }


def _wallets(lists: Lists, found: Records) -> None:
    records = found[currency.Wallet]
    wanted = {
        name: (each.institution, each.wallet_class, each.kind, each.status, each.opened_height, each.opened_ms)
        for name, each in records.items()
    }
    rows = all_of(lists.wallets, lambda row: row.number)
    assert len(rows) == len(wanted)
    assert {
        row.wallet.hex(): (
            row.institution,
            row.wallet_class,
            row.kind,
            row.status,
            row.opened_height,
            row.opened_ms,
        )
        for row in rows
    } == wanted
    for institution in {each.institution for each in records.values()}:
        own = all_of(partial(lists.wallets, institution=institution), lambda row: row.number)
        assert own == [row for row in rows if row.institution == institution]
    for name, each in records.items():
        assert name in {match.key for match in lists.search(name, 5, institution=each.institution)}
        assert name not in {match.key for match in lists.search(name, 5, institution="nobody")}


def _proposals(lists: Lists, found: Records) -> None:
    records = found[membership.Proposal]
    assert len(records) <= LIMIT_MAX, "so many that one page does not hold them"
    wanted = {
        name: (each.proposer, to_json(each)["action"]["type"], each.status, len(each.votes), each.deadline_ms)
        for name, each in records.items()
    }
    rows = lists.proposals(LIMIT_MAX)
    assert {row.id.hex(): (row.proposer, row.action, row.status, row.votes, row.deadline_ms) for row in rows} == wanted
    now_ms = lists.position().time_ms
    votable = {name for name, each in records.items() if each.status == "open" and each.deadline_ms > now_ms}
    assert {row.id.hex() for row in lists.proposals(LIMIT_MAX, open_at_ms=now_ms)} == votable
    assert lists.statistics().proposals_open == len(votable)


def _words(lists: Lists, found: Records) -> None:
    """Compare what the lists find by word and by outside code, and what they find no longer."""
    connection = lists._open()
    words = {
        **{("identifier", name): folded(each.name) for name, each in found[identity.Identity].items()},
        **{("account", name): name for name in found[membership.Account]},
        **{("organisation", name): name for name in found[membership.Organisation]},
        **{("organisation-title", name): folded(each.title) for name, each in found[membership.Organisation].items()},
        **{("instrument", code): folded(code) for code in found[currency.Instrument]},
        **{("instrument-title", code): folded(each.title) for code, each in found[currency.Instrument].items()},
    }
    kept = {(kind, key): word for kind, key, word in connection.execute("SELECT kind, key, folded FROM words")}
    assert kept == words
    for word in {word for word in words.values() if len(word) > 2}:
        quoted = '"' + word.replace('"', '""') + '"'
        hits = connection.execute(
            "SELECT w.kind, w.key FROM word_parts f JOIN words w ON w.number = f.rowid WHERE word_parts MATCH ?",
            (quoted,),
        ).fetchall()
        assert sorted(hits) == sorted(each for each, text in words.items() if word in text), word
    aliases = {
        (each.scheme, each.code): (each.identifier, each.since_ms, each.until_ms)
        for each in found[identity.Alias].values()
    }
    rows = connection.execute("SELECT scheme, code, identifier, since_ms, until_ms FROM aliases").fetchall()
    assert {(scheme, code): tuple(rest) for scheme, code, *rest in rows} == aliases
    for (scheme, code), (identifier, *_) in aliases.items():
        assert identifier in {match.key for match in lists.search(f"{scheme}:{code}", LIMIT_MAX)}, (scheme, code)


def _name(row: Any) -> str:
    name: str = row.name
    return name
