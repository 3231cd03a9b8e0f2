"""Times of the past as RFC 3339 writes them, in milliseconds."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.api.problems import Problem
from fujie.api.resolving import _asked


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:01.5Z", 1_500),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("2026-01-01T08:00:00+08:00", 1_767_225_600_000),
        ("2025-12-31T19:00:00-05:00", 1_767_225_600_000),
        ("1950-01-01T00:00:00Z", 0),
    ],
)
def test_a_time_is_read_to_the_millisecond(text: str, time_ms: int) -> None:
    assert _asked(b"versionTime=" + text.encode()) == (time_ms, None)
    assert _asked(b"versionTime=" + quote(text).encode()) == (time_ms, None)


@given(st.text(max_size=60) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", fullmatch=True))
def test_any_text_is_a_time_or_a_problem(text: str) -> None:
    try:
        found, _ = _asked(b"versionTime=" + quote(text).encode())
    except Problem:
        return
    assert found is not None
    assert found >= 0
