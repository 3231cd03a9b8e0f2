import pytest
import typer

from fujie.cli import words
from fujie.core.errors import OperationalError, VerificationError


def test_a_time_that_no_block_has_reached_is_no_failed_proof():
    with pytest.raises(OperationalError, match="2026-09-01"), words.asking_about(1_788_220_800_000):
        raise VerificationError("answer-time", "too early")
    for at_ms, step in ((None, "answer-time"), (1, "app-hash")):
        with pytest.raises(VerificationError), words.asking_about(at_ms):
            raise VerificationError(step, "another failure")


def test_identifiers_may_carry_their_check_characters():
    assert words.identifier("ZZ.156.1301") == words.identifier("ZZ.156.1301-X1") == "ZZ.156.1301"


@pytest.mark.parametrize("text", ["", "zz.156", "ZZ", "ZZ.156.1301-XX", "ZZ.156.", "ＺＺ.156", "ZZ.156.13 01"])
def test_what_is_no_identifier_is_a_usage_error(text):
    with pytest.raises(typer.BadParameter):
        words.identifier(text)


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("2026-09-01", 1_788_220_800_000),
        ("2026-09-01T00:00:00Z", 1_788_220_800_000),
        ("2026-09-01T08:00:00+08:00", 1_788_220_800_000),
        ("1788220800000", 1_788_220_800_000),
        (None, None),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text, time_ms):
    assert words.moment(text) == time_ms


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "1969-12-31", "9" * 30])
def test_what_is_no_time_is_a_usage_error(text):
    with pytest.raises(typer.BadParameter):
        words.moment(text)


def test_time_text_never_fails():
    assert words.time_text(1_788_220_800_000) == "2026-09-01 00:00:00 UTC"
    assert words.time_text(2**53) == f"{2**53} ms"


def test_money_is_written_with_its_decimals():
    assert words.money(123_456_789, 2, "CNY") == "1,234,567.89 CNY"
    assert words.money(5, 2, "CNY") == "0.05 CNY"
    assert words.money(5, 0, "JPY") == "5 JPY"


@pytest.mark.parametrize("text", ["", "-1", "1.234", "1,000", "1e3", "٣"])
def test_what_is_no_amount_is_a_usage_error(text):
    with pytest.raises(typer.BadParameter):
        words.amount(text, 2)


def test_receipts_never_take_each_others_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [str(words.write_receipt(bytes([number]), None)) for number in range(3)]
    assert names == ["receipt.fujie", "receipt-2.fujie", "receipt-3.fujie"]
    assert (tmp_path / "receipt.fujie").read_bytes() == b"\x00"
    with pytest.raises(OperationalError, match="the payment stands"):
        words.write_receipt(b"x", tmp_path / "receipt.fujie")


def test_a_record_is_shown_without_the_marks_of_a_language():
    form = {
        "title": "x",
        "recovery": None,
        "lineage": {"predecessors": [], "reason": ""},
        "standing": {"number": 2, "previous": ""},
        "attributes": [["phone", "1"], ["fax", "2"]],
        "keys": ["aa", "bb"],
        "entries": [{"day_max_minor": 5, "count_max": None}],
        "named": True,
    }
    assert dict(words.form_rows(form)) == {
        "title": "x",
        "lineage": "",
        "standing": "number 2",
        "attributes": "phone 1; fax 2",
        "keys": "aa, bb",
        "entries": "day_max_minor 5, count_max none",
        "named": "true",
    }
