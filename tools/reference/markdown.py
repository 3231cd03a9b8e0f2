"""What the pages of the reference are made of: headings, tables, docstrings as Markdown."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

GENERATED = "This page is made by `tools/render_reference.py` from the code itself. A test compares the two."


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table. What would end a cell is escaped."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell(each) for each in row) + " |" for row in rows]
    return "\n".join(lines)


def cell(value: object) -> str:
    """Return what stands in a cell of a table."""
    return " ".join(str(value).split()).replace("|", r"\|")


def code(value: object) -> str:
    """Return a value as code; nothing for an empty one."""
    return f"`{value}`" if str(value) else ""


def doc(thing: Any) -> str:
    """Return a docstring as Markdown: paragraphs and lists stay, roles become code."""
    return markdown(inspect.getdoc(thing) or "")


def first_paragraph(thing: Any) -> str:
    """Return the first paragraph of a docstring on one line."""
    return " ".join(doc(thing).split("\n\n")[0].split())


def markdown(text: str) -> str:
    """Return text of a docstring as Markdown."""
    text = re.sub(r":(?:class|meth|func|mod|attr|exc):`~?(?:[\w.]*\.)?([\w]+)`", r"`\1`", text)
    return text.replace("``", "`")


def page(title: str, *parts: str) -> str:
    """Return a page: its title, that it is generated, and its parts."""
    return "\n\n".join([f"# {title}", GENERATED, *(part for part in parts if part)]) + "\n"
