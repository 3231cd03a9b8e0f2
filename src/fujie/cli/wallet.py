"""`fujie wallet`: the wallets whose files lie in the data folder."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, signing, words
from fujie.cli.instruments import Instrument, money_of
from fujie.cli.settings import Json, Keys, Settings, Trust, examples, settings_of
from fujie.core.errors import OperationalError, Refused
from fujie.core.wording import count

if TYPE_CHECKING:
    from fujie.client.client import Client, Outcome
    from fujie.client.keys import KeyFile
    from fujie.client.wallet import WalletFile

app = typer.Typer(help="Open wallets, see what they hold, freeze them, change their keys.", no_args_is_help=True)

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        help="Account that reads: the wallet's institution, or an auditor [default: the holder]",
        callback=words.account,
    ),
]
Wallet = Annotated[str, typer.Argument(help="Name or id")]
Authority = Annotated[str, typer.Argument(help="Account of its institution, or of a regulator", callback=words.account)]


def _basis(text: str) -> str:
    """Return a legal basis. A usage error says why no record holds it."""
    import msgspec

    from fujie.cli.forms import said_of
    from fujie.modules.currency.records import LegalBasis

    try:
        msgspec.convert(text, LegalBasis)
    except msgspec.ValidationError as error:
        raise typer.BadParameter(f"{said_of(error)}.") from None
    return text


Basis = Annotated[str, typer.Option(help="Legal basis: the reference of an order or a law", callback=_basis)]


@app.command(
    epilog=examples(
        "fujie wallet new dora --institution bank-east --unprotected",
        "fujie wallet new till --institution bank-west --class 1 --corporate",
    )
)
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Small letters, digits, inner hyphens")],
    institution: Annotated[
        str,
        typer.Option(help="Account of the institution that serves it, whose keys are here", callback=words.account),
    ],
    wallet_class: Annotated[
        int, typer.Option("--class", min=1, max=99, help="Strength of identification; 1 is strongest")
    ] = 2,
    instrument: Instrument = None,
    corporate: Annotated[bool, typer.Option("--corporate", help="A company's wallet")] = False,
    unprotected: Annotated[bool, typer.Option("--unprotected", help="Keep the key without passphrase")] = False,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Open a wallet with a new key. The institution signs; the key stays here, sealed under a passphrase."""
    from fujie.modules.currency.records import WalletKind
    from fujie.node.folder import check_name

    settings = settings_of(context)
    path = settings.folder.wallet_folders[0] / f"{check_name(name)}.json"
    if any((each / path.name).exists() for each in settings.folder.wallet_folders):
        raise OperationalError(f"There is a wallet called {name} already.", "Choose another name.")
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, institution, key)
        code = money_of(settings, client, instrument).code
        holder, file = _write_files(settings, path, name, client.chain_id, code, unprotected)
        try:
            client.open_wallet(
                institution,
                code,
                holder.public_key,
                wallet_class=wallet_class,
                kind=WalletKind.CORPORATE if corporate else WalletKind.PERSONAL,
                wallet=file.wallet_id,
                signers=signers,
            )
        except Refused:
            path.unlink()
            holder.path.unlink()
            raise
        found = client.wallet(file.wallet_id, reader=f"account/{institution}", signers=signers)
    rows: list[output.Row] = [
        ("id", file.wallet),
        ("institution", institution),
        ("class", wallet_class),
        ("file", path),
        ("key", holder.path),
    ]
    data = {"name": name, "wallet": file.wallet, "file": str(path), "key_file": str(holder.path)}
    output.show(f"Opened wallet {name}", rows, data | words.record_data(found), words.proof_text(found))


def _write_files(
    settings: Settings, path: Path, name: str, chain_id: str, instrument: str, unprotected: bool
) -> "tuple[KeyFile, WalletFile]":
    """Make the key and the wallet file, before the wallet: one that is open and known to nobody would be lost."""
    from fujie.cli.key import make_key
    from fujie.client.currency import WALLET_ID_BYTES
    from fujie.client.wallet import WalletFile, save_wallet
    from fujie.node.folder import make_folder

    holder = make_key(settings, name, unprotected)
    file = WalletFile(
        name=name,
        chain_id=chain_id,
        wallet=secrets.token_bytes(WALLET_ID_BYTES).hex(),
        instrument=instrument,
        key_file=f"../keys/{holder.path.name}",
    )
    make_folder(path.parent)
    save_wallet(path, file)
    return holder, file


@app.command("list", epilog=examples("fujie wallet list", "fujie wallet list --json"))
def list_wallets(context: typer.Context, json: Json = False) -> None:
    """List the wallets whose files are here."""
    from fujie.client.wallet import load_wallet

    folder = settings_of(context).folder
    folder.require()
    files = [(path, load_wallet(path)) for path in folder.wallet_files()]
    output.show_table(
        ("name", "id", "instrument", "file"),
        [(file.name, file.wallet, file.instrument, path) for path, file in files],
        {
            "wallets": [
                {"name": file.name, "wallet": file.wallet, "instrument": file.instrument, "file": str(path)}
                for path, file in files
            ]
        },
        "There is no wallet here; open one with `fujie wallet new NAME --institution ACCOUNT`.",
    )


@app.command(epilog=examples("fujie wallet show alice", "fujie wallet show alice --as auditor"))
def show(
    context: typer.Context,
    wallet: Annotated[str, typer.Argument(help="Name or id")],
    reader: As = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Show a wallet as it stands on the ledger. Its institution, class, status and keys."""
    settings = settings_of(context)
    known = words.wallet(settings.folder, wallet)
    with settings.client(trust) as client:
        found = client.wallet(known.id, **_reading(settings, client, known, reader))
    record = found.record
    if record is None:
        output.show(f"There is no wallet {known.name}", [], words.record_data(found), words.proof_text(found))
        raise typer.Exit(output.EXIT_ABSENT)
    rows: list[output.Row] = [
        ("id", known.id.hex()),
        ("institution", record.institution),
        ("class", f"{record.wallet_class} (1 is the strongest identification)"),
        ("kind", record.kind.name.lower()),
        ("status", record.status.name.lower().replace("_", " ")),
        ("instruments", ", ".join(record.instruments)),
        ("held by", words.policy_text(record.policy)),
        ("freezes", "; ".join(f"{freeze.authority}: {freeze.basis}" for freeze in record.freezes)),
        ("opened", words.time_text(record.opened_ms)),
    ]
    output.show(f"Wallet {known.name}", rows, {"name": known.name, **words.record_data(found)}, words.proof_text(found))


@app.command(epilog=examples("fujie wallet balance alice", "fujie wallet balance alice --as bank-east --json"))
def balance(
    context: typer.Context,
    wallet: Annotated[str, typer.Argument(help="Name or id")],
    instrument: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Code of the money [default: what the wallet was opened for, as its file says; else the only one of the chain]",
            show_default=False,
        ),
    ] = None,
    reader: As = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Show what a wallet holds, proven. The holder reads, or --as names the institution or an auditor."""
    from fujie.client.amounts import format_amount

    settings = settings_of(context)
    known = words.wallet(settings.folder, wallet)
    with settings.client(trust) as client:
        money = money_of(settings, client, instrument or known.instrument)
        found = client.balance(known.id, money.code, **_reading(settings, client, known, reader))
    record = found.record
    if record is None:
        title = f"{known.name} holds no {money.code}: there is no such balance"
        output.show(title, [], words.record_data(found), words.proof_text(found))
        raise typer.Exit(output.EXIT_ABSENT)
    spent = f"{money.text(record.spent_today_minor)} in {count(record.payments_today, 'payment')}"
    rows: list[output.Row] = [
        ("balance", money.text(record.amount_minor)),
        ("spent on its last day of payments", spent if record.payments_today else ""),
    ]
    balance = format_amount(record.amount_minor, money.decimals)
    data = {"name": known.name, "balance": balance, "instrument": money.code}
    output.show(f"Wallet {known.name}", rows, data | words.record_data(found), words.proof_text(found))


@app.command(
    epilog=examples(
        "fujie wallet freeze bob bank-west --basis 'court order 17/2026'",
        "fujie wallet freeze bob bank-west --basis 'court order 17/2026' --payments-only",
    )
)
def freeze(
    context: typer.Context,
    wallet: Wallet,
    authority: Authority,
    basis: Basis,
    payments_only: Annotated[
        bool, typer.Option("--payments-only", help="Only payments from it; money still comes in")
    ] = False,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Freeze a wallet for a legal basis. Its institution, or a regulator, signs, and alone can lift it again."""
    from fujie.modules.currency.records import FreezeScope

    settings = settings_of(context)
    known = words.wallet(settings.folder, wallet)
    scope = FreezeScope.DEBITS if payments_only else FreezeScope.ALL
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, authority, key)
        outcome = client.freeze_wallet(known.id, authority, basis, scope=scope, signers=signers)
    what = "payments from" if payments_only else "all payments of"
    _done(f"Froze {what} {known.name}", outcome, {"wallet": known.id.hex(), "authority": authority, "basis": basis})


@app.command(epilog=examples("fujie wallet unfreeze bob bank-west --basis 'court order 18/2026'"))
def unfreeze(
    context: typer.Context,
    wallet: Wallet,
    authority: Authority,
    basis: Basis,
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Lift a freeze. The authority that put it on the wallet signs."""
    settings = settings_of(context)
    known = words.wallet(settings.folder, wallet)
    with settings.client(trust) as client:
        signers = signing.account_signers(settings, client, authority, key)
        outcome = client.unfreeze_wallet(known.id, authority, basis, signers=signers)
    data = {"wallet": known.id.hex(), "authority": authority, "basis": basis}
    _done(f"Lifted the freeze of {authority} on {known.name}", outcome, data)


@app.command(epilog=examples("fujie key new alice-2", "fujie wallet rotate alice --to alice-2"))
def rotate(
    context: typer.Context,
    wallet: Annotated[str, typer.Argument(help="Name of a wallet whose key is here")],
    to: Annotated[str, typer.Option(help="Name of the new key, made with `fujie key new`")],
    key: Keys = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Replace the key of a wallet. The old key signs; from then on the new one alone pays."""
    from msgspec.structs import replace

    from fujie.client.keys import load_key
    from fujie.client.wallet import save_wallet
    from fujie.core.policy import single

    settings = settings_of(context)
    known = words.held_wallet(settings.folder, wallet)
    target = load_key(settings.folder.key_file(to))
    signers = signing.holder_signers(settings, known, key)
    with settings.client(trust) as client:
        outcome = client.rotate_wallet_keys(known.id, single(target.public_key), signers=signers)
    path = os.path.relpath(target.path, known.path.parent)
    try:
        save_wallet(known.path, replace(known.file, key_file=path), overwrite=True)
    except OperationalError as error:
        raise OperationalError(
            f"The new key holds, but {known.path} still names the old one: {error.what}",
            f'Write "key_file": "{path}" into it.',
        ) from error
    data = {"wallet": known.id.hex(), "public_key": target.public_key.hex(), "key_file": str(target.path)}
    _done(f"The key {to} holds wallet {known.name} now", outcome, data)


def _done(title: str, outcome: "Outcome", data: dict[str, Any]) -> None:
    assert outcome.verified is not None, "an operation that is returned was proven"
    rows: list[output.Row] = [
        ("transaction", outcome.transaction_id.hex()),
        ("time", words.time_text(outcome.verified.receipt.time_ms)),
    ]
    output.show(title, rows, data | words.outcome_data(outcome), words.proof_text(outcome.verified))


def _reading(settings: Settings, client: "Client", known: words.KnownWallet, reader: str | None) -> dict[str, Any]:
    """Return who reads a wallet, and with which keys."""
    if reader is not None:
        signers = signing.account_signers(settings, client, reader, None)
        return {"reader": f"account/{reader}", "signers": signers}
    if known.file is None or known.path is None:
        raise OperationalError(
            f"The key of wallet {known.name} is not here.", "Name an account that may read it: --as auditor."
        )
    return {"signers": [settings.keyring.at(known.path.parent / known.file.key_file)]}
