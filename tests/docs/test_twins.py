"""The Chinese pages are twins of the English ones: the same blocks and the same structure, in the words of the glossary."""

import re

import pytest

from tests.conftest import ROOT
from tests.docs.markdown_links import FENCED, LINK
from tests.docs.pages import TWINS, Block, read_page, steady

IDS = ["readme", "tutorial"]
EXACT = ("sh", "python", "json", "toml")
# Two words for one thing make two things of it. Left: what must not be said; right: the word of docs/glossary.md.
OTHER_WORDS = {
    "帐": "账",
    "分类账": "账本",
    "标识符": "标识",
    "回执": "收据",
    "收条": "收据",
    "信任锚": "信任根",
    "私钥": "密钥",
    "央行": "中央银行",
    "块高": "高度",
    "登录码": "一次性代码",
}


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=IDS)
def test_blocks_and_their_comments_are_the_same(english, chinese):
    ours, theirs = read_page(english), read_page(chinese)
    assert len(ours.items) == len(theirs.items)
    for here, there in zip(ours.items, theirs.items, strict=True):
        assert type(here) is type(there)
        if isinstance(here, Block) and isinstance(there, Block):
            assert (here.language, here.remarks) == (there.language, there.remarks)
            assert steady(here.text) == steady(there.text)
            if here.language in EXACT:
                assert here.text == there.text
        else:
            assert here == there


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=IDS)
def test_headings_have_the_same_number_and_depth(english, chinese):
    assert _depths(english) == _depths(chinese)


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=IDS)
def test_links_lead_to_the_same_places_but_for_each_other(english, chinese):
    twin = {there: here for here, there in TWINS}
    ours, theirs = _targets(english), {twin.get(each, each) for each in _targets(chinese)}
    assert ours - {chinese, english} == theirs - {english}
    assert english in theirs


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=IDS)
def test_code_in_sentences_is_the_same(english, chinese):
    assert _codes(english) == _codes(chinese)


@pytest.mark.parametrize("page", [*(chinese for _, chinese in TWINS), ROOT / "docs" / "zh" / "README.md"], ids=str)
def test_page_is_chinese_in_the_words_of_the_glossary(page):
    prose = FENCED.sub("", page.read_text("utf-8"))
    assert len(re.findall(r"[\u4e00-\u9fff]", prose)) > 60
    assert [word for word in OTHER_WORDS if word in prose] == []
    assert re.findall(r"[\u4e00-\u9fff][,;:?!][^\d]", prose) == [], "Chinese text has Chinese punctuation"


def test_every_term_of_the_table_is_unique():
    table = (ROOT / "docs" / "glossary.md").read_text("utf-8").split("## Chinese terms")[1]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)[1:]
    assert len(rows) > 50
    assert len({english for english, _ in rows}) == len(rows)
    assert len({chinese for _, chinese in rows}) == len(rows)
    assert not set(OTHER_WORDS) & {chinese for _, chinese in rows}


def _depths(page):
    text = FENCED.sub("", page.read_text("utf-8"))
    return [len(marks) for marks in re.findall(r"^(#{1,6}) ", text, re.MULTILINE)]


def _targets(page):
    text = FENCED.sub("", page.read_text("utf-8"))
    return {(page.parent / found[1]).resolve() for found in LINK.finditer(text) if "://" not in found[1]}


def _codes(page):
    text = FENCED.sub("", page.read_text("utf-8"))
    return sorted(re.findall(r"`([^`\n]+)`", text))
