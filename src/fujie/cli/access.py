"""`fujie access`: API keys of organisations, and codes to sign in at the console. For the operator of a node."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fujie.cli import output
from fujie.cli.settings import Json, Settings, examples, settings_of
from fujie.cli.words import account as account_name
from fujie.cli.words import time_text
from fujie.core.wording import nearest, quoted

if TYPE_CHECKING:
    from fujie.reader.credentials import Credential, Credentials

app = typer.Typer(help="API keys, and codes to sign in at the console.", no_args_is_help=True)
keys = typer.Typer(help="Make, list and revoke API keys of this node.", no_args_is_help=True)
app.add_typer(keys, name="key")

Account = Annotated[str, typer.Argument(help="Account in whose name is read: bank-east", callback=account_name)]


SHOWN_MAX: Final = 10  # names in a hint


class _Scope(StrEnum):
    """What a key is for, as it is typed; a test compares it with ``reader.credentials.Scope``."""

    READ = "read"
    METRICS = "metrics"


@keys.command(
    epilog=examples(
        "fujie access key new bank-east",
        "fujie access key new central-bank --days 365 --scope metrics",
    )
)
def new(
    context: typer.Context,
    account: Account,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lasts")] = 30,
    scope: Annotated[
        list[_Scope] | None, typer.Option(help="read: what the account may read; metrics: /metrics [default: read]")
    ] = None,
    json: Json = False,
) -> None:
    """Make an API key. It is shown once; the node keeps its hash. Whoever has it reads what the account may read."""
    from fujie.reader.credentials import Scope

    issued = _credentials(context, account).new_key(
        account, [Scope(each.value) for each in scope or [_Scope.READ]], days
    )
    credential = issued.credential
    rows: list[output.Row] = [
        ("key", issued.token),
        ("id", credential.id),
        ("account", credential.account),
        ("scopes", ", ".join(credential.scopes)),
        ("expires", time_text(credential.expires_at_ms)),
        ("send it as", "Authorization: Bearer <key>"),
    ]
    output.show("New API key, shown this once", rows, {"key": issued.token, **_data(credential)})


@keys.command(name="list", epilog=examples("fujie access key list", "fujie access key list --json"))
def show_all(context: typer.Context, json: Json = False) -> None:
    """List the API keys of this node, also those that expired or were revoked. Never a secret."""
    found = _credentials(context).keys()
    output.show_table(
        ("id", "account", "scopes", "expires", "revoked"),
        [
            (
                key.id,
                key.account,
                ", ".join(key.scopes),
                time_text(key.expires_at_ms),
                "" if key.revoked_ms is None else time_text(key.revoked_ms),
            )
            for key in found
        ],
        {"keys": [_data(key) for key in found]},
        "There is no API key; make one with `fujie access key new ACCOUNT`.",
    )


@keys.command(epilog=examples("fujie access key list", "fujie access key revoke 3f0a9c52d1e8b764"))
def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="Id of the key, the part between the two underscores")],
    json: Json = False,
) -> None:
    """Revoke an API key, at once and for ever."""
    from fujie.core.errors import OperationalError

    found = _credentials(context).revoke_key(key)
    if found is None:
        raise OperationalError(f"There is no API key {quoted(key, 16)}.", "`fujie access key list` shows their ids.")
    output.show(f"Revoked API key {found.id}", [("account", found.account)], _data(found))


@app.command(epilog=examples("fujie access code auditor"))
def code(context: typer.Context, account: Account, json: Json = False) -> None:
    """Make a code to sign in at the console as ACCOUNT. It is good once, within ten minutes, for twelve hours."""
    made = _credentials(context, account).new_code(account)
    rows: list[output.Row] = [
        ("code", made.code),
        ("account", made.account),
        ("expires", time_text(made.expires_at_ms)),
        ("sign in at", f"{settings_of(context).url}/console"),
    ]
    data = {"code": made.code, "account": made.account, "expires_at_ms": made.expires_at_ms}
    output.show("Code to sign in, for one use", rows, data)


def _credentials(context: typer.Context, account: str | None = None) -> "Credentials":
    """Return the access folder of the node. Raises :class:`OperationalError` for an account that is proven not to exist."""
    from fujie.reader.credentials import Credentials

    settings = settings_of(context)
    settings.folder.require()
    if account is not None:
        _check_account(settings, account)
    _log_to_folder(settings)
    return Credentials(settings.folder.home / "access")


def _log_to_folder(settings: Settings) -> None:
    """Have the log of the node tell of keys and codes that are made and revoked; the node itself does not see it."""
    from fujie.node.config import load_config
    from fujie.node.logs import start_logging

    start_logging(settings.folder, "operator", load_config(settings.folder).log)


def _check_account(settings: Settings, name: str) -> None:
    """Refuse a name that the ledger does not know; while the node does not run, the name is taken as it is."""
    from fujie.client.client import Client
    from fujie.client.http import HttpTransport
    from fujie.core.errors import OperationalError

    try:
        with Client(HttpTransport(settings.url, tries=1), settings.trust()) as client:
            found = client.account(name).record
    except OperationalError:
        return
    if found is None:
        known = _account_names(settings)
        raise OperationalError(
            f"There is no account {name}.{nearest(name, known)}",
            f"Name one that the chain has: {', '.join(known[:SHOWN_MAX])}{', …' if len(known) > SHOWN_MAX else ''}."
            if known
            else "`fujie search NAME --kind account` finds those that the chain has.",
        )


def _account_names(settings: Settings) -> list[str]:
    """Return the names of accounts that the node lists first, for a hint; none where it keeps no lists."""
    from fujie.core.errors import OperationalError

    try:
        return settings.listed(lambda explorer: explorer.accounts(limit=200), "accounts", "name")
    except OperationalError:
        return []


def _data(key: "Credential") -> dict[str, object]:
    return {
        "id": key.id,
        "account": key.account,
        "scopes": [scope.value for scope in key.scopes],
        "created_ms": key.created_ms,
        "expires_at_ms": key.expires_at_ms,
        "revoked_ms": key.revoked_ms,
    }
