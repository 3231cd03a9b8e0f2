"""`fujie money`: issuing money, distributing it, returning and redeeming it, and its supply."""

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, signing, words
from fujie.cli.instruments import Instrument, Money, money_of
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of
from fujie.core.errors import OperationalError
from fujie.core.wording import count, quoted

if TYPE_CHECKING:
    from fujie.client.client import Outcome

app = typer.Typer(help="Issue money, distribute it, return and redeem it, see the supply.", no_args_is_help=True)

Institution = Annotated[str, typer.Argument(help="Account of the institution", callback=words.account)]
Amount = Annotated[str, typer.Argument(help="Such as 1000.00")]
Reference = Annotated[str | None, typer.Option(help="UUID of the bank message [default: a new one]")]


@app.command(
    epilog=examples(
        "fujie money issue bank-east 1000.00",
        "fujie money issue bank-east 1000.00 --reference 6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b11",
    )
)
def issue(
    context: typer.Context,
    institution: Institution,
    amount: Amount,
    instrument: Instrument = None,
    reference: Reference = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Create money in an institution's vault. It happens once for each bank message, and the issuer signs with k of its n keys."""
    settings = settings_of(context)
    message = _reference(reference)
    with settings.client(trust) as client:
        money = money_of(settings, client, instrument)
        amount_minor = money.amount(amount)
        signers = signing.account_signers(settings, client, money.issuer, key)
        outcome = client.issue(institution, money.code, amount_minor, reference=message.bytes, signers=signers)
    rows: list[output.Row] = [("reference", message), ("signed by", count(len(signers), "key"))]
    data = {"institution": institution, "reference": str(message)}
    _moved(f"Issued {money.text(amount_minor)} to {institution}", money, amount_minor, outcome, rows, data)


@app.command(epilog=examples("fujie money distribute bank-east alice 50.00"))
def distribute(
    context: typer.Context,
    institution: Institution,
    wallet: Annotated[str, typer.Argument(help="Name or id of a wallet that it serves")],
    amount: Amount,
    instrument: Instrument = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Move money from an institution's vault to one of its wallets. The institution signs."""
    settings = settings_of(context)
    known = words.wallet(settings.folder, wallet)
    with settings.client(trust) as client:
        money = money_of(settings, client, instrument or known.instrument)
        amount_minor = money.amount(amount)
        signers = signing.account_signers(settings, client, institution, key)
        outcome = client.distribute(institution, known.id, money.code, amount_minor, signers=signers)
    title = f"Distributed {money.text(amount_minor)} from {institution} to {known.name}"
    _moved(title, money, amount_minor, outcome, [], {"institution": institution, "wallet": known.id.hex()})


@app.command("return", epilog=examples("fujie money return alice 20.00"))
def give_back(
    context: typer.Context,
    wallet: Annotated[str, typer.Argument(help="Name of a wallet whose key is here")],
    amount: Amount,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Return money from a wallet to the vault of its institution. The holder signs."""
    settings = settings_of(context)
    known = words.held_wallet(settings.folder, wallet)
    signers = signing.holder_signers(settings, known, key)
    with settings.client(trust) as client:
        money = money_of(settings, client, known.file.instrument)
        amount_minor = money.amount(amount)
        outcome = client.give_back(known.id, money.code, amount_minor, signers=signers)
    title = f"Returned {money.text(amount_minor)} from {known.name} to its institution"
    _moved(title, money, amount_minor, outcome, [], {"wallet": known.id.hex()})


@app.command(
    epilog=examples(
        "fujie money redeem bank-east 1000.00",
        "fujie money redeem bank-east 1000.00 --reference 6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b12",
    )
)
def redeem(
    context: typer.Context,
    institution: Institution,
    amount: Amount,
    instrument: Instrument = None,
    reference: Reference = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Destroy money in an institution's vault. It happens once for each bank message; institution and issuer sign."""
    settings = settings_of(context)
    message = _reference(reference)
    with settings.client(trust) as client:
        money = money_of(settings, client, instrument)
        amount_minor = money.amount(amount)
        signers = signing.account_signers(settings, client, institution, key)
        if not key:
            issuer = signing.account_signers(settings, client, money.issuer, None)
            known = {signer.public_key for signer in signers}
            signers = [*signers, *(signer for signer in issuer if signer.public_key not in known)]
        outcome = client.redeem(institution, money.code, amount_minor, reference=message.bytes, signers=signers)
    rows: list[output.Row] = [("reference", message), ("signed by", count(len(signers), "key"))]
    data = {"institution": institution, "reference": str(message)}
    _moved(f"Redeemed {money.text(amount_minor)} of {institution}", money, amount_minor, outcome, rows, data)


@app.command(epilog=examples("fujie money supply", "fujie money supply --instrument CNY --json"))
def supply(context: typer.Context, instrument: Instrument = None, trust: Trust = None, json: Json = False) -> None:
    """Show all that was issued and redeemed, proven. Also what is in circulation; anyone may ask."""
    from fujie.client.amounts import format_amount

    settings = settings_of(context)
    with settings.client(trust) as client:
        money = money_of(settings, client, instrument)
        found = client.supply(money.code)
    record = found.record
    if record is None:
        raise OperationalError(f"The chain has no supply of {money.code}.", "Check the code.")
    amounts = {
        "issued": record.issued_minor,
        "redeemed": record.redeemed_minor,
        "in circulation": record.issued_minor - record.redeemed_minor,
    }
    data = {name.replace(" ", "_"): format_amount(minor, money.decimals) for name, minor in amounts.items()}
    output.show(
        f"Supply of {money.code}",
        [(name, money.text(minor)) for name, minor in amounts.items()],
        {"instrument": money.code, **data, **words.record_data(found)},
        words.proof_text(found),
    )


def _moved(
    title: str, money: Money, amount_minor: int, outcome: "Outcome", rows: list[output.Row], data: dict[str, Any]
) -> None:
    """Show what became of an operation that moves, creates or destroys money."""
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        title,
        [
            ("transaction", outcome.transaction_id.hex()),
            ("time", words.time_text(outcome.verified.receipt.time_ms)),
            *rows,
        ],
        {**data, "instrument": money.code, "amount_minor": amount_minor, **words.outcome_data(outcome)},
        words.proof_text(outcome.verified),
    )


def _reference(text: str | None) -> uuid.UUID:
    if text is None:
        return uuid.uuid4()
    try:
        return uuid.UUID(text)
    except ValueError:
        raise typer.BadParameter(
            f"{quoted(text)} is no UUID: write the id of the bank message, such as 6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b11"
        ) from None
