"""The whole way, with processes: what a newcomer does, every command, every exit code, stopping and starting again."""

import json
import re
import shutil
import signal
import time

import pytest

from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.proof.bundle import BUNDLE, Logged
from tests.e2e.cli_node import START_S, CliNode, free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first_start(tmp_path_factory):
    node = CliNode(tmp_path_factory.mktemp("up"))
    shown = node.start()
    yield node, shown
    if node.process is not None:
        node.stop()


@pytest.fixture(scope="module")
def node(first_start):
    return first_start[0]


# What a newcomer does, in order.


def test_first_start_allocates_everything_and_says_what_to_try(first_start):
    _, shown = first_start
    assert re.search(r"3,214 identifiers in [0-9.]+ s", shown), shown
    assert "3,214 of 3,214" in shown
    for command in ("fujie resolve ZZ.156.1301", "fujie pay alice shop 12.50", "fujie verify receipt.fujie"):
        assert command in shown
    assert "demonstration" in shown
    assert "keys of all parties" in shown


def test_resolve_shows_shijiazhuang_and_that_its_proof_was_verified(node):
    shown = node.run("resolve", "ZZ.156.1301")
    assert "石家庄市" in shown
    assert "河北省" in shown
    assert "GBT2260 130100" in shown
    assert "verified here: under block" in shown


def test_resolve_shows_a_verified_proof_of_absence(node):
    shown = node.run("resolve", "ZZ.156.9999", code=3)
    assert "was never allocated" in shown
    assert "absence verified here" in shown
    assert node.json("resolve", "ZZ.156.9999", code=3)["absent"] is True


def test_pay_moves_money_and_writes_a_receipt_that_verifies(node):
    before = {name: balance(node, name) for name in ("alice", "shop")}
    shown = node.run("pay", "alice", "shop", "12.50")
    assert "Paid 12.50 CNY from alice to shop" in shown
    assert "receipt.fujie" in shown
    assert balance(node, "alice") == before["alice"] - 1_250
    assert balance(node, "shop") == before["shop"] + 1_250
    assert "carried out" in node.run("verify", "receipt.fujie")


def balance(node, name):
    return node.json("wallet", "balance", name)["record"]["amount_minor"]


# Every command.


def test_people_form_old_code_and_past_resolve(node):
    found = node.json("resolve", "ZZ.156.1301.11")
    assert found["place"] == "河北省 石家庄市 栾城区"
    assert node.json("resolve", "GBT2260:110101")["identifier"] == "ZZ.156.11.0101"
    assert node.json("resolve", "ZZ.156.1301-X1")["identifier"] == "ZZ.156.1301"
    assert "did not exist yet" in node.run("resolve", "ZZ.156.1301", "--at", "2020-01-01", code=3)
    node.run("resolve", "GBT2260:999999", code=3)
    node.run("resolve", "ZZ.156.1301", "--save", "city.fujie")
    assert "石家庄市" in node.run("verify", "city.fujie")


def test_an_identifier_lives_from_allocation_to_retirement(node):
    assert node.json("id", "allocate", "ZZ.156.1301", "GAS", "--kind", "department")["identifier"] == "ZZ.156.1301.GAS"
    since = node.json("resolve", "ZZ.156.1301.GAS")["record"]["standing"]["since_ms"]
    node.run("id", "update", "ZZ.156.1301.GAS", "--name", "Gas and heat", "--attribute", "phone=1")
    now = node.json("resolve", "ZZ.156.1301.GAS")["record"]
    assert (now["name"], now["attributes"]) == ("Gas and heat", [["phone", "1"]])
    assert node.json("resolve", "ZZ.156.1301.GAS", "--at", str(since))["record"]["name"] == "GAS"
    node.run("id", "delegate", "ZZ.156.1301.GAS", "--rule", "sequence", "--width", "6")
    assert node.json("id", "allocate", "ZZ.156.1301.GAS", "--kind", "pipe")["identifier"].endswith(".GAS.000001")
    node.run("id", "alias", "ZZ.156.1301.GAS", "USCC", "91130100MA")
    assert node.json("resolve", "USCC:91130100MA")["identifier"] == "ZZ.156.1301.GAS"
    node.run("id", "alias", "ZZ.156.1301.GAS", "USCC", "91130100MA", "--release")
    assert "--yes" in node.run("id", "retire", "ZZ.156.1301.GAS.000001", code=1)
    node.run("id", "retire", "ZZ.156.1301.GAS.000001", "--yes")
    assert node.json("resolve", "ZZ.156.1301.GAS.000001")["record"]["status"] == "retired"
    assert "IDENTIFIER_TAKEN (2030)" in node.run("id", "allocate", "ZZ.156.1301", "GAS", code=4)


def test_money_is_issued_by_two_keys_and_distributed(node):
    before = float(node.json("money", "supply")["issued"])
    assert "2 keys" in node.run("money", "issue", "bank-east", "100.00")
    held = balance(node, "alice")
    node.run("money", "distribute", "bank-east", "alice", "20")
    assert balance(node, "alice") == held + 2_000
    assert float(node.json("money", "supply")["issued"]) == before + 100
    same = ("money", "issue", "bank-west", "1", "--reference", "6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b11")
    node.run(*same)
    refused = node.json(*same, code=4)
    assert refused["error"]["kind"] == "refused"


def test_a_new_wallet_is_opened_shown_and_paid(node):
    opened = node.json("wallet", "new", "dora", "--institution", "bank-east", "--unprotected")
    assert {"alice", "bob", "shop", "dora"} <= {each["name"] for each in node.json("wallet", "list")["wallets"]}
    receipt = node.json("pay", "bob", opened["wallet"], "3", "--receipt", "to-dora.fujie")
    assert balance(node, "dora") == 300
    assert "institution  bank-east" in node.run("wallet", "show", "dora", "--as", "auditor")
    assert node.json("receipt", receipt["transaction_id"])["code"] == 0
    node.run("receipt", receipt["transaction_id"], "--save", "again.fujie")
    node.run("verify", "again.fujie")


def test_a_sealed_key_signs_with_its_passphrase_only(node):
    node.run("wallet", "new", "elsa", "--institution", "bank-west", FUJIE_PASSPHRASE="one sentence")
    node.run("money", "distribute", "bank-west", "elsa", "5")
    assert "sealed" in node.run("pay", "elsa", "shop", "1", code=1)
    assert "does not open" in node.run("pay", "elsa", "shop", "1", code=1, FUJIE_PASSPHRASE="another")
    node.run("pay", "elsa", "shop", "1", FUJIE_PASSPHRASE="one sentence")


def test_keys_are_made_shown_and_protected(node):
    made = node.json("key", "new", "robot", "--unprotected")
    assert made["public_key"] in node.run("key", "show", "robot")
    assert "no terminal" in node.run("key", "new", "other", code=1)
    node.run("key", "protect", "robot", FUJIE_PASSPHRASE="a passphrase")
    assert node.json("key", "show", "robot")["protection"] == "passphrase"
    node.run("key", "protect", "robot", "--remove", FUJIE_PASSPHRASE="a passphrase")
    assert node.json("key", "show", "robot")["protection"] == "none"
    seed = json.loads((node.home / "keys" / "robot.key").read_text())["secret"]["seed"]
    assert "robot" in node.run("key", "list")
    assert seed not in node.run("key", "list") + node.run("key", "show", "robot", "--json")


def test_every_operation_and_query_is_reached_by_its_json_form(node):
    listed = {form["type"] for form in node.json("operation", "list")["operations"]}
    assert {"propose", "vote", "freeze_wallet", "rotate_registrar", "redeem"} <= listed
    proposal, deadline_ms = "5a" * 16, int(time.time() * 1000) + 3_600_000
    action = {"type": "set_quota", "account": "bank-east", "quota_per_minute": 5_000}
    propose = {"type": "propose", "account": "root-authority", "id": proposal, "action": action}
    votes = [{"type": "vote", "account": name, "id": proposal} for name in ("root-authority", "central-bank")]
    (node.work / "decide.json").write_text(json.dumps([propose | {"deadline_ms": deadline_ms}, *votes]))
    keys = [f"--key={name}" for name in ("root-authority", "central-bank-1", "central-bank-2")]
    query = json.dumps({"type": "account_query", "name": "bank-east"})

    assert "nothing was done" in node.run("operation", "submit", "decide.json", *keys, "--dry-run")
    assert node.json("read", query)["record"]["quota_per_minute"] == 0
    assert "POLICY_NOT_SATISFIED" in node.run("operation", "submit", "decide.json", keys[0], code=4)
    assert "Done: propose, vote, vote" in node.run("operation", "submit", "decide.json", *keys)
    assert node.json("read", query)["record"]["quota_per_minute"] == 5_000

    vault = json.dumps({"type": "vault_query", "account": "bank-east", "instrument": "CNY"})
    assert node.json("read", vault, "--as", "auditor")["record"]["issued_minor"] > 0
    assert "GRANT_REQUIRED" in node.run("read", vault, code=4)
    assert node.json("read", query.replace("bank-east", "nobody"), code=3)["record"] is None
    assert "holds no operation" in node.run("operation", "submit", str(node.home / "trust.json"), keys[0], code=2)
    assert "name the keys" in node.run("operation", "submit", "decide.json", code=2)


def test_status_genesis_and_version_say_what_they_know(node, tmp_path):
    assert node.json("status")["chain_id"] == node.json("status", "--offline")["chain_id"]
    assert "central-bank" in node.run("genesis", "show")
    exported = node.json("genesis", "export", str(tmp_path / "demo.genesis"))
    assert exported["chain_id"] == node.json("status")["chain_id"]
    assert node.json("version")["fujie"]
    home = tmp_path / "copy"
    node.run("--home", str(home), "init", "--genesis", str(tmp_path / "demo.genesis"), code=1)
    shutil.copytree(node.home / "keys", home / "keys", dirs_exist_ok=True)
    founded = node.json("--home", str(home), "init", "--genesis", str(tmp_path / "demo.genesis"))
    assert founded["chain_id"] == exported["chain_id"]


def test_check_and_snapshot_work_beside_the_running_node(node, tmp_path):
    found = node.json("check")
    assert (found["findings"], found["records"] > 7_000) == ([], True)
    saved = node.json("snapshot", "save", str(tmp_path / "monday"))
    home = str(tmp_path / "restored")
    trust = str(node.home / "trust.json")
    loaded = node.json("--home", home, "snapshot", "load", str(tmp_path / "monday"), "--trust", trust)
    assert loaded["app_hash"] == saved["app_hash"]
    assert node.json("--home", home, "check")["findings"] == []
    told = node.run("--home", f"{home}-2", "snapshot", "load", str(tmp_path / "monday"), "--trust", trust)
    assert f"fujie --home {home}-2 check" in told


# Exit codes and errors.


@pytest.mark.parametrize(
    ("code", "arguments", "said"),
    [
        (2, ["resolve"], "Missing argument"),
        (2, ["resolve", "zz.156"], "no identifier"),
        (2, ["resolve", "ZZ.156.1301", "--at", "soon"], "no time"),
        (2, ["pay", "alice", "shop", "1.234"], "3 decimals"),
        (2, ["nonsense"], "No such command"),
        (2, ["up", "--store", "paper"], "no kind of store"),
        (1, ["pay", "nobody", "shop", "1"], "no wallet called nobody"),
        (1, ["verify", "nowhere.fujie"], "no file"),
        (1, ["receipt", "00" * 32], "is not in a block (yet)"),
        (1, ["resolve", "ZZ.156.1301", "--at", "2100-01-01"], "Ask for an earlier time"),
        (1, ["pay", "alice", "shop", "1", "--receipt", "nowhere/r.fujie"], "nothing was paid"),
        (1, ["--home", "nowhere", "pay", "alice", "shop", "1"], "no data folder"),
        (5, ["verify", "/dev/null"], "no proof at all"),
        (5, ["verify", "receipt.fujie", "--trust", "/dev/null"], "when the chain was founded"),
        (1, ["--home", "nowhere", "check"], "no data folder"),
        (4, ["pay", "alice", "shop", "999999"], "PAYER_PAYMENT_LIMIT_EXCEEDED"),
        (4, ["id", "allocate", "ZZ.156.1301", "77"], "NODE_RESERVED"),
        (4, ["id", "retire", "ZZ.156.1301.NONE", "--yes"], "IDENTIFIER_UNKNOWN"),
        (4, ["id", "allocate", "ZZ.156.1301", "X", "--key", "alice"], "POLICY_NOT_SATISFIED"),
    ],
)
def test_errors_say_what_happened_with_their_exit_code(node, code, arguments, said):
    assert said in node.run(*arguments, code=code)


def test_a_spoiled_receipt_does_not_verify(node):
    data = bytearray((node.work / "receipt.fujie").read_bytes())
    [logged] = BUNDLE.decode(bytes(data)).items
    assert isinstance(logged, Logged)
    signature = data.index(SIGNED_TRANSACTION.decode(logged.transaction).signatures[0])
    for place in (len(data) // 3, len(data) // 2, signature + 20, len(data) - 3):
        spoiled = data.copy()
        spoiled[place] ^= 1
        (node.work / "spoiled.fujie").write_bytes(spoiled)
        assert "does not verify" in node.run("verify", "spoiled.fujie", code=5)


def test_a_receipt_of_another_chain_does_not_verify(node, tmp_path):
    node.run("--home", str(tmp_path / "other"), "init")
    assert "chain-id" in node.run("verify", "receipt.fujie", "--trust", str(tmp_path / "other" / "trust.json"), code=5)


# Stopping and starting again. These come last: they stop the node of the others.


def test_a_second_process_on_the_folder_is_refused(node):
    shown = node.run("up", code=1, FUJIE_PORT=str(free_port()))
    assert "is in use by process" in shown
    assert f"A node of it answers at http://127.0.0.1:{node.port}." in shown


def test_a_taken_port_is_named(node, tmp_path):
    other = CliNode(tmp_path)
    assert "FUJIE_PORT" in other.run("up", code=1, FUJIE_PORT=str(node.port))


def test_stops_cleanly_and_what_was_received_verifies_without_the_node(node):
    assert node.stop(signal.SIGTERM) == 0
    assert "Stopped. Everything is on disk." in node.log.read_text("utf-8")
    assert "verified offline" in node.run("verify", "receipt.fujie")
    assert "No node answers" in node.run("resolve", "ZZ.156.1301", code=1)
    assert node.json("check")["findings"] == []


def test_a_second_start_creates_nothing(node):
    log_entries = node.json("check")["log_entries"]
    shown = node.start()
    assert "nothing had to be created" in shown
    assert node.json("check")["log_entries"] == log_entries
    assert "石家庄市" in node.run("resolve", "ZZ.156.1301")
    assert node.stop(signal.SIGINT) == 0


def test_the_log_holds_no_secret(node):
    text = (node.home / "log" / "node.log").read_text("utf-8")
    assert "serving demo-" in text
    secrets = [(node.home / "demo" / "seed").read_text().strip()]
    secrets += [json.loads(path.read_text())["secret"].get("seed", "-") for path in node.home.rglob("*.key")]
    wallets = [json.loads(path.read_text())["wallet"] for path in node.home.rglob("wallets/*.json")]
    assert not [secret for secret in secrets + wallets if secret != "-" and secret in text]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_first_start_is_resumed(tmp_path, how):
    node = CliNode(tmp_path)
    process = node.launch()
    give_up = time.monotonic() + START_S
    while not (node.home / "chain" / "store.sqlite").exists() and time.monotonic() < give_up:
        time.sleep(0.005)
    time.sleep(0.5)  # somewhere in the middle of the filling
    process.send_signal(how)
    code = process.wait(START_S)
    assert code == (0 if how == signal.SIGINT else -signal.SIGKILL)
    shown = node.start()
    assert "Fujie serves" in shown
    found = node.json("check")
    assert (found["findings"], found["log_entries"]) == ([], 378)
    assert node.stop() == 0


def test_a_folder_that_is_removed_under_the_node_stops_it(tmp_path):
    node = CliNode(tmp_path)
    node.run("init")
    node.start()
    shutil.rmtree(node.home)
    assert node.process is not None
    assert node.process.wait(START_S) == 1
    shown = node.log.read_text("utf-8")
    assert "was removed, moved or replaced while the node ran" in shown
    assert "Everything is on disk" not in shown


def test_an_empty_chain_serves_without_the_demonstration(tmp_path):
    node = CliNode(tmp_path)
    node.run("init", "--name", "town", "--store", "rocks")
    assert "holds a chain already" in node.run("init", code=1)
    node.start()
    assert node.json("status")["chain_id"].startswith("town-")
    assert node.json("id", "allocate", "ZZ.000", "CITY", "--kind", "city")["identifier"] == "ZZ.000.CITY"
    assert "Stop the node first" in node.run("check", code=1)
    assert node.stop() == 0
    assert node.json("check")["findings"] == []
