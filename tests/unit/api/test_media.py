"""Choosing a form: what is accepted decides, the most specific range counts, and nonsense is refused, never raised."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.api import media
from fujie.api.problems import Kind, Problem

OFFERED = (media.JSON, media.BUNDLE)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, media.JSON),
        ("", media.JSON),
        ("*/*", media.JSON),
        (media.BUNDLE, media.BUNDLE),
        (f"{media.JSON};q=0.1, {media.BUNDLE}", media.BUNDLE),
        (f"{media.BUNDLE};q=0.5, */*;q=0.1", media.BUNDLE),
        (f"*/*, {media.JSON};q=0", media.BUNDLE),
        ("application/*", media.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", media.JSON),
        ("APPLICATION/JSON", media.JSON),
    ],
)
def test_the_best_of_the_accepted_forms_is_chosen(accept: str | None, chosen: str) -> None:
    assert media.wanted_type(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/json;q=nan", "application/json;q=x", ",", ";"])
def test_where_no_form_is_accepted_the_request_is_refused(accept: str) -> None:
    with pytest.raises(Problem) as raised:
        media.wanted_type(accept, OFFERED)
    assert raised.value.kind is Kind.NOT_ACCEPTABLE


@given(st.text())
def test_any_header_gives_an_offered_form_or_a_problem(text: str) -> None:
    with contextlib.suppress(Problem):
        assert media.wanted_type(text, OFFERED) in OFFERED


@given(st.text())
def test_any_content_type_is_an_accepted_one_or_a_problem(text: str) -> None:
    with contextlib.suppress(Problem):
        assert media.sent_type(text, OFFERED) in OFFERED
