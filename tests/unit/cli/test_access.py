"""`fujie access`: keys and codes of a node, made while it does not run."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fujie.cli import access, app
from fujie.node.folder import Folder
from fujie.reader.credentials import BadCredential, Credentials, Fault, Scope


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Folder(tmp_path).write_description("sqlite", "plain")
    return tmp_path


def run(home: Path, *words: str) -> Any:
    program = typer.Typer()
    program.callback()(app.common)
    program.add_typer(access.app, name="access")
    # The port is one where nothing listens: what a node would be asked is not asked.
    return CliRunner().invoke(program, ["--home", str(home), "--url", "http://127.0.0.1:9", "access", *words])


@pytest.fixture(autouse=True)
def _no_trust_root_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_check_account", lambda _settings, _name: None)


def test_a_key_is_shown_once_and_holds(home):
    made = json.loads(run(home, "key", "new", "bank-east", "--days", "7", "--scope", "metrics", "--json").stdout)
    found = Credentials(home / "access").find(made["key"])
    assert (found.account, found.scopes) == ("bank-east", (Scope.METRICS,))
    listed = run(home, "key", "list", "--json").stdout
    assert json.loads(listed)["keys"] == [{name: made[name] for name in made if name != "key"}]
    assert made["key"].split("_")[2] not in listed


def test_a_key_is_for_reading_unless_something_else_is_said(home):
    made = json.loads(run(home, "key", "new", "bank-east", "--json").stdout)
    assert made["scopes"] == ["read"]


def test_a_key_is_revoked_by_its_id(home):
    made = json.loads(run(home, "key", "new", "bank-east", "--json").stdout)
    assert run(home, "key", "revoke", made["id"]).exit_code == 0
    with pytest.raises(BadCredential) as caught:
        Credentials(home / "access").find(made["key"])
    assert caught.value.fault is Fault.REVOKED
    assert "fujie access key list" in str(run(home, "key", "revoke", "0" * 16).exception)


def test_a_code_signs_in(home):
    made = json.loads(run(home, "code", "auditor", "--json").stdout)
    assert Credentials(home / "access").redeem(made["code"]).credential.account == "auditor"


def test_a_folder_without_a_node_is_told(tmp_path):
    assert "fujie up" in str(run(tmp_path / "none", "key", "list").exception)
    assert not (tmp_path / "none").exists()


def test_scopes_that_can_be_typed_are_those_of_the_node():
    assert [scope.value for scope in access._Scope] == [scope.value for scope in Scope]
