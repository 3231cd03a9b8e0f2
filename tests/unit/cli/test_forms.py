"""What people type wrongly, in words that they know; and what strangers wrote, without effect on a terminal."""

import contextlib
import io
import json
import re

import pytest
import typer
from msgspec import inspect

from fujie.cli import output
from fujie.cli.app import app
from fujie.cli.forms import FORMS, check_record, plain
from fujie.cli.usage import report_usage
from fujie.client.identity import named
from fujie.modules.catalog import OPERATION, QUERY
from fujie.modules.identity.operations import BindAlias
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership.records import Action

MACHINERY = re.compile(
    r"\\A|`str`|matching regex|\$\[|truncated|malformed|Input should|Value error|validation|\\u[0-9a-f]{4}"
)


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path))


def said(*arguments):
    """What the program says of a command line that does not parse."""
    with pytest.raises(typer.TyperException) as caught:
        app(list(arguments), prog_name="fujie", standalone_mode=False)
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        assert report_usage(caught.value, arguments) == output.EXIT_USAGE
    return " ".join(told.getvalue().split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("read", "foo"), "'foo' is no JSON"),
        (("read", '{"type": "acount_query"}'), "wallet_query. Did you mean account_query?"),
        (("read", '{"type": "account_query", "nmae": "a"}'), "has no member 'nmae'. Did you mean name?"),
        (("read", '{"type": "account_query", "名": "a"}'), "has no member '名'"),
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
        (("id", "update", "ZZ.000.GAS", "--attribute", "=x"), "--attribute KEY=VALUE: it must not be empty"),
        (("id", "update", "ZZ.000.GAS", "--attribute", "A=x"), "--attribute KEY=VALUE: write small letters"),
        (("id", "update", "ZZ.000.GAS", "--name", ""), "--name: it must not be empty"),
        (("id", "update", "ZZ.000.GAS", "--name", "x" * 201), "--name: it is too long: at most 200"),
        (("id", "update", "ZZ.000.GAS", "--within", "here"), "--within: write an identifier"),
        (("id", "delegate", "ZZ.000.GAS", "--quota", "1" + "0" * 18), "--quota: it must be at most"),
        (("id", "alias", "ZZ.000.GAS", "uscc", "1"), "the system of codes: write capital letters"),
        (("log", "level", "debug", "nosuch"), "'nosuch' is one word too many"),
        (("log", "show", "--level", "warn"), "Did you mean warning?"),
        (("config", "explain", "foo"), "The sections are console, http"),
        (("config", "explain", "htp"), "Did you mean http?"),
        (("log", "show", "--level", "警告"), "'警告' is no level"),
        (("proposal", "list", "--limit", "0"), "'0' is not a whole number from 1 to 200."),
        (("proposal", "list", "--limit", "many"), "'many' is not a whole number from 1 to 200."),
        (("search", "x", "--limit", "201"), "'201' is not a whole number from 1 to 200."),
        (("search", "x", "--kind", "city"), "'city' is not one of 'identifier', 'alias', 'name'"),
        (("search", ""), "write 1 to 200 characters"),
        (("access", "key", "new", "bank-east", "--days", "0"), "'0' is not a whole number from 1 to 366."),
        (("access", "key", "new", "bank-east", "--scope", "bad"), "'bad' is not one of 'read', 'metrics'."),
        (("id", "delegate", "ZZ.000.GAS", "--quota", "some"), "'some' is not a whole number of 0 or more."),
        (("money", "issue", "石家庄", "1"), "'石家庄' is no name of an account"),
        (("money", "issue", "bank-east", "1", "--reference", "7"), "'7' is no UUID: write the id of the bank message"),
        (("wallet", "freeze", "bob", "bank-east", "--basis", ""), "'--basis': it must not be empty"),
        (("read", '{"type": "parameters_query"}', "--as", "Bank East"), "'Bank East' is no name of an account"),
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


def test_what_strangers_wrote_has_no_effect_in_a_usage_error(capsys):
    with pytest.raises(typer.TyperException) as caught:
        app(["resolve", "--nope"], prog_name="fujie", standalone_mode=False)
    vars(caught.value)["message"] = f"Did you mean {HOSTILE}?"
    report_usage(caught.value, [])
    assert not set(capsys.readouterr().err) & set("\u202e\u2066\u200f\u2028\x9b\x1b\x07\r")


def test_names_in_many_scripts_are_shown_as_they_are(capsys):
    output.show("石家庄市 · Ürümqi · ئۈرۈمچى", [("name", "नमस्ते")], {})
    assert capsys.readouterr().out == "石家庄市 · Ürümqi · ئۈرۈمچى\n  name  नमस्ते\n"


def test_json_tells_what_strangers_wrote_without_effect_on_a_terminal(capsys):
    told = {"name": f"石家庄市 {HOSTILE}\U000e0041"}
    output.write_json(told)
    shown = capsys.readouterr().out
    assert json.loads(shown) == told
    assert not set(shown) & set("\u202e\u2066\u200f\u2028\x9b\x1b\U000e0041")
