"""What is said to people: quoted as typed, counted in words, and without effect on a terminal."""

import pytest

from fujie.core.wording import QUOTED_CHARACTERS_MAX, count, nearest, quoted, visible


@pytest.mark.parametrize("text", ["石家庄", "Ürümqi", "नमस्ते", "it's", "two words", ""])
def test_a_text_is_quoted_as_it_was_typed(text):
    assert quoted(text) == f"'{text}'"


def test_a_long_text_is_cut_and_what_a_terminal_acts_on_is_escaped():
    assert quoted("x" * 200) == f"'{'x' * QUOTED_CHARACTERS_MAX}…'"
    assert quoted("石" * 5, 3) == "'石石石…'"
    assert quoted("a\x1b[2J\u202eb\nc") == r"'a\x1b[2J\u202eb\nc'"


def test_escapes_keep_what_people_can_read():
    assert visible("石家庄市 ñ 😀 \\") == "石家庄市 ñ 😀 \\"
    assert visible("a\nb\t\x7f\u2028\ud800\xad") == "a\\nb\\t\\x7f\\u2028\\ud800\\xad"


def test_line_ends_stay_in_a_text_of_the_program_alone():
    assert visible("a\nb\x07", lines=True) == "a\nb\\x07"
    assert visible("a\nb") == r"a\nb"


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (1, "block", "1 block"),
        (0, "block", "0 blocks"),
        (2, "key", "2 keys"),
        (1, "log entry", "1 log entry"),
        (1_250, "log entry", "1,250 log entries"),
    ],
)
def test_a_number_and_its_noun_agree(number, noun, text):
    assert count(number, noun) == text


def test_what_was_probably_meant_is_offered_and_nothing_else():
    assert nearest("alcie", ["alice", "bob"]) == " Did you mean alice?"
    assert nearest("ALICE", ["alice"], "[{}]") == " Did you mean [alice]?"
    assert nearest("zebra", ["alice", "bob"]) == ""
