"""`fujie log`: what the processes of a node wrote, and how much they write."""

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import nearest, quoted

if TYPE_CHECKING:
    from fujie.node.folder import Folder
    from fujie.node.log_files import Selection
    from fujie.node.logs import Entry

app = typer.Typer(help="The logs of a node: show, follow, say more or less.", no_args_is_help=True)

POLL_S: Final = 0.3  # between two looks at the files, when following
LINES_MAX: Final = 100_000
STYLES: Final = {"warning": "yellow", "error": "red", "critical": "red"}


@app.command(
    epilog=examples("fujie log show", "fujie log show --follow --process reader-1", "fujie log show --level warning")
)
def show(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C")] = False,
    process: Annotated[
        str | None,
        typer.Option(help="One process: node, projector, reader-1, cometbft, … [default: all]", show_default=False),
    ] = None,
    level: Annotated[str, typer.Option(help="Least severity: debug, info, warning or error")] = "debug",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=LINES_MAX, help="Newest records to begin with")
    ] = 50,
    json: Json = False,
) -> None:
    """Show the newest records of all processes, in the order of time. Files are read; the node need not run.

    With --json the records are one object; with --follow as well, one object a line.
    """
    from fujie.node.log_files import newest_entries

    folder = settings_of(context).folder
    selection = selected(process, level)
    if follow:
        _follow(folder, selection, lines)
        return
    entries = newest_entries(folder, selection, lines)
    if output.json_wanted():
        output.write_json({"records": [_data(entry) for entry in entries]})
        return
    for entry in entries:
        say_entry(entry)
    if not entries:
        output.say("Nothing of that kind was written; `fujie log show` shows every process and level.")


@app.command(epilog=examples("fujie log level", "fujie log level debug", "fujie log level fujie.reader inherit"))
def level(
    context: typer.Context,
    logger: Annotated[
        str | None,
        typer.Argument(help="Such as fujie.engine.embedded [default: fujie, that is all]", show_default=False),
    ] = None,
    level: Annotated[
        str | None, typer.Argument(help="debug, info, warning, error, or inherit to take one back", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Show or set how much the running node logs, in all its processes. It lasts until the node stops.

    One word alone is the level of all. The level with which a node starts is log.level of the configuration.
    """
    from fujie.node.control import log_levels, set_log_level
    from fujie.node.logs import INHERITED, LEVELS, OWN

    if level is None and logger in (*LEVELS, INHERITED):
        logger, level = OWN, logger
    if level is not None and logger in (*LEVELS, INHERITED):
        raise typer.BadParameter(
            f"{quoted(level)} is one word too many: the logger comes before the level, as in `fujie.engine {logger}`"
        )
    if logger is not None and logger.partition(".")[0] != OWN:
        hint = nearest(logger, (*LEVELS, INHERITED)) if level is None else ""
        raise typer.BadParameter(f"{quoted(logger)} is neither a level nor a logger of {OWN}.{hint}")
    folder = settings_of(context).folder
    if level is None:
        found = log_levels(folder)
        wanted = {name: levels for name, levels in found.items() if logger is None or logger in levels}
        _show_levels(wanted, f"No process has a level of its own for {logger}.")
        return
    _show_levels(set_log_level(folder, logger or OWN, level), "")


def _show_levels(found: dict[str, dict[str, str]], empty: str) -> None:
    rows = [(process, logger, level) for process, levels in found.items() for logger, level in levels.items()]
    output.show_table(("process", "logger", "level"), rows, {"levels": found}, empty)


def _follow(folder: "Folder", selection: "Selection", lines: int) -> None:
    from fujie.node.log_files import Follower, newest_entries

    follower = Follower(folder, selection)
    with contextlib.closing(follower), contextlib.suppress(KeyboardInterrupt):
        entries = newest_entries(folder, selection, lines)
        while True:
            for entry in entries:
                if output.json_wanted():
                    output.write_json_line(_data(entry))
                else:
                    say_entry(entry)
            time.sleep(POLL_S)
            entries = follower.poll()


def selected(process: str | None, level: str) -> "Selection":
    """Return what the options of a command select. A usage error for a level that is none."""
    from fujie.node.log_files import Selection
    from fujie.node.logs import LEVELS

    if level not in LEVELS:
        raise typer.BadParameter(f"{quoted(level, 20)} is no level: {', '.join(LEVELS)}.{nearest(level, LEVELS)}")
    return Selection(process, level)


def say_entry(entry: "Entry") -> None:
    """Print a record of a log for people."""
    from fujie.node.logs import text_of

    output.say(text_of(entry), STYLES.get(entry.level))


def _data(entry: "Entry") -> dict[str, object]:
    import msgspec

    found: dict[str, object] = msgspec.to_builtins(entry)
    return found
