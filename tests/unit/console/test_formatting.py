import pytest

from fujie.console import formatting
from fujie.console.changes import changes_of
from fujie.console.language import Words
from fujie.console.spark import HEIGHT, bars

ENGLISH = Words("en")


@pytest.mark.parametrize(
    ("minor", "decimals", "text"),
    [
        (0, 2, "0.00 CNY"),
        (1250, 2, "12.50 CNY"),
        (-1250, 2, "−12.50 CNY"),
        (123_456_789, 0, "123,456,789 CNY"),
        ("9223372036854775807", 2, "92,233,720,368,547,758.07 CNY"),
        (1, 8, "0.00000001 CNY"),
        (1250, None, "1,250 × CNY (minor)"),
    ],
)
def test_amounts_have_the_decimals_of_their_instrument(minor, decimals, text):
    assert formatting.amount(minor, decimals, "CNY") == text


@pytest.mark.parametrize("time_ms", [2**53, 10**30, -(10**30)])
def test_times_out_of_reach_are_told_as_numbers(time_ms):
    assert formatting.utc(time_ms) == f"{time_ms} ms"
    assert formatting.iso(time_ms) == ""
    assert str(time_ms) in formatting.moment(ENGLISH, time_ms, relative=False)


def test_times_are_utc():
    assert formatting.utc(1_795_376_481_083) == "2026-11-22 19:41:21 UTC"
    assert 'datetime="2026-11-22T19:41:21Z"' in formatting.moment(ENGLISH, 1_795_376_481_083)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "now"),
        (5, "5 seconds ago"),
        (60, "1 minute ago"),
        (7_200, "2 hours ago"),
        (86_400, "1 day ago"),
        (-9, "now"),
    ],
)
def test_ages_are_told_roughly(monkeypatch, seconds, text):
    monkeypatch.setattr(formatting, "now_ms", lambda: 1_000_000_000_000)
    assert formatting.ago(ENGLISH, 1_000_000_000_000 - seconds * 1000) == text


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [(3_250, "3.2 s"), (60_000, "60 s"), (600_000, "10 min"), (86_400_000, "24 h"), (30 * 86_400_000, "30 days")],
)
def test_spans_have_the_unit_that_people_use(span_ms, text):
    assert formatting.duration(ENGLISH, span_ms) == text


def test_hash_is_shortened_and_whole_in_its_title_and_button():
    text = formatting.digest(ENGLISH, "ab" * 32, 8)
    assert ">abababab…<" in text
    assert text.count("ab" * 32) == 2
    assert "&lt;script&gt;" in formatting.digest(ENGLISH, "<script>")


def test_sparkline_stays_within_its_box():
    drawn = bars([0, 1, 5, 10_000])
    assert [bar.height for bar in drawn][-1] == HEIGHT
    assert all(0 < bar.height <= HEIGHT and bar.y + bar.height == HEIGHT for bar in drawn)
    assert bars([0] * 60)[0].height < 1
    assert bars([]) == []


def test_changes_leave_out_what_stayed_and_the_standing():
    before = {"name": "a", "kind": "city", "standing": {"number": 1}}
    after = {"name": "b", "kind": "city", "standing": {"number": 2}}
    assert changes_of(before, after) == [("name", "a", "b")]
    assert changes_of(None, after) == []
