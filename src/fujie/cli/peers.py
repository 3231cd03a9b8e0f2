"""`fujie network peer`: which nodes this one connects to and lets in."""

from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of

if TYPE_CHECKING:
    from fujie.node.cometbft_file import CometFile

app = typer.Typer(
    help="Which nodes this one connects to, and lets in: no others are sent blocks or snapshots.", no_args_is_help=True
)


@app.command(epilog=examples("fujie --home bank network peer add ID@north.example:26656"))
def add(
    context: typer.Context,
    peer: Annotated[
        str, typer.Argument(metavar="ID@HOST:PORT", help="As `fujie network show FILE` says of a join request")
    ],
    json: Json = False,
) -> None:
    """Let a node in, at once; this one connects to it by itself from its next start on.

    Do it before that node starts: one that was cut off must be started again. A peer that is known already is looked for at
    the new address.
    """
    from fujie.node.cometbft_file import add_peer, parse_peer

    _show("Added", add_peer(settings_of(context).folder, parse_peer(peer)))


@app.command(epilog=examples("fujie --home bank network peer remove ID"))
def remove(
    context: typer.Context,
    node_id: Annotated[str, typer.Argument(metavar="ID", help="Its node id: 40 digits")],
    json: Json = False,
) -> None:
    """Let a node in no more. One that is connected now stays so until it or this node starts again.

    CometBFT has no command that ends a connection. To end it now, stop the node (`fujie up`) and start it again.
    """
    from fujie.node.cometbft_file import remove_peer
    from fujie.node.network import holder

    settings = settings_of(context)
    _show("Removed", remove_peer(settings.folder, node_id))
    if holder(settings.folder) is not None:
        output.say(
            f"This node runs: where the two are connected they stay so until one of them starts again. To end it now, stop this one "
            f"and start it again: {settings.command('up')}."
        )


@app.command("list", epilog=examples("fujie --home bank network peer list"))
def list_peers(context: typer.Context, json: Json = False) -> None:
    """Show which nodes this one connects to, and lets in."""
    from fujie.node.cometbft_file import read_comet_file

    _show("Peers", read_comet_file(settings_of(context).folder))


def _show(headline: str, file: "CometFile") -> None:
    output.show(headline, [("peer", each) for each in file.peers], {"peers": list(file.peers)})
