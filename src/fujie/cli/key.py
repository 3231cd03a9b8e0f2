"""`fujie key`: key files of the data folder."""

from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output
from fujie.cli.settings import Json, Settings, examples, settings_of
from fujie.core.errors import OperationalError

if TYPE_CHECKING:
    from fujie.client.keys import KeyFile

app = typer.Typer(help="Make keys, list them, protect them with a passphrase.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Small letters, digits, inner hyphens")]


@app.command(epilog=examples("fujie key new gas-works", "fujie key new robot --unprotected"))
def new(
    context: typer.Context,
    name: Name,
    unprotected: Annotated[bool, typer.Option("--unprotected", help="Keep it without passphrase")] = False,
    json: Json = False,
) -> None:
    """Make a key, sealed under a passphrase. That is asked for, or comes from FUJIE_PASSPHRASE."""
    file = make_key(settings_of(context), name, unprotected)
    output.show(
        f"Made key {name}",
        [("public key", file.public_key.hex()), ("file", file.path), ("protection", file.protection)],
        _data(file),
    )


@app.command("list", epilog=examples("fujie key list", "fujie key list --json"))
def list_keys(context: typer.Context, json: Json = False) -> None:
    """List the keys of the data folder. It shows the public ones, never a secret."""
    settings = settings_of(context)
    if not settings.folder.home.is_dir():
        settings.folder.require()
    files = list(settings.keyring.files())
    output.show_table(
        ("name", "public key", "protection", "file"),
        [(file.path.stem, file.public_key.hex(), file.protection, file.path) for file in files],
        {"keys": [_data(file) for file in files]},
        "There is no key here; make one with `fujie key new NAME`.",
    )


@app.command(epilog=examples("fujie key show central-bank-1"))
def show(context: typer.Context, name: Name, json: Json = False) -> None:
    """Show a public key. Also how the secret one is protected, never itself."""
    from fujie.client.keys import load_key

    file = load_key(settings_of(context).folder.key_file(name))
    rows: list[output.Row] = [
        ("public key", file.public_key.hex()),
        ("label", file.label),
        ("file", file.path),
        ("protection", file.protection),
    ]
    output.show(f"Key {name}", rows, _data(file))


@app.command(epilog=examples("fujie key protect alice", "fujie key protect alice --remove"))
def protect(
    context: typer.Context,
    name: Name,
    remove: Annotated[bool, typer.Option("--remove", help="Leave it without passphrase")] = False,
    json: Json = False,
) -> None:
    """Seal a key under a new passphrase. On a terminal the old one is asked for first, if there is one.

    Without a terminal FUJIE_PASSPHRASE is the old passphrase of a sealed key, and the new one of an open key.
    """
    from fujie.client.keys import change_passphrase, load_key

    path = settings_of(context).folder.key_file(name)
    sealed = load_key(path).protection == "passphrase"
    old = output.ask_passphrase(path) if sealed else None
    passphrase = None
    if not remove:
        passphrase = output.ask_new_passphrase(name)
        if passphrase is None:
            raise _no_passphrase()
    file = change_passphrase(path, old, passphrase)
    said = f"Sealed {name} under a passphrase" if passphrase is not None else f"{name} stands without passphrase"
    output.show(said, [("file", file.path), ("protection", file.protection)], _data(file))


def make_key(settings: Settings, name: str, unprotected: bool) -> "KeyFile":
    """Make a key file called ``name``. Raises :class:`OperationalError` when the name is taken, or for want of a passphrase."""
    from fujie.client.keys import create_key
    from fujie.node.folder import check_name, make_folder

    folder = settings.folder
    path = folder.key_folders[0] / f"{check_name(name)}.key"
    if any((each / path.name).exists() for each in folder.key_folders):
        raise OperationalError(
            f"There is a key called {name} already.", "Choose another name; keys are never overwritten."
        )
    passphrase = None if unprotected else output.ask_new_passphrase(name)
    if passphrase is None and not unprotected:
        raise _no_passphrase()
    make_folder(path.parent)
    return create_key(path, passphrase, label=name)


def _no_passphrase() -> OperationalError:
    return OperationalError(
        "There is no terminal to ask for a passphrase.", "Set FUJIE_PASSPHRASE, or say --unprotected (or --remove)."
    )


def _data(file: "KeyFile") -> dict[str, object]:
    return {
        "name": file.path.stem,
        "public_key": file.public_key.hex(),
        "label": file.label,
        "protection": file.protection,
        "file": str(file.path),
    }
