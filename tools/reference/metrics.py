"""Every figure that a node offers to Prometheus, from the places in ``api/metrics.py`` where it is made."""

import ast
import inspect
from collections.abc import Iterator
from typing import Final, NamedTuple

from fujie.api import metrics
from tools.reference.markdown import code, page, table

KINDS: Final = {"Counter": "counter", "Histogram": "histogram", "_gauge": "gauge", "_counter": "counter"}

MADE_ONCE: Final = ("Counter", "Histogram")  # whose third argument names the labels


class Figure(NamedTuple):
    """A figure as a scrape shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def figures() -> Iterator[Figure]:
    """Yield every figure, in the order of the module."""
    for node in ast.walk(ast.parse(inspect.getsource(metrics))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
            yield from _called(node, KINDS[node.func.id], node.func.id in MADE_ONCE)
        elif isinstance(node, ast.Dict):
            yield from _listed(node)


def _called(node: ast.Call, kind: str, made_once: bool) -> Iterator[Figure]:
    match node.args:
        case [ast.Constant(value=str(name)), ast.Constant(value=str(about)), *rest]:
            labels = tuple(keyword.arg for keyword in node.keywords if keyword.arg)
            if made_once:
                labels = ast.literal_eval(rest[0])
            yield Figure(f"{name}_total" if kind == "counter" else name, kind, labels, about)


def _listed(node: ast.Dict) -> Iterator[Figure]:
    """The figures of consensus stand in dictionaries: name behind ``cometbft_`` → (about, value)."""
    for key, value in zip(node.keys, node.values, strict=True):
        match key, value:
            case ast.Constant(value=str(name)), ast.Tuple(elts=[ast.Constant(value=str(about)), _]):
                yield Figure(f"cometbft_{name}", "gauge", ("chain_id",), about)


def render() -> str:
    """Return the page."""
    found = sorted(figures())
    return page(
        "Metrics",
        "`GET /metrics` answers in the text format of Prometheus. What is of the chain has CometBFT's own names, so that "
        "dashboards made for CometBFT work; what is of the node begins with `fujie_`. The label `reader` tells the "
        "processes of one node apart: a scrape is answered by one of them. How to: "
        "[Measure with Prometheus](../how-to/metrics.md).",
        "## Of the chain",
        _table([each for each in found if each.name.startswith("cometbft_")]),
        "## Of the node",
        _table([each for each in found if each.name.startswith("fujie_")]),
    )


def _table(rows: list[Figure]) -> str:
    return table(
        ("name", "kind", "labels", "what it is"),
        ((code(each.name), each.kind, ", ".join(map(code, each.labels)), each.about) for each in rows),
    )
