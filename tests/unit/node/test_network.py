"""A network on one machine is founded whole or not at all, and nothing but the genesis is shared by its nodes."""

import socket

import pytest

from fujie.client.keys import load_key
from fujie.core.errors import OperationalError
from fujie.engine.cometbft.home import node_id
from fujie.engine.ports import port_taken
from fujie.machine.genesis import founding_record
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.node import network
from fujie.node.cometbft_file import read_comet_file
from fujie.node.cometbft_home import first_genesis
from fujie.node.config import load_config
from fujie.node.founding import read_genesis
from fujie.node.network import FOLDER, Network, create, names
from fujie.node.ports import PEER_PORTS
from tests.e2e.cli_network import free_ports


@pytest.fixture(autouse=True)
def _no_port(monkeypatch):
    monkeypatch.delenv("FUJIE_PORT", raising=False)


def test_every_node_has_keys_and_ports_of_its_own_and_the_same_genesis(tmp_path):
    base = free_ports()
    folders = create(tmp_path, "town", 4, base, "sqlite").folders()
    assert list(folders) == ["node1", "node2", "node3", "node4"]
    genesis = read_genesis(folders["node1"])[1]
    assert {read_genesis(folder)[0] for folder in folders.values()} == {read_genesis(folders["node1"])[0]}
    assert len({first_genesis(folder, genesis) for folder in folders.values()}) == 1
    validators = founding_record(genesis, VALIDATORS_KEY).members
    assert [each.organisation for each in sorted(validators, key=lambda each: each.organisation)] == [
        "bank-east",
        "bank-west",
        "central-bank",
        "root-authority",
    ]
    keys = {load_key(folder.validator_key).public_key for folder in folders.values()}
    assert keys == {each.public_key for each in validators}
    ids = [node_id(load_key(folder.node_key).public_key) for folder in folders.values()]
    for number, folder in enumerate(folders.values()):
        file = read_comet_file(folder)
        assert (load_config(folder).http.port, file.listen) == (base + 1 + number, f"127.0.0.1:{base + 101 + number}")
        assert {peer.node_id for peer in file.known_peers} == set(ids) - {ids[number]}
        assert [path for path in folder.home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077] == []
    assert [folder.demo_seed.exists() for folder in folders.values()] == [True, False, False, False]


@pytest.mark.parametrize(
    ("name", "validators", "port"),
    [
        ("Town", 4, 9_000),
        ("a" * 18, 4, 9_000),
        ("town", 0, 9_000),
        ("town", 17, 9_000),
        ("town", 4, 65_500),
        ("..", 4, 9_000),
    ],
)
def test_what_is_not_possible_is_refused_and_makes_nothing(tmp_path, name, validators, port):
    with pytest.raises(OperationalError):
        create(tmp_path, name, validators, port, "sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_founding_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    made = []

    def fails_at_the_third(folder, *rest):
        made.append(folder)
        if len(made) == 3:
            raise OperationalError("The disk is full.", "Make room.")

    monkeypatch.setattr(network, "write_node", fails_at_the_third)
    with pytest.raises(OperationalError, match="disk is full"):
        create(tmp_path, "town", 4, free_ports(), "sqlite")
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_network_is_found_by_its_name(tmp_path):
    assert names(tmp_path) == []
    create(tmp_path, "town", 1, free_ports(), "sqlite")
    assert names(tmp_path) == ["town"]
    assert list(Network.find(tmp_path, "town").chosen(["node1"])) == ["node1"]
    with pytest.raises(OperationalError, match="has no node 'node2'"):
        Network.find(tmp_path, "town").chosen(["node2"])
    with pytest.raises(OperationalError, match="no network called towm"):
        Network.find(tmp_path, "towm")
    with pytest.raises(OperationalError, match="There is a network called town already"):
        create(tmp_path, "town", 1, free_ports(), "sqlite")
    [state] = Network.find(tmp_path, "town").states()
    assert (state.pid, state.head, state.problem) == (None, None, "")


def test_a_network_gets_no_port_of_another_one_and_is_told_which_are_free(tmp_path):
    base = free_base()
    create(tmp_path, "town", 2, base, "sqlite")
    free = 0
    for other in (base, base - 1, base + 1, base + PEER_PORTS):
        with pytest.raises(OperationalError, match=r"which is that of node[12] of the network town") as error:
            create(tmp_path, "city", 2, other, "sqlite")
        assert names(tmp_path) == ["town"]
        free = int(error.value.do.rpartition(" ")[2].removesuffix("."))
        assert free > other
    create(tmp_path, "city", 2, free, "sqlite")
    assert load_config(Network.find(tmp_path, "city").folders()["node2"]).http.port == free + 2


def test_a_network_gets_no_port_that_another_program_uses(tmp_path):
    base = free_base()
    for port in (base + 2, base + PEER_PORTS + 1):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            listener.listen()
            with pytest.raises(OperationalError, match=f"port {port}, which another program uses now") as error:
                create(tmp_path, "town", 2, base, "sqlite")
            assert "--port-base" in error.value.do
    assert names(tmp_path) == []
    create(tmp_path, "town", 2, base, "sqlite")


def free_base() -> int:
    """A base above which two nodes, and those of ranges next to it, find free ports."""
    for base in range(10_000, 30_000, 40):
        ports = range(base - 1, base + 2 * PEER_PORTS + 20)
        if not any(port_taken("127.0.0.1", port) for port in ports):
            return base
    raise AssertionError("no ports are free")
