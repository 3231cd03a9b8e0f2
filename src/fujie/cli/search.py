"""`fujie search`: finding anything by a text. The node is believed here; what it finds is proven by the commands that show it."""

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, Settings, examples, settings_of
from fujie.core.errors import OperationalError
from fujie.core.wording import count, quoted

if TYPE_CHECKING:
    from fujie.client.explorer import Explorer

LIMIT_MAX: Final = 200  # of one search of a node
CHARACTERS_MAX: Final = 200  # of a text that is searched for
SUGGESTED_MAX: Final = 3


class Kind(StrEnum):
    """What can be found. A test compares it with what the node finds."""

    IDENTIFIER = "identifier"
    ALIAS = "alias"
    NAME = "name"
    WALLET = "wallet"
    TRANSACTION = "transaction"
    BLOCK = "block"
    ACCOUNT = "account"
    ORGANISATION = "organisation"
    INSTRUMENT = "instrument"


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a text may mean. ``key`` is its identifier, id or name; what ``title`` and ``detail`` say depends on
    ``kind``, and a block alone has ``time_ms`` and ``transactions``.
    """

    kind: str
    title: str
    detail: str
    key: str
    time_ms: int | None = None
    transactions: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a node finds, and how many of the newest log entries it has not searched yet."""

    matches: list[Match]
    behind: int = 0


NAMING: Final = (Kind.IDENTIFIER, Kind.ALIAS, Kind.NAME)  # whose key is an identifier

_PLAIN: Final = re.compile(r"[0-9A-Za-z.-]+")  # nothing else goes into a command that people copy: the node made it up
_SHOWN_BY: Final = {
    **dict.fromkeys(NAMING, "fujie resolve {key}"),
    Kind.WALLET: "fujie wallet show {key} --as ACCOUNT",
    Kind.TRANSACTION: "fujie receipt {key}",
    Kind.ACCOUNT: """fujie read '{{"type": "account_query", "name": "{key}"}}'""",
    Kind.ORGANISATION: """fujie read '{{"type": "organisation_query", "name": "{key}"}}'""",
    Kind.INSTRUMENT: "fujie money supply --instrument {key}",
}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            "fujie search 石家庄",
            "fujie search 130100 --kind alias",
            "fujie search ZZ.156.13 --limit 5",
            "fujie search bank --kind account --kind organisation --json",
        )
    )(search)


def search(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(help="Part of a name, an outside code, how an identifier begins, an id, a block number")
    ],
    kind: Annotated[
        list[Kind] | None,
        typer.Option(
            metavar="KIND", help=f"Only {', '.join(Kind)}; may be repeated [default: all]", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="How many to list")] = 20,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with an API key, to find what not everyone may: wallets")
    ] = None,
    json: Json = False,
) -> None:
    """Find identifiers, codes, names, accounts, wallets, transactions, blocks, money. The best matches come first.

    A list is the node's word and comes without proof; `fujie resolve` and the others prove what they show.
    """
    settings = settings_of(context)
    if not 1 <= len(text) <= CHARACTERS_MAX:
        raise typer.BadParameter(f"write 1 to {CHARACTERS_MAX} characters to search for")
    found = find(settings, text, kind or list(Kind), limit, api_key_file)
    matches = found.matches
    output.show_table(
        ("kind", "found", "what it is"),
        [(match.kind, match.title, _detail(match)) for match in matches],
        {"query": text, **msgspec.to_builtins(found)},
        f"Nothing was found for {quoted(text)}.\n{_behind(found.behind) if found.behind else _advice(kind)}",
    )
    if matches and (shown_by := _SHOWN_BY.get(Kind(matches[0].kind))) is not None and _PLAIN.fullmatch(matches[0].key):
        output.say(f"The first with its proof: {shown_by.format(key=matches[0].key)}")


def find(settings: Settings, text: str, kinds: Iterable[Kind], limit: int, api_key_file: Path | None = None) -> Found:
    """Return what the node finds of these kinds, the best first. Raises :class:`OperationalError`."""
    from fujie.node.mirror import read_api_key

    wanted = set(kinds)
    asked = limit if wanted == set(Kind) else LIMIT_MAX  # the node does not know of kinds

    async def ask(explorer: "Explorer") -> object:
        return await explorer.search(text, asked)

    answer = settings.explore(ask, "" if api_key_file is None else read_api_key(api_key_file))
    try:
        found = msgspec.convert(answer, Found)
    except msgspec.ValidationError:
        raise OperationalError(f"{settings.url} answers a search with something else.", "Check its version.") from None
    return Found(matches=[match for match in found.matches if match.kind in wanted][:limit], behind=found.behind)


def identifier_in(settings: Settings, text: str) -> str:
    """Return the identifier in ``text``. The usage error for another text offers identifiers of that name."""
    try:
        return words.identifier(text)
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{error.message}. {suggestion(settings, text)}") from None


def suggestion(settings: Settings, text: str) -> str:
    """Return the sentence that offers the identifiers which ``text``, a name or a code, may stand for."""
    hint = f"`fujie search {text if text.isalnum() else quoted(text)}` finds identifiers by name and code."
    try:
        found = find(settings, text[:CHARACTERS_MAX], NAMING, SUGGESTED_MAX).matches if text else []
    except OperationalError:
        return hint  # this is help beside an error: it must not become another one
    if not found:
        return hint
    return f"Did you mean {' or '.join(map(_named, found))}? {hint}"


def _named(match: Match) -> str:
    """Return an identifier with its name, which stands elsewhere in each kind of match."""
    parts = match.detail.split(" · ")
    name = {Kind.NAME: match.title, Kind.ALIAS: parts[-1]}.get(Kind(match.kind), parts[0])
    return f"{match.key} {name}"


def _detail(match: Match) -> str:
    """Return what is said of a match; of a block, its numbers with their units."""
    if match.transactions is None or match.time_ms is None:
        return match.detail
    return f"{count(match.transactions, 'transaction')}, {words.time_text(match.time_ms)}"


def _behind(entries: int) -> str:
    return f"The node has not searched its newest {count(entries, 'log entry')} yet: search again in a moment."


def _advice(kinds: list[Kind] | None) -> str:
    if kinds:
        return f"Searched was for {' and '.join(kinds)} alone: leave --kind out to search for everything."
    return (
        "Names are found by any part of them, identifiers by how they begin (ZZ.156.13), codes with or without their "
        "system (GBT2260:130100), transactions and blocks by their whole id or hash. Wallets are found by those who may see them: --api-key-file."
    )
