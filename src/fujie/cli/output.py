"""What a command prints: for people with Rich, or one JSON object; and errors, each with its exit code."""

import io
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fujie.core.wording import UNSAFE_BUT_LINES, visible

if TYPE_CHECKING:
    from rich.console import Console

EXIT_DONE: Final = 0
EXIT_OPERATIONAL: Final = 1
EXIT_USAGE: Final = 2
EXIT_ABSENT: Final = 3
EXIT_REFUSED: Final = 4
EXIT_UNVERIFIED: Final = 5

Row = tuple[str, object]

_UNVERIFIED_DO: Final = (
    "Do not rely on this answer. If you trust the trust root file, the node or the file at hand is wrong."
)
_UNVERIFIED_STEP_DO: Final = {  # where another sentence is truer
    "chain-id": "Name the trust root of that chain (--trust FILE), or a node or file of this one.",
    "freshness": "Do not rely on this answer: the node makes no blocks or keeps them back, or its clock or yours is wrong. `fujie doctor` "
    "looks at all of it.",
    "decode": "What was read is damaged, or is no proof at all: a file, or an answer, of another kind.",
    "trust-root": "Name the trust.json that was written when the chain was founded: --trust FILE. Whoever founded the chain "
    "hands it out; on the node, `fujie status --offline` says where it lies.",
    "snapshot-form": "Name a file that `fujie snapshot save` wrote, whole.",
    "join-form": "Name a file that `fujie network request`, `fujie network genesis` or `fujie genesis export` wrote, whole.",
    "join-key": "Whoever made the request makes another, with new keys in a new folder.",
    "join-signature": "It was changed after it was signed, or made with keys of another. Ask its organisation for it again.",
    "join-merge": "The founders settle who is right, and merge the requests of all again.",
    "evidence-form": "Evidence is what a mirror keeps in evidence/, and a client in light/.",
    "evidence-blame": "Show it to the organisations of the chain: they decide what follows.",
    "grow-network": "Ask that organisation for a request with the name of this chain.",
    "grow-account": "Ask that organisation for a request with the account, and a key, that it has on this chain.",
    "grow-rules": "Have that organisation install a newer Fujie and make its request again.",
    "grow-successors": "Name the requests of those to whom it was handed over: they are in handover/requests.",
    "light-expired": "Pin a newer trust root, from somebody whom you trust: --trust FILE.",
    "answer-time": "The proof is older than that: fetch a newer one, or ask for an earlier time.",
}
_HANDOVER_DO: Final = (
    "Copy the folder handover/ again, whole, from whoever has it, and by a way that changes nothing in it."
)
_AGREEMENTS: Final = ("join", "grow")  # beginnings of steps that judge who goes together, and no proof


class _Mode:
    """Whether this run prints JSON: decided by the first option that is read, and by nothing else."""

    json = False


def use_json(wanted: bool = True) -> None:
    """Print JSON from now on, or, where it is not ``wanted``, what people read."""
    _Mode.json = wanted


def prepare_streams() -> None:
    """Let nothing that is printed fail for the stream's sake: a closed one swallows it, an ASCII one gets escapes."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as the run lasts
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def json_wanted() -> bool:
    """Tell whether this run prints JSON."""
    return _Mode.json


def console(stderr: bool = False) -> "Console":
    """Return the console of standard output, or of standard error. Nothing is wrapped where nobody looks."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 10_000
    return Console(file=stream, width=width, soft_wrap=True, highlight=False, markup=False, emoji=False)


def show(title: str, rows: Sequence[Row], data: dict[str, Any], proof: str = "") -> None:
    """Print what a command found: a title, aligned rows and the line that says what was verified; or ``data`` as JSON."""
    if _Mode.json:
        write_json(data)
        return
    out = console()
    if title:
        out.print(visible(title), style="bold")
    shown = [(name, value) for name, value in rows if value is not None and value != ""]
    width = max(len(name) for name, _ in (*shown, ("proof" if proof else "", "")))
    for name, value in shown:
        out.print(visible(f"  {name:<{width}}  {value}"))
    if proof:
        out.print(visible(f"  {'proof':<{width}}  {proof}"), style="green")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], data: dict[str, Any], empty: str) -> None:
    """Print a table, or ``data`` as JSON. ``empty`` is said where there is no row."""
    if _Mode.json:
        write_json(data)
        return
    if not rows:
        console().print(empty)
        return
    from rich.cells import cell_len

    lines = [[*columns], *(["" if cell is None else visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    out = console()
    for number, line in enumerate(lines):  # a narrow terminal wraps whole lines, so that every cell can be copied
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True))
        out.print("  ".join(padded).rstrip(), style=None if number else "bold")


def say(text: str, style: str | None = None) -> None:
    """Print a line for people; nothing in JSON mode."""
    if not _Mode.json:
        console().print(visible(text, lines=True), style=style)


def write_json(data: dict[str, Any]) -> None:
    """Print one JSON object; Chinese stays Chinese where the stream can say it."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(data, ensure_ascii=not unicode, indent=2)
    # The same value, in a spelling without effect on a terminal.
    sys.stdout.write(UNSAFE_BUT_LINES.sub(lambda match: json.dumps(match.group())[1:-1], text) + "\n")
    sys.stdout.flush()


def write_json_line(data: dict[str, Any]) -> None:
    """Print one JSON object on one line, of a command that goes on and prints more."""
    sys.stdout.write(json.dumps(data, ensure_ascii=True) + "\n")
    sys.stdout.flush()


def report_error(error: Exception) -> int:
    """Print what went wrong and what to do about it, or both as JSON, and return the exit code. Never a traceback."""
    from fujie.advice import advice_of
    from fujie.core.errors import OperationalError, Refused, VerificationError

    if isinstance(error, Refused):
        reason = error.reason
        sentence = getattr(error, "what", reason.sentence)
        do = getattr(error, "do", None) or advice_of(reason)
        facts = {"kind": "refused", "reason": reason.name, "number": int(reason), "sentence": sentence, "do": do}
        outcome = getattr(error, "outcome", None)
        if outcome is not None and outcome.receipt is not None:
            facts["transaction_id"] = outcome.transaction_id.hex()
        return _failed(f"Refused: {reason.name} ({int(reason)}).", f"{sentence}\n{do}", facts, EXIT_REFUSED)
    if isinstance(error, VerificationError):
        facts = {"kind": "unverified", "step": error.step, "detail": error.detail}
        family = error.step.partition("-")[0]
        advice = _UNVERIFIED_STEP_DO.get(error.step, _HANDOVER_DO if family == "handover" else _UNVERIFIED_DO)
        do = "\n".join([advice, *getattr(error, "__notes__", ())])
        what = "Refused" if family in _AGREEMENTS else "The proof does not verify"
        return _failed(f"{what}: {error.step}: {error.detail}", do, facts, EXIT_UNVERIFIED)
    if isinstance(error, OperationalError):
        facts = {"kind": "operational", "what": error.what, "do": error.do}
        pending: bytes = getattr(error, "transaction_id", b"")
        if pending:  # it may still be carried out
            facts |= {
                "kind": "pending",
                "transaction_id": pending.hex(),
                "expires_at_ms": getattr(error, "expires_at_ms", 0),
            }
        return _failed(error.what, error.do, facts, EXIT_OPERATIONAL)
    what = f"{type(error).__name__}: {error}"
    if os.environ.get("FUJIE_DEBUG"):
        raise error
    if isinstance(error, OSError):  # of the machine, not of the program: a full disk behind our output, say
        where = f"{error.filename}: " if error.filename else ""
        what, do = f"{where}{error.strerror or error}.", "Check the disk, the path and its rights."
        return _failed(what, do, {"kind": "operational", "what": what, "do": do}, EXIT_OPERATIONAL)
    if isinstance(error, UnicodeEncodeError) and any("\ud800" <= character <= "\udfff" for character in error.object):
        # Bytes of the command line that are no UTF-8 reach a program as halves of characters, and fit no message.
        what, do = (
            "A text on the command line is not written in UTF-8.",
            "Set the terminal to UTF-8, and type it again.",
        )
        return _failed(what, do, {"kind": "usage", "what": what, "do": do}, EXIT_USAGE)
    facts = {"kind": "fault", "what": what}
    do = "This is a fault of the program; FUJIE_DEBUG=1 shows where. Please report it."
    return _failed(f"Unexpected {what}", do, facts, EXIT_OPERATIONAL)


def report_stop() -> int:
    """Say that a question was not answered (Ctrl-C, Ctrl-D), and return the exit code."""
    return _failed("Stopped.", "Nothing more was done.", {"kind": "stopped"}, EXIT_OPERATIONAL)


def _failed(what: str, do: str, facts: dict[str, Any], code: int) -> int:
    if _Mode.json:
        write_json({"error": facts, "exit_code": code})
    else:
        err = console(stderr=True)
        err.print(visible(what, lines=True), style="red")
        err.print(visible(do, lines=True))
    return code


def require_yes(question: str, yes: bool) -> None:
    """Ask on a terminal whether to do what nobody should do by mistake, unless ``yes`` (``--yes``) says so already.

    Raises ``typer.Abort`` when the answer is no, and :class:`OperationalError` where nobody can be asked: what a pipe says
    is nobody's answer.
    """
    if yes:
        return
    import typer

    from fujie.core.errors import OperationalError

    if _Mode.json or not sys.stdin.isatty():
        raise OperationalError(
            f"{question} There is nobody to ask, so nothing was done.",
            "Run it on a terminal, or say --yes.",
        )
    typer.confirm(visible(question), abort=True, err=True)


def ask_passphrase(path: Path) -> str | None:
    """Return the passphrase of a key: from FUJIE_PASSPHRASE, or asked for on a terminal; None where there is neither."""
    from fujie.node.keyring import passphrase_from_environment

    known = passphrase_from_environment(path)
    if known is not None or not sys.stdin.isatty():
        return known
    import getpass

    return getpass.getpass(f"Passphrase of {path.name}: ")


def ask_new_passphrase(what: str) -> str | None:
    """Return a new passphrase, asked for twice on a terminal, or from FUJIE_PASSPHRASE; None where there is neither."""
    from fujie.core.errors import OperationalError

    known = ask_passphrase_environment()
    if known is not None or not sys.stdin.isatty():
        return known
    import getpass

    first = getpass.getpass(f"New passphrase for {what}: ")
    if getpass.getpass("Once more: ") != first:
        raise OperationalError("The two passphrases differ.", "Run the command again.")
    return first


def ask_passphrase_environment() -> str | None:
    """Return what FUJIE_PASSPHRASE holds, or None."""
    return os.environ.get("FUJIE_PASSPHRASE")
