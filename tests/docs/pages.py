"""The pages of the documentation as programs: what stands in their blocks, and how it is compared.

Rules for whoever writes a page (the same text stands in CONTRIBUTING.md, "Write a page"):

* ``console``: commands behind ``$`` (a line that follows and begins with ``>`` continues one), and what they print.
  Compared is what does not change from run to run: hexadecimal, UUIDs, times, sizes and counts of blocks are replaced on
  both sides, and a line ``…`` stands for any number of lines. ``sh``: commands that must succeed, whatever they print.
  ``python``: a program that must succeed; the ``text`` block right behind it is what it prints.
* All blocks of a page run in order, in one shell, in a folder that looks like a fresh clone.
* A comment of its own line says what a block cannot, in front of the block or between blocks:

  ``<!-- before: COMMAND -->``       once, at the top: a command that runs in another terminal all the time (``fujie up``)
  ``<!-- terminal -->``              the command of the next block keeps running, in a terminal of its own
  ``<!-- ctrl-c: COMMAND -->``       the reader presses Ctrl-C where that command runs
  ``<!-- hidden: COMMAND -->``       what the page tells people to do by hand; must succeed
  ``<!-- file: NAME -->``            the next block is saved under that name instead of run
  ``<!-- only where: COMMAND -->``   the next block runs only where this command succeeds
  ``<!-- not run: REASON -->``       the next block is not run; in front of the first heading: nothing of the page is

* Ports 8156, 8157 and 9156 become free ones. ``make up`` is run as ``fujie up``, which is its recipe.
* What a page shows comes from one run: the same id, key or hash wherever the same thing is meant, and heights that go up.
  ``make docs-fill`` writes a page's outputs (``tests/docs/fill.py``), in the page and in its Chinese twin.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

TWINS = (
    (ROOT / "README.md", ROOT / "README.zh.md"),
    (ROOT / "docs" / "tutorial" / "first-ledger.md", ROOT / "docs" / "zh" / "first-ledger.md"),
)

FENCE = re.compile(
    r"^<!-- (?P<word>before|terminal|ctrl-c|hidden|file|only where|not run)(?:: (?P<value>[^\n]*?))? -->$"
    r"|^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$|^(?P<heading>#{1,6} [^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
RUN = ("console", "sh", "python")
PORTS = ("8156", "8157", "9156")
ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{16,}(?![0-9A-Za-z])")  # of a transaction, a wallet, a key, a chain

VARYING = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC"), "TIME"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,}(?:Z|\+00:00)"), "TIME"),
    (re.compile(r"\b1[0-9]{12}\b"), "MS"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b(demo|ledger|town|[a-z-]{1,17})-[0-9a-f]{32}"), r"\1-HEX"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "HEX"),
    (re.compile(r"\bblock +[0-9,]+"), "block N"),
    (
        re.compile(
            r"^( +(?:height|records|old versions|log entries|log entry|blocks|size|rows) +)[0-9,]+( bytes)?$",
            re.MULTILINE,
        ),
        r"\1N\2",
    ),
    (re.compile(r"\b[0-9,]+ blocks?\b"), "N blocks"),
    (re.compile(r"^( +took +)[0-9.]+ s$", re.MULTILINE), r"\1N s"),
    (re.compile(r"\b[0-9.]+ s \([0-9,]+/s\)"), "N s (N/s)"),
    (re.compile(r"\b((?:since|created)_height) [0-9]+"), r"\1 N"),
    (re.compile(r"(log entry) [0-9,]+"), r"\1 N"),
    (re.compile(r"(height:?) [0-9,]+"), r"\1 N"),
    (re.compile(r'("(?:height|log_index|index|log_size|age_ms)": ?)[0-9]+'), r"\1N"),
    (re.compile(r"\b[0-9]+ in order"), "N in order"),
    (re.compile(r"\bfjk_[0-9a-f]+_[0-9a-f]+\b"), "KEY"),
    (re.compile(r"\b[A-Z0-9]{4}(?:-[A-Z0-9]{4}){2}\b"), "CODE"),
)


class Block(NamedTuple):
    """A fenced block, and the comments in front of it as (word, value)."""

    language: str
    text: str
    remarks: tuple[tuple[str, str], ...] = ()

    def remark(self, word: str) -> str | None:
        """Return the value of a comment in front of the block; None where there is none."""
        return dict(self.remarks).get(word)


class Remark(NamedTuple):
    """A comment that stands by itself: ``before``, ``ctrl-c`` or ``hidden``."""

    word: str
    value: str


class Page(NamedTuple):
    """A page that was read. ``not_run`` is the reason why nothing of it is run, or empty."""

    path: Path
    items: tuple[Block | Remark, ...]
    not_run: str = ""

    @property
    def name(self) -> str:
        """Where the page stands in the checkout."""
        return str(self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path)

    @property
    def blocks(self) -> list[Block]:
        """The fenced blocks in their order."""
        return [item for item in self.items if isinstance(item, Block)]

    def is_run(self) -> bool:
        """Tell whether any block is run."""
        return any(block.language in RUN and block.remark("not run") is None for block in self.blocks)


def read_page(path: Path) -> Page:
    """Read a page."""
    items: list[Block | Remark] = []
    waiting: list[tuple[str, str]] = []
    not_run = ""
    seen_heading = False
    for found in FENCE.finditer(path.read_text("utf-8")):
        word, value = found["word"], found["value"] or ""
        if found["heading"]:
            seen_heading = True
        elif word in ("before", "ctrl-c", "hidden"):
            items.append(Remark(word, value))
        elif word == "not run" and not seen_heading:
            not_run = value
        elif word:
            waiting.append((word, value))
        else:
            items.append(Block(found["language"], found["text"], tuple(waiting)))
            waiting = []
    assert not waiting, f"{path}: a comment has no block behind it"
    return Page(path, tuple(items), not_run)


def taught() -> list[Page]:
    """Return the pages that tests run: README.md, the tutorial, the how-to pages."""
    folders = [ROOT / "docs" / name for name in ("tutorial", "how-to")]
    found = [path for folder in folders for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    return [read_page(path) for path in (ROOT / "README.md", *found)]


def outputs(page: Page) -> dict[int, str]:
    """Return what the programs of a page print: index of a ``python`` block among the items → text."""
    return {
        place: after.text
        for place, (block, after) in enumerate(pairwise(page.items))
        if isinstance(block, Block)
        and isinstance(after, Block)
        and (block.language, after.language) == ("python", "text")
        and block.remark("file") is None
    }


def commands_of(block: str) -> list[tuple[str, str]]:
    """Return the commands of a ``console`` block and what each prints."""
    found: list[tuple[str, str]] = []
    continues = False
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:], ""))
            continues = True
        elif continues and line.startswith("> "):
            found[-1] = (found[-1][0] + line[2:], "")
        else:
            assert found, "a console block begins with a command"
            found[-1] = (found[-1][0], found[-1][1] + line)
            continues = False
    return [(command.rstrip("\n"), printed) for command, printed in found]


def steady(text: str) -> list[str]:
    """Return the lines of an output without what varies."""
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return [line.rstrip() for line in text.rstrip("\n").split("\n")]


def matches(printed: str, shown: str, *, begins: bool = False) -> bool:
    """Tell whether ``printed`` is what the page shows, or ``begins`` with it."""
    pattern = "".join(r"(?:[^\n]*\n)*?" if line == "…" else re.escape(line) + r"\n" for line in steady(shown))
    text = "".join(line + "\n" for line in steady(printed))
    return re.match(r"\A" + pattern + ("" if begins else r"\Z"), text) is not None
