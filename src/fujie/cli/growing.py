"""`fujie network grow`: an embedded chain goes on with several validators."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output
from fujie.cli.progress import rows_progress, waiting
from fujie.cli.settings import Json, Settings, Yes, examples, settings_of
from fujie.core.wording import count

if TYPE_CHECKING:
    from fujie.node.grow import Grown, Plan


Address = Annotated[
    str,
    typer.Option(
        help="Where the others reach this folder's node, if none of the requests is its own: host:port; who joins then lets it in"
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command(
        epilog=examples(
            "fujie network grow --validators 4",
            "fujie --home ledger network grow mint.join east.join west.join north.join",
        )
    )(grow)


def grow(
    context: typer.Context,
    requests: Annotated[
        list[Path] | None,
        typer.Argument(metavar="REQUEST", help="Join requests of all who go on [default: those of an earlier run]"),
    ] = None,
    validators: Annotated[
        int | None,
        typer.Option(min=1, max=16, help="Make so many validators on this machine, and start them: a demonstration"),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            help="Where this folder's node waits for its peers, if none of the requests is its own: host:port"
        ),
    ] = "",
    address: Address = "",
    few: Annotated[
        bool, typer.Option("--few", help="Accept fewer than four validators, of which none may be away")
    ] = False,
    short_log: Annotated[
        bool,
        typer.Option(
            "--short-log", help="Hand over the newest log entries only; this folder alone keeps the older ones"
        ),
    ] = False,
    port_base: Annotated[
        int,
        typer.Option(min=1, max=65_000, help="With --validators: node2 answers at the port 2 above this, and so on"),
    ] = 8160,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Turn the embedded chain of the data folder into one of several validators. Chain id, state, history and receipts stay.

    Each organisation sends a request (`fujie network request`, with the chain's name) and keeps its keys. This command votes
    the validators into the state where the keys for that are here, has the last embedded block made, and writes the folder
    handover/, from which each of them joins. From that block on there is no way back, and the chain stands still until more
    than two thirds of the validators run. A running node is told to hand over, and ends. Run again, the command completes
    what was interrupted. This data folder goes on as a node of the network, at the same URL, with the whole history.
    """
    from fujie.engine.cometbft.binary import require
    from fujie.node import grow as growing
    from fujie.node.grow_here import requests_here
    from fujie.node.join_request import read_request

    if requests and validators is not None:
        raise typer.BadParameter("either the requests of organisations, or --validators on this machine")
    require()
    folder = settings_of(context).folder
    if validators is None:
        read = [read_request(path) for path in requests or []]
    else:
        folder.require()
        read = list(requests_here(folder, validators, port_base, output.ask_passphrase))
    few = few or validators is not None
    plan = growing.plan(folder, read, listen=listen, address=address, few=few, ask=output.ask_passphrase)
    if not output.json_wanted():
        output.show("Growing", _plan_rows(plan), {})
    if plan.ended is None:
        output.require_yes("Hand the chain over? This cannot be undone.", yes)
    with rows_progress() as advance:
        grown = growing.carry_out(
            folder, plan, whole_log=not short_log, say=output.say, ask=output.ask_passphrase, advance=advance
        )
    _finish(settings_of(context), plan, grown, port_base)


def _finish(settings: Settings, plan: "Plan", grown: "Grown", port_base: int) -> None:
    """Found and start the other nodes where all are on this machine; say what is to be done where they are not."""
    import time

    from fujie.node.grow_here import is_here, start_here

    folder, first = settings.folder, grown.handover.file.height + 1
    rows: list[output.Row] = [
        ("chain", plan.chain_id),
        ("last embedded block", f"{first - 1:,}"),
        ("goes on at block", f"{first:,}"),
    ]
    data: dict[str, Any] = {
        "chain_id": plan.chain_id,
        "height": first - 1,
        "validators": [request.organisation for request in plan.requests],
        "handover": str(grown.handover.place),
        "paused_s": None,
    }
    if not is_here(folder, grown.handover):
        role = "one of the validators" if plan.validates else "a replica without a vote, which keeps the whole history"
        output.show(
            "Handed over",
            [
                *rows,
                ("handover folder", grown.handover.place),
                ("this folder", role),
                ("next, each of the others", f"fujie --home FOLDER network join {grown.handover.place.name}"),
                ("next, all", "fujie up"),
            ],
            data,
        )
        output.say(_STANDS_STILL)
        if not plan.validates and not grown.handover.file.peer:
            output.say(_UNKNOWN)
        return
    with waiting() as waits:
        network = start_here(folder, grown.handover, port_base, plan.url, output.say, waits, rows_progress)
    if grown.since_s is not None:
        data["paused_s"] = round(time.monotonic() - grown.since_s, 1)
        rows.append(("stood still for", f"{data['paused_s']:.1f} s"))
    output.show("Grown", [*rows, ("next", settings.command(f"network status {network.name}"))], data)
    output.say(_ONE_MACHINE)


_STANDS_STILL = (
    "The chain stands still until more than two thirds of the validators run. Clients go on with the URL and the trust root "
    "that they have. The handover folder holds the salts that hide amounts: it is for the members of this chain only."
)
_UNKNOWN = (
    "It was not said where the others reach this folder's node, so each of them must let it in before it starts: "
    "`fujie network peer add ID@host:port`, with the node id that `fujie network show` says here."
)
_ONE_MACHINE = (
    "All nodes are on this one machine, and so are their keys: it shows how several validators agree, and protects against "
    "nothing that takes the machine. Clients go on with the URL and the trust root that they have."
)


def _plan_rows(plan: "Plan") -> list[output.Row]:
    rows: list[output.Row] = [("chain", plan.chain_id), ("stands at block", f"{plan.height:,}")]
    rows += [("goes on", f"{each.organisation} ({each.title}) at {each.address}") for each in plan.requests]
    if plan.ended is not None:
        rows.append(("handed over", f"at block {plan.ended.header.height:,}; what is missing is completed"))
        return rows
    if plan.actions:
        rows.append(
            (
                "to be voted",
                f"{count(len(plan.actions), 'action')}, by {', '.join(each.account for each in plan.electorate)}",
            )
        )
    rows.append(("node", "runs; it is told to hand over, and ends" if plan.running else "does not run"))
    return rows
