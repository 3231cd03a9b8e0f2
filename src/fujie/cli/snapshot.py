"""`fujie snapshot`: a chain in one file, and back."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import count, span

if TYPE_CHECKING:
    from fujie.store.snapshot import Manifest

app = typer.Typer(help="Save a chain into one file; load it elsewhere, verified.", no_args_is_help=True)


@app.command(epilog=examples("fujie snapshot save monday.snapshot"))
def save(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="File to write")], json: Json = False
) -> None:
    """Save the chain as it stands. With a store of kind sqlite the node may run. No key is in the file."""
    from fujie.node.snapshot import save_snapshot

    manifest, rows = save_snapshot(settings_of(context).folder, file)
    _show(f"Saved {file}", file, manifest, [("rows", f"{rows:,}")], {"rows": rows})


@app.command(
    epilog=examples(
        "fujie --home restored snapshot load monday.snapshot --trust trust.json", "fujie --home restored check"
    )
)
def load(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to load")],
    trust: Annotated[
        Path, typer.Option("--trust", help="Trust root that it must verify under, from a source you trust")
    ],
    store: Annotated[str, typer.Option(help="Kind of store: sqlite or rocks")] = "sqlite",
    json: Json = False,
) -> None:
    """Load a snapshot into a new data folder. Every row of it is verified against the trust root.

    To run a node on it, put the validator's key into keys/validator.key.
    """
    from fujie.cli.node import store_kind
    from fujie.node.snapshot import load_snapshot, replaced_ms

    settings = settings_of(context)
    folder = settings.folder
    root = settings.trust(trust)
    manifest = load_snapshot(folder, file, root, store_kind(store))
    replaced = replaced_ms(manifest, root)
    age_ms = 0 if replaced is None else time.time_ns() // 1_000_000 - replaced
    _show(
        f"Loaded into {folder.home}",
        file,
        manifest,
        [
            (
                "validators",
                "" if replaced is None else f"others than those of the trust root, since {words.time_text(replaced)}",
            ),
            ("next", f"fujie --home {folder.home} check"),
        ],
        {
            "home": str(folder.home),
            "validators_replaced_ms": replaced,
            "within_trust_period": age_ms < root.trust_period_ms,
        },
    )
    if age_ms >= root.trust_period_ms:
        output.say(
            f"Beware: the validators of the trust root signed last {span(age_ms)} ago, and a root vouches for "
            f"{span(root.trust_period_ms)} after that. Whoever has got hold of their keys since could have made this chain: "
            "compare the app hash with that of a node that you trust, or load it under a newer trust root.",
            "bold",
        )


def _show(title: str, file: Path, manifest: "Manifest", rows: list[output.Row], data: dict[str, object]) -> None:
    from fujie.proof.light_block import decode_light_block

    header = decode_light_block(manifest.light_block).header
    size = file.stat().st_size
    output.show(
        title,
        [
            ("chain", manifest.chain_id),
            ("height", f"{header.height:,}"),
            ("time", words.time_text(header.time_ms)),
            ("app hash", header.app_hash.hex()),
            ("size", count(size, "byte")),
            *rows,
        ],
        {
            "file": str(file),
            "chain_id": manifest.chain_id,
            "height": header.height,
            "time_ms": header.time_ms,
            "app_hash": header.app_hash.hex(),
            "bytes": size,
            **data,
        },
    )
