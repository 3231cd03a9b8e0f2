"""Without a trust root nothing is believed; whoever has none is told where to get it."""

import pytest
from typer.testing import CliRunner

from fujie.cli.app import app
from fujie.core.errors import OperationalError, VerificationError
from fujie.node.folder import Folder


def caught(*words):
    return CliRunner().invoke(app, words).exception


def test_a_missing_trust_root_says_who_hands_it_out(tmp_path, monkeypatch):
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path))
    error = caught("resolve", "ZZ.156")
    assert isinstance(error, OperationalError)
    assert str(tmp_path / "trust.json") in error.what
    for said in ("whoever founded the chain", "`fujie status --offline`", "--trust FILE", "`fujie up`"):
        assert said in error.do


def test_a_trust_root_that_was_there_is_to_be_restored(tmp_path, monkeypatch):
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path))
    Folder(tmp_path).write_description("sqlite", "plain")
    error = caught("resolve", "ZZ.156")
    assert isinstance(error, OperationalError)
    assert "Restore" in error.do


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff", "it is no JSON"),
        (b"[]", "no format is named"),
        (b'{"format": "fujie-trust-1"}', "chain_id is missing"),
        (b'{"format": "fujie-trust-2"}', "format is missing, unknown or has another form"),
        (b'{"format": "fujie-trust-1", "chain_id": 7}', "chain_id is missing, unknown or has another form"),
    ],
)
def test_a_trust_root_that_does_not_read_names_the_file_and_the_place(tmp_path, text, said):
    path = tmp_path / "other.json"
    path.write_bytes(text)
    error = caught("resolve", "ZZ.156", "--trust", str(path))
    assert isinstance(error, VerificationError)
    assert (error.step, error.detail.startswith(f"{path} is no trust root: ")) == ("trust-root", True)
    assert said in error.detail
    assert "Object" not in error.detail
    assert "Expected" not in error.detail
