"""The plan of a room, as a function from a folder to what is wrong with it.

It reads syntax trees and never imports a room, so that it can judge a folder made up by a test as well. For that,
numbers must be written out: they are permanent, and a reader searches for them.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from tests.architecture.source import tree_of

REQUIRED_FILES = (
    "README.md",
    "records.py",
    "operations.py",
    "reasons.py",
    "state_keys.py",
    "queries.py",
    "invariants.py",
)
OPTIONAL_FILES = ("__init__.py", "events.py", "genesis.py")
SECTIONS = ("Nouns", "Operations", "Keys", "Reasons", "Invariants")


class Numbered(NamedTuple):
    """A reason or an operation: what it is called, its permanent number, and the sentence of a reason."""

    name: str
    number: int
    sentence: str = ""


def problems_of(room: Path) -> list[str]:
    """Return everything in which the folder departs from the plan, as sentences; empty when nothing does."""
    return [*_layout_problems(room), *_readme_problems(room)]


def reasons_of(path: Path) -> list[Numbered]:
    """Return the members of every Reason class of a file, in order. A number or sentence that is not literal raises."""
    found = []
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.ClassDef) and any(_last_word(base) == "Reason" for base in node.bases)):
            continue
        for statement in node.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                value = ast.literal_eval(statement.value)
                number, sentence = value
                assert isinstance(number, int), f"{path}: {name} has no literal number"
                assert isinstance(sentence, str), f"{path}: {name} has no literal sentence"
                found.append(Numbered(name, number, sentence))
    return found


def operations_of(path: Path) -> list[Numbered]:
    """Return the Operation classes of a file, in order. A tag that is missing or not literal raises."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef) and any(_last_word(base) == "Operation" for base in node.bases):
            tags = [keyword.value for keyword in node.keywords if keyword.arg == "tag"]
            assert len(tags) == 1, f"{path}: operation {node.name} has no tag"
            found.append(Numbered(node.name, ast.literal_eval(tags[0])))
    return found


def table_of(readme: str, section: str) -> list[Numbered]:
    """Return (name, number) of every table row in a section; cells may stand in any order and in backticks."""
    rows = []
    for line in _section(readme, section).splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or len(cells) < 2:
            continue
        numbers = [cell for cell in cells if re.fullmatch(r"[0-9]+", cell)]
        names = [cell for cell in cells if re.fullmatch(r"[A-Z][A-Za-z0-9_]*", cell)]
        if numbers and names:
            rows.append(Numbered(names[0], int(numbers[0])))
    return rows


def _layout_problems(room: Path) -> list[str]:
    present = {path.name for path in room.iterdir() if path.name != "__pycache__"}
    wrong = [f"{room.name}: {name} is missing" for name in REQUIRED_FILES if name not in present]
    transitions = {"transitions.py", "transitions"} & present
    if len(transitions) != 1:
        wrong.append(f"{room.name}: needs transitions.py or a package transitions, has {sorted(transitions)}")
    known = {*REQUIRED_FILES, *OPTIONAL_FILES, "transitions.py", "transitions"}
    wrong += [f"{room.name}: {name} is not in the plan" for name in sorted(present - known)]
    return wrong


def _readme_problems(room: Path) -> list[str]:
    if not (room / "README.md").is_file():
        return []
    readme = (room / "README.md").read_text("utf-8")
    headings = [heading for heading in re.findall(r"^## +(.+?) *$", readme, re.MULTILINE) if heading in SECTIONS]
    wrong = []
    if headings != list(SECTIONS):
        wrong.append(f"{room.name}: README.md has the sections {headings}, the plan has {list(SECTIONS)}")
    if (room / "reasons.py").is_file():
        wrong += _compare(room, "Reasons", table_of(readme, "Reasons"), reasons_of(room / "reasons.py"))
    if (room / "operations.py").is_file():
        wrong += _compare(room, "Operations", table_of(readme, "Operations"), operations_of(room / "operations.py"))
    return wrong


def _compare(room: Path, section: str, told: list[Numbered], coded: list[Numbered]) -> list[str]:
    """Compare names and numbers, and their order: for reasons the order is the precedence."""
    table = [(row.name, row.number) for row in told]
    code = [(row.name, row.number) for row in coded]
    if table == code:
        return []
    missing = [row for row in code if row not in table]
    stale = [row for row in table if row not in code]
    what = f"lacks {missing}, has {stale} too many" if missing or stale else "lists them in another order than the code"
    return [f"{room.name}: the table under '{section}' in README.md {what}"]


def _section(readme: str, heading: str) -> str:
    match = re.search(rf"^## +{heading} *$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


def _last_word(node: ast.expr) -> str:
    """Return the class name at the end of a base: ``Reason`` of ``errors.Reason``, ``Operation`` of ``Operation``."""
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
