"""README.md shows what tests run (tests/docs/test_pages.py runs it), and names what exists."""

import re

from tests.conftest import ROOT
from tests.docs.pages import Remark, read_page

README = read_page(ROOT / "README.md")


def test_everything_in_the_readme_is_run_but_for_the_tests_themselves():
    assert {block.language for block in README.blocks} == {"sh", "console", "python", "text"}
    assert [block.text for block in README.blocks if block.remark("not run") is not None] == ["make test\n"]


def test_receipt_of_the_tour_verifies_with_the_node_stopped():
    stopped = README.items.index(Remark("ctrl-c", "make up"))
    assert README.items[stopped + 1] == Remark("hidden", "fujie verify receipt.fujie")


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"`?make ([a-z]+)", (ROOT / "README.md").read_text("utf-8"))
    assert {"up", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_library_example_is_a_few_lines():
    assert all(len(block.text.splitlines()) < 30 for block in README.blocks if block.language == "python")
