import json
import re
from pathlib import Path
from string import Formatter

import msgspec
import pytest
from msgspec import inspect

from fujie.advice import kinds
from fujie.api.problems import Kind
from fujie.console import language
from fujie.console.language import Words, catalogue, choose
from fujie.core.json_form import type_name
from fujie.modules.catalog import EVENTS, OPERATIONS, REASONS
from fujie.modules.currency.records import FreezeScope, WalletKind, WalletStatus
from fujie.modules.identity.records import Rule, Status
from fujie.modules.membership.records import Action, Role, Visibility
from tests.docs.test_twins import OTHER_WORDS

CONSOLE = Path(language.__file__).parent
WORDS = CONSOLE / "words"
SOURCES = [*CONSOLE.rglob("*.html"), *CONSOLE.rglob("*.py")]

# What calls a text by a key that stands there in full.
WHOLE_KEY = re.compile(
    r"\b(?:tm?|words|visit\.words|words\.markup|visit\.words\.markup)\(\s*\"([a-z_]+\.[a-z_0-9-]+)\""
)


def read(name):
    return json.loads((WORDS / name).read_text("utf-8"))


def names_in(text):
    return {name for _, name, _, _ in Formatter().parse(re.sub(r"[\[\]|]", " ", text)) if name}


def keys_in_use():
    found = {(path.name, key) for path in SOURCES for key in WHOLE_KEY.findall(path.read_text("utf-8"))}
    assert len(found) > 300
    return found


def fields_of(kinds_):
    """Every field name of records, however deep they stand in one another."""
    found, seen = set(), set()

    def walk(info):
        if isinstance(info, inspect.StructType):
            if info.cls not in seen:
                seen.add(info.cls)
                for field in info.fields:
                    found.add(field.name)
                    walk(field.type)
        elif isinstance(info, inspect.UnionType):
            for part in info.types:
                walk(part)
        elif isinstance(info, (inspect.VarTupleType, inspect.ListType)):
            walk(info.item_type)

    for kind in kinds_:
        walk(inspect.type_info(kind))
    return found


def test_both_languages_have_the_same_keys():
    assert read("en.json").keys() == read("zh.json").keys()


def test_both_languages_take_the_same_values():
    english, chinese = read("en.json"), read("zh.json")
    differ = {key for key in english if names_in(english[key]) != names_in(chinese[key])}
    assert differ == set()


def test_every_key_in_use_exists():
    known = read("en.json")
    assert {(name, key) for name, key in keys_in_use() if key not in known} == set()


def test_no_key_is_there_for_nothing():
    """Families whose keys are put together are named by their beginning somewhere; all others stand in full."""
    used = {key for _, key in keys_in_use()}
    joined = {
        "action", "ago", "attention", "did", "error", "event", "field", "kind", "ledger", "match", "misbehaviour_kind", "nav",
        "operation", "role", "room", "rule", "scope", "state", "visibility", "wallet_kind",
    }  # fmt: skip
    assert {key for key in read("en.json") if key not in used and key.partition(".")[0] not in joined} == set()


@pytest.mark.parametrize("code", ["en", "zh"])
def test_everything_that_the_ledger_names_has_a_word(code):
    known = catalogue(code).keys()
    operations = [type_name(kind) for kind in OPERATIONS]
    expected = {f"{family}.{name}" for name in operations for family in ("operation", "did")}
    expected |= {f"event.{type_name(kind)}" for kind in EVENTS}
    expected |= {f"action.{type_name(kind)}" for kind in Action.__args__}
    expected |= {f"field.{name}" for name in fields_of([*OPERATIONS, *EVENTS])}
    expected |= {f"role.{role.value}" for role in Role} | {f"rule.{rule.value}" for rule in Rule}
    expected |= {f"state.{status.value}" for status in Status} | {f"visibility.{each.value}" for each in Visibility}
    expected |= {f"state.wallet_{int(status)}" for status in WalletStatus}
    expected |= {f"wallet_kind.{int(kind)}" for kind in WalletKind} | {f"scope.{int(scope)}" for scope in FreezeScope}
    assert expected - known == set()


def test_every_reason_and_every_problem_is_told_in_chinese():
    known = catalogue("zh").keys()
    expected = {f"reason.{each.name}" for each in REASONS.values()}
    expected |= {f"{family}.{kind.name}" for kind in Kind for family in ("problem", "problem_do")}
    expected |= {f"advice.{name}" for name in kinds()}
    assert expected - known == set()
    assert {key for key in known if key.startswith(("reason.", "problem", "advice."))} == expected


def test_chinese_answers_are_chinese():
    assert [key for key, text in read("answers.zh.json").items() if not re.search(r"[\u4e00-\u9fff]", text)] == []


VERIFY = "验证(?![者器])"  # the word is 核对
CHINESE = [*(WORDS / name for name in ("zh.json", "answers.zh.json")), CONSOLE / "static" / "proof" / "words.mjs"]


@pytest.mark.parametrize("path", CHINESE, ids=lambda path: path.name)
def test_chinese_has_the_words_of_the_glossary(path):
    text = path.read_text("utf-8")
    assert [word for word in OTHER_WORDS if word in text] == []
    assert re.findall(f"交易编号|分块|绑定代码|.{{0,6}}{VERIFY}.{{0,6}}", text) == []


@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_sentence_says_what_happened_and_what_was_asked(code):
    words = Words(code)
    for kind in OPERATIONS:
        key = f"did.{type_name(kind)}"
        values = {name: f"<{name}>" for name in words.names(key)}
        done, asked = words.sentence(key, True, **values), words.sentence(key, False, **values)
        assert "[" not in done + asked
        assert "|" not in done + asked
        assert done != asked
        assert "<" not in done, "values are escaped"


def test_every_sentence_takes_what_its_operation_has():
    words = Words("en")
    beside = {"amount", "what", "action"}  # put together from several fields
    for kind in OPERATIONS:
        fields = {field.name for field in msgspec.structs.fields(kind)}
        assert set(words.names(f"did.{type_name(kind)}")) <= fields | beside


@pytest.mark.parametrize(
    ("fixed", "cookie", "accept", "language_"),
    [
        ("auto", None, None, "en"),
        ("auto", None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("auto", None, "de, en;q=0.5, zh;q=0.4", "en"),
        ("auto", None, "en;q=0.3, zh-TW;q=0.7", "zh"),
        ("auto", None, "zh;q=0, en", "en"),
        ("auto", None, "zh;q=0", "en"),
        ("auto", None, "fr", "en"),
        ("auto", None, "zh;q=nonsense", "en"),
        ("auto", None, ",;,;q=" * 500, "en"),
        ("zh", None, "en", "zh"),
        ("zh", "en", "zh", "en"),
        ("auto", "zh", "en", "zh"),
        ("auto", "tlh", "zh", "zh"),
    ],
)
def test_language_is_the_visitors_choice_then_the_setting_then_the_browsers(fixed, cookie, accept, language_):
    assert choose(fixed, cookie, accept) == language_


def test_one_and_many_are_told_apart():
    words = Words("en")
    assert words("blocks.count", n=1) == "1 transaction"
    assert words("blocks.count", n=2) == "2 transactions"


def test_a_key_that_is_missing_still_gives_a_word():
    assert Words("zh")("no.such_{key}") == "such key"
