"""`fujie mirror`: a node that follows another one, verifies everything, and serves the same reads with proofs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.node import stop_at_signals, store_kind
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.core.wording import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from fujie.cli.progress import Shown
    from fujie.node.mirror import Told
    from fujie.proof.trust import TrustRoot


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            "fujie --home mirror mirror https://node.example --trust trust.json",
            "fujie --home mirror mirror",
            "fujie --home audit mirror https://node.example --api-key-file auditor.apikey",
            "fujie --home mirror mirror --witness https://node.bank.example --witness https://node.city.example",
            "fujie --home late mirror https://node.example --trust trust.json --snapshot monday.snapshot",
        )
    )(mirror)


def mirror(
    context: typer.Context,
    url: Annotated[
        str | None, typer.Argument(help="Node to mirror [default: the one that the folder mirrors]", show_default=False)
    ] = None,
    trust: Trust = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="Port to listen on [default: FUJIE_PORT, or http.port of fujie.toml, or 8156]"
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with the API key of an auditor, for a restricted chain")
    ] = None,
    snapshot: Annotated[
        Path | None, typer.Option(help="Begin a new mirror with this snapshot instead of the genesis; needs --trust")
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            help="Another node of the chain to compare with; may be given several times [default: those of before]"
        ),
    ] = None,
    store: Annotated[str, typer.Option(help="Kind of store of a new mirror: sqlite or rocks")] = "sqlite",
    json: Json = False,
) -> None:
    """Follow a chain without any key and verify every block of it. Serve the same reads with proofs until Ctrl-C.

    Every transaction is carried out again here and held against the headers that the validators signed. Whatever differs
    stops the mirror with its name (exit code 5 at the end); it goes on serving what it has verified. Without a trust
    root, the chain that the node serves first is taken for the right one, and pinned. Where a witness shows that
    validators signed another chain as well, the mirror keeps the evidence and stops serving.
    """
    from fujie.cli.progress import Shown
    from fujie.node.config import load_config
    from fujie.node.mirror import read_api_key, run_mirror

    settings = settings_of(context)
    kind = store_kind(store)
    config = load_config(settings.folder, {"http.port": port})
    root = None if trust is None else settings.trust(trust)
    api_key = "" if api_key_file is None else read_api_key(api_key_file)
    stop = stop_at_signals()
    shown = Shown("Carrying out {total}", "block", "blocks")
    try:
        run_mirror(
            settings.folder,
            config,
            stop,
            source=url,
            trust=root,
            api_key=api_key,
            kind=kind,
            progress=_progress(shown),
            on_first_trust=_warn,
            on_ready=lambda told: _welcome(told, shown),
            on_news=_say_news,
            snapshot=snapshot,
            witnesses=witness,
        )
    finally:
        shown.close()
    output.say("Stopped. Everything is on disk.")


def _progress(shown: "Shown") -> "Callable[[int, int], None]":
    """Return what shows how many of the blocks that are missing were carried out; nothing where none is."""
    reached: list[int] = []

    def advance(height: int, goal: int) -> None:
        if reached:
            shown.advance("verified", height - reached[0])
            reached[0] = height
        elif height < goal:
            reached.append(height)
            shown.start(goal - height)

    return advance


def _say_news(news: str) -> None:
    output.console(stderr=True).print(visible(news))


def _warn(source: str, trust: "TrustRoot") -> None:
    _say_news(
        f"No trust root was given: this mirror takes {source} at its word that the chain is {trust.chain_id} "
        f"with the validators {trust.validators_hash}, and holds to that from now on. Compare both with a source you trust."
    )


def _welcome(told: "Told", shown: "Shown") -> None:
    shown.close()
    trust, first = told.trust, told.first_height
    since = "the genesis" if first == 1 else f"the snapshot at block {first:,}"
    output.show(
        f"Fujie mirrors {told.source} at {told.url}",
        [
            ("chain", trust.chain_id),
            ("validators", trust.validators_hash),
            ("height", f"{told.height:,}"),
            ("verified", f"every block, transaction and state since {since}"),
        ],
        {
            "url": told.url,
            "source": told.source,
            "chain_id": trust.chain_id,
            "validators_hash": trust.validators_hash,
            "height": told.height,
            "first_height": first,
            "trusted_on_first_use": told.first_trust,
        },
    )
    output.say("Ctrl-C stops the mirror; the next `fujie mirror` goes on from here.")
