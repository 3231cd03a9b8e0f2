"""Seconds of processor time, by what spends them: read from /proc, for a tree of processes."""

import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KINDS = (
    ("fujie.node.reader_process", "reader"),
    ("fujie.node.projector", "projector"),
    ("fujie.engine.admission", "verifier"),
    ("cometbft", "cometbft"),
)


def spent_s(roots: dict[int, str]) -> dict[str, float]:
    """Return user and system seconds of these processes and all below them so far; ``roots``: kind by process."""
    spent: dict[str, float] = {}
    parents = {number: parent for number in _processes() if (parent := _parent(number))}
    for number in sorted(parents):
        ancestor = number
        while ancestor not in roots and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor not in roots:
            continue
        try:
            kind = roots.get(number) or _kind(number)
            seconds = _seconds(number)
        except OSError:
            continue  # it has just ended
        spent[kind] = spent.get(kind, 0.0) + seconds
    return spent


def difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """Return what was spent between."""
    return {kind: seconds - before.get(kind, 0.0) for kind, seconds in after.items()}


def _processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(number: int) -> list[str]:
    """Return the fields after the name, which may hold anything."""
    return Path(f"/proc/{number}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _parent(number: int) -> int:
    try:
        return int(_stat(number)[1])
    except OSError:
        return 0


def _seconds(number: int) -> float:
    fields = _stat(number)
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _kind(number: int) -> str:
    command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return next((kind for part, kind in KINDS if part in command), "other")
