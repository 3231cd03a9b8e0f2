"""`fujie projection`: the tables for lists and search, which may be built anew at any time."""

import contextlib

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import count

app = typer.Typer(help="The tables for lists, search and history.", no_args_is_help=True)


@app.command(epilog=examples("fujie projection status", "fujie projection status --json"))
def status(context: typer.Context, json: Json = False) -> None:
    """Show how far the projection is. Lists and search have the blocks and transactions up to there."""
    from fujie.node import projecting

    found = projecting.status(settings_of(context).folder)
    behind = None
    if found.ledger is not None and found.found is not None:
        behind = max(found.ledger - found.found.log_size, 0)
    state = "none; the node builds it" if found.found is None else count(found.found.log_size, "log entry")
    rows: list[output.Row] = [
        ("file", str(found.path)),
        ("has", state),
        ("height", "" if found.found is None else f"{found.found.height:,}"),
        ("behind", "" if behind is None else count(behind, "log entry")),
        ("size", count(found.bytes, "byte") if found.bytes else ""),
        ("projector", "running" if found.running else "not running; `fujie up` starts it"),
    ]
    data = {
        "file": str(found.path),
        "present": found.found is not None,
        "chain_id": None if found.found is None else found.found.chain_id,
        "schema": None if found.found is None else found.found.schema,
        "height": None if found.found is None else found.found.height,
        "log_size": None if found.found is None else found.found.log_size,
        "ledger_log_size": found.ledger,
        "behind": behind,
        "bytes": found.bytes,
        "running": found.running,
    }
    output.show("Projection", rows, data)


@app.command(epilog=examples("fujie projection rebuild", "fujie --home backup projection rebuild --json"))
def rebuild(context: typer.Context, json: Json = False) -> None:
    """Build the projection anew from the ledger.

    While the node runs, its projector does it beside its work, and lists are incomplete until it is done. Otherwise it is
    done here. The ledger is only read. Ctrl-C loses nothing: the node goes on where this stopped.
    """
    from fujie.cli.progress import Shown
    from fujie.node import projecting

    settings = settings_of(context)
    folder = settings.folder
    try:
        with contextlib.closing(Shown("Laying out {total}", "log entry", "transactions")) as shown:
            done = projecting.rebuild(folder, shown)
    except KeyboardInterrupt:
        output.say("Stopped. What is done is kept; the node goes on from there.")
        raise typer.Exit(output.EXIT_OPERATIONAL) from None
    data = {"asked": done.asked, "log_entries": done.log_entries, "seconds": round(done.seconds, 3)}
    if done.asked:
        rows: list[output.Row] = [("next", settings.command("projection status"))]
        output.show("The running node builds its lists anew", rows, data)
        return
    rows = [("log entries", f"{done.log_entries:,}"), ("took", f"{done.seconds:.1f} s")]
    output.show("Lists are complete", rows, data)
