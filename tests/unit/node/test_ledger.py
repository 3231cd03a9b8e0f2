import json
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest

import fujie
from fujie.client.client import RefusedTransaction, named
from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.modules.identity.reasons import IdentityReason
from fujie.node import founding
from fujie.node.config import load_config
from fujie.node.folder import Folder, check_name, home_folder
from fujie.node.keyring import Keyring, validator_signer
from fujie.node.ledger import INSTRUMENT, OWNER, PREFIX, open_ledger


@pytest.mark.parametrize("store", ["sqlite", "rocks"])
def test_a_ledger_is_opened_with_a_few_lines_and_keeps_what_it_was_told(tmp_path, store):
    anna, ben = Signer(b"a" * 32), Signer(b"b" * 32)
    with fujie.open(tmp_path / "town", store=store) as ledger:
        gas = ledger.allocate(PREFIX, named("GAS", "department", "Gas works"))
        ledger.issue(OWNER, INSTRUMENT, 1_000)
        wallets = [ledger.open_wallet(OWNER, INSTRUMENT, key.public_key, wallet_class=1) for key in (anna, ben)]
        ledger.distribute(OWNER, wallets[0], INSTRUMENT, 500)
        paid = ledger.pay(*wallets, INSTRUMENT, 125, signers=[anna])
    assert paid.verified is not None
    with fujie.open(tmp_path / "town") as ledger:
        assert ledger.resolve(gas).record.name == "Gas works"
        assert ledger.resolve(f"{PREFIX}.NONE").record is None
        assert ledger.balance(wallets[1], INSTRUMENT, signers=[ben]).record.amount_minor == 125
        with pytest.raises(RefusedTransaction) as caught:
            ledger.allocate(PREFIX, named("GAS", "department", "Again"))
        assert caught.value.reason is IdentityReason.IDENTIFIER_TAKEN


def test_closing_twice_is_closing_once(tmp_path):
    ledger = open_ledger(tmp_path)
    ledger.close()
    ledger.close()


def test_a_second_process_is_told_who_has_the_folder(tmp_path):
    program = "import sys, fujie\nfujie.open(sys.argv[1])"
    with open_ledger(tmp_path):
        refused = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert refused.returncode == 1
    assert f"is in use by process {os.getpid()}" in refused.stderr


def test_another_validator_key_is_refused(tmp_path):
    open_ledger(tmp_path).close()
    (tmp_path / "keys" / "validator.key").unlink()
    open_ledger(tmp_path / "other").close()
    (tmp_path / "other" / "keys" / "validator.key").rename(tmp_path / "keys" / "validator.key")
    with pytest.raises(OperationalError, match="not the one that the chain was founded with"):
        open_ledger(tmp_path)


def test_another_trust_root_is_refused(tmp_path):
    for name in ("one", "two"):
        open_ledger(tmp_path / name).close()
    (tmp_path / "two" / "trust.json").replace(tmp_path / "one" / "trust.json")
    with pytest.raises(OperationalError, match="is of another chain"):
        open_ledger(tmp_path / "one")


def test_a_chain_that_does_not_decode_is_called_damaged(tmp_path, monkeypatch):
    open_ledger(tmp_path / "town").close()

    def fails(_store, **_memory):
        raise msgspec.ValidationError("Expected `array`, got `int`")

    monkeypatch.setattr(founding, "Executor", fails)
    with pytest.raises(OperationalError, match="is damaged: Expected `array`"):
        open_ledger(tmp_path / "town")
    monkeypatch.undo()
    open_ledger(tmp_path / "town").close()  # the folder was let go


def test_what_is_missing_of_a_founded_folder_is_named(tmp_path):
    open_ledger(tmp_path / "town").close()
    folder = Folder(tmp_path / "town")
    folder.trust_path.unlink()
    with pytest.raises(OperationalError) as told:
        open_ledger(tmp_path / "town")
    assert "Restore the file" in told.value.do
    (tmp_path / "town" / "node.json").unlink()
    with pytest.raises(OperationalError) as told:
        open_ledger(tmp_path / "town")
    assert "node.json is missing" in told.value.do


def test_a_folder_of_another_format_is_refused(tmp_path):
    open_ledger(tmp_path).close()
    path = tmp_path / "node.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(OperationalError, match="has format 2"):
        open_ledger(tmp_path)
    path.write_text("{}")
    with pytest.raises(OperationalError, match="is not the description"):
        open_ledger(tmp_path)


def test_secrets_are_their_owners_alone(tmp_path):
    open_ledger(tmp_path / "town").close()
    folder = Folder(tmp_path / "town")
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.key_files())
    assert folder.validator_key.parent.stat().st_mode & 0o077 == 0


def test_home_and_port_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path))
    monkeypatch.setenv("FUJIE_PORT", "9000")
    assert (home_folder().home, load_config(home_folder()).http.port) == (tmp_path, 9000)
    monkeypatch.delenv("FUJIE_HOME")
    monkeypatch.delenv("FUJIE_PORT")
    monkeypatch.chdir(tmp_path)
    assert (str(home_folder().home), load_config(home_folder()).http.port) == (".fujie", 8156)
    for wrong in ("0", "65536", "x", "-1", "８１５６"):
        monkeypatch.setenv("FUJIE_PORT", wrong)
        with pytest.raises(OperationalError, match="whole number from 1 to 65,535"):
            load_config(home_folder())


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "-a", "a-", "a.b", "x" * 65, "é"])
def test_names_of_files_cannot_leave_their_folder(name):
    with pytest.raises(OperationalError):
        check_name(name)


def test_keys_are_found_by_the_policy_they_satisfy(tmp_path):
    with open_ledger(tmp_path) as ledger:
        keyring = Keyring(ledger.folder)
        owner: Any = ledger.account(OWNER).record
        policy = owner.policy
        assert [signer.public_key for signer in keyring.for_policy(policy, "The owner")] == list(policy.keys)
        (tmp_path / "keys" / "owner.key").unlink()
        with pytest.raises(OperationalError, match="1 of 1 key; here are none of them"):
            keyring.for_policy(policy, "The owner")
        assert validator_signer(ledger.folder).public_key != policy.keys[0]
