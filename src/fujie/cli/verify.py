"""`fujie verify`: checking a receipt, a proof or evidence against validators in a file, with no node at all."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fujie.cli import output, words
from fujie.cli.settings import Json, Trust, examples, settings_of
from fujie.core.errors import DecodeError, VerificationError

if TYPE_CHECKING:
    from fujie.client.verifier import VerifiedItem, VerifiedReceipt, VerifiedRecord
    from fujie.proof.trust import TrustRoot

SHOWN_CHARACTERS_MAX = 200  # of one value; --json has all of it
FILE_BYTES_MAX = 67_108_864  # as the largest answer that the client takes

UNACCOUNTABLE = (
    "some validators on the way from the trust root vouched for others a trust period or more after they had last signed, "
    "when nobody could have held them to account; a newer trust root, from a source that you trust, decides"
)

# A receipt holds minor units; how many make a whole stands on the ledger, which is not asked here. For these codes the
# standard says it, and the exact number is printed beside it.
ISO_4217_DECIMALS = {"CNY": 2, "EUR": 2, "USD": 2, "XTS": 2}


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            "fujie verify receipt.fujie",
            "fujie verify receipt.fujie --trust trust.json --json",
            "fujie verify mirror/evidence/fork-….json --trust trust.json",
        )
    )(verify)


def verify(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A .fujie file (a receipt or a saved proof), or the evidence that a mirror keeps")
    ],
    at: Annotated[str | None, typer.Option(help="Records as they were in force at this time")] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Refuse a file where somebody on the way to its validators could no longer be held to account",
        ),
    ] = False,
    trust: Trust = None,
    json: Json = False,
) -> None:
    """Check a file against the trust root, offline. Says what it proves and as of when.

    Where the validators of the chain have changed since the trust root, the file shows how, and that is said too.

    Exit code 5: it does not verify; the step that failed is named.
    """
    from fujie.client.files import read_bounded
    from fujie.client.verifier import verify_file, verify_file_at

    root = settings_of(context).trust(trust)
    data = read_bounded(file, FILE_BYTES_MAX)
    at_ms = words.moment(at)
    if data.lstrip()[:1] == b"{":  # no .fujie file begins so
        _show_evidence(file, data, root)
        return
    try:
        items = verify_file(data, root) if at_ms is None else verify_file_at(data, root, at_ms)
    except DecodeError as error:
        what = "is damaged, or no .fujie file as `fujie pay` and `fujie resolve --save` write them"
        raise VerificationError(error.step, f"{file} {what if data else 'is empty'}") from error
    if strict and not items[0].within_period:
        raise VerificationError("light-expired", UNACCOUNTABLE)
    _show_items(file, root, items)


def _show_items(file: Path, root: "TrustRoot", items: "list[VerifiedItem]") -> None:
    """Say what a file proves, and how its validators came after those of the trust root."""
    from fujie.client.verifier import VerifiedReceipt
    from fujie.core.json_form import to_json

    changes, within = _changes(items[0]), items[0].within_period
    if output.json_wanted():
        facts = [
            describe_receipt(item)[1] if isinstance(item, VerifiedReceipt) else words.record_data(item)
            for item in items
        ]
        validators = {"changes": changes, "within_trust_period": within}
        output.write_json(
            {
                "file": str(file),
                "chain_id": root.chain_id,
                "verified": True,
                "validators": validators,
                "items": facts,
            }
        )
        return
    for item in items:
        if isinstance(item, VerifiedReceipt):
            output.show(f"{file} proves a receipt", describe_receipt(item)[0], {}, _proof(item))
        elif item.record is None:
            output.show(f"{file} proves that nothing stands at {item.path}", [], {}, _proof(item))
        else:
            rows = _short(words.form_rows(to_json(item.record)))
            output.show(f"{file} proves what stands at {item.path}", rows, {}, _proof(item))
    if changes:
        said = [f"block {each['height']:,} of {words.time_text(each['time_ms'])}" for each in changes]
        output.say(
            f"The validators are others than those of the trust root. They are known to sign from {', '.join(said)}."
        )
    if not within:
        output.say(f"Beware: {UNACCOUNTABLE}.", "bold")
    output.say(f"Chain {root.chain_id}. What changed since that block, this file cannot know.")


def _changes(item: "VerifiedItem") -> list[dict[str, Any]]:
    """Return the first block that the file shows of each further set of validators, for programs."""
    headers = [*item.validators_path, item.header]
    return [
        {
            "height": header.height,
            "time_ms": header.time_ms,
            "time": words.time_text(header.time_ms),
            "validators_hash": header.validators_hash.hex(),
        }
        for before, header in pairwise(headers)
        if header.validators_hash != before.validators_hash
    ]


def _show_evidence(file: Path, data: bytes, root: "TrustRoot") -> None:
    """Say what a file of evidence proves. Raises as ``proof.evidence.verify_evidence`` and ``proof.light_attack``."""
    from fujie.proof.evidence import SignedTwice, verify_evidence
    from fujie.proof.light_attack import is_attack

    if is_attack(data):
        _show_attack(file, data, root)
        return
    found = verify_evidence(data, root)
    facts: dict[str, Any] = {"file": str(file), "chain_id": root.chain_id, "verified": True, "height": found.height}
    if isinstance(found, SignedTwice):
        ours, theirs = (each.hex() for each in found.hashes)
        times = [words.time_text(each) for each in found.times_ms]
        what = "that the validators signed two blocks of one height: they broke the protocol"
        rows: list[output.Row] = [("one", f"{ours}, {times[0]}"), ("other", f"{theirs}, {times[1]}")]
        facts |= {"proves": "fork", "ours": ours, "theirs": theirs}
    else:
        what = "what the validators signed as the result of a block"
        rows = [
            ("transactions", f"{found.transactions:,}"),
            ("signed", f"{found.step} {found.theirs.hex()}"),
            ("mirror got", f"{found.ours.hex()} (to see who is right, mirror the chain up to the block before)"),
        ]
        facts |= {"proves": found.step, "ours": found.ours.hex(), "theirs": found.theirs.hex()}
    output.show(f"{file} proves {what}", [("chain", root.chain_id), ("block", f"{found.height:,}"), *rows], facts)


def _show_attack(file: Path, data: bytes, root: "TrustRoot") -> None:
    """Say what evidence of two signed chains proves. Raises as ``proof.light_attack.check_evidence``."""
    from fujie.proof.header import header_hash
    from fujie.proof.light_attack import check_evidence

    attack = check_evidence(data, root)
    rows: list[output.Row] = [("chain", root.chain_id), ("kind", str(attack.kind))]
    for name, header in zip(("one", "other"), attack.headers, strict=True):
        time = words.time_text(header.time_ms)
        rows.append((name, f"block {header.height:,}, {header_hash(header).hex()}, {time}"))
    signed = [("both", attack.both), ("one", attack.ours), ("other", attack.theirs)]
    rows += [(f"signed {which}", each.hex()) for which, those in signed for each in those]
    facts = {
        "file": str(file),
        "chain_id": root.chain_id,
        "verified": True,
        "height": attack.headers[0].height,
        "proves": "attack",
        "kind": str(attack.kind),
        "headers": [header_hash(header).hex() for header in attack.headers],
        "signed": {which: [each.hex() for each in those] for which, those in signed},
    }
    output.show(f"{file} proves that validators signed two chains: they broke the protocol", rows, facts)


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
        rows += _short([(f"  {name}", text) for name, text in words.form_rows(form)])
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


def _short(rows: list[output.Row]) -> list[output.Row]:
    """Return the rows with texts that end somewhere: one operation may hold hundreds of items."""
    texts = ((name, str(value)) for name, value in rows)
    return [
        (name, text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}…") for name, text in texts
    ]


def _proof(item: "VerifiedRecord[Any] | VerifiedReceipt") -> str:
    return words.proof_text(item).replace("verified here:", "verified offline:")
