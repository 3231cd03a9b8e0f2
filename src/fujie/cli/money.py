"""`fujie money`: issuing money, distributing it, returning and redeeming it, and its supply."""

import uuid
from typing import TYPE_CHECKING, Annotated

import typer

from fujie.cli import output, signing, words
from fujie.cli.settings import Json, Keys, Trust, examples, settings_of
from fujie.core.errors import OperationalError

if TYPE_CHECKING:
    from fujie.client.client import Client

app = typer.Typer(help="Issue money, distribute it, return and redeem it, see the supply.", no_args_is_help=True)

Instrument = Annotated[str, typer.Option(help="Code of the money")]
Amount = Annotated[str, typer.Argument(help="Such as 1000.00")]


@app.command(
    epilog=examples(
        "fujie money issue bank-east 1000.00",
        "fujie money issue bank-east 1000.00 --reference 6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b11",
    )
)
def issue(
    context: typer.Context,
    institution: Annotated[str, typer.Argument(help="Account of the institution")],
    amount: Amount,
    instrument: Instrument = "CNY",
    reference: Annotated[str | None, typer.Option(help="UUID of the bank message [default: a new one]")] = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Create money in an institution's vault. It happens once for each bank message, and the issuer signs with k of its n keys."""
    settings = settings_of(context)
    message = _reference(reference)
    with settings.client(trust) as client:
        decimals = words.decimals_of(client, instrument)
        amount_minor = words.amount(amount, decimals)
        signers = signing.account_signers(settings, client, _issuer(client, instrument), key)
        outcome = client.issue(institution, instrument, amount_minor, reference=message.bytes, signers=signers)
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        f"Issued {words.money(amount_minor, decimals, instrument)} to {institution}",
        [("transaction", outcome.transaction_id.hex()), ("reference", message), ("signed by", f"{len(signers)} keys")],
        {
            "institution": institution,
            "amount_minor": amount_minor,
            "reference": str(message),
            **words.outcome_data(outcome),
        },
        words.proof_text(outcome.verified),
    )


@app.command(epilog=examples("fujie money distribute bank-east alice 50.00"))
def distribute(
    context: typer.Context,
    institution: Annotated[str, typer.Argument(help="Account of the institution")],
    wallet: Annotated[str, typer.Argument(help="Name or id of a wallet that it serves")],
    amount: Amount,
    instrument: Instrument = "CNY",
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Move money from an institution's vault to one of its wallets. The institution signs."""
    settings = settings_of(context)
    known = words.wallet(settings.folder, wallet)
    with settings.client(trust) as client:
        decimals = words.decimals_of(client, instrument)
        amount_minor = words.amount(amount, decimals)
        signers = signing.account_signers(settings, client, institution, key)
        outcome = client.distribute(institution, known.id, instrument, amount_minor, signers=signers)
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        f"Distributed {words.money(amount_minor, decimals, instrument)} from {institution} to {known.name}",
        [("transaction", outcome.transaction_id.hex())],
        {"institution": institution, "amount_minor": amount_minor, **words.outcome_data(outcome)},
        words.proof_text(outcome.verified),
    )


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
    instrument = known.file.instrument
    signers = signing.holder_signers(settings, known, key)
    with settings.client(trust) as client:
        decimals = words.decimals_of(client, instrument)
        amount_minor = words.amount(amount, decimals)
        outcome = client.give_back(known.id, instrument, amount_minor, signers=signers)
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        f"Returned {words.money(amount_minor, decimals, instrument)} from {known.name} to its institution",
        [("transaction", outcome.transaction_id.hex())],
        {"wallet": known.id.hex(), "amount_minor": amount_minor, **words.outcome_data(outcome)},
        words.proof_text(outcome.verified),
    )


@app.command(
    epilog=examples(
        "fujie money redeem bank-east 1000.00",
        "fujie money redeem bank-east 1000.00 --reference 6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b12",
    )
)
def redeem(
    context: typer.Context,
    institution: Annotated[str, typer.Argument(help="Account of the institution")],
    amount: Amount,
    instrument: Instrument = "CNY",
    reference: Annotated[str | None, typer.Option(help="UUID of the bank message [default: a new one]")] = None,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Destroy money in an institution's vault. It happens once for each bank message; institution and issuer sign."""
    settings = settings_of(context)
    message = _reference(reference)
    with settings.client(trust) as client:
        decimals = words.decimals_of(client, instrument)
        amount_minor = words.amount(amount, decimals)
        signers = signing.account_signers(settings, client, institution, key)
        if not key:
            issuer = signing.account_signers(settings, client, _issuer(client, instrument), None)
            known = {signer.public_key for signer in signers}
            signers = [*signers, *(signer for signer in issuer if signer.public_key not in known)]
        outcome = client.redeem(institution, instrument, amount_minor, reference=message.bytes, signers=signers)
    assert outcome.verified is not None, "an operation that is returned was proven"
    output.show(
        f"Redeemed {words.money(amount_minor, decimals, instrument)} of {institution}",
        [("transaction", outcome.transaction_id.hex()), ("reference", message), ("signed by", f"{len(signers)} keys")],
        {
            "institution": institution,
            "amount_minor": amount_minor,
            "reference": str(message),
            **words.outcome_data(outcome),
        },
        words.proof_text(outcome.verified),
    )


@app.command(epilog=examples("fujie money supply", "fujie money supply --instrument CNY --json"))
def supply(context: typer.Context, instrument: Instrument = "CNY", trust: Trust = None, json: Json = False) -> None:
    """Show all that was issued and redeemed, proven. Also what is in circulation; anyone may ask."""
    from fujie.client.amounts import format_amount

    with settings_of(context).client(trust) as client:
        decimals = words.decimals_of(client, instrument)
        found = client.supply(instrument)
    record = found.record
    if record is None:
        raise OperationalError(f"The chain has no supply of {instrument}.", "Check the code.")
    circulating_minor = record.issued_minor - record.redeemed_minor
    output.show(
        f"Supply of {instrument}",
        [
            ("issued", words.money(record.issued_minor, decimals, instrument)),
            ("redeemed", words.money(record.redeemed_minor, decimals, instrument)),
            ("in circulation", words.money(circulating_minor, decimals, instrument)),
        ],
        {
            "instrument": instrument,
            "issued": format_amount(record.issued_minor, decimals),
            "redeemed": format_amount(record.redeemed_minor, decimals),
            "in_circulation": format_amount(circulating_minor, decimals),
            **words.record_data(found),
        },
        words.proof_text(found),
    )


def _issuer(client: "Client", instrument: str) -> str:
    found = client.instrument(instrument).record
    assert found is not None, "its decimals were read before"
    issuer: str = found.issuer
    return issuer


def _reference(text: str | None) -> uuid.UUID:
    if text is None:
        return uuid.uuid4()
    try:
        return uuid.UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text[:60]!a} is no UUID") from None
