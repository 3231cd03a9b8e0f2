"""Reasons and limits: every number that a program may meet, with the sentence or the comment that explains it."""

import inspect
import re
from typing import Final

from fujie.api.problems import Kind, advice_for, status_of
from fujie.core import limits
from fujie.core.errors import Reason
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.modules import catalog
from tools.reference.markdown import code, page, table

CONSTANT: Final = re.compile(r"^(\w+): Final = (.*?)(?:  # (.*))?$")


def render_reasons() -> str:
    """Return the page of reasons and problems."""
    return page(
        "Reasons and problems",
        "A reason is why a rule refuses: a name, a permanent number, a sentence. A refusal by a rule of the ledger is an "
        "answer: it stands in an outcome and in a receipt. Reasons in order of precedence stand on the pages of the rooms.",
        "`GET /problems/NAME` answers with the same for a program.",
        "## Transactions",
        _reasons(TransactionReason),
        "## Reading",
        _reasons(ReadReason),
        *(part for room in ("membership", "identity", "currency") for part in _room(room)),
        "## Problems of the interface",
        "No rule refuses here: the request is at fault, or the node cannot answer.",
        table(
            ("name", "HTTP status", "what it is", "what to do"),
            ((code(kind.name), kind.status, kind.title, kind.advice) for kind in Kind),
        ),
    )


def _room(room: str) -> list[str]:
    family = [
        reason for reason in catalog.REASONS.values() if type(reason).__module__ == f"fujie.modules.{room}.reasons"
    ]
    return [f"## Room {room}", _reasons(family)]


def _reasons(family: type[Reason] | list[Reason]) -> str:
    return table(
        ("number", "name", "sentence", "HTTP status", "what to do"),
        (
            (int(each), code(each.name), each.sentence, status_of(each), advice_for(each))
            for each in sorted(family, key=int)
        ),
    )


def render_limits() -> str:
    """Return the page of limits, from the constants and comments of ``core/limits.py``."""
    parts: list[str] = []
    rows: list[tuple[str, str, str]] = []
    heading = "General"
    said: list[str] = []

    def close() -> None:
        if rows:
            text = " ".join(said)
            parts.append(f"## {heading}" + (f"\n\n{text}" if text else ""))
            parts.append(table(("name", "value", "why"), rows))

    for line in inspect.getsource(limits).split('"""', 2)[2].splitlines():
        found = CONSTANT.match(line)
        if line.startswith("# "):
            if rows or not said:
                close()
                rows, said = [], []
                heading, _, rest = re.sub(r" \(.*\)$", "", line[2:]).partition(": ")
                said = [rest[:1].upper() + rest[1:]] if rest else []
            else:
                said.append(line[2:])
        elif found:
            rows.append((code(found[1]), f"{getattr(limits, found[1]):,}", found[3] or ""))
    close()
    return page(
        "Limits",
        "Every queue, batch, depth and length is bounded. These are fixed by format version 1 and the same on every node; "
        "what a chain chooses for itself are its parameters (`fujie status`, "
        '`fujie read \'{"type": "parameters_query"}\'`). The bounds of the HTTP interface stand in '
        "[09 HTTP](../spec/09-http.md#limits).",
        *parts,
    )
