"""README.md, tutorial and how-to pages do what they say: every command and program is run, beside a real node."""

import re
import shutil

import pytest

from tests.conftest import ROOT
from tests.docs.pages import RUN, Block, commands_of, matches, outputs, steady, taught
from tests.docs.session import Session, run_page, several_runs

PAGES = taught()
EXECUTED = [page for page in PAGES if not page.not_run]
TAUGHT = ("console", "sh", "python", "text", "json", "toml", "ini", "nginx", "yaml", "html", "js")


@pytest.mark.slow
@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.path.stem)
def test_page_does_what_it_says(page, tmp_path):
    with Session(tmp_path) as session:
        run_page(session, page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_page_is_run_or_says_why_not(page):
    assert page.is_run() or page.not_run
    for block in page.blocks:
        assert block.language in TAUGHT, f"{page.name}: a block of {block.language or 'no language'}"
        assert block.remark("not run") is None or len(str(block.remark("not run"))) > 10, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_programs_print_something_that_is_compared(page):
    shown = outputs(page)
    for place, block in enumerate(page.items):
        if isinstance(block, Block) and block.language == "python" and block.remark("file") is None:
            assert place in shown or block.remark("not run") is not None, f"{page.name}: {block.text[:60]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_console_blocks_are_transcripts(page):
    for block in page.blocks:
        if block.language == "console":
            commands = commands_of(block.text)
            assert commands
            assert block.remark("terminal") is None or len(commands) == 1


def test_every_page_has_a_program_or_a_command_that_the_reader_can_copy():
    assert sum(block.language in RUN for page in EXECUTED for block in page.blocks) > 40


def test_make_up_is_fujie_up():
    """A session runs `make up` as its recipe, so that no test installs anything."""
    recipe = re.search(r"^up: .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe
    assert recipe[1].strip() == "@exec $(BIN)/fujie up"


# -- the machinery itself


def test_comparison_takes_what_varies_and_nothing_else():
    shown = "Paid 12.50 CNY\n  transaction  " + "ab" * 32 + "\n  proof  under block 59 of 2026-11-22 17:39:33 UTC\n"
    again = "Paid 12.50 CNY\n  transaction  " + "cd" * 32 + "\n  proof  under block 1,061 of 2027-01-02 03:04:05 UTC\n"
    assert matches(again, shown)
    assert not matches(again.replace("12.50", "12.51"), shown)
    assert matches("    height: 71\n  standing  since_height 70\n", "    height: 72\n  standing  since_height 71\n")
    assert not matches(again + "one more line\n", shown)
    assert not matches("", shown)


def test_a_page_of_several_runs_is_found():
    printed = ("Opened a1\n  id  " + "a1" * 16 + "\n", "payer " + "a1" * 16 + ", payee " + "b2" * 16 + "\n")
    shown = tuple(text.replace("a1" * 16, "c3" * 16) for text in printed)
    assert several_runs(list(zip(printed, shown, strict=True))) == ""
    two_for_one = (shown[0], printed[1])
    assert "c3" * 16 in several_runs(list(zip(printed, two_for_one, strict=True)))
    one_for_two = (shown[0], shown[1].replace("b2" * 16, "c3" * 16))
    assert "c3" * 16 in several_runs(list(zip(printed, one_for_two, strict=True)))


def test_an_ellipsis_stands_for_any_number_of_lines():
    assert matches("a\nz\n", "a\n…\nz\n")
    assert matches("a\nb\nc\nz\n", "a\n…\nz\n")
    assert not matches("a\nb\n", "a\n…\nz\n")
    assert matches("a\nb\n", "a\n", begins=True)
    assert not matches("ab\n", "a\n", begins=True)


def test_commands_may_go_over_several_lines():
    assert commands_of("$ cat <<X\n> one\n> X\none\n$ true\n") == [("cat <<X\none\nX", "one\n"), ("true", "")]


def test_session_keeps_folder_and_variables_between_commands(tmp_path):
    with Session(tmp_path) as session:
        assert session.run("mkdir deep && cd deep && export WORD=kept") == (0, "")
        assert session.run("pwd; echo $WORD; false") == (1, "/home/you/fujie/deep\nkept\n")


def test_session_fails_where_a_terminal_shows_something_else(tmp_path):
    with Session(tmp_path) as session, pytest.raises(AssertionError, match="ended with 0"):
        session.open_terminal("echo other words", "expected words\n")


def test_ports_of_a_page_become_free_ones(tmp_path):
    with Session(tmp_path) as session:
        _, printed = session.run("echo port 8156; echo $((8156 + 0))")
        assert steady(printed) == ["port 8156", "8156"]
        assert session.environment["FUJIE_PORT"] != "8156"


def test_bash_is_there():
    assert shutil.which("bash")
