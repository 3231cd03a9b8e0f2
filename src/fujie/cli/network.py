"""`fujie network`: several validators, on one machine to learn, or one each of several organisations."""

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fujie.cli import growing, joining, output, peers, reporting
from fujie.cli.node import store_kind
from fujie.cli.progress import waiting
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.errors import OperationalError
from fujie.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fujie.node.folder import Folder
    from fujie.node.network import Network, NodeState

app = typer.Typer(
    help="Chains with several validators: try one on this machine, found or join one with others.", no_args_is_help=True
)

joining.register(app)
growing.register(app)
reporting.register(app)
app.add_typer(peers.app, name="peer")

POLL_S: Final = 0.3

Name = Annotated[str, typer.Argument(help="Name of the network: up to 17 small letters, digits, hyphens")]
Nodes = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="NODE", help="One node, such as node2; may be repeated [default: all]"),
]

_DEMONSTRATION: Final = (
    "All nodes are on this one machine, and so are the keys of all parties: it shows how several validators agree, and "
    "protects against nothing that takes the machine."
)


@app.command(
    epilog=examples(
        "fujie network create demo --validators 4", "fujie network create town --validators 4 --port-base 9200"
    )
)
def create(
    context: typer.Context,
    name: Name,
    validators: Annotated[
        int, typer.Option(min=1, max=16, help="How many validators, each with its own folder and key")
    ] = 4,
    port_base: Annotated[
        int, typer.Option(min=1, max=65_000, help="node1 answers at the port after this, its peers find it 100 above")
    ] = 8160,
    store: Annotated[str, typer.Option(help="Kind of store: sqlite or rocks")] = "sqlite",
    json: Json = False,
) -> None:
    """Found a chain with several validators on this machine, with the demonstration in it. It is not started yet.

    Each validator gets a data folder under networks/NAME with keys and ports of its own. The demonstration's wallets and
    keys lie in that of node1.
    """
    from fujie.engine.cometbft.binary import require
    from fujie.node import network

    require()
    made = network.create(settings_of(context).folder.home, name, validators, port_base, store_kind(store))
    folders = made.folders()
    chain_id = folders["node1"].trust().chain_id
    output.show(
        f"Founded a chain with {count(validators, 'validator')}",
        [("chain", chain_id), ("folders", made.place), ("next", settings_of(context).command(f"network start {name}"))],
        {
            "network": name,
            "chain_id": chain_id,
            "folder": str(made.place),
            "nodes": [{"node": each, "home": str(folder.home)} for each, folder in folders.items()],
        },
    )
    output.say(_DEMONSTRATION)


@app.command(epilog=examples("fujie network start demo", "fujie network start demo --node node2"))
def start(context: typer.Context, name: Name, node: Nodes = None, json: Json = False) -> None:
    """Start the nodes in the background and wait until they serve. What runs already goes on; Ctrl-C ends only the waiting."""
    network = _find(context, name)
    with waiting() as waits:
        network.start(node or [], output.say, waits)
    _show(network.name, network.states())


@app.command(epilog=examples("fujie network stop demo", "fujie network stop demo --node node2"))
def stop(context: typer.Context, name: Name, node: Nodes = None, json: Json = False) -> None:
    """Stop the nodes and wait until they have ended. Everything is on disk; `fujie network start` goes on from there."""
    network = _find(context, name)
    network.stop(node or [], output.say)
    if output.json_wanted():
        _show(network.name, network.states())


@app.command(
    epilog=examples("fujie network status demo", "fujie network status demo --json", "fujie --home bank network status")
)
def status(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            help="Name of the network [default: the only one, or the node of the data folder alone]", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show height, app hash and peers of each node, as it says itself. Equal heights have equal app hashes, always.

    It says what a node waits for that does not serve yet, and when too little of the voting power is connected for a block. A
    node whose folder is gone is named.
    """
    from fujie.node.missing_nodes import missing_nodes
    from fujie.node.network import state_of

    network, folder = _find_or_own(context, name)
    if network is None:
        states, findings = [state_of(folder.home.absolute().name, folder)], []
    else:
        states, findings = network.states(), missing_nodes(network)
    told = [state for state in states if state.peers is not None]
    if told and all(state.too_few for state in told):  # else one that reaches enough passes on what others say
        findings.append(f"{told[0].name}: {told[0].too_few}")
    _show(None if network is None else network.name, states, findings)
    heads: dict[int, set[bytes]] = {}
    for state in states:
        if state.head is not None:
            heads.setdefault(state.head.height, set()).add(state.head.app_hash)
    if any(len(hashes) > 1 for hashes in heads.values()):
        raise OperationalError(
            "Two nodes stand at one height with two app hashes: one of them is damaged, or runs another program.",
            "Stop relying on both, compare their versions, and run `fujie check` on each.",
        )


@app.command(
    epilog=examples("fujie network logs demo --follow", "fujie network logs demo --node node2 --process cometbft")
)
def logs(
    context: typer.Context,
    name: Name,
    node: Nodes = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C")] = False,
    process: Annotated[
        str | None,
        typer.Option(help="One process: node, cometbft, projector, reader-1 [default: all]", show_default=False),
    ] = None,
    level: Annotated[str, typer.Option(help="Least severity: debug, info, warning or error")] = "info",
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=100_000, help="Newest records to begin with")] = 50,
    json: Json = False,
) -> None:
    """Show the newest records of all nodes, in the order of time; `fujie log show` shows those of one folder."""
    import msgspec

    from fujie.cli.log import say_entry, selected
    from fujie.node.log_files import Follower, newest_entries

    selection = selected(process, level)
    network = _find(context, name)
    folders = {
        each: folder for each, folder in network.chosen(node or []).items() if any(folder.log.parent.glob("*.log"))
    }
    if not folders:
        raise OperationalError(
            f"No node of the network {name} has written a log yet.",
            f"Start them: {settings_of(context).command(f'network start {name}')}.",
        )
    entries = [
        msgspec.structs.replace(entry, process=f"{each}/{entry.process}")
        for each, folder in folders.items()
        for entry in newest_entries(folder, selection, lines)
    ]
    entries.sort(key=lambda entry: entry.ts)
    newest = entries[-lines:] if lines else []
    if output.json_wanted() and not follow:
        output.write_json({"records": [msgspec.to_builtins(entry) for entry in newest]})
        return
    followers = {each: Follower(folder, selection) for each, folder in folders.items()} if follow else {}
    with contextlib.ExitStack() as closing, contextlib.suppress(KeyboardInterrupt):
        for follower in followers.values():
            closing.callback(follower.close)
        while True:
            for entry in newest:
                if output.json_wanted():
                    output.write_json_line(msgspec.to_builtins(entry))
                else:
                    say_entry(entry)
            if not follow:
                return
            time.sleep(POLL_S)
            newest = sorted(
                (
                    msgspec.structs.replace(entry, process=f"{each}/{entry.process}")
                    for each, follower in followers.items()
                    for entry in follower.poll()
                ),
                key=lambda entry: entry.ts,
            )


def _find(context: typer.Context, name: str) -> "Network":
    from fujie.node.network import Network

    return Network.find(settings_of(context).folder.home, name)


def _find_or_own(context: typer.Context, name: str | None) -> "tuple[Network | None, Folder]":
    """Return the network ``name``, the only one, or None for the node that the data folder itself is."""
    from fujie.node.cometbft_file import has_cometbft
    from fujie.node.network import names

    folder = settings_of(context).folder
    if name is None:
        known = names(folder.home)
        if len(known) != 1 and has_cometbft(folder):
            return None, folder
        if not known:
            raise typer.BadParameter(
                f"the data folder {folder.home} is no node of a network, and has none: say --home FOLDER"
            )
        if len(known) > 1:
            raise typer.BadParameter(f"say which network: {', '.join(known)}")
        [name] = known
    return _find(context, name), folder


def _show(name: str | None, states: "list[NodeState]", findings: "Sequence[str]" = ()) -> None:
    output.show_table(
        ("node", "url", "height", "app hash", "peers", "power", ""),
        [
            (
                state.name,
                state.url or "",
                "" if state.head is None else f"{state.head.height:,}",
                "" if state.head is None else f"{state.head.app_hash.hex()[:16]}…",
                state.peers,
                state.power,
                _condition(state),
            )
            for state in states
        ],
        {
            "network": name,
            "chain_id": states[0].folder.trust().chain_id,
            "nodes": [_data(state) for state in states],
            "findings": list(findings),
        },
        "",
    )
    for finding in findings:
        output.say(finding, "yellow")


def _condition(state: "NodeState") -> str:
    if state.pid is None:
        return "stopped"
    if state.problem:
        return state.problem
    if state.lacking:
        first = state.lacking[0]
        return (
            f"stops before block {first.from_height:,}: it lacks version {first.version} of the rules of {first.room}"
        )
    if state.too_few:
        return "runs, and reaches too few"
    return "catching up" if state.catching_up else "runs"


def _data(state: "NodeState") -> dict[str, Any]:
    return {
        "node": state.name,
        "home": str(state.folder.home),
        "running": state.pid is not None,
        "pid": state.pid,
        "url": state.url,
        "height": None if state.head is None else state.head.height,
        "app_hash": None if state.head is None else state.head.app_hash.hex(),
        "log_size": None if state.head is None else state.head.log_size,
        "peers": state.peers,
        "catching_up": state.catching_up,
        "power": state.power,
        "problem": state.problem,
        "too_few": state.too_few,
        "lacking": [each._asdict() for each in state.lacking],
    }
