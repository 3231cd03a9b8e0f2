"""A node that lost its chain founds it anew with its keys, signs nothing up to a height that a person gave, and loses no file."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.engine.cometbft.home import VALIDATOR_STATE_FILE, validator_state_text
from fujie.node.cometbft_file import CometFile, read_comet_file, write_comet_file
from fujie.node.folder import Folder
from fujie.node.founding import read_genesis
from fujie.node.ledger import open_ledger
from fujie.node.recovery import MOVED, recover
from fujie.store.base import WriteBatch
from fujie.store.layout import META_HANDED_OVER, Table, number_key
from fujie.store.opening import open_store
from tests.unit.node.town import found_town

FILE = CometFile(initial_height=1, moniker="east", listen="127.0.0.1:26656")


@pytest.fixture
def folder(tmp_path):
    """A folder with a chain of some blocks, which says that CometBFT makes it."""
    home = tmp_path / "home"
    found_town(home)
    found = Folder(home)
    write_comet_file(found, FILE)
    found.write_trust(replace(found.trust(), trust_period_ms=1_000_000))
    (found.cometbft_home / "data").mkdir(parents=True)
    (found.cometbft_home / "data" / "blocks").write_text("of CometBFT")
    return found


def files(folder: Folder) -> list[Path]:
    """Return what lies in a folder, but for what a reader of the store and a lock leave behind."""
    return sorted(
        path for path in folder.home.rglob("*") if path.name != "lock" and not path.name.endswith(("-shm", "-wal"))
    )


def test_everything_but_keys_and_trust_is_set_aside_and_the_key_waits(folder):
    keys = {path: path.read_bytes() for path in folder.key_files()}
    chain = read_genesis(folder)[0]
    trust = folder.trust()
    aside = recover(folder, 1_000)
    assert {path: path.read_bytes() for path in folder.key_files()} == keys
    assert (folder.trust(), read_genesis(folder)[0]) == (trust, chain)
    assert json.loads((folder.cometbft_home / VALIDATOR_STATE_FILE).read_bytes()) == {
        "height": "1000",
        "round": 0,
        "step": 3,
    }
    assert {path.name for path in aside.iterdir()} <= {"cometbft", *MOVED}
    assert (aside / "cometbft" / "data" / "blocks").read_text() == "of CometBFT"


@pytest.mark.parametrize("above", [1, 2])
def test_a_height_below_the_chain_itself_is_refused(folder, above):
    before = files(folder)
    with pytest.raises(OperationalError, match=f"nothing above {above} was signed"):
        recover(folder, above)
    assert files(folder) == before


def test_a_height_below_the_last_vote_is_refused_also_where_the_chain_is_lost(folder, tmp_path):
    path = folder.cometbft_home / VALIDATOR_STATE_FILE
    path.write_bytes(validator_state_text(5_000))
    genesis = tmp_path / "town.genesis"
    genesis.write_bytes(encode(read_genesis(folder)[1]))
    shutil.rmtree(folder.chain)
    before = files(folder)
    with pytest.raises(OperationalError, match="has signed at height 5000, and you say that nothing above 4999 was"):
        recover(folder, 4_999, genesis)
    assert files(folder) == before
    recover(folder, 5_000, genesis)


def test_a_chain_that_began_embedded_needs_its_handover_folder(folder):
    write_comet_file(folder, replace(FILE, initial_height=7))
    with pytest.raises(OperationalError, match="grew out of an embedded one"):
        recover(folder, 1_000)


def test_a_chain_that_says_so_in_its_store_needs_it_too(folder):
    store = open_store("sqlite", folder.chain)
    batch = WriteBatch()
    batch.put(Table.META, META_HANDED_OVER, number_key(6))
    store.commit(batch)
    store.close()
    before = files(folder)
    with pytest.raises(OperationalError, match="grew out of an embedded one"):
        recover(folder, 1_000)
    assert files(folder) == before


def test_a_chain_that_began_embedded_needs_none_to_begin_from_a_snapshot(folder):
    write_comet_file(folder, replace(FILE, initial_height=7))
    recover(folder, 1_000, from_snapshot=True)
    assert read_comet_file(folder) == FILE


def test_a_running_node_is_not_recovered(folder):
    store = open_store("sqlite", folder.chain)
    with pytest.raises(OperationalError, match="in use by process"):
        recover(folder, 1_000)
    store.close()
    recover(folder, 1_000)


def test_a_chain_that_does_not_read_needs_the_genesis_of_another_node(folder, tmp_path):
    genesis = tmp_path / "town.genesis"
    genesis.write_bytes(encode(read_genesis(folder)[1]))
    (folder.chain / "store.sqlite").write_bytes(b"damaged")
    with pytest.raises(OperationalError, match="genesis in this folder does not read"):
        recover(folder, 1_000)
    other = tmp_path / "other"
    open_ledger(other).close()
    strange = tmp_path / "strange.genesis"
    strange.write_bytes(encode(read_genesis(Folder(other))[1]))
    with pytest.raises(OperationalError, match="trust root of this folder pins"):
        recover(folder, 1_000, strange)
    recover(folder, 1_000, genesis)
    assert encode(read_genesis(folder)[1]) == genesis.read_bytes()
