"""What a text may mean: every way of reading it is tried, each bounded, and the best answers come first."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from fujie.core import identifiers
from fujie.core.identifier_forms import check_characters
from fujie.reader.projection.rows import Match
from fujie.reader.projection.text import after_all, folded, spread_parts

QUERY_CHARACTERS_MAX: Final = 200
CANDIDATES_MAX: Final = 400  # of one way of reading: more are neither ranked nor shown
WALLET_DIGITS_MIN: Final = 6  # of a prefix: fewer would list wallets
CODE_CHARACTERS_MIN: Final = 2  # of a prefix of an outside code, where its scheme is not named
HEIGHT_DIGITS_MAX: Final = 16
PARTS_ASKED_MAX: Final = 8  # parts of three characters by which a text is looked up
COMPARED_MAX: Final = 10_000  # words that have all of these parts: some 20 ms

_HEX: Final = re.compile(r"[0-9a-f]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_CHECKED: Final = re.compile(r"(.+)-([0-9A-Z]{2})")
_PARTIAL: Final = re.compile(r"[A-Z]{2}(?:\.[0-9A-Z]*)*")
_LINK: Final = re.compile(r"(?:https?://[^/]*)?/?(?:console/)?([a-z]+)/([^/?#]+)(?:[/?#].*)?", re.IGNORECASE)
_LEADS_TO: Final = {
    "ids": "identifier",
    "blocks": "block",
    "transactions": "transaction",
    "receipts": "transaction",
    "wallets": "wallet",
    "accounts": "account",
    "organisations": "organisation",
    "money": "instrument",
}
_PARTY: Final = re.compile(r"\A(?:account|id|vault)/")
_NO_SCHEME: Final = re.compile(r"[^A-Z0-9-]")
_GROUPED: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_NAME: Final = re.compile(r"(?:did|urn):fujie:[^:]*:(.*)", re.IGNORECASE)

_EXACT, _PREFIX, _PART = range(3)

_IDENTIFIER: Final = (
    "SELECT i.identifier, i.name, i.kind, i.status, coalesce(p.name, '') FROM identifiers i"
    " LEFT JOIN identifiers p ON p.identifier = i.place "
)
_ALIAS: Final = (
    "SELECT a.scheme, a.code, i.identifier, i.name, i.status, a.until_ms FROM aliases a"
    " JOIN identifiers i ON i.identifier = a.identifier "
)
_BLOCK: Final = "SELECT height, transactions, time_ms FROM blocks WHERE "
_ALIAS_ANYWHERE: Final = _ALIAS + "WHERE a.code >= ? AND a.code < ? ORDER BY a.code LIMIT ?"
_ALIAS_OF_SCHEME: Final = _ALIAS + "WHERE a.scheme = ? AND a.code >= ? AND a.code < ? ORDER BY a.code LIMIT ?"
_WORD: Final = "SELECT w.kind, w.key, w.folded, w.retired FROM words w "
_HOLDING_PARTS: Final = "SELECT w.kind, w.key, w.folded, w.retired FROM word_parts f JOIN words w ON w.number = f.rowid WHERE word_parts MATCH ?"
_WALLET: Final = (
    "SELECT w.wallet, substr(p.name, 9) FROM wallets w JOIN parties p ON p.number = w.institution"
    " WHERE w.wallet >= ? AND w.wallet <= ? AND (? IS NULL OR p.name = 'account/' || ?) LIMIT ?"
)


class Scope(NamedTuple):
    """What a search may find besides what anyone may. See ``Lists.search``."""

    wallets: bool = True
    institution: str | None = None
    index_of: Callable[[bytes], int | None] | None = None


class _Found(NamedTuple):
    """A match and its place: how well it fits, whether it is over, how long it is."""

    rank: int
    over: bool
    length: int
    match: Match


def find(connection: sqlite3.Connection, text: str, limit: int, scope: Scope) -> list[Match]:
    """Return the best matches of ``text``. See ``Lists.search``."""
    query = folded(text[:QUERY_CHARACTERS_MAX])[:QUERY_CHARACTERS_MAX]  # one character may unfold into eighteen
    query = _PARTY.sub("", query)  # as transactions name their parties; of a wallet, what is found by digits
    kind, query = linked(query)
    if not query or not limit:
        return []
    found: list[_Found] = []
    for read in (_transactions, _blocks, _wallets):
        found.extend(read(connection, query, scope))
    for look_up in (_identifiers, _aliases, _words):
        found.extend(look_up(connection, query))
    if kind:  # a link means one thing
        found = [each for each in found if each.match.kind == kind and each.rank == _EXACT]
    best: dict[tuple[str, str], _Found] = {}
    for each in found:
        # One subject, found in several ways, is shown once, in the best of them.
        subject = ("identifier" if each.match.kind in ("alias", "name") else each.match.kind, each.match.key)
        if subject not in best or each[:3] < best[subject][:3]:
            best[subject] = each
    ranked = sorted(best.values(), key=lambda each: (*each[:3], each.match.title, each.match.key))
    return [each.match for each in ranked[:limit]]


def linked(text: str) -> tuple[str, str]:
    """Return kind and key of what a link to this node leads to, to a page or to what programs read; else "" and the text.

    The host does not count: a node has several names.
    """
    match = _LINK.fullmatch(text)
    kind = "" if match is None else _LEADS_TO.get(match[1].lower(), "")
    if match is None or not kind:
        return "", text
    return kind, match[2].removesuffix(".fujie").removesuffix(".json")


# What is known by a number.


def _transactions(_connection: sqlite3.Connection, query: str, scope: Scope) -> Iterator[_Found]:
    if scope.index_of is None or len(query) != 64 or not _HEX.fullmatch(query):
        return
    index = scope.index_of(bytes.fromhex(query))
    if index is not None:
        yield _found(_EXACT, False, "transaction", query, str(index), query)


def _blocks(connection: sqlite3.Connection, query: str, _scope: Scope) -> Iterator[_Found]:
    digits = query.replace(",", "") if _GROUPED.fullmatch(query) else query  # pages group them
    if len(query) == 64 and _HEX.fullmatch(query):
        rows = connection.execute(_BLOCK + "block_hash = ?", (bytes.fromhex(query),))
    elif len(digits) <= HEIGHT_DIGITS_MAX and _DIGITS.fullmatch(digits):
        rows = connection.execute(_BLOCK + "height = ?", (int(digits),))
    else:
        return
    for height, transactions, time_ms in rows:
        block = Match(
            kind="block", title=str(height), detail="", key=str(height), time_ms=time_ms, transactions=transactions
        )
        yield _Found(_EXACT, False, len(query), block)


def _wallets(connection: sqlite3.Connection, query: str, scope: Scope) -> Iterator[_Found]:
    digits = query.removeprefix("wallet/")
    if not scope.wallets or not WALLET_DIGITS_MIN <= len(digits) <= 32 or not _HEX.fullmatch(digits):
        return
    low, high = bytes.fromhex(digits.ljust(32, "0")), bytes.fromhex(digits.ljust(32, "f"))
    values = (low, high, scope.institution, scope.institution, CANDIDATES_MAX)
    for wallet, institution in connection.execute(_WALLET, values):
        rank = _EXACT if len(digits) == 32 else _PREFIX
        yield _found(rank, False, "wallet", wallet.hex(), institution, wallet.hex())


# What is known by a code.


def _identifiers(connection: sqlite3.Connection, query: str) -> Iterator[_Found]:
    """Find identifiers by their text: whole, in any of its forms, or how it begins."""
    text = _without_form(query).upper()
    checked = _CHECKED.fullmatch(text)
    if checked is not None:
        written, check = checked.groups()
        if not identifiers.is_identifier(written) or check_characters(written) != check:
            return  # the very mistake that check characters are there to find
        text = written
    if not _PARTIAL.fullmatch(text):
        return
    rows = connection.execute(
        _IDENTIFIER + "WHERE i.identifier >= ? AND i.identifier < ? ORDER BY i.identifier LIMIT ?",
        (text, after_all(text), 1 if checked is not None else CANDIDATES_MAX),
    )
    for identifier, name, kind, status, place in rows:
        if checked is not None and identifier != text:
            continue
        rank = _EXACT if identifier == text else _PREFIX
        yield _found(rank, status == "retired", "identifier", identifier, _detail(name, kind, place), identifier)


def _without_form(query: str) -> str:
    """Return what may be an identifier in a DID or a URN; the text itself where it is neither."""
    match = _NAME.fullmatch(query)
    return query if match is None else match[1]


def _aliases(connection: sqlite3.Connection, query: str) -> Iterator[_Found]:
    """Find identifiers by an outside code, with or without its scheme; letters of either case."""
    seen: set[tuple[str, str]] = set()
    for asked_scheme, written in (*_coded(query), (None, query)):
        for code in dict.fromkeys((written.upper(), written)):
            if not code.isascii() or (asked_scheme is None and len(code) < CODE_CHARACTERS_MIN):
                continue
            sql = _ALIAS_ANYWHERE if asked_scheme is None else _ALIAS_OF_SCHEME
            asked = () if asked_scheme is None else (asked_scheme,)
            values = (*asked, code, after_all(code), CANDIDATES_MAX)
            for found_scheme, found, identifier, name, status, until_ms in connection.execute(sql, values):
                if (found_scheme, found) in seen:
                    continue
                seen.add((found_scheme, found))
                over = status == "retired" or until_ms is not None
                rank = _EXACT if found == code else _PREFIX
                yield _found(rank, over, "alias", f"{found_scheme} {found}", f"{identifier} · {name}", identifier)


def _coded(query: str) -> Iterator[tuple[str, str]]:
    """Yield scheme and code as a text may name them: ``GBT2260:130100``, ``gbt2260 130100``, ``GB/T 2260:130100``.

    A scheme on the ledger is letters, digits and hyphens; standards are often written with more.
    """
    halves = [query.partition(":")] if ":" in query else [query.partition(" "), query.rpartition(" ")]
    named = [(_NO_SCHEME.sub("", scheme.upper()), code.strip()) for scheme, _, code in halves]
    yield from dict.fromkeys((scheme, code) for scheme, code in named if scheme and code)


# What is known by a word.


def _words(connection: sqlite3.Connection, query: str) -> Iterator[_Found]:
    """Find names and titles: the very word, those that begin with it, those that hold it."""
    rows: dict[tuple[str, str], tuple[int, str, str, str, bool]] = {}
    bounds = (query, after_all(query), CANDIDATES_MAX)
    for kind, key, word, retired in connection.execute(
        _WORD + "WHERE w.folded >= ? AND w.folded < ? ORDER BY w.folded LIMIT ?", bounds
    ):
        rows[kind, key] = (_EXACT if word == query else _PREFIX, kind, key, word, bool(retired))
    for kind, key, word, retired in _holding(connection, query):
        rows.setdefault((kind, key), (_PART, kind, key, word, bool(retired)))
    places = _places(connection, [key for kind, key in rows if kind == "identifier"])
    for rank, kind, key, word, retired in rows.values():
        if kind == "identifier":
            name, detail = places[key]
            yield _found(rank, retired, "name", name, detail, key, len(word))
        else:
            shown = kind.removesuffix("-title")
            yield _found(rank, retired, shown, key, _detail_of(connection, shown, key), key, len(word))


def _holding(connection: sqlite3.Connection, query: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield words that hold ``query`` anywhere."""
    if len(query) > 2:
        yield from _holding_parts(connection, query)
    elif not query.isascii():
        yield from connection.execute(
            "SELECT w.kind, w.key, w.folded, w.retired FROM word_pairs p JOIN words w ON w.number = p.number"
            " WHERE p.pair >= ? AND p.pair < ? LIMIT ?",
            (query, after_all(query), CANDIDATES_MAX),
        )


def _holding_parts(connection: sqlite3.Connection, query: str) -> Iterator[tuple[str, str, str, int]]:
    """Yield words that hold ``query``, of three characters or more.

    The index finds words that have some of its parts, and each is compared here: asked for a phrase, the index would look for
    it in every word that has those parts, and nobody could break that off.
    """
    # Within quotes, and with quotes doubled, nothing in the text is an operator of the full-text search.
    quoted = " AND ".join('"' + part.replace('"', '""') + '"' for part in spread_parts(query, PARTS_ASKED_MAX))
    left = CANDIDATES_MAX
    for kind, key, word, retired in islice(connection.execute(_HOLDING_PARTS, (quoted,)), COMPARED_MAX):
        if query in word:
            yield kind, key, word, retired
            left -= 1
            if not left:
                return


def _places(connection: sqlite3.Connection, keys: list[str]) -> dict[str, tuple[str, str]]:
    """Return identifier → (name, detail)."""
    found = {}
    for key in keys:
        _, name, kind, _, place = connection.execute(_IDENTIFIER + "WHERE i.identifier = ?", (key,)).fetchone()
        found[key] = (name, " · ".join(part for part in (key, kind, place) if part))
    return found


def _detail_of(connection: sqlite3.Connection, kind: str, key: str) -> str:
    """Return what is said of an account, an organisation or an instrument beside its name."""
    sql = {
        "account": "SELECT o.title FROM accounts a JOIN organisations o ON o.name = a.organisation WHERE a.name = ?",
        "organisation": "SELECT title FROM organisations WHERE name = ?",
        "instrument": "SELECT title FROM instruments WHERE instrument = ?",
    }[kind]
    row = connection.execute(sql, (key,)).fetchone()
    return "" if row is None else str(row[0])


def _detail(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _found(rank: int, over: bool, kind: str, title: str, detail: str, key: str, length: int | None = None) -> _Found:
    return _Found(
        rank, over, len(title) if length is None else length, Match(kind=kind, title=title, detail=detail, key=key)
    )
