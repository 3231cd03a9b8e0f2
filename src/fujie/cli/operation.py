"""`fujie operation`: whatever the ledger can be asked to do, from its JSON form; the nouns have the common ones by name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, signing, words
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of
from fujie.core.limits import TRANSACTION_BYTES_MAX

if TYPE_CHECKING:
    from fujie.core.room import Operation

app = typer.Typer(help="Submit any operation from its JSON form; list what there is.", no_args_is_help=True)

FILE_BYTES_MAX = 4 * TRANSACTION_BYTES_MAX  # the JSON form has two digits for a byte, and names


@app.command(
    epilog=examples(
        "fujie operation submit vote.json --key root-authority",
        "fujie operation submit freeze.json --key central-bank-1 --key central-bank-2 --dry-run",
    )
)
def submit(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help='JSON: {"type": "vote", ...}, or an array that succeeds or fails together')
    ],
    key: Keys = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the node what would happen; nothing is done")] = False,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Submit the operations in a file as one transaction. Names and fields: `fujie operation list`; bytes are hexadecimal."""
    from fujie.core.json_form import type_name

    if not key:
        raise typer.BadParameter("name the keys that sign: --key NAME, as often as it takes")
    settings = settings_of(context)
    operations = _operations(file)
    signers = signing.named_signers(settings, key)
    with settings.client(trust) as client:
        if dry_run:
            _forecast(client.dry_run(*operations, signers=signers))
            return
        outcome = client.submit(*operations, signers=signers)
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        f"Done: {', '.join(type_name(type(operation)) for operation in operations)}",
        [("transaction", outcome.transaction_id.hex()), ("time", words.time_text(outcome.verified.receipt.time_ms))],
        words.outcome_data(outcome),
        words.proof_text(outcome.verified),
    )


@app.command("list", epilog=examples("fujie operation list", "fujie operation list --json"))
def list_operations(context: typer.Context, json: Json = False) -> None:
    """List every operation by the name and the fields of its JSON form."""
    from fujie.core.json_form import type_name
    from fujie.modules.catalog import OPERATIONS

    forms = [(type_name(cls), cls.__struct_fields__) for cls in OPERATIONS]
    output.show_table(
        ("type", "fields"),
        [(name, ", ".join(fields)) for name, fields in forms],
        {"operations": [{"type": name, "fields": list(fields)} for name, fields in forms]},
        "",
    )


def _operations(file: Path) -> "list[Operation]":
    """Return the operations in ``file``. A usage error names the place that is wrong."""
    import msgspec

    from fujie.cli.forms import plain
    from fujie.client.files import read_bounded
    from fujie.core.errors import DecodeError
    from fujie.core.json_form import from_json
    from fujie.modules.catalog import OPERATION

    try:
        parsed = msgspec.json.decode(read_bounded(file, FILE_BYTES_MAX))
        found = [from_json(OPERATION.type, each) for each in (parsed if isinstance(parsed, list) else [parsed])]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise typer.BadParameter(f"{file} holds no JSON; `fujie operation list` says what it takes") from None
    except DecodeError as error:
        raise typer.BadParameter(f"{file} holds no operation: {plain(error.detail)}") from None
    if not found:
        raise typer.BadParameter(f"{file} holds no operation: the array is empty")
    return found


def _forecast(outcome: Any) -> None:
    """Say what a dry run foresees; the exit code is that of the real thing."""
    from fujie.client.outcomes import refusal_of
    from fujie.core.json_form import to_json

    if outcome.code:
        raise refusal_of(outcome)
    events = [] if outcome.receipt is None else [to_json(event) for event in outcome.receipt.events]
    output.show("It would be carried out now; nothing was done", [], {"dry_run": True, "events": events})
