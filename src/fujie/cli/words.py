"""What people type and read: identifiers, times, wallets, amounts, places."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from fujie.cli import output
from fujie.client import times
from fujie.core import identifiers
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.identifier_forms import parse_people_form
from fujie.core.limits import HEARTBEAT_MS
from fujie.core.units import TIME_MS_MAX, AccountName
from fujie.core.wording import count, quoted

if TYPE_CHECKING:
    from fujie.client.client import Outcome
    from fujie.client.verifier import VerifiedReceipt, VerifiedRecord
    from fujie.client.wallet import WalletFile
    from fujie.core.policy import KeyPolicy
    from fujie.node.folder import Folder

RECEIPT_NAMES_MAX = 10_000

time_text = times.time_text


def identifier(text: str) -> str:
    """Return the identifier in ``text``, which may carry its check characters. A usage error says what is wrong with it."""
    try:
        return parse_people_form(text) if "-" in text else identifiers.parse(text)
    except VerificationError as error:
        raise typer.BadParameter(f"{quoted(text, 140)} is no identifier: {error.detail}") from None


def account(text: str | None) -> str | None:
    """Return the name of an account in an argument or option. A usage error for what cannot be one."""
    import msgspec

    try:
        return msgspec.convert(text, AccountName | None)
    except msgspec.ValidationError:
        raise typer.BadParameter(
            f"{quoted(str(text), 64)} is no name of an account: write small letters, digits and inner hyphens, such as "
            "bank-east."
        ) from None


def moment(text: str | None) -> int | None:
    """Return the time in ms that ``text`` names: ISO 8601, UTC where it names no zone, or ms since 1970."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) > 8 and int(text) <= TIME_MS_MAX:
        return int(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{quoted(text, 40)} is no time: write 2026-09-01 or 2026-09-01T12:00:00+08:00"
        ) from None
    milliseconds = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    if milliseconds < 0:
        raise typer.BadParameter("the time lies before 1970")
    return milliseconds


@contextmanager
def asking_about(at_ms: int | None) -> Iterator[None]:
    """Say of a time that no proven block has reached yet that it is too early to ask; no proof has failed then."""
    try:
        yield
    except VerificationError as error:
        if at_ms is None or error.step != "answer-time":
            raise
        raise OperationalError(
            f"No block is proven yet that is later than {time_text(at_ms)}.",
            "Ask for an earlier time, leave --at out for now, or ask again in a minute.",
        ) from None


def proof_text(found: "VerifiedRecord[Any] | VerifiedReceipt") -> str:
    """Return the sentence that says what was verified, and as of when."""
    return f"verified here: under block {found.height} of {time_text(found.time_ms)}, signed by the chain's validators"


def proof_data(found: "VerifiedRecord[Any] | VerifiedReceipt") -> dict[str, Any]:
    """Return what was verified, for programs."""
    return {
        "verified": True,
        "height": found.height,
        "time_ms": found.time_ms,
        "time": time_text(found.time_ms),
        "header_hash": found.header_hash.hex(),
    }


def record_data(found: "VerifiedRecord[Any]") -> dict[str, Any]:
    """Return a proven record, or its absence, for programs."""
    from fujie.core.json_form import to_json

    return {
        "path": found.path,
        "record": None if found.record is None else to_json(found.record),
        "at_ms": found.at_ms,
        "proof": proof_data(found),
    }


def policy_text(policy: "KeyPolicy") -> str:
    """Return who has to sign, by the beginnings of public keys: one key, or k of n."""
    keys = ", ".join(f"{key.hex()[:16]}…" for key in policy.keys)
    return f"key {keys}" if len(policy.keys) == 1 else f"{policy.threshold} of {len(policy.keys)} keys: {keys}"


def form_rows(form: dict[str, Any]) -> list[output.Row]:
    """Return the JSON form of a record as rows for people; what is empty is left out."""
    return [(name, form_text(value)) for name, value in form.items() if value is not None]


def form_text(value: Any) -> str:
    """Return a value of a JSON form on one line, without the marks of any language; what is empty says nothing."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return ", ".join(f"{name} {form_text(each)}" for name, each in value.items() if each not in ("", [], {}))
    if isinstance(value, list):
        nested = any(isinstance(each, (dict, list)) for each in value)
        parts = (" ".join(map(form_text, each)) if isinstance(each, list) else form_text(each) for each in value)
        return ("; " if nested else ", ").join(parts)
    return str(value)


def validators_text(voted_height: int, height: int) -> str:
    """Return from when on a vote about validators is in force that was carried at ``voted_height``; now it is ``height``."""
    from fujie.modules.membership.records import RULE_LEAD_HEIGHTS

    effect = voted_height + RULE_LEAD_HEIGHTS
    return (
        f"at block {effect:,}, in {count(effect - height, 'block')}; where nothing else happens, that is within "
        f"{HEARTBEAT_MS // 1_000} s. An embedded chain keeps its one validator until `fujie network grow`"
    )


def outcome_data(outcome: "Outcome") -> dict[str, Any]:
    """Return what became of a transaction, for programs."""
    from fujie.core.json_form import to_json

    assert outcome.receipt is not None, "only what was carried out comes here"
    return {
        "transaction_id": outcome.transaction_id.hex(),
        "height": outcome.receipt.height,
        "events": [to_json(event) for event in outcome.receipt.events],
        "proof": None if outcome.verified is None else proof_data(outcome.verified),
    }


class KnownWallet:
    """A wallet that a command names: its id and, where a wallet file lies here, the rest."""

    def __init__(self, identifier: bytes, name: str, file: "WalletFile | None", path: Path | None) -> None:
        self.id = identifier
        self.name = name
        self.file = file
        self.path = path

    @property
    def instrument(self) -> str | None:
        """The money it was opened for, as its file says; None without one."""
        return None if self.file is None else self.file.instrument


def wallet(folder: "Folder", text: str) -> KnownWallet:
    """Return the wallet called ``text``, or the one whose id that is (32 hexadecimal digits)."""
    from fujie.client.wallet import load_wallet

    if len(text) == 32 and all(character in "0123456789abcdef" for character in text):
        for path in folder.wallet_files():
            file = load_wallet(path)
            if file.wallet == text:
                return KnownWallet(bytes.fromhex(text), file.name, file, path)
        return KnownWallet(bytes.fromhex(text), text, None, None)
    path = folder.wallet_file(text)
    file = load_wallet(path)
    return KnownWallet(file.wallet_id, file.name, file, path)


class HeldWallet(NamedTuple):
    """A wallet whose file lies here, at ``path``."""

    id: bytes
    name: str
    file: "WalletFile"
    path: Path


def held_wallet(folder: "Folder", text: str) -> HeldWallet:
    """Return the wallet that ``text`` names, as :func:`wallet` does. Raises :class:`OperationalError` without its file."""
    known = wallet(folder, text)
    if known.file is None or known.path is None:
        raise OperationalError(f"There is no wallet file for {text} here.", "Name a wallet of `fujie wallet list`.")
    return HeldWallet(known.id, known.name, known.file, known.path)


def amount(text: str, decimals: int) -> int:
    """Return an amount in minor units. A usage error says what is wrong with it."""
    from fujie.client.amounts import AmountError, parse_amount

    try:
        return parse_amount(text, decimals)
    except AmountError as error:
        raise typer.BadParameter(str(error)) from None


def money(amount_minor: int, decimals: int, instrument: str) -> str:
    """Return an amount for people: ``1,250.00 CNY``."""
    from fujie.client.amounts import format_amount

    whole, point, fraction = format_amount(amount_minor, decimals).partition(".")
    return f"{int(whole):,}{point}{fraction} {instrument}"


def write_receipt(bundle: bytes, wanted: Path | None) -> Path:
    """Write a receipt file and return its path: ``wanted``, or receipt.fujie, receipt-2.fujie, … in the current folder."""
    from fujie.client.files import write_atomically

    if wanted is not None:
        try:
            write_atomically(wanted, bundle, overwrite=False)
        except FileExistsError:
            raise OperationalError(
                f"{wanted} exists already; the payment stands.", "Fetch its receipt with `fujie receipt` and its id."
            ) from None
        return wanted
    for number in range(1, RECEIPT_NAMES_MAX):
        path = Path("receipt.fujie" if number == 1 else f"receipt-{number}.fujie")
        try:
            write_atomically(path, bundle, overwrite=False)
        except FileExistsError:
            continue
        return path
    raise OperationalError("There are too many receipts in this folder.", "Name the file with --receipt.")
