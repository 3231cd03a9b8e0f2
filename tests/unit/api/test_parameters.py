"""Query parameters: read strictly, and described as they are read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.api import parameters
from fujie.api.app import ROUTES
from fujie.api.parameters import Taking, read_parameters
from fujie.api.problems import Kind, Problem

TAKEN = {"limit": parameters.LIMIT, "party": parameters.PARTY, "by": parameters.choice("x", "prefix", "place")}


def test_what_is_missing_has_its_default():
    assert read_parameters(b"", TAKEN) == {"limit": 50, "party": None, "by": "prefix"}


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        (b"limit=1", "limit", 1),
        (b"limit=200", "limit", 200),
        (b"party=account%2Fbank-east", "party", "account/bank-east"),
        (b"party=id/ZZ.156", "party", "id/ZZ.156"),
        (b"by=place", "by", "place"),
    ],
)
def test_values_are_read(query, name, value):
    assert read_parameters(query, TAKEN)[name] == value


@pytest.mark.parametrize(
    "query",
    [
        b"limit=0",
        b"limit=201",
        b"limit=-1",
        b"limit=01",
        b"limit=1.0",
        b"limit=",
        b"limit",
        b"limit=%D9%A1",
        b"limit=1&limit=1",
        b"size=1",
        b"party=account/",
        b"party=wallet/zz",
        b"by=name",
        b"&",
        b"\xff=1",
        b"party=%ff",
        b"party=" + b"a" * 5000,
    ],
)
def test_anything_else_is_malformed(query):
    with pytest.raises(Problem) as caught:
        read_parameters(query, TAKEN)
    assert caught.value.kind is Kind.MALFORMED


def test_a_parameter_that_has_to_be_there_is_asked_for():
    taken = {"q": parameters.anything("What to look for.")}
    for query in (b"", b"q="):
        with pytest.raises(Problem):
            read_parameters(query, taken)
    assert read_parameters(b"q=%E7%9F%B3+%26", taken) == {"q": "石 &"}


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_else(query):
    try:
        read_parameters(query, TAKEN)
    except Problem as problem:
        assert problem.kind is Kind.MALFORMED  # noqa: PT017 - either way is right


@given(st.data())
def test_schema_and_parser_mean_the_same(data):
    """What matches the pattern of a schema is taken, and what is taken matches it."""
    taken = [each for _, _, handler, _ in ROUTES if isinstance(handler, Taking) for each in handler.parameters.values()]
    parameter = data.draw(st.sampled_from([each for each in taken if "pattern" in each.schema]))
    pattern, longest = parameter.schema["pattern"], parameter.schema["maxLength"]
    text = data.draw(st.from_regex(pattern) | st.text(max_size=20))
    matches = re.fullmatch(pattern.removeprefix("^").removesuffix("$"), text) is not None and len(text) <= longest
    try:
        assert parameter.parse(text) == text
        taken_in = True
    except ValueError:
        taken_in = False
    assert taken_in == matches
