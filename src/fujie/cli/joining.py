"""`fujie network request|genesis|show|join|recover`: several organisations, each with its own folder and keys."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, words
from fujie.cli.node import store_kind
from fujie.cli.settings import Json, Yes, examples, settings_of
from fujie.core.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fujie.node.ceremony import Terms
    from fujie.node.cometbft_file import StateSyncFile
    from fujie.node.join_request import JoinRequest


StateSync = Annotated[
    list[str] | None,
    typer.Option(
        "--state-sync",
        metavar="URL",
        help="Begin from a snapshot of the peers instead of block 1; two or more nodes to ask for headers, one each time",
    ),
]
Trust = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        help="Newer trust root for --state-sync [default: that which the chain began with]",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    app.command(
        epilog=examples("fujie --home bank network request town --organisation bank-east --address bank.example:26656")
    )(request)
    app.command(epilog=examples("fujie network genesis *.join --central-bank mint --institution bank-east"))(genesis)
    app.command(epilog=examples("fujie network show bank-east.join", "fujie network show town.network"))(show)
    app.command(
        epilog=examples(
            "fujie --home bank network join town.network",
            "fujie --home bank network join handover",
            "fujie --home new network join town.genesis --replica --peer ID@bank.example:26656 --listen 0.0.0.0:26656",
            "fujie --home late network join town.genesis --replica --peer ID@bank.example:26656 --listen 0.0.0.0:26656 "
            "--state-sync https://bank.example --state-sync https://mint.example",
        )
    )(join)
    app.command(epilog=examples("fujie --home bank network recover --above 12500"))(recover)


def request(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the network: up to 17 small letters, digits, hyphens")],
    organisation: Annotated[str, typer.Option(help="Your organisation, and its first account", callback=words.account)],
    address: Annotated[str, typer.Option(help="Where the others reach your node: host:port")],
    title: Annotated[str, typer.Option(help="Your organisation as people call it [default: its name]")] = "",
    file: Annotated[
        Path | None, typer.Option(help="File to write [default: ORGANISATION.join]", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Make keys in your own data folder, and a signed request to send to the other founders. No key is in it.

    Keys that are there already are used again. The folder keeps three: keys/ORGANISATION.key acts for your account,
    keys/validator.key votes, keys/node.key is how other nodes know yours.
    """
    from fujie.node.ceremony import make_request
    from fujie.node.join_request import encode_request
    from fujie.node.network import check_name

    folder = settings_of(context).folder
    target = file or Path(f"{organisation}.join")
    made = make_request(folder, check_name(name), organisation, title or organisation, address, output.ask_passphrase)
    _write_new(target, encode_request(made))
    output.show(
        f"Wrote {target}",
        [*_rows(made), ("next", "send it to the other founders; your keys stay where they are")],
        {"file": str(target), "home": str(folder.home), **_data(made)},
    )


def genesis(
    context: typer.Context,
    requests: Annotated[list[Path], typer.Argument(metavar="REQUEST...", help="The requests of all founders")],
    root_authority: Annotated[
        str | None, typer.Option(metavar="ORGANISATION", help="Who governs identifiers [default: none on this chain]")
    ] = None,
    central_bank: Annotated[
        str | None, typer.Option(metavar="ORGANISATION", help="Who issues money [default: no money on this chain]")
    ] = None,
    institution: Annotated[
        list[str] | None, typer.Option(metavar="ORGANISATION", help="Who serves wallets; may be repeated")
    ] = None,
    auditor: Annotated[
        list[str] | None, typer.Option(metavar="ORGANISATION", help="Who may read all; may be repeated")
    ] = None,
    instrument: Annotated[str, typer.Option(help="Code of the money: three capital letters")] = "XTS",
    threshold: Annotated[
        int | None,
        typer.Option(min=1, help="Votes that carry a proposal [default: more than half]", show_default=False),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="Let anyone read and mirror everything")] = False,
    file: Annotated[
        Path | None, typer.Option(help="File to write [default: NETWORK.network]", show_default=False)
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Merge the requests of all founders into one genesis. Whoever does it with the same files gets the same chain.

    Each of you may run it, and all compare the chain id that it prints. The file is for members only: it holds the salts that
    hide amounts, and no key.
    """
    from fujie.client.files import OWNER_ONLY
    from fujie.machine.genesis import chain_id
    from fujie.node.ceremony import encode_network, merge
    from fujie.node.join_request import read_request

    read = [read_request(path) for path in requests]
    if len(read) == 1:
        output.require_yes(f"Found a chain of {read[0].organisation} alone? Its one node decides everything.", yes)
    terms = _terms(
        network=read[0].network,
        threshold=threshold or len(read) // 2 + 1,
        public=public,
        root_authority=root_authority,
        central_bank=central_bank,
        institutions=tuple(sorted(set(institution or []))),
        auditors=tuple(sorted(set(auditor or []))),
        instrument=instrument,
    )
    merged = merge(terms, read)
    target = file or Path(f"{terms.network}.network")
    _write_new(target, encode_network(terms, read, merged), OWNER_ONLY)
    founders = ", ".join(sorted(each.organisation for each in read))
    output.show(
        f"Wrote {target}",
        [
            ("chain", chain_id(merged)),
            ("founders", founders),
            ("carried by", f"{terms.threshold} of {len(read)} votes"),
            ("next", f"compare the chain id with the others, then each: fujie --home FOLDER network join {target}"),
        ],
        {
            "file": str(target),
            "chain_id": chain_id(merged),
            "organisations": sorted(each.organisation for each in read),
        },
    )


def show(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="A request or network file [default: the node of the data folder]", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a request or a network file says, once every signature in it verifies; or how to reach your own node.

    For a request, also the two actions with which the members of a running chain admit the organisation and its validator.
    """
    from fujie.machine.genesis import chain_id
    from fujie.node.ceremony import is_network_file, own_peer, read_founding
    from fujie.node.cometbft_file import read_comet_file
    from fujie.node.join_request import read_request

    if file is None:
        folder = settings_of(context).folder
        known = read_comet_file(folder)
        peer = own_peer(folder, known.listen)
        rows: list[output.Row] = [
            ("chain", folder.trust().chain_id),
            ("node id", peer.node_id),
            ("listens at", known.listen),
        ]
        rows += [("peer", each) for each in known.peers]
        data = {"node_id": peer.node_id, "listen": known.listen, "peers": list(known.peers)}
        output.show("Node", rows, {"chain_id": folder.trust().chain_id, **data})
        return
    if not is_network_file(file):
        found = read_request(file)
        admit, validate = _actions(found)
        rows = [*_rows(found), ("action", admit), ("action", validate)]
        output.show(f"{file} is signed by its three keys", rows, {**_data(found), "actions": [admit, validate]})
        return
    merged, requests = read_founding(file)
    rows = [("chain", chain_id(merged))]
    rows += [("founder", f"{each.organisation} ({each.title}) at {each.address}") for each in requests]
    output.show(
        f"{file} is what its requests give",
        rows,
        {"chain_id": chain_id(merged), "requests": [_data(each) for each in requests]},
    )


def join(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="Network file of `fujie network genesis`, or of `fujie genesis export`, or handover folder of `fujie network grow`"
        ),
    ],
    peer: Annotated[
        list[str] | None, typer.Option(metavar="ID@HOST:PORT", help="A node to keep connected to; may be repeated")
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            help="Where to wait for other nodes: host:port [default: the port of your request]", show_default=False
        ),
    ] = "",
    replica: Annotated[bool, typer.Option("--replica", help="Follow without a vote, with any key")] = False,
    store: Annotated[str, typer.Option(help="Kind of store: sqlite or rocks")] = "sqlite",
    state_sync: StateSync = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Found your data folder on the chain of a network, with your own keys. `fujie up` then runs your node.

    Compare the chain id with the other members by a channel that you trust: it commits to everything the chain began with.
    """
    from fujie.cli.progress import rows_progress
    from fujie.engine.cometbft.binary import require
    from fujie.machine import genesis as founding
    from fujie.node import ceremony
    from fujie.node.state_sync import wish_state_sync

    require()
    folder, kind = settings_of(context).folder, store_kind(store)
    let_in = ""
    wanted = _state_sync(context, state_sync, trust, lambda: ceremony.chain_of(file))
    if file.is_dir():
        with rows_progress() as advance:
            handover = ceremony.join_grown(
                folder, file, kind, peers=peer or [], listen=listen, replica=replica, advance=advance
            )
        chain, let_in = handover.file.chain_id, handover.file.peer
    else:
        chain = founding.chain_id(ceremony.join(folder, file, kind, peers=peer or [], listen=listen, replica=replica))
    if wanted is not None:
        wish_state_sync(folder, wanted)
    output.show(
        "Joined",
        [
            ("chain", chain),
            ("data folder", folder.home),
            ("trust root", folder.trust_path),
            ("lets in", f"{let_in}, the node that handed over, as its validator signed" if let_in else ""),
            ("next", f"fujie --home {folder.home} up"),
        ],
        {"chain_id": chain, "home": str(folder.home), "trust": str(folder.trust_path), "lets_in": let_in or None},
    )


def recover(
    context: typer.Context,
    above: Annotated[
        int, typer.Option(min=1, help="Sign nothing up to this height: the greatest that any node shows, or more")
    ],
    genesis: Annotated[
        Path | None,
        typer.Option(help="Genesis that another node exported [default: that of the folder]", show_default=False),
    ] = None,
    handover: Annotated[
        Path | None,
        typer.Option(
            help="Of a chain that grew: its handover folder [default: that of the folder]", show_default=False
        ),
    ] = None,
    state_sync: StateSync = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Fetch the chain anew from the other nodes, where this folder's is lost or it is not known what it signed last.

    Everything but the keys is moved aside. The validator votes again once the chain has passed the height that you give.
    """
    from fujie.node.recovery import recover as set_aside
    from fujie.node.state_sync import wish_state_sync

    folder = settings_of(context).folder
    wanted = _state_sync(context, state_sync, trust, lambda: folder.trust().chain_id)
    aside = set_aside(folder, above, genesis, handover, from_snapshot=wanted is not None)
    if wanted is not None:
        wish_state_sync(folder, wanted)
    output.show(
        "The next start fetches the chain anew",
        [("set aside", aside), ("signs nothing up to", f"{above:,}"), ("next", f"fujie --home {folder.home} up")],
        {"home": str(folder.home), "set_aside": str(aside), "above": above},
    )


def _state_sync(
    context: typer.Context, urls: list[str] | None, trust: Path | None, chain_id: "Callable[[], str]"
) -> "StateSyncFile | None":
    """Return what `--state-sync` and `--trust` say, once the named nodes have answered; None where a node is to fetch every block."""
    from fujie.node.light_nodes import check_nodes
    from fujie.node.state_sync import state_sync_file

    if urls is None:
        if trust is not None:
            raise typer.BadParameter(
                "it is for a node that begins from a snapshot: --state-sync URL", param_hint="--trust"
            )
        return None
    root = None if trust is None else settings_of(context).trust(trust)
    chain = chain_id()
    wanted = state_sync_file(tuple(urls), root, chain)
    check_nodes(wanted.servers, chain)
    return wanted


def _terms(**said: Any) -> "Terms":
    """Return the terms that the options say. A usage error for a name or code that is none."""
    import msgspec

    from fujie.cli.forms import said_of
    from fujie.node.ceremony import Terms

    try:
        return msgspec.convert(said, Terms)
    except msgspec.ValidationError as error:
        option = re.search(r"`\$\.([a-z_]+)", str(error))
        hint = "" if option is None else f"--{option[1].replace('_', '-').removesuffix('s')}"
        raise typer.BadParameter(said_of(error), param_hint=hint) from None


def _write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that is not there yet. Raises :class:`OperationalError` when it is."""
    from fujie.client.files import write_atomically

    try:
        write_atomically(path, data, mode=mode, overwrite=False)
    except FileExistsError:
        raise OperationalError(f"{path} exists already.", "Choose another name: --file.") from None


def _actions(found: "JoinRequest") -> tuple[str, str]:
    """Return what the members of a running chain propose to take this organisation in, as `fujie proposal new` reads it."""
    import msgspec

    from fujie.core.json_form import to_json, type_name
    from fujie.core.policy import single
    from fujie.modules.membership.records import AdmitOrganisation, SetValidator

    name = found.organisation
    policy = single(bytes.fromhex(found.account_key))
    actions = (
        AdmitOrganisation(name, found.title, name, policy),
        SetValidator(bytes.fromhex(found.validator_key), 10, name),
    )
    admit, validate = (
        msgspec.json.encode({"type": type_name(type(action)), **to_json(action)}).decode() for action in actions
    )
    return admit, validate


def _rows(found: "JoinRequest") -> list[output.Row]:
    return [
        ("network", found.network),
        ("organisation", f"{found.organisation} ({found.title})"),
        ("account key", found.account_key),
        ("validator key", found.validator_key),
        ("node", f"{found.peer.node_id}@{found.address}"),
        ("versions", f"fujie {found.fujie}, cometbft {found.cometbft}"),
    ]


def _data(found: "JoinRequest") -> dict[str, Any]:
    return {
        "network": found.network,
        "organisation": found.organisation,
        "title": found.title,
        "account_key": found.account_key,
        "validator_key": found.validator_key,
        "node_id": found.peer.node_id,
        "address": found.address,
    }
