"""`fujie engine`: the program `cometbft`, which orders the blocks of a chain with several validators."""

from pathlib import Path
from typing import Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples

app = typer.Typer(
    help="CometBFT, which a chain with several validators runs on: find it, install it.", no_args_is_help=True
)


@app.command(epilog=examples("fujie engine show", "fujie engine show --json"))
def show(json: Json = False) -> None:
    """Show every cometbft where one is looked for, and which of them a node uses. Exit code 1 where none fits."""
    from fujie.engine.cometbft.binary import VERSION, look

    found = look()
    used = next((each for each in found if each.fits), None)
    output.show_table(
        ("path", "version", "", ""),
        [
            (
                each.path,
                each.version or "does not start",
                "fits" if each.fits else "too old, or of another line",
                "used" if each is used else "",
            )
            for each in found
        ],
        {
            "wanted": VERSION,
            "used": None if used is None else str(used.path),
            "found": [{"path": str(each.path), "version": each.version, "fits": each.fits} for each in found],
        },
        f"There is no cometbft here. `fujie engine install` builds version {VERSION} from its published source.",
    )
    if used is None:
        raise typer.Exit(output.EXIT_OPERATIONAL)


@app.command(epilog=examples("fujie engine install", "fujie engine install --folder ~/bin"))
def install(
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where to put it [default: fujie/bin in the user's data folder, ~/.local/share]", show_default=False
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Build it although one that fits is here")] = False,
    json: Json = False,
) -> None:
    """Build cometbft from its published source with Go, where none that fits is here. No data folder is touched.

    It runs `go install` for the version that this release of Fujie was tested with, and looks at what was built before it
    takes its place. A folder that is named must be on PATH for nodes to find it there.
    """
    from fujie.engine.cometbft import binary

    known = next((each for each in binary.look() if each.fits), None)
    if known is not None and not again and folder is None:
        found, title = known, "Nothing to do: a cometbft that fits is here"
    else:
        found, title = binary.install(output.say, folder), "Installed"
    output.show(
        title,
        [("path", found.path), ("version", found.version)],
        {"path": str(found.path), "version": found.version, "installed": found is not known},
    )
