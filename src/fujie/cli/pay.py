"""`fujie pay`: moving money from one wallet to another, with a receipt file."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from fujie.cli import output, words
from fujie.cli.instruments import money_of
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of
from fujie.cli.signing import holder_signers
from fujie.core.errors import OperationalError


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            "fujie pay alice shop 12.50",
            "fujie pay alice bob 100 --receipt rent.fujie",
            "fujie pay alice 4f0d0b6e9c4c4b0f8b0c8d7f3a1e2b3c 5 --json",
        )
    )(pay)


def pay(
    context: typer.Context,
    payer: Annotated[str, typer.Argument(metavar="FROM", help="Name of a wallet whose key is here")],
    payee: Annotated[str, typer.Argument(metavar="TO", help="Name of a wallet, or its id in 32 hexadecimal digits")],
    amount: Annotated[str, typer.Argument(help="Such as 12.50")],
    receipt: Annotated[
        Path | None, typer.Option(help="Receipt file [default: receipt.fujie, receipt-2.fujie, …]", show_default=False)
    ] = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Pay from one wallet to another and keep the receipt. It proves for ever that the ledger carried the payment out."""
    settings = settings_of(context)
    folder = settings.folder
    source, target = words.held_wallet(folder, payer), words.wallet(folder, payee)
    if receipt is not None and receipt.exists():
        raise typer.BadParameter(f"{receipt} exists already; a receipt never takes another's place")
    _require_writable(Path() if receipt is None else receipt.parent)
    signers = holder_signers(settings, source, key)
    with settings.client(trust) as client:
        money = money_of(settings, client, source.file.instrument)
        amount_minor = money.amount(amount)
        outcome = client.pay(source.id, target.id, money.code, amount_minor, signers=signers)
    assert outcome.verified is not None, "a payment that is returned was proven"
    try:
        path = words.write_receipt(outcome.verified.bundle, receipt)
    except OperationalError as error:
        identifier = outcome.transaction_id.hex()
        raise OperationalError(
            f"The payment was carried out, but its receipt was not written: {error.what}",
            f"Do not pay again. Fetch the receipt: fujie receipt {identifier} --save FILE",
        ) from error
    output.show(
        f"Paid {money.text(amount_minor)} from {source.name} to {target.name}",
        [
            ("transaction", outcome.transaction_id.hex()),
            ("time", words.time_text(outcome.verified.receipt.time_ms)),
            ("receipt", f"{path}   ({settings.command(f'verify {shlex.quote(str(path))}')})"),
        ],
        words.outcome_data(outcome) | {"receipt": str(path), "amount_minor": amount_minor, "instrument": money.code},
        words.proof_text(outcome.verified),
    )


def _require_writable(folder: Path) -> None:
    """Raise :class:`OperationalError` before anything is paid where no receipt could be written."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OperationalError(
            f"No receipt can be written to the folder {folder.absolute()}; nothing was paid.",
            "Name a file elsewhere: --receipt FILE.",
        )
