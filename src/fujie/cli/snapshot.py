"""`fujie snapshot`: a chain in one file, and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, examples, settings_of
from fujie.core.wording import count

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
    from fujie.node.snapshot import load_snapshot

    settings = settings_of(context)
    folder = settings.folder
    manifest = load_snapshot(folder, file, settings.trust(trust), store_kind(store))
    _show(
        f"Loaded into {folder.home}",
        file,
        manifest,
        [("next", f"fujie --home {folder.home} check")],
        {"home": str(folder.home)},
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
