"""`fujie transaction`: what was submitted from here and has no outcome yet, listed, sent again, and dropped."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, Settings, Trust, Yes, examples, settings_of
from fujie.cli.verify import describe_receipt
from fujie.core.errors import FujieError, OperationalError
from fujie.core.wording import quoted

if TYPE_CHECKING:
    from fujie.client.client import Client
    from fujie.client.pending import Pending, PendingFolder

app = typer.Typer(help="What was submitted from here and has no outcome yet; send it again.", no_args_is_help=True)

ID_DIGITS = 64

TransactionId = Annotated[
    str, typer.Argument(metavar="TXID", help="Id of the transaction, 64 hexadecimal digits", show_default=False)
]
Save = Annotated[Path | None, typer.Option(help="Write the receipt to this file")]


@app.command(epilog=examples("fujie transaction pending", "fujie transaction pending --json"))
def pending(context: typer.Context, trust: Trust = None, json: Json = False) -> None:
    """List what was submitted from this data folder and has no outcome yet, and ask the node what became of each.

    What is submitted is kept in the folder pending/ until its outcome is known. Whatever has one now is told for the last
    time; so is what has expired, by the time of blocks, and was not carried out, where the node has the log to say so.
    """
    from fujie.node.folder import require_folder

    settings = settings_of(context)
    require_folder(settings.folder.home)  # of a folder that is not there nothing can be said
    folder = settings.pending(trust)
    kept, damaged = folder.look()
    asked = _Asked(settings, trust) if kept else None
    rows, data = [], []
    for each in kept:
        state, text = ("waited for", "a command waits for it") if each.waited_for else _now(folder, each, asked)
        rows.append((each.id.hex(), _operations(each), words.time_text(each.body.expires_at_ms), text))
        data.append(
            {
                "transaction_id": each.id.hex(),
                "chain_id": each.body.chain_id,
                "operations": _operations(each).split(", "),
                "expires_at_ms": each.body.expires_at_ms,
                "file": str(folder.path(each.id)),
                "state": state,
                "says": text,
            }
        )
    if asked is not None:
        asked.close()
    failure = "" if asked is None else asked.failure
    output.show_table(
        ("transaction", "operations", "expires", ""),
        rows,
        {"pending": data, "damaged": [str(error) for error in damaged], "failure": failure or None},
        "Nothing that reads is pending." if damaged else _NOTHING,
    )
    for error in damaged:
        output.say(str(error))
    if failure:
        output.say(f"The node tells nothing of them: {failure}")
    if any(each["state"] == "open" for each in data):
        output.say(
            f"`{folder.command('transaction resend ID')}` sends the very same bytes again, which are never carried out twice."
        )


@app.command(epilog=examples(f"fujie transaction resend {'5f' * 32}"))
def resend(
    context: typer.Context, transaction: TransactionId, save: Save = None, trust: Trust = None, json: Json = False
) -> None:
    """Send the signed bytes of a transaction without outcome again, to this node or another of its chain.

    It can be carried out once at most, however often it is sent: the ledger knows it by its id. When it was carried out
    already, its first receipt is the answer.
    """
    identifier = parse_id(transaction)
    settings = settings_of(context)
    with settings.client(trust) as client:
        outcome = client.resend(identifier)
    assert outcome.verified is not None, "what is returned was proven"
    if save is not None:
        from fujie.client.files import write_atomically

        write_atomically(save, outcome.verified.bundle)
    rows, data = describe_receipt(outcome.verified)
    fetch = settings.command(f"receipt {identifier.hex()} --save FILE", asks_node=True)
    rows.append(("receipt", f"not saved; `{fetch}` fetches it at any time") if save is None else ("saved as", save))
    output.show("Carried out", rows, data, words.proof_text(outcome.verified))


@app.command(epilog=examples(f"fujie transaction forget {'5f' * 32}", f"fujie transaction forget {'5f' * 32} --yes"))
def forget(context: typer.Context, transaction: TransactionId, yes: Yes = False, json: Json = False) -> None:
    """Drop the signed bytes of a transaction without outcome, such as one of a chain that is gone.

    It takes nothing back: what was sent may still be carried out until it expires. You are asked first; where there is no terminal,
    --yes has to say it.
    """
    identifier = parse_id(transaction)
    settings = settings_of(context)
    folder = settings.pending()
    rows: list[output.Row] = [("transaction", identifier.hex()), ("file", folder.path(identifier))]
    until = ""
    kept, damaged = _found(folder, identifier)
    if kept is not None:
        if kept.waited_for:
            raise OperationalError(f"A command waits for transaction {identifier.hex()}.", "Wait until it is done.")
        expires = words.time_text(kept.body.expires_at_ms)
        rows += [("operations", _operations(kept)), ("expires", expires), ("chain", kept.body.chain_id)]
        until = f", before a block of {expires}"
    elif not damaged:
        raise OperationalError(
            f"The signed bytes of transaction {identifier.hex()} are not here.",
            f"`{folder.command('transaction pending')}` lists those that are.",
        )
    output.require_yes(
        f"Forget transaction {identifier.hex()}? It may have been carried out, or still be{until}, and can no longer be sent again.",
        yes,
    )
    folder.forget(identifier)
    output.show("Forgotten", rows, {name: str(value) for name, value in rows})


def parse_id(text: str) -> bytes:
    """Return the id of a transaction, 32 bytes. A usage error for what is none."""
    try:
        identifier = bytes.fromhex(text) if len(text) == ID_DIGITS else b""
    except ValueError:
        identifier = b""
    if len(identifier) * 2 != ID_DIGITS:
        raise typer.BadParameter(f"{quoted(text, 80)} is no id of a transaction: {ID_DIGITS} hexadecimal digits")
    return identifier


def _found(folder: "PendingFolder", identifier: bytes) -> tuple["Pending | None", bool]:
    """Return what is kept of a transaction, and whether there is a file that does not read instead."""
    try:
        return folder.find(identifier), False
    except OperationalError:
        return None, True


def not_in_a_block(folder: "PendingFolder", client: "Client", identifier: bytes) -> OperationalError:
    """Return what is said of a transaction that the node does not know: whether it may still come, and until when."""
    from fujie.client.reasons import OutcomePendingError
    from fujie.client.verifier import system_clock_ms

    what = f"Transaction {identifier.hex()} is not in a block (yet), the node says."
    kept, _ = _found(folder, identifier)
    try:
        parameters = client.parameters()
    except FujieError as error:
        newest = f"The time of its newest block is not proven now ({error})"
        if kept is not None:
            return kept.unknown(f"{what} {newest}.", folder.command)
        return OutcomePendingError(what, f"{newest}: ask again. {_NOT_ANEW}", transaction_id=identifier)
    newest = f"the newest block is of {words.time_text(parameters.time_ms)}"
    if kept is not None and kept.body.expires_at_ms > parameters.time_ms:
        return kept.unknown(f"{what} It may come: {newest}.", folder.command)
    if kept is not None:
        return OperationalError(
            f"{what} It expired at {words.time_text(kept.body.expires_at_ms)}, and {newest}: it can no longer be carried out, unless it "
            "was before.",
            f"`{folder.command('transaction pending')}` has the node say which, and forgets it; one without the whole log may not know.",
        )
    assert parameters.record is not None, "a chain without parameters cannot be"
    # What was submitted just now goes by a clock, and the newest block may be older than that: after a halt by far.
    last_ms = max(system_clock_ms(), parameters.time_ms) + parameters.record.transaction_window_ms
    return OutcomePendingError(
        what,
        f"Check the id. Whatever was submitted up to now may come before a block of {words.time_text(last_ms)}, and {newest}. "
        f"{_NOT_ANEW}",
        transaction_id=identifier,
        expires_at_ms=last_ms,
    )


_NOTHING = "Nothing is pending: the outcome of all that was submitted from here is known."
_NOT_ANEW = "Until then do not enter it anew; its signed bytes may be sent again, which are never carried out twice."


class _Asked:
    """A client, and how far its node could be asked: no further than the first thing that went wrong."""

    def __init__(self, settings: Settings, trust: Path | None) -> None:
        self.failure = ""
        self.client: Client | None = None
        self.time_ms = 0  # of the newest proven block
        try:
            self.client = settings.client(trust)
            self.time_ms = self.client.parameters().time_ms
        except FujieError as error:
            self.failure = str(error)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


def _now(folder: "PendingFolder", each: "Pending", asked: _Asked | None) -> tuple[str, str]:
    """Return what is known of a transaction that nobody waits for: its state, and a text. What is settled is forgotten."""
    from fujie.client.outcomes import RefusedTransaction
    from fujie.client.reasons import OutcomePendingError

    client = None if asked is None else asked.client
    expires = words.time_text(each.body.expires_at_ms)
    still = "open", f"it may still be carried out, before a block of {expires}"
    if asked is None or client is None or asked.failure:
        return still
    if each.body.chain_id != client.chain_id:
        forget = folder.command(f"transaction forget {each.id.hex()}")
        return "other chain", f"it is of chain {each.body.chain_id}; if that is gone: {forget}"
    try:
        found = client.receipt(each.id)
        if found is not None:
            folder.forget(each.id)
            if found.receipt.code:
                return "refused", f"refused in block {found.receipt.height:,}: {_reason(found.receipt.code)}"
            return "carried out", f"carried out in block {found.receipt.height:,}"
        if each.body.expires_at_ms > asked.time_ms:
            return still
        # Readers have shown a block after its expiry, and the ledger itself says now that it did not come before.
        outcome = client.resend(each.id)
        return "carried out", f"carried out in block {0 if outcome.receipt is None else outcome.receipt.height:,}"
    except RefusedTransaction as refused:
        return "refused", f"not carried out: {refused.reason.name}"
    except OutcomePendingError as error:
        if error.__cause__ is None:  # the node answered, and could not tell
            return "unknown", error.what
        asked.failure = error.what
        return still
    except FujieError as error:
        asked.failure = str(error)
        return still


def _operations(each: "Pending") -> str:
    from fujie.core.json_form import type_name

    kinds: list[type] = [type(operation) for operation in each.body.operations]
    return ", ".join(map(type_name, kinds))


def _reason(code: int) -> Any:
    from fujie.client.reasons import reason_of

    known = reason_of(code)
    return f"reason {code}" if known is None else known.name
