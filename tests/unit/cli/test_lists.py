"""Commands that list: one name for all of them, one form, and a next step where there is nothing."""

import json
import re

import pytest
from typer.testing import CliRunner

from fujie.cli import app, output, search
from fujie.cli.settings import Settings
from fujie.node.folder import Folder
from fujie.reader.projection.rows import Match
from tests.unit.cli.test_program import commands

LISTS = [" ".join(path) for path, _ in commands() if path[-1] == "list"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    Folder(tmp_path).write_description("sqlite", "plain")
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path))
    return tmp_path


def run(*words):
    return CliRunner().invoke(app.app, words)


def test_every_noun_with_many_of_it_has_a_list():
    assert set(LISTS) == {
        *("wallet list", "key list", "access key list", "proposal list", "operation list"),
        "network peer list",
    }


@pytest.mark.parametrize("command", ["wallet list", "key list", "access key list"])
def test_an_empty_list_says_how_to_make_one(home, command):
    shown = run(*command.split()).output
    assert shown.startswith("There is no ")
    assert "`fujie " in shown
    assert " new " in shown
    [(noun, rows)] = json.loads(run(*command.split(), "--json").output).items()
    assert (noun[-1], rows) == ("s", [])


def test_a_list_has_its_columns_in_a_line_of_its_own(home):
    run("key", "new", "robot", "--unprotected")
    columns, row = run("key", "list").output.splitlines()
    assert columns.split("  ")[0] == "name"
    assert row.split()[0] == "robot"
    assert run("key", "show").exit_code == 2, "one key is shown by its name, all of them are listed"


def test_a_search_that_finds_nothing_says_when_the_node_has_not_searched_everything(home, monkeypatch):
    for behind, said in (
        (1, "its newest 1 log entry yet: search again"),
        (3_591, "3,591 log entries"),
        (0, "Names are found"),
    ):
        answer = {"query": "x", "matches": [], "behind": behind}
        monkeypatch.setattr(Settings, "explore", lambda *_, answer=answer: answer)
        monkeypatch.setattr(output._Mode, "json", False)
        assert said in run("search", "x").output
        assert json.loads(run("search", "x", "--json").output)["behind"] == behind


def test_what_can_be_found_is_what_the_projection_finds():
    assert Match.__doc__ is not None
    [kinds] = re.findall(r"``kind``: ([^.]+)\.", Match.__doc__)
    assert set(re.findall(r"[a-z]+", kinds)) - {"or"} == set(search.Kind)
    assert search.Match.__struct_fields__ == Match.__struct_fields__
