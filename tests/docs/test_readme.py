"""README.md is run: every command against a node, every output compared, every link followed.

Blocks: ``console`` is commands behind ``$`` and what they print, ``sh`` commands alone, ``python`` a program whose output
is the ``text`` block behind it. Compared is what does not change from run to run: hexadecimal, times and counts of blocks
are replaced first.
"""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.cli_node import FUJIE, START_S, CliNode

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

VARYING = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} UTC"), "TIME"),
    (re.compile(r"\b(demo|ledger)-[0-9a-f]{32}"), r"\1-HEX"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "HEX"),
    (re.compile(r"\bblock +[0-9,]+"), "block N"),
    (re.compile(r"^( +(?:height|records|old versions|log entries|log entry|blocks) +)[0-9,]+$", re.MULTILINE), r"\1N"),
    (re.compile(r"^( +took +)[0-9.]+ s$", re.MULTILINE), r"\1N s"),
)


class Block(NamedTuple):
    language: str
    text: str


BLOCKS = [Block(*found) for found in FENCE.findall(README)]


def steady(text: str) -> list[str]:
    """The lines of an output without what varies."""
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return [line.rstrip() for line in text.rstrip("\n").split("\n")]


def commands_of(block: str) -> list[tuple[str, str]]:
    """The commands of a console block and what each prints."""
    parts = re.split(r"^\$ (.+)\n?", block, flags=re.MULTILINE)
    assert parts[0] == "", "a console block begins with a command"
    return list(zip(parts[1::2], parts[2::2], strict=True))


def test_readme_has_only_blocks_that_are_run():
    assert {block.language for block in BLOCKS} == {"sh", "console", "python", "text"}


def test_make_targets_of_the_readme_exist():
    makes = [line for block in BLOCKS if block.language == "sh" for line in block.text.splitlines() if "make" in line]
    assert makes == ["make up", "make test"]
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), target


def test_links_of_the_pages_lead_somewhere():
    for page in ("README.md", "ARCHITECTURE.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8")):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{page}: {link}"


@pytest.mark.slow
def test_tour_prints_what_the_readme_shows(tmp_path):
    node = CliNode(tmp_path)
    node.start()
    try:
        environment = node.environment | {"PATH": f"{Path(FUJIE).parent}:{node.environment['PATH']}"}
        for block in BLOCKS:
            if block.language == "sh" and "make" not in block.text:
                subprocess.run(["bash", "-ec", block.text], cwd=node.work, check=True)
            if block.language != "console":
                continue
            for command, expected in commands_of(block.text):
                done = subprocess.run(
                    ["bash", "-c", f"{{ {command}; }} 2>&1"],
                    env=environment,
                    cwd=node.work,
                    capture_output=True,
                    text=True,
                    stdin=subprocess.DEVNULL,
                    timeout=START_S,
                )
                assert steady(done.stdout) == steady(expected), command
        node.stop()
        assert "verified offline" in node.run("verify", "receipt.fujie"), "with the node stopped, as the page says"
    finally:
        if node.process is not None:
            node.stop()


def test_library_example_prints_what_the_readme_shows(tmp_path):
    for block, after in pairwise(BLOCKS):
        if block.language == "python":
            assert after.language == "text"
            done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True)
            assert done.stderr == ""
            assert done.stdout == after.text


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "python"], ids=["library"])
def test_library_example_is_a_few_lines(block):
    assert len(block.text.splitlines()) < 30
