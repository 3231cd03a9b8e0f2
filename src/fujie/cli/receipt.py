"""`fujie receipt`: fetching the proof of a transaction again."""

from pathlib import Path
from typing import Annotated

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.cli.verify import describe_receipt
from fujie.core.errors import OperationalError
from fujie.core.wording import quoted

ID_DIGITS = 64


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=examples(f"fujie receipt {'5f' * 32}", f"fujie receipt {'5f' * 32} --save rent.fujie"))(receipt)


def receipt(
    context: typer.Context,
    transaction: Annotated[str, typer.Argument(metavar="TXID", help="Id of the transaction, 64 hexadecimal digits")],
    save: Annotated[Path | None, typer.Option(help="Write the receipt to this file")] = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Show what the ledger did with a transaction. It is proven anew, under the newest header."""
    try:
        identifier = bytes.fromhex(transaction) if len(transaction) == ID_DIGITS else b""
    except ValueError:
        identifier = b""
    if not identifier:
        raise typer.BadParameter(f"{quoted(transaction, 80)} is no id of a transaction: {ID_DIGITS} hexadecimal digits")
    with settings_of(context).client(trust) as client:
        found = client.receipt(identifier)
    if found is None:
        raise OperationalError(f"The node knows no transaction {transaction}.", "Check the id, or submit it again.")
    if save is not None:
        from fujie.client.files import write_atomically

        write_atomically(save, found.bundle)
    rows, data = describe_receipt(found)
    if save is not None:
        rows.append(("saved as", save))
    output.show("Receipt", rows, data, words.proof_text(found))
