"""README.md is run: every command against a node, every program, every output compared (rules: tests/docs/pages.py)."""

import re

import pytest

from tests.conftest import ROOT
from tests.docs.pages import Page, outputs, read_page
from tests.docs.session import Session, run_page

README = read_page(ROOT / "README.md")
MAKE = [block for block in README.blocks if block.language == "sh" and "make" in block.text]
TOUR = [block for block in README.blocks if block not in MAKE and block.language in ("sh", "console")]
LIBRARY = [block for block in README.blocks if block.language in ("python", "text")]


def test_readme_has_only_blocks_that_are_run():
    assert {block.language for block in README.blocks} == {"sh", "console", "python", "text"}
    assert all(not block.remarks for block in README.blocks)
    assert README.blocks == [*MAKE, *TOUR, *LIBRARY]


def test_make_targets_of_the_readme_exist():
    makes = [line for block in MAKE for line in block.text.splitlines()]
    assert makes == ["make up", "make test"]
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"`?make ([a-z]+)", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), target


@pytest.mark.slow
def test_tour_prints_what_the_readme_shows(tmp_path):
    with Session(tmp_path) as session:
        session.open_terminal("make up")
        run_page(session, Page(README.path, tuple(TOUR)))
        session.press_ctrl_c("make up")
        code, printed = session.run("fujie verify receipt.fujie")
        assert code == 0, "with the node stopped, as the page says"
        assert "verified offline" in printed


@pytest.mark.slow
def test_library_example_prints_what_the_readme_shows(tmp_path):
    page = Page(README.path, tuple(LIBRARY))
    assert outputs(page)
    with Session(tmp_path) as session:
        run_page(session, page)


def test_library_example_is_a_few_lines():
    assert all(len(block.text.splitlines()) < 30 for block in LIBRARY if block.language == "python")
