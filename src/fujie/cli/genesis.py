"""`fujie genesis`: what the chain of the data folder began with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import count

if TYPE_CHECKING:
    from fujie.machine.genesis import Genesis

app = typer.Typer(help="What the chain began with: members, keys, parameters, money.", no_args_is_help=True)


@app.command(epilog=examples("fujie genesis show", "fujie genesis show --json"))
def show(context: typer.Context, json: Json = False) -> None:
    """Show the first state of the chain in the data folder. The node may run (store sqlite)."""
    from fujie.core.json_form import to_json
    from fujie.machine.genesis import chain_id
    from fujie.modules.catalog import record_at

    _, genesis = _load(context)
    records = {leaf.path: to_json(record_at(leaf.path, leaf.record)) for leaf in genesis.leaves}
    names = sorted(path.split("/")[-1] for path in records if path.startswith("membership/account/"))
    output.show(
        f"Genesis of {chain_id(genesis)}",
        [
            ("name", genesis.name),
            ("time", words.time_text(genesis.time_ms)),
            ("records", len(records)),
            ("accounts", ", ".join(names)),
        ],
        {"chain_id": chain_id(genesis), "name": genesis.name, "time_ms": genesis.time_ms, "records": records},
    )


@app.command(epilog=examples("fujie genesis export town.genesis", "fujie --home copy init --genesis town.genesis"))
def export(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="File to write")], json: Json = False
) -> None:
    """Write the genesis as bytes that hash to the chain id. It holds salts: give it to members only.

    Of a chain that grew out of an embedded one it is not enough to join with: the command says what is needed.
    """
    from fujie.client.files import OWNER_ONLY, write_atomically
    from fujie.core.errors import OperationalError
    from fujie.machine.genesis import chain_id
    from fujie.node.handover import ended_in

    data, genesis = _load(context)
    ended = ended_in(settings_of(context).folder)
    first = None if ended is None else ended.header.height + 1
    try:
        write_atomically(file, data, mode=OWNER_ONLY, overwrite=False)
    except FileExistsError:
        raise OperationalError(f"{file} exists already.", "Choose another name.") from None
    rows: list[output.Row] = [("chain", chain_id(genesis)), ("size", count(len(data), "byte"))]
    if first is not None:
        rows.append(("grew", f"validators make its blocks from {first:,} on, and nodes cannot fetch earlier ones"))
    told = {"file": str(file), "chain_id": chain_id(genesis), "bytes": len(data), "grew_at": first}
    output.show(f"Exported {file}", rows, told)
    if first is not None:
        output.say(
            "A new node joins with the folder handover/ instead of this file, or with this file and --state-sync URL --state-sync URL.",
            "yellow",
        )


def _load(context: typer.Context) -> "tuple[bytes, Genesis]":
    from fujie.node.founding import read_genesis

    return read_genesis(settings_of(context).folder)
