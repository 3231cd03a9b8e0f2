"""`fujie network report-evidence`: telling the chain of validators who signed what they must not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of
from fujie.cli.verify import FILE_BYTES_MAX
from fujie.core.limits import HEARTBEAT_MS

if TYPE_CHECKING:
    from fujie.core.misbehaviour import Misbehaviour


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(epilog=examples("fujie --home node1 network report-evidence mirror/evidence/attack-….json"))(
        report_evidence
    )


def report_evidence(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Evidence that a mirror or a client keeps: a fork, or an attack")],
    json: Json = False,
) -> None:
    """Give evidence of two signed chains to the validator that runs on the data folder, which has the chain record it.

    The file is verified under the trust root first. CometBFT judges it once more and sends it to the other validators; the
    next block carries it, and the state then says for ever who did what. Evidence is taken for two weeks.
    """
    from fujie.client.files import read_bounded
    from fujie.node.report_evidence import report

    settings = settings_of(context)
    taken = report(settings.folder, read_bounded(file, FILE_BYTES_MAX), settings.trust(None))
    rows: list[output.Row] = [("evidence", taken.hash.hex())]
    rows += [("accused", _accused(each)) for each in taken.accused]
    data = {
        "file": str(file),
        "evidence": taken.hash.hex(),
        "accused": [
            {"address": each.address.hex(), "kind": int(each.kind), "height": each.height} for each in taken.accused
        ],
    }
    output.show("The validator has taken the evidence", rows, data)
    output.say(f"The next block carries it: within {HEARTBEAT_MS // 1_000} s where nothing else happens.")
    for each in taken.accused[:1]:
        query = f'{{"type": "misbehaviour_query", "address": "{each.address.hex()}"}}'
        output.say(f"Then read it with proof: fujie read '{query}'")


def _accused(act: "Misbehaviour") -> str:
    return f"{act.address.hex()}, which signed at height {act.height:,} what the chain does not have"
