"""`fujie doctor`: what is wrong with a data folder or a connection, and what to do."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fujie.cli import output
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.core.errors import FujieError
from fujie.core.wording import count

if TYPE_CHECKING:
    from fujie.cli.settings import Settings
    from fujie.node.doctor import Finding
    from fujie.proof.trust import TrustRoot

STYLES: Final = {"ok": None, "warn": "yellow", "fail": "red", "skip": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples("fujie doctor", "fujie doctor --url https://ledger.example.org", "fujie doctor --json")
    )(doctor)


def doctor(
    context: typer.Context,
    url: Annotated[
        str | None,
        typer.Option(help="Look at the connection to this node alone [default: the folder, and its node if it runs]"),
    ] = None,
    trust: Trust = None,
    everything: Annotated[bool, typer.Option("--all", help="Show also what is in order")] = False,
    json: Json = False,
) -> None:
    """Find what is wrong with the data folder or a connection. It says what to do, and changes nothing.

    Exit code 1: something is wrong. A warning is no error. `fujie check` hashes the whole ledger again; this does not.
    """
    from fujie.node.doctor import examine_connection, examine_folder

    settings = settings_of(context)
    asked = url or settings.given_url
    root = _trust(settings, trust)
    if asked is not None:
        parts = {"connection": examine_connection(asked, root, settings.folder)}
    else:
        folder, scene = examine_folder(settings.folder)
        parts = {"folder": folder}
        if scene.url is not None:
            parts["connection"] = examine_connection(scene.url, root, settings.folder)
        if scene.source is not None:
            parts["source"] = examine_connection(scene.source, root, settings.folder)
    counts = Counter(str(finding.verdict) for findings in parts.values() for finding in findings)
    if output.json_wanted():
        output.write_json(
            {
                "failures": counts["fail"],
                "warnings": counts["warn"],
                "findings": [
                    {"part": part, **finding._asdict()} for part, findings in parts.items() for finding in findings
                ],
            }
        )
    else:
        _show(parts, counts, everything)
    if counts["fail"]:
        raise typer.Exit(output.EXIT_OPERATIONAL)


def _show(parts: "dict[str, list[Finding]]", counts: Counter[str], everything: bool) -> None:
    """Print a line for each finding, with the next step below it, and how it stands in all."""
    for part, findings in parts.items():
        shown = [finding for finding in findings if everything or finding.verdict in ("warn", "fail")]
        if not shown:
            continue
        output.say(part.capitalize(), "bold")
        width = max(len(finding.check) for finding in shown)
        for finding in shown:
            output.say(f"  {finding.verdict:<4}  {finding.check:<{width}}  {finding.found}", STYLES[finding.verdict])
            if finding.do:
                output.say(f"        {'':<{width}}  → {finding.do}")
    looked = [f"{counts['ok']} in order"]
    if counts["skip"]:
        looked.append(f"{counts['skip']} not looked at")
    if counts["fail"] or counts["warn"]:
        output.say(", ".join((f"{counts['fail']} wrong", count(counts["warn"], "warning"), *looked)))
    else:
        output.say(f"Nothing is wrong: {', '.join(looked)}. `fujie doctor --all` shows each.")


def _trust(settings: "Settings", given: Path | None) -> "TrustRoot | None":
    """Return the trust root, or None where the folder has none: that is a finding, and no reason to stop looking."""
    if given is not None:
        return settings.trust(given)
    try:
        return settings.trust()
    except FujieError:
        return None
