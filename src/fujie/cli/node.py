"""`fujie up`, `fujie init`, `fujie version`: starting a node and founding a chain."""

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.errors import DecodeError, OperationalError, VerificationError
from fujie.core.wording import count, quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from fujie.node.folder import Folder
    from fujie.node.serve import Started
    from fujie.store.opening import StoreKind

Store = Annotated[str, typer.Option(help="Kind of store of a new chain: sqlite or rocks")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog=examples("fujie up", "FUJIE_PORT=9000 fujie up", "fujie --home /srv/fujie up --store rocks"))(up)
    app.command(epilog=examples("fujie --home town init", "fujie --home town up"))(init)
    app.command(epilog=examples("fujie version", "fujie version --json"))(version)


def up(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="Port to listen on [default: FUJIE_PORT, or http.port of fujie.toml, or 8156]"
        ),
    ] = None,
    store: Store = "sqlite",
    json: Json = False,
) -> None:
    """Start a node and serve until Ctrl-C. A new data folder gets the demonstration.

    The demonstration: 34 provinces, 333 cities and 2,847 counties of China under ZZ.156, each city with a registrar of
    its own, a central bank, two institutions and four wallets with money. The keys of all of them lie in the data folder.
    """
    from fujie.cli.config import say_exposed
    from fujie.cli.progress import progress, waiting
    from fujie.node.config import load_config
    from fujie.node.serve import Stopped, run_node

    folder = settings_of(context).folder
    kind = store_kind(store)
    config = load_config(folder, {"http.port": port})  # before a chain is founded: what is mistyped is said at once
    stop = stop_at_signals()
    described = folder.describe()
    if described is not None and described.world == "mirror":
        raise OperationalError(f"The data folder {folder.home} is a mirror.", "Start it with `fujie mirror`.")
    say_exposed(config)

    def found() -> None:
        from fujie.node.demo import found_demo
        from fujie.node.founding import is_founded

        if not is_founded(folder):
            if folder.cometbft.exists():
                raise OperationalError(
                    f"The data folder {folder.home} is a node among several, and its chain is missing.",
                    "Join again (`fujie network join`), or fetch it anew: `fujie network recover --above HEIGHT --genesis FILE`.",
                )
            if folder.node_key.exists():
                raise OperationalError(
                    f"The data folder {folder.home} has the keys of a request to join a network, and no chain yet.",
                    "Join with the file that the founders send: `fujie network join FILE`. For a demonstration choose another "
                    "folder: --home FOLDER.",
                )
            output.say(f"Founding a chain with the demonstration in {folder.home}")
            found_demo(folder, kind)

    try:
        with progress() as shown, waiting() as waits:
            handed_over = run_node(
                folder,
                config,
                stop,
                found=found,
                progress=shown,
                waiting=waits,
                on_ready=lambda started: _welcome(folder, started, shown.close),
            )
    except Stopped:
        output.say("Stopped before the node was complete; the next `fujie up` goes on from here.")
        return
    output.say("Stopped. Everything is on disk.")
    if handed_over:
        output.say(
            "The chain was handed over to its validators. `fujie network grow` completes that; then `fujie up` again."
        )


def init(
    context: typer.Context,
    store: Store = "sqlite",
    name: Annotated[str, typer.Option(help="Name of the chain: up to 17 small letters, digits, hyphens")] = "ledger",
    genesis: Annotated[
        Path | None, typer.Option(help="Found the chain of this genesis file [default: one account, 'owner']")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Let anyone read and mirror everything [default: wallets to their parties]")
    ] = False,
    json: Json = False,
) -> None:
    """Found an empty chain, without the demonstration. `fujie up` then serves it."""
    from fujie.client.files import read_bounded
    from fujie.machine import genesis as genesis_form
    from fujie.modules.membership.records import Visibility
    from fujie.node.founding import found_chain, found_from, is_founded, require_validator
    from fujie.node.keyring import ensure_key
    from fujie.node.ledger import GENESIS_FILE_BYTES_MAX, OWNER, owner_genesis

    if public and genesis is not None:
        raise typer.BadParameter("a genesis file says itself who may read: leave --public out")
    folder = settings_of(context).folder
    kind = store_kind(store)
    if is_founded(folder):
        raise OperationalError(
            f"The data folder {folder.home} holds a chain already.", "Choose another: --home FOLDER."
        )
    validator = ensure_key(folder.validator_key, "validator")
    if genesis is not None:
        data = read_bounded(genesis, GENESIS_FILE_BYTES_MAX)
        try:
            founding = genesis_form.load(data)
        except DecodeError as error:
            raise VerificationError(
                error.step, f"{genesis} is damaged, or no genesis as `fujie genesis export` writes it"
            ) from error
        require_validator(founding, validator.public_key)
        found_from(folder, kind, "plain", founding)
    else:
        owner = ensure_key(folder.key_folders[0] / f"{OWNER}.key", OWNER)
        visibility = Visibility.PUBLIC if public else Visibility.RESTRICTED
        parts = owner_genesis(owner.public_key, validator.public_key, visibility)
        found_chain(folder, kind, "plain", _chain_name(name), parts)
    trust = folder.trust()
    output.show(
        "Founded",
        [
            ("chain", trust.chain_id),
            ("data folder", folder.home),
            ("trust root", folder.trust_path),
            ("next", settings_of(context).command("up")),
        ],
        {"chain_id": trust.chain_id, "home": str(folder.home), "trust": str(folder.trust_path)},
    )


def version(json: Json = False) -> None:
    """Print the version of Fujie and of Python."""
    from fujie import __version__

    python = ".".join(str(part) for part in sys.version_info[:3])
    output.show("", [("fujie", __version__), ("python", python)], {"fujie": __version__, "python": python})


def _chain_name(name: str) -> str:
    import msgspec

    from fujie.machine.genesis import ChainName

    try:
        return msgspec.convert(name, ChainName)
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"{quoted(name, 40)} is no name for a chain: up to 17 small letters, digits, hyphens"
        ) from None


def store_kind(text: str) -> "StoreKind":
    """Return the kind of store that ``text`` names. A usage error for another one."""
    kinds: dict[str, StoreKind] = {"sqlite": "sqlite", "rocks": "rocks"}
    if text not in kinds:
        raise typer.BadParameter(f"{quoted(text, 20)} is no kind of store: sqlite or rocks")
    return kinds[text]


def stop_at_signals() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once."""
    stop = threading.Event()

    def handle(_number: int, _frame: "FrameType | None") -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    return stop


def _welcome(folder: "Folder", started: "Started", close_progress: "Callable[[], None]") -> None:
    """Say where the node is and what to try next."""
    close_progress()
    filled = started.filled
    if output.json_wanted():
        output.write_json(
            {
                "url": started.url,
                "chain_id": started.chain_id,
                "height": started.height,
                "home": str(folder.home),
                "allocated": filled.identifiers if filled else 0,
                "transactions": filled.transactions if filled else 0,
                "seconds": round(filled.seconds, 3) if filled else 0.0,
            }
        )
        return
    rows: list[output.Row] = [("chain", started.chain_id), ("data folder", folder.home), ("height", started.height)]
    if filled is not None and filled.transactions:
        rate = filled.identifiers / filled.seconds if filled.seconds else 0.0
        did = f"{count(filled.identifiers, 'identifier')} in {filled.seconds:.1f} s ({rate:,.0f}/s)"
        rows.append(("allocated", f"{did}, {count(filled.transactions, 'signed transaction')}"))
    elif filled is not None:
        rows.append(("resumed", "nothing had to be created"))
    output.show(f"Fujie serves at {started.url}", rows, {})
    output.say(_NEXT_DEMO.format(url=started.url) if filled is not None else _NEXT_PLAIN)


_NEXT_DEMO = """
Try, in another terminal (same FUJIE_HOME and FUJIE_PORT; `.venv/bin/fujie` if fujie is not on your PATH):
  fujie resolve ZZ.156.1301              Shijiazhuang, and the proof verified on your side
  fujie resolve ZZ.156.9999              a verified proof of absence
  fujie pay alice shop 12.50             moves money, writes receipt.fujie
  fujie verify receipt.fujie             checks it; works with the node stopped
  fujie wallet list    fujie money supply    fujie check    fujie doctor    fujie --help
Or in a browser: {url}/    (`fujie access code auditor` prints a code to sign in with)

This is a demonstration: the keys of all parties lie on this machine, derived from one seed in demo/seed.
Ctrl-C stops the node; the next `fujie up` resumes."""

_NEXT_PLAIN = """
Try, in another terminal (same FUJIE_HOME and FUJIE_PORT; `.venv/bin/fujie` if fujie is not on your PATH):
  fujie status    fujie key list    fujie --help
Ctrl-C stops the node; the next `fujie up` resumes."""
