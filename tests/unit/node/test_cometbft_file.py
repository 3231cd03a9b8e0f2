"""What a data folder says of its CometBFT is read strictly, and what keeps a key from voting twice is never guessed."""

import json
from typing import Any

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft.home import VALIDATOR_STATE_FILE, Peer, validator_state_text
from fujie.node.cometbft_file import (
    PEERS_MAX,
    CometFile,
    KnownPeers,
    add_peer,
    check_address,
    has_cometbft,
    parse_peer,
    peer_texts,
    read_comet_file,
    remove_peer,
    write_comet_file,
)
from fujie.node.cometbft_home import BLOCKS, require_votes
from fujie.node.folder import Folder

PEER = Peer("ab" * 20, "bank.example:26656")
FILE = CometFile(initial_height=1, moniker="east", listen="0.0.0.0:26656", peers=peer_texts([PEER]), metrics="")


def written(folder: Folder, **changed: Any) -> None:
    content = json.loads(folder.cometbft.read_bytes()) | changed
    folder.cometbft.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def test_a_file_reads_as_it_was_written(tmp_path):
    folder = Folder(tmp_path)
    assert not has_cometbft(folder)
    write_comet_file(folder, FILE)
    assert has_cometbft(folder)
    assert read_comet_file(folder) == FILE
    assert read_comet_file(folder).known_peers == [PEER]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"format": "fujie-cometbft-2"}, "format"),
        ({"initial_height": 0}, "initial_height"),
        ({"initial_height": "1"}, "initial_height"),
        ({"moniker": ""}, "moniker"),
        ({"moniker": "a b"}, "moniker"),
        ({"moniker": 'x"\n[rpc]'}, "moniker"),
        ({"listen": "26656"}, "listen"),
        ({"listen": "tcp://0.0.0.0:26656"}, "listen"),
        ({"listen": "0.0.0.0:0"}, "no port"),
        ({"listen": "0.0.0.0:70000"}, "no port"),
        ({"listen": None}, "listen"),
        ({"peers": ["bank.example:26656"]}, "peers"),
        ({"peers": [f"{'AB' * 20}@bank.example:26656"]}, "peers"),
        ({"peers": [f"{'ab' * 20}@bank.example:99999"]}, "no port"),
        ({"metrics": "everywhere"}, "metrics"),
        ({"more": 1}, "more"),
    ],
)
def test_a_file_that_says_something_else_is_refused_by_its_place(tmp_path, changed, place):
    folder = Folder(tmp_path)
    write_comet_file(folder, FILE)
    written(folder, **changed)
    with pytest.raises(OperationalError, match=place):
        read_comet_file(folder)


def test_a_folder_without_the_file_is_told_apart_from_one_whose_file_is_damaged(tmp_path):
    folder = Folder(tmp_path)
    with pytest.raises(OperationalError, match="no node of a network"):
        read_comet_file(folder)
    folder.cometbft.write_bytes(b'{"format": ')
    with pytest.raises(OperationalError, match="does not read: it is no JSON"):
        read_comet_file(folder)


@pytest.mark.parametrize("text", ["[::1]:26656", "127.0.0.1:1", "bank-2.example:65535"])
def test_an_address_is_a_host_and_a_port(text):
    assert check_address(text) == text
    assert parse_peer(f"{'0' * 40}@{text}") == Peer("0" * 40, text)


@pytest.mark.parametrize(
    "text", ["", "bank", "bank:", ":1", "Bank:1", "bank:1 ", "b ank:1", "bank:0", "-bank:1", "a,b:1"]
)
def test_what_is_no_address_is_no_peer(text):
    with pytest.raises(OperationalError):
        check_address(text)
    with pytest.raises(OperationalError):
        parse_peer(f"{'0' * 40}@{text}")


@pytest.mark.parametrize(
    ("height", "state", "blocks", "problem"),
    [
        (0, False, False, None),
        (0, True, False, None),
        (0, True, True, None),
        (7, True, True, None),
        (0, False, True, "not known any more"),
        (7, False, True, "not known any more"),
        (7, False, False, "not known any more"),
        (7, True, False, "has none of them"),
    ],
)
def test_a_validator_starts_only_where_it_is_known_what_it_signed(tmp_path, height, state, blocks, problem):
    folder = Folder(tmp_path)
    (folder.cometbft_home / "data").mkdir(parents=True)
    if state:
        (folder.cometbft_home / VALIDATOR_STATE_FILE).write_bytes(validator_state_text(7))
    if blocks:
        (folder.cometbft_home / BLOCKS).mkdir()
    if problem is None:
        require_votes(folder, height, 1)
        return
    with pytest.raises(OperationalError, match=problem) as raised:
        require_votes(folder, height, 1)
    assert "network recover --above" in raised.value.do


def test_a_chain_that_was_embedded_before_has_signed_nothing_with_cometbft(tmp_path):
    require_votes(Folder(tmp_path), 41, 42)
    with pytest.raises(OperationalError, match="not known any more"):
        require_votes(Folder(tmp_path), 42, 42)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'{"height": "x", "round": 0, "step": 0}', b'{"height": "-1", "round": 0, "step": 0}']
)
def test_a_damaged_record_of_votes_is_not_taken_for_a_new_one(tmp_path, data):
    folder = Folder(tmp_path)
    (folder.cometbft_home / BLOCKS).mkdir(parents=True)
    (folder.cometbft_home / VALIDATOR_STATE_FILE).write_bytes(data)
    with pytest.raises(OperationalError, match="is damaged"):
        require_votes(folder, 7, 1)


def test_peers_are_known_by_their_ids_and_a_running_node_hears_of_changes(tmp_path, caplog):
    folder, other = Folder(tmp_path), Peer("cd" * 20, "north.example:26656")
    write_comet_file(folder, FILE)
    known = KnownPeers(folder)
    assert [known(each) for each in (PEER.node_id, other.node_id, "", PEER.node_id.upper())] == [True] + [False] * 3
    add_peer(folder, other)
    assert [known(each.node_id) for each in (PEER, other)] == [True, True]
    remove_peer(folder, PEER.node_id)
    assert [known(each.node_id) for each in (PEER, other)] == [False, True]
    folder.cometbft.write_text("{")
    assert [known(each.node_id) for each in (PEER, other)] == [False, True]
    folder.cometbft.unlink()
    assert [known(each.node_id) for each in (PEER, other)] == [False, True]
    assert "the peers of before" in caplog.text


def test_a_peer_that_moves_stands_once_and_nothing_else_of_the_file_changes(tmp_path):
    folder, moved = Folder(tmp_path), Peer(PEER.node_id, "east.example:1")
    write_comet_file(folder, FILE)
    assert add_peer(folder, moved).known_peers == [moved]
    assert add_peer(folder, PEER) == read_comet_file(folder) == FILE
    with pytest.raises(OperationalError, match="no peer of this node"):
        remove_peer(folder, "cd" * 20)
    assert read_comet_file(folder) == FILE


def test_a_node_has_no_more_peers_than_its_file_may_name(tmp_path):
    folder = Folder(tmp_path)
    write_comet_file(folder, FILE)
    for number in range(PEERS_MAX - 1):
        add_peer(folder, Peer(f"{number:040x}", "north.example:26656"))
    with pytest.raises(OperationalError, match=f"has {PEERS_MAX} peers"):
        add_peer(folder, Peer("cd" * 20, "north.example:26656"))
    add_peer(folder, Peer(PEER.node_id, "east.example:1"))
    assert len(read_comet_file(folder).peers) == PEERS_MAX
