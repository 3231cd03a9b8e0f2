import pytest
from markupsafe import Markup

from fujie.console import formatting
from fujie.console.changes import changes_of
from fujie.console.language import Words
from fujie.console.links import at_height
from fujie.console.sentences import say_attention
from fujie.console.spark import HEIGHT, bars
from fujie.console.visible import visible

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


@pytest.mark.parametrize(
    ("minutes", "text"), [(0, "+00:00"), (480, "+08:00"), (345, "+05:45"), (-210, "−03:30"), (-570, "−09:30")]
)
def test_offsets_from_utc_are_written_as_people_do(minutes, text):
    assert formatting.offset(minutes) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("石家庄市 (Shíjiāzhuāng) 👍", "石家庄市 (Shíjiāzhuāng) 👍"),
        ("שלום", "שלום"),
        ("bank\u202eknab", "bank\\u202eknab"),
        ("a\u2066b\u2069\u200f\u061c", "a\\u2066b\\u2069\\u200f\\u061c"),
        ("\x00\x1b[31m\x7f\x85", "\\x00\\x1b[31m\\x7f\\x85"),
        ("two\nlines\tand tab", "two\nlines\\tand tab"),
        ("soft\xadhyphen \U000e0041tag", "soft\\xadhyphen \\U000e0041tag"),
        ("\ud800", "\\ud800"),
    ],
)
def test_unseen_characters_are_written_out(name, text):
    assert visible(name) == text
    assert visible(visible(name)) == text


def test_markup_stays_markup_and_what_is_no_text_stays():
    shown = visible(Markup("<b>{}</b>").format("<\u202e>"))
    assert isinstance(shown, Markup)
    assert shown == "<b>&lt;\\u202e&gt;</b>"
    assert visible(7) == 7
    assert visible(None) is None


def test_there_is_no_link_to_the_block_of_genesis():
    assert at_height(ENGLISH, 0) == "genesis"
    assert at_height(Words("zh"), 0) == "创世"
    assert 'href="/console/blocks/1234"' in at_height(ENGLISH, 1234)


@pytest.mark.parametrize(
    ("field", "value", "english", "chinese"),
    [
        ("kind", 1, "personal", "个人"),
        ("kind", 2, "corporate", "对公"),
        ("kind", "city", "city", "地级"),
        ("scope", 3, "payments from it and to it", "禁止收付"),
        ("status", 2, "payments frozen", "冻结支付"),
        ("status", "retired", "retired", "已注销"),
        ("rule", "sequence", "numbers in sequence", "按顺序编号"),
        ("threshold", 2, "2", "2"),
    ],
)
def test_values_of_fields_have_words(field, value, english, chinese):
    assert (ENGLISH.word_of(field, value), Words("zh").word_of(field, value)) == (english, chinese)


@pytest.mark.parametrize(
    ("kind", "number", "english", "chinese"),
    [
        ("proposals-open", 1, "1 proposal waits for votes.", "有 1 项提案等待表决。"),
        ("proposals-open", 3, "3 proposals wait for votes.", "有 3 项提案等待表决。"),
        ("block-old", 200, "The newest block is 200 seconds old.", "最新区块产生于 200 秒之前。"),
        ("queue-long", 1, "1 transaction waits for a block.", "有 1 笔交易正在等待区块。"),
        ("ledger-stopped", None, "The ledger has stopped.", "账本已停止。"),
        ("block-old", None, "What the node says.", "节点报告：block-old。"),
        ("something-new", 4, "What the node says.", "节点报告：something-new。"),
    ],
)
def test_attention_is_said_once_and_in_words(kind, number, english, chinese):
    each = {"kind": kind, "detail": "What the node says.", "number": number}
    assert (say_attention(ENGLISH, each), say_attention(Words("zh"), each)) == (english, chinese)


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
