"""`fujie read`: whatever can be read with proof, from the JSON form of its query; the nouns have the common ones by name."""

from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output, signing, words
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of

if TYPE_CHECKING:
    from fujie.core.query import Query


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            'fujie read \'{"type": "account_query", "name": "bank-east"}\'',
            'fujie read \'{"type": "parameters_query"}\' --at 2026-09-01',
            'fujie read \'{"type": "vault_query", "account": "bank-east", "instrument": "CNY"}\' --as auditor',
        )
    )(read)


def read(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help='JSON: {"type": "account_query", ...}; bytes are hexadecimal')],
    reader: Annotated[
        str | None,
        typer.Option("--as", help="Account that may read it, where not everyone may", callback=words.account),
    ] = None,
    at: Annotated[str | None, typer.Option(help="What stood then: 2026-09-01, or ms since 1970")] = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Show the record that answers a query, proven. docs/spec/07-rooms.md lists the queries of every room."""
    settings = settings_of(context)
    asked = _query(query)
    at_ms = words.moment(at)
    with settings.client(trust) as client, words.asking_about(at_ms):
        grant = None
        if reader is not None:
            grant = client.grant(f"account/{reader}", signing.account_signers(settings, client, reader, key))
        found = client.read(asked, grant=grant, at_ms=at_ms)
    data = words.record_data(found)
    title = found.path if found.record is not None else f"Nothing stands at {found.path}"
    rows: list[output.Row] = [] if found.record is None else words.form_rows(data["record"])
    output.show(title, rows, data, words.proof_text(found))
    if found.record is None:
        raise typer.Exit(output.EXIT_ABSENT)


def _query(text: str) -> "Query":
    """Return the query in ``text``. A usage error names the place that is wrong."""
    import msgspec

    from fujie.cli.forms import is_no_json, plain
    from fujie.core.errors import DecodeError
    from fujie.core.json_form import from_json
    from fujie.modules.catalog import QUERY

    try:
        found: Query = from_json(QUERY.type, msgspec.json.decode(text))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise typer.BadParameter(is_no_json(text)) from None
    except DecodeError as error:
        raise typer.BadParameter(f"this is no query: {plain(error.detail)}") from None
    return found
