"""A chain that began without money gains it by vote, with the program as people run it."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fujie.core.encoding import encode
from fujie.core.json_form import to_json
from fujie.core.signing import new_seed
from fujie.machine.genesis import compose
from fujie.modules.membership.genesis import GenesisRule, MembershipGenesis
from fujie.node.folder import Folder
from fujie.node.keyring import ensure_key
from fujie.node.ledger import OWNER, currency_part, owner_genesis
from tests.e2e.cli_node import CliNode
from tests.world import START_MS

AHEAD = 20  # blocks; those that the votes before take are fewer


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CliNode]:
    made = CliNode(tmp_path)
    folder = Folder(made.home)
    owner = ensure_key(folder.key_folders[0] / f"{OWNER}.key", OWNER)
    validator = ensure_key(folder.validator_key, "validator")
    parts = dict(owner_genesis(owner.public_key, validator.public_key))
    members = parts["membership"]
    assert isinstance(members, MembershipGenesis)
    rules = (GenesisRule("identity", 1), GenesisRule("membership", 1))
    members = msgspec.structs.replace(members, rules=rules)
    genesis = compose("town", START_MS, [("membership", members), ("identity", parts["identity"])])
    (made.work / "town.genesis").write_bytes(encode(genesis))
    made.run("init", "--genesis", "town.genesis")
    made.start()
    try:
        yield made
    finally:
        if made.process is not None:
            made.stop()


def test_money_is_issued_on_a_chain_that_began_without(node: CliNode) -> None:
    part = to_json(currency_part(OWNER, "XTS", {OWNER: new_seed()}))
    (node.work / "currency.json").write_text(json.dumps(part), "utf-8")
    nobody = part | {"instruments": [part["instruments"][0] | {"issuer": "nobody"}]}
    (node.work / "nobody.json").write_text(json.dumps(nobody), "utf-8")

    assert "no rules of 'currency' are decided" in node.run(
        "rules", "found", OWNER, "currency", "currency.json", code=2
    )
    decided = node.json("rules", "propose", OWNER, "currency", "1", "--ahead", str(AHEAD))
    node.run("proposal", "vote", OWNER, decided["id"])
    stranger = node.run("rules", "found", OWNER, "currency", "nobody.json", code=4)
    assert "CURRENCY_GENESIS_INCONSISTENT" in stranger
    assert "nobody, the issuer of XTS, has no account on this chain. The vote that carries it" in stranger
    assert "operator" not in stranger
    assert "does not begin with this" in node.run("rules", "found", OWNER, "currency", '{"instruments": 1}', code=2)
    shown = node.run("rules", "found", OWNER, "currency", "currency.json")
    assert f"not before   block {decided['from_height']:,}" in shown
    [proposal] = [row["id"] for row in node.json("proposal", "list", "--open")["proposals"]]
    assert "found_room: room currency, instruments instrument XTS, title Test money" in node.run(
        "proposal", "show", proposal
    )
    assert "ROOM_NOT_IN_FORCE" in node.run("proposal", "vote", OWNER, proposal, code=4)

    allocated = 0
    while node.json("status")["height"] + 1 < decided["from_height"]:
        allocated += 1
        node.run("id", "allocate", "ZZ.000", f"N{allocated}")
    assert currency(node) == {"room": "currency", "version": 1, "founded": False, "coming": [], "known": 1}
    assert "carried" in node.run("proposal", "vote", OWNER, proposal)
    assert currency(node)["founded"] is True
    again = node.run("rules", "found", OWNER, "currency", "currency.json", code=4)
    assert "ROOM_FOUNDED_ALREADY" in again
    assert "currency was founded by a vote in block" in again
    assert node.json("proposal", "list", "--open")["proposals"] == []

    node.run("money", "issue", OWNER, "10")
    assert node.json("money", "supply")["record"]["issued_minor"] == 1_000
    assert node.stop() == 0
    assert node.json("check")["findings"] == []


def currency(node: CliNode) -> dict[str, object]:
    [found] = [room for room in node.json("rules", "show")["rooms"] if room["room"] == "currency"]
    return dict(found)
