"""What was measured, as the tables of docs/benchmarks.md, on standard error. *Bound*: nodes that only check signatures."""

import statistics
import sys
from collections.abc import Sequence
from typing import Any

PARTS = ("cometbft", "ledger", "verifier", "reader", "projector")

Figures = dict[str, Any]


def show(found: Sequence[Figures], starts: Sequence[Figures]) -> None:
    """Print a table of each part that was measured."""
    most = [each for each in found if each["load"] == "most"]
    at_rates = [each for each in found if each["load"] != "most"]
    _table(
        ("validators", "payments/s", "bound", "ratio", "processor time", "bound", "ratio"),
        [_of_most(_of(some, "fujie"), _of(some, "echo")) for some in _by(most, "validators")],
    )
    _table(
        ("validators", "payments/s", "p50", "p99", "blocks/s", "p50, bound", "p99, bound", "blocks/s, bound"),
        [_of_rate(_of(some, "fujie"), _of(some, "echo")) for some in _by(at_rates, "validators", "load")],
    )
    _table(
        ("processor time, µs per payment", *PARTS, "other", "application of the bound"),
        [_split(some) for some in _by(most, "validators", "application")],
    )
    _table(
        ("validators", "first block of fresh ones", "all serve", "a payment after all were killed"),
        [
            [
                each["validators"],
                *(f"{each[name]:.1f} s" for name in ("first_block_s", "all_serve_s", "payment_after_kill_s")),
            ]
            for each in starts
        ],
    )


def _of_most(ours: list[Figures], bound: list[Figures]) -> list[object]:
    rate, limit = _median(ours, "per_second"), _median(bound, "per_second")
    spent, least = _median(ours, "cpu_us_in_all"), _median(bound, "cpu_us_in_all")
    rates = (f"{rate:,.0f}", f"{limit:,.0f}", f"{rate / limit:.2f}" if limit else "")
    times = (f"{spent:,.0f} µs", f"{least:,.0f} µs", f"{least / spent:.2f}" if spent else "")
    return [(ours or bound)[0]["validators"], *rates, *times]


def _of_rate(ours: list[Figures], bound: list[Figures]) -> list[object]:
    first = (ours or bound)[0]
    row: list[object] = [first["validators"], first["load"]]
    for some in (ours, bound):
        row += [f"{_median(some, 'p50_ms'):.0f} ms", f"{_median(some, 'p99_ms'):.0f} ms"]
        row.append(f"{_median(some, 'blocks_per_s'):.1f}")
    return row


def _split(some: list[Figures]) -> list[object]:
    def spent(kind: str) -> float:
        return _middle([each["cpu_us_per_payment"].get(kind, 0.0) for each in some])

    first = some[0]
    name = f"{first['application']}, {first['validators']}"
    return [name, *(f"{spent(kind):.0f}" for kind in (*PARTS, "other", "echo"))]


def _by(found: Sequence[Figures], *names: str) -> list[list[Figures]]:
    groups: dict[tuple[Any, ...], list[Figures]] = {}
    for each in found:
        groups.setdefault(tuple(each[name] for name in names), []).append(each)
    return list(groups.values())


def _of(found: Sequence[Figures], application: str) -> list[Figures]:
    return [each for each in found if each["application"] == application]


def _median(found: Sequence[Figures], name: str) -> float:
    return _middle([each[name] for each in found])


def _middle(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        lines = [head, ["---"] * len(head), *rows]
        print("", *("| " + " | ".join(map(str, line)) + " |" for line in lines), sep="\n", file=sys.stderr)
