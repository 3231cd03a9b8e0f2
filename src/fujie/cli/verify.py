"""`fujie verify`: checking a receipt or a proof in a file, with no node at all."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, Trust, examples, settings_of

if TYPE_CHECKING:
    from fujie.client.verifier import VerifiedReceipt, VerifiedRecord

FILE_BYTES_MAX = 67_108_864  # as the largest answer that the client takes

# A receipt holds minor units; how many make a whole stands on the ledger, which is not asked here. For these codes the
# standard says it, and the exact number is printed beside it.
ISO_4217_DECIMALS = {"CNY": 2, "EUR": 2, "USD": 2, "XTS": 2}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=examples("fujie verify receipt.fujie", "fujie verify receipt.fujie --trust trust.json --json"))(
        verify
    )


def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .fujie file: a receipt or a saved proof")],
    at: Annotated[str | None, typer.Option(help="Records as they were in force at this time")] = None,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Check a file against the trust root, offline. Says what it proves and as of when.

    Exit code 5: it does not verify; the step that failed is named.
    """
    from fujie.client.files import read_bounded
    from fujie.client.verifier import VerifiedReceipt, verify_file, verify_file_at
    from fujie.core.json_form import to_json

    root = settings_of(context).trust(trust)
    data = read_bounded(file, FILE_BYTES_MAX)
    at_ms = words.moment(at)
    items = verify_file(data, root) if at_ms is None else verify_file_at(data, root, at_ms)
    if output.json_wanted():
        facts = [
            describe_receipt(item)[1] if isinstance(item, VerifiedReceipt) else words.record_data(item)
            for item in items
        ]
        output.write_json({"file": str(file), "chain_id": root.chain_id, "verified": True, "items": facts})
        return
    for item in items:
        if isinstance(item, VerifiedReceipt):
            output.show(f"{file} proves a receipt", describe_receipt(item)[0], {}, _proof(item))
        elif item.record is None:
            output.show(f"{file} proves that nothing stands at {item.path}", [], {}, _proof(item))
        else:
            rows = [(name, _short(value)) for name, value in to_json(item.record).items()]
            output.show(f"{file} proves what stands at {item.path}", rows, {}, _proof(item))
    output.say(f"Chain {root.chain_id}. What changed since that block, this file cannot know.")


def describe_receipt(found: "VerifiedReceipt") -> tuple[list[output.Row], dict[str, Any]]:
    """Return a proven receipt for people and for programs."""
    from fujie.client.session import reason_of
    from fujie.core.json_form import to_json

    receipt = found.receipt
    reason = reason_of(receipt.code)
    if not receipt.code:
        result = "carried out"
    elif reason is not None:
        result = f"refused: {reason.name} ({receipt.code}): {reason.sentence}"
    else:
        result = f"refused for reason {receipt.code}, which this version does not know"
    rows: list[output.Row] = [
        ("transaction", found.transaction_id.hex()),
        ("result", result),
        ("time", words.time_text(receipt.time_ms)),
        ("block", f"{receipt.height:,}"),
        ("log entry", f"{found.log_index:,}"),
    ]
    for operation in found.transaction.operations:
        form = to_json(operation)
        rows.append(("operation", form.pop("type")))
        rows += [(f"  {name}", _short(value)) for name, value in form.items() if value not in (None, "")]
        if "amount_minor" in form and form.get("instrument") in ISO_4217_DECIMALS:
            code = form["instrument"]
            rows.append(("  amount", words.money(int(form["amount_minor"]), ISO_4217_DECIMALS[code], code)))
    data = {
        "transaction_id": found.transaction_id.hex(),
        "code": receipt.code,
        "reason": reason.name if reason is not None else None,
        "height": receipt.height,
        "time_ms": receipt.time_ms,
        "log_index": found.log_index,
        "operations": [to_json(operation) for operation in found.transaction.operations],
        "events": [to_json(event) for event in receipt.events],
        "proof": words.proof_data(found),
    }
    return rows, data


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def _proof(item: "VerifiedRecord[Any] | VerifiedReceipt") -> str:
    return words.proof_text(item).replace("verified here:", "verified offline:")
