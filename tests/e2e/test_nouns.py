"""Commands for what is decided, frozen, returned, redeemed and handed over, on a real node of the demonstration."""

import json
import time
from hashlib import sha256

import pytest

from fujie.core.signing import Signer
from fujie.core.wording import count
from tests.e2e.cli_node import START_S, CliNode

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = CliNode(tmp_path_factory.mktemp("nouns"))
    node.start()
    yield node
    if node.process is not None:
        node.stop()


def balance(node, name):
    return node.json("wallet", "balance", name)["record"]["amount_minor"]


def account(node, name):
    return node.json("read", json.dumps({"type": "account_query", "name": name}))["record"]


def until(found):
    """Wait for what the projection lists a moment after it was written, and return it."""
    give_up = time.monotonic() + START_S
    while not (answer := found()) and time.monotonic() < give_up:
        time.sleep(0.2)
    return answer


def test_anything_is_found_by_a_text(node):
    name = until(lambda: node.json("search", "石家庄市")["matches"])[0]
    assert (name["kind"], name["key"]) == ("name", "ZZ.156.1301")
    shown = node.run("search", "石家庄市")
    assert "The first with its proof: fujie resolve ZZ.156.1301" in shown
    assert node.json("search", "130100", "--kind", "alias")["matches"][0]["key"] == "ZZ.156.1301"
    assert {each["kind"] for each in node.json("search", "bank", "--kind", "account")["matches"]} == {"account"}
    assert len(node.json("search", "ZZ.156.13", "--limit", "3")["matches"]) == 3
    [block] = node.json("search", "1", "--kind", "block")["matches"]
    assert count(block["transactions"], "transaction") in node.run("search", "1", "--kind", "block")
    nothing = node.run("search", "nowhere-at-all")
    assert "Nothing was found for 'nowhere-at-all'." in nothing
    assert "--api-key-file" in nothing
    assert "leave --kind out" in node.run("search", "石家庄市", "--kind", "wallet")


def test_wallets_are_found_by_whoever_may_see_them(node):
    wallet = node.json("wallet", "list")["wallets"][0]["wallet"]
    assert node.json("search", wallet)["matches"] == []
    (node.work / "auditor.key").write_text(node.json("access", "key", "new", "auditor")["key"])
    [found] = node.json("search", wallet, "--api-key-file", "auditor.key")["matches"]
    assert (found["kind"], found["key"]) == ("wallet", wallet)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("石家庄", "'石家庄' is no identifier"),
        ("石家庄", "Did you mean ZZ.156.1301 石家庄市? `fujie search 石家庄` finds"),
        ("130100", "Did you mean ZZ.156.1301 石家庄市?"),
        ("gbt2260:130100", "is no outside code: write SCHEME:CODE, such as GBT2260:130100. Did you mean ZZ.156.1301"),
        ("nowhere at all", "`fujie search 'nowhere at all'` finds identifiers by name and code."),
    ],
)
def test_a_name_in_place_of_an_identifier_is_looked_up(node, text, said):
    assert said in node.run("resolve", text, code=2)


def test_an_account_that_is_mistyped_is_offered(node):
    shown = node.run("access", "key", "new", "bank-eats", code=1)
    assert "Did you mean bank-east?" in shown
    assert "central-bank" in shown
    assert "Did you mean alice?" in node.run("pay", "alcie", "shop", "1", code=1)


def test_governors_decide_by_vote(node):
    action = '{"type": "set_quota", "account": "bank-east", "quota_per_minute": 4000}'
    assert "set_quota" in node.run("proposal", "actions")
    proposed = node.json("proposal", "new", "root-authority", action, "--days", "2")
    identifier = proposed["id"]
    assert node.json("proposal", "show", identifier)["record"]["status"] == "open"
    assert account(node, "bank-east")["quota_per_minute"] == 0
    node.run("proposal", "vote", "root-authority", identifier)
    assert "is carried" in node.run("proposal", "vote", "central-bank", identifier)
    assert account(node, "bank-east")["quota_per_minute"] == 4_000
    assert node.json("proposal", "show", identifier)["record"]["votes"] == ["central-bank", "root-authority"]
    assert "no proposal" in node.run("proposal", "show", "00" * 16, code=3)


def test_a_vote_about_validators_says_from_which_block_on_it_is_in_force(node):
    key = Signer(sha256(b"another validator").digest()).public_key.hex()
    action = json.dumps({"type": "set_validator", "public_key": key, "power": 1, "organisation": "bank-east"})
    identifier = node.json("proposal", "new", "root-authority", action)["id"]
    node.run("proposal", "vote", "root-authority", identifier)
    carried = node.json("proposal", "vote", "central-bank", identifier)
    assert carried["takes_effect_height"] == carried["height"] + 2
    said = node.json("status")
    assert said["validators_from_height"] == carried["takes_effect_height"]
    if said["height"] < carried["takes_effect_height"]:  # a heartbeat may have come in between
        assert f"at block {carried['takes_effect_height']:,}" in " ".join(node.run("status").split())


def test_a_proposal_comes_from_a_file_and_is_withdrawn_by_its_proposer(node):
    (node.work / "action.json").write_text('{"type": "suspend_account", "account": "bank-west"}')
    identifier = node.json("proposal", "new", "central-bank", "action.json")["id"]
    node.run("proposal", "withdraw", "root-authority", identifier, code=4)
    node.run("proposal", "withdraw", "central-bank", identifier)
    assert node.json("proposal", "show", identifier)["record"]["status"] == "withdrawn"
    node.run("proposal", "vote", "central-bank", identifier, code=4)


def test_proposals_are_listed(node):
    give_up = time.monotonic() + START_S
    while True:  # the projection follows the ledger
        found = node.json("proposal", "list")["proposals"]
        if {each["status"] for each in found} == {"carried", "withdrawn"} or time.monotonic() > give_up:
            break
        time.sleep(0.2)
    assert [each["action"] for each in found] == ["suspend_account", "set_validator", "set_quota"]
    assert node.json("proposal", "list", "--open")["proposals"] == []
    assert node.json("proposal", "list", "--limit", "1")["proposals"] == found[:1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "root-authority", "{"], "no JSON"),
        (["new", "root-authority", '{"type": "dance"}'], "no action"),
        (["new", "root-authority", '{"type": "pay"}'], "no action"),
        (["show", "12"], "no id of a proposal"),
        (["vote", "root-authority", "X" * 32], "no id of a proposal"),
    ],
)
def test_a_proposal_that_cannot_be_meant_is_a_usage_error(node, arguments, said):
    assert said in node.run("proposal", *arguments, code=2)


def test_a_wallet_is_frozen_by_its_institution_which_alone_lifts_it(node):
    node.run("wallet", "freeze", "bob", "bank-west", "--basis", "order 17", "--payments-only")
    assert "WALLET" in node.run("pay", "bob", "shop", "1", code=4)
    node.run("pay", "alice", "bob", "1")
    node.run("wallet", "freeze", "bob", "bank-west", "--basis", "order 18")
    assert "WALLET" in node.run("pay", "alice", "bob", "1", code=4)
    assert "order 18" in node.run("wallet", "show", "bob", "--as", "auditor")
    assert "refused" in node.json("wallet", "unfreeze", "bob", "bank-east", "--basis", "none", code=4)["error"]["kind"]
    node.run("wallet", "unfreeze", "bob", "bank-west", "--basis", "order 19")
    node.run("pay", "bob", "shop", "1")


def test_money_is_returned_and_redeemed_by_institution_and_issuer(node):
    held, supply = balance(node, "alice"), node.json("money", "supply")["record"]
    assert "Returned 20.00 CNY from alice" in node.run("money", "return", "alice", "20")
    assert balance(node, "alice") == held - 2_000
    same = ("money", "redeem", "bank-east", "15.50", "--reference", "6b1f0e4c-5a7d-4b0e-9d0c-0f3a6a0d9b12")
    assert "3 keys" in node.run(*same)
    assert node.json("money", "supply")["record"]["redeemed_minor"] == supply["redeemed_minor"] + 1_550
    assert node.json(*same, code=4)["error"]["kind"] == "refused"
    alone = ("money", "redeem", "bank-east", "1", "--key", "bank-east")
    assert "POLICY_NOT_SATISFIED" in node.run(*alone, code=4)
    assert "below zero" in node.run("money", "return", "alice", "-1", code=2)


def test_the_key_of_a_wallet_is_replaced(node):
    node.run("key", "new", "carol-2", "--unprotected")
    node.run("wallet", "rotate", "carol", "--to", "carol-2")
    node.run("pay", "carol", "shop", "1")
    assert "POLICY_NOT_SATISFIED" in node.run("pay", "carol", "shop", "1", "--key", "carol", code=4)
    assert "no key called" in node.run("wallet", "rotate", "carol", "--to", "nobody", code=1)


def test_identifiers_and_prefixes_change_hands(node):
    node.run("id", "allocate", "ZZ.156.1301", "HEAT", "--kind", "department")
    node.run("key", "new", "heat-works", "--unprotected")
    node.run("id", "rotate", "ZZ.156.1301.HEAT", "--to", "heat-works")
    node.run("id", "update", "ZZ.156.1301.HEAT", "--name", "Heat", "--key", "heat-works")
    node.run("id", "delegate", "ZZ.156.1301.HEAT")
    made = node.json("key", "new", "heat-registrar", "--unprotected")["public_key"]
    node.run("id", "rotate", "ZZ.156.1301.HEAT", "--registrar", "--to", made)
    node.run("id", "allocate", "ZZ.156.1301.HEAT", "BOILER", "--key", "heat-registrar")
    node.run("id", "rotate", "ZZ.156.1301.HEAT", "--registrar", "--give-back")
    refused = node.run("id", "allocate", "ZZ.156.1301.HEAT", "PUMP", "--key", "heat-registrar", code=4)
    assert "POLICY_NOT_SATISFIED" in refused
    node.run("id", "rotate", "ZZ.156.1301.HEAT", "--give-back")
    assert "POLICY_NOT_SATISFIED" in node.run(
        "id", "retire", "ZZ.156.1301.HEAT", "--yes", "--key", "heat-works", code=4
    )
    assert "say either" in node.run("id", "rotate", "ZZ.156.1301.HEAT", code=2)
    assert "say either" in node.run("id", "rotate", "ZZ.156.1301.HEAT", "--to", "heat-works", "--give-back", code=2)
