"""`fujie check`: whether everything in a data folder is what its signed headers say."""

import time

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import count

SHOWN_MAX = 50


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=examples("fujie check", "fujie --home backup check --json"))(check)


def check(context: typer.Context, json: Json = False) -> None:
    """Check everything in the data folder: records, blocks, log.

    Everything is hashed again, and every invariant of the rooms is held against the whole state. With a store of kind
    sqlite the node may run. Nothing is changed. Exit code 5: something is wrong.
    """
    from fujie.node.check import check_folder

    began = time.monotonic()
    report = check_folder(settings_of(context).folder)
    seconds = time.monotonic() - began
    data = {
        "chain_id": report.chain_id,
        "height": report.height,
        "records": report.records,
        "old_versions": report.old_versions,
        "log_entries": report.entries,
        "blocks": report.blocks,
        "findings": [finding._asdict() for finding in report.findings],
        "found": report.found,
        "newest_state_signed": report.proven,
        "seconds": round(seconds, 3),
    }
    rows: list[output.Row] = [
        ("chain", report.chain_id),
        ("height", f"{report.height:,}"),
        ("records", f"{report.records:,}"),
        ("old versions", f"{report.old_versions:,}"),
        ("log entries", f"{report.entries:,}"),
        ("blocks", f"{report.blocks:,}"),
        ("took", f"{seconds:.1f} s"),
        ("newest block", "" if report.proven else "not signed into a next header yet; the node does that at its start"),
    ]
    title = "Everything fits" if not report.found else count(report.found, "finding")
    output.show(title, rows, data)
    if report.found:
        for finding in report.findings[:SHOWN_MAX]:
            output.say(f"  {finding.invariant}: {finding.path}: {finding.detail}")
        if report.found > SHOWN_MAX:
            output.say(f"  … and {report.found - SHOWN_MAX:,} more; --json shows up to 1,000")
        output.say("Stop the node and restore the data folder from a snapshot, or from another replica.")
        raise typer.Exit(output.EXIT_UNVERIFIED)
