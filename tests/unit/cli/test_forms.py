"""What people type wrongly, in words that they know; and what strangers wrote, without effect on a terminal."""

import json
import re

import pytest
import typer
from msgspec import inspect
from typer.testing import CliRunner

from fujie.cli import output
from fujie.cli.app import app
from fujie.cli.forms import FORMS, check_record, plain
from fujie.client.identity import named
from fujie.modules.catalog import OPERATION, QUERY
from fujie.modules.identity.operations import BindAlias
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership.records import Action

MACHINERY = re.compile(r"\\A|`str`|matching regex|\$\[|truncated|malformed")


@pytest.fixture(autouse=True)
def _for_people(monkeypatch, tmp_path):
    monkeypatch.setattr(output._Mode, "json", False)
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path))


def said(*arguments):
    return " ".join(str(CliRunner().invoke(app, arguments).output).split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("read", "foo"), "'foo' is no JSON"),
        (("read", ""), "is no JSON"),
        (
            ("read", '{"type": "account_query", "name": "Bank East"}'),
            "$.name: write small letters, digits and inner hyphens",
        ),
        (("proposal", "new", "owner", "{"), "'{' is no JSON"),
        (("id", "allocate", "ZZ.000", "gas works"), "the last node: write capital letters and digits"),
        (("id", "allocate", "ZZ.000", "GAS", "--kind", "Bad Kind"), "--kind: write small letters"),
        (("id", "allocate", "ZZ.000", "GAS", "--name", "x" * 201), "--name: it is too long: at most 200"),
        (("id", "allocate", "ZZ.000", "GAS", "--attribute", "A B=1"), "--attribute KEY=VALUE: write small letters"),
        (("id", "allocate", "ZZ.000", "GAS", "--within", "here"), "--within: write an identifier"),
        (("id", "delegate", "ZZ.000.GAS", "--quota", "1" + "0" * 18), "--quota: it must be at most"),
        (("id", "alias", "ZZ.000.GAS", "uscc", "1"), "the system of codes: write capital letters"),
        (("log", "level", "debug", "nosuch"), "'nosuch' is one word too many"),
        (("log", "show", "--level", "warn"), "Did you mean warning?"),
        (("config", "explain", "foo"), "The sections are console, http"),
        (("config", "explain", "htp"), "Did you mean http?"),
    ],
)
def test_usage_errors_speak_of_what_was_typed(arguments, words):
    shown = said(*arguments)
    assert words in shown
    assert MACHINERY.search(shown) is None, shown


def test_every_pattern_of_a_record_has_words():
    found, seen = set(), set()

    def walk(info):
        if isinstance(info, inspect.StrType) and info.pattern:
            found.add(info.pattern)
        for part in ("type", "item_type"):
            if hasattr(info, part):
                walk(getattr(info, part))
        for part in (*getattr(info, "types", ()), *getattr(info, "item_types", ())):
            walk(part)
        if isinstance(info, inspect.StructType) and info.cls not in seen:
            seen.add(info.cls)
            for field in info.fields:
                walk(field.type)

    for kind in (QUERY.type, OPERATION.type, Action):
        walk(inspect.type_info(kind))
    assert len(found) > 10
    assert found <= set(FORMS)
    assert all(plain(f"$.x: expected a string that matches {each}") == f"$.x: write {FORMS[each]}" for each in found)


def test_what_is_in_order_is_let_through():
    for record in (
        named("GAS", "department", "Gas works", attributes=[("phone", "1")]),
        Delegation(Rule.SEQUENCE, False, 10, 6, "", None),
        BindAlias("ZZ.000.GAS", "USCC", "91130100MA07XXXX0X", b""),
    ):
        check_record(record, {})
    with pytest.raises(typer.BadParameter):
        check_record(named("", "department", "Gas works"), {})


HOSTILE = "Bank\u202eknaB\x1b[2J\x07\r\n\u2066x\u200f\u2028\x9b"


@pytest.mark.parametrize(
    "print_it",
    [
        lambda: output.show(HOSTILE, [("name", HOSTILE)], {}, HOSTILE),
        lambda: output.show_table(("name",), [(HOSTILE,)], {}, ""),
        lambda: output.say(HOSTILE),
    ],
)
def test_what_strangers_wrote_has_no_effect_on_a_terminal(print_it, capsys):
    print_it()
    shown = capsys.readouterr().out
    assert r"\u202e" in shown
    assert r"\x1b" in shown
    assert not set(shown) & set(HOSTILE) - set("BankxJ2[n \n"), ascii(shown)


def test_names_in_many_scripts_are_shown_as_they_are(capsys):
    output.show("石家庄市 · Ürümqi · ئۈرۈمچى", [("name", "नमस्ते")], {})
    assert capsys.readouterr().out == "石家庄市 · Ürümqi · ئۈرۈمچى\n  name  नमस्ते\n"


def test_json_tells_what_strangers_wrote_without_effect_on_a_terminal(capsys):
    told = {"name": f"石家庄市 {HOSTILE}\U000e0041"}
    output.write_json(told)
    shown = capsys.readouterr().out
    assert json.loads(shown) == told
    assert not set(shown) & set("\u202e\u2066\u200f\u2028\x9b\x1b\U000e0041")
