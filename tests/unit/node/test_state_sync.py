"""Asking for a state sync, and what is refused before anything is touched. What it does: tests/abci, tests/e2e."""

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.engine.cometbft import home
from fujie.engine.cometbft.state_sync import Progress
from fujie.engine.executor import HEAD
from fujie.node.cometbft_file import CometFile, StateSyncFile, read_comet_file, write_comet_file
from fujie.node.folder import Folder, exchange_chain
from fujie.node.founding import found_from, is_founded
from fujie.node.state_sync import _show_progress, fetch_state, read_progress, state_sync_file, wish_state_sync
from fujie.store.base import WriteBatch
from fujie.store.layout import META_HEAD, Table
from fujie.store.opening import StoreKind, open_store
from fujie.store.snapshot import META_ORIGIN, Origin
from tests.world import VALIDATOR, funded

URLS = ("http://127.0.0.1:1", "http://127.0.0.1:2")


@pytest.fixture(params=["sqlite", "rocks"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "home")
    found_from(made, request.param, "plain", funded())
    write_comet_file(made, CometFile(initial_height=1, moniker="late", listen="127.0.0.1:31999"))
    return made


def kind_of(folder: Folder) -> StoreKind:
    return folder.require().store


def stand_at(folder: Folder, height: int, origin: int | None = None) -> None:
    """Have the head of a chain, and where it begins, say these heights."""
    store = open_store(kind_of(folder), folder.chain)
    head = HEAD.decode(store.get(Table.META, META_HEAD) or b"")
    batch = WriteBatch()
    batch.put(Table.META, META_HEAD, encode(replace(head, height=height)))
    if origin is not None:
        batch.put(Table.META, META_ORIGIN, encode(Origin(origin, 0)))
    store.commit(batch)
    store.close()


def fetch(folder: Folder) -> None:
    fetch_state(folder, funded, VALIDATOR, lambda: False)


def test_is_asked_for_in_the_file_and_nothing_else_changes(folder: Folder) -> None:
    before = read_comet_file(folder)
    wish_state_sync(folder, state_sync_file(URLS, folder.trust(), folder.trust().chain_id))
    asked = StateSyncFile(servers=URLS, trust=folder.trust())
    assert read_comet_file(folder) == replace(before, state_sync=asked)


@pytest.mark.parametrize("urls", [(), URLS[:1], (URLS[0], URLS[0])])
def test_refuses_fewer_than_two_nodes(urls: tuple[str, ...]) -> None:
    with pytest.raises(OperationalError, match="two or more nodes"):
        state_sync_file(urls, None, "chain")


def test_refuses_a_url_that_is_none() -> None:
    with pytest.raises(OperationalError):
        state_sync_file((URLS[0], "ftp://node"), None, "chain")


def test_refuses_the_trust_root_of_another_chain(folder: Folder) -> None:
    with pytest.raises(OperationalError, match="Take that of the same chain"):
        state_sync_file(URLS, folder.trust(), "another")


def test_does_nothing_where_it_was_not_asked_for(folder: Folder) -> None:
    before = sorted(path.name for path in folder.home.iterdir())
    fetch(folder)
    assert sorted(path.name for path in folder.home.iterdir()) == before


@pytest.mark.parametrize(("height", "origin"), [(1, None), (12, None), (12, 5)])
def test_never_begins_anew_where_a_chain_has_blocks(folder: Folder, height: int, origin: int | None) -> None:
    wish_state_sync(folder, state_sync_file(URLS, None, ""))
    stand_at(folder, height, origin)
    with pytest.raises(OperationalError, match="has blocks"):
        fetch(folder)


@pytest.mark.parametrize(("height", "origin"), [(0, None), (12, 12)])
def test_says_which_node_does_not_answer_and_leaves_the_chain(folder: Folder, height: int, origin: int | None) -> None:
    wish_state_sync(folder, state_sync_file(URLS, None, ""))
    stand_at(folder, height, origin)
    with pytest.raises(
        OperationalError, match=r"told with --state-sync, 0 of 2 serve:\s+http://127\.0\.0\.1:1:"
    ) as raised:
        fetch(folder)
    assert "network recover --above HEIGHT --state-sync URL --state-sync URL" in raised.value.do
    assert read_comet_file(folder).state_sync is not None
    store = open_store(kind_of(folder), folder.chain)
    assert HEAD.decode(store.get(Table.META, META_HEAD) or b"").height == height
    store.close()


def test_says_in_words_how_far_it_is(folder: Folder) -> None:
    assert read_progress(folder) == ""
    _show_progress(folder, Progress(0, 0, 0))
    assert read_progress(folder) == "looks for a snapshot at its peers"
    _show_progress(folder, Progress(1_200, 3, 10))
    assert read_progress(folder) == "fetches a snapshot: 3 of 10 chunks of the state after block 1,200"
    _show_progress(folder, None)
    assert read_progress(folder) == ""


def test_a_fetched_chain_takes_its_place_wherever_a_crash_came(folder: Folder) -> None:
    shutil.copytree(folder.chain, folder.fetched)
    shutil.rmtree(folder.chain)
    assert is_founded(folder), "what was begun is completed before anybody founds another chain"
    assert not folder.fetched.exists()
    exchange_chain(folder)
    assert is_founded(folder)


def test_is_written_as_cometbft_reads_it() -> None:
    wanted = home.StateSync(("unix:///a", "unix:///b"), 12, bytes(range(32)), 86_400_000)
    paths = (Path("/abci"), Path("/rpc"), "late", "127.0.0.1:1", ())
    text = home.config_text(home.settings(*paths, state_sync=wanted)).decode()
    section = text.partition("[statesync]\n")[2].partition("\n\n")[0].splitlines()
    assert section == [
        "enable = true",
        'rpc_servers = "unix:///a,unix:///b"',
        "trust_height = 12",
        f'trust_hash = "{bytes(range(32)).hex().upper()}"',
        'trust_period = "86400000ms"',
        'discovery_time = "5s"',
        'chunk_request_timeout = "10s"',
    ]
    assert "[statesync]\nenable = false\n\n" in home.config_text(home.settings(*paths)).decode()
