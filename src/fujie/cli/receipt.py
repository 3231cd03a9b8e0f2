"""`fujie receipt`: fetching the proof of a transaction again."""

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.cli.transaction import Save, TransactionId, not_in_a_block, parse_id
from fujie.cli.verify import describe_receipt


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=examples(f"fujie receipt {'5f' * 32}", f"fujie receipt {'5f' * 32} --save rent.fujie"))(receipt)


def receipt(
    context: typer.Context, transaction: TransactionId, save: Save = None, trust: Trust = None, json: Json = False
) -> None:
    """Show what the ledger did with a transaction. It is proven anew, under the newest header."""
    identifier = parse_id(transaction)
    settings = settings_of(context)
    with settings.client(trust) as client:
        found = client.receipt(identifier)
        if found is None:
            raise not_in_a_block(settings.pending(trust), client, identifier)
    settings.pending().forget(identifier)
    if save is not None:
        from fujie.client.files import write_atomically

        write_atomically(save, found.bundle)
    rows, data = describe_receipt(found)
    if save is not None:
        rows.append(("saved as", save))
    output.show("Receipt", rows, data, words.proof_text(found))
