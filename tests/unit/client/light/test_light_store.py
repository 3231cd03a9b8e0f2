"""The folder of believed headers: whole or named as damaged, for one root, and bounded."""

from pathlib import Path

import pytest

from fujie.client.light.client import LightClient
from fujie.client.light.store import ROOT_FILE, DamagedStore, LightStore
from fujie.core.errors import OperationalError
from fujie.proof.header import header_hash
from fujie.proof.light import TrustedHeader
from fujie.proof.light_block import LightBlock
from tests.light.embedded_chain import CHAIN_ID, make_chain
from tests.light.memory_provider import MemoryProvider

BLOCKS = make_chain([{1: 10, 2: 10, 3: 10}] * 12)


def pin(block: LightBlock) -> TrustedHeader:
    return TrustedHeader(CHAIN_ID, block.header.height, header_hash(block.header))


def clock() -> int:
    return BLOCKS[-1].header.time_ms + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a client left heights 2, 6 and 9."""
    client = LightClient(pin(BLOCKS[1]), MemoryProvider("node", BLOCKS), store=LightStore(tmp_path / "a"), clock=clock)
    client.at(6)
    client.at(9)
    return tmp_path / "a"


def test_what_was_believed_is_there_after_a_restart(folder: Path):
    store = LightStore(folder)
    assert store.heights() == [2, 6, 9]
    assert [store.at(height) for height in (2, 6, 9, 7)] == [BLOCKS[1], BLOCKS[5], BLOCKS[8], None]
    assert (store.below(8), store.below(1), store.above(6), store.above(9)) == (BLOCKS[5], None, BLOCKS[8], None)
    silent = MemoryProvider("silent", [])
    client = LightClient(pin(BLOCKS[1]), silent, store=store, clock=clock)
    assert client.at(9) == BLOCKS[8]
    assert silent.asked == []


@pytest.mark.parametrize("cut", [0, 1, 30, 90, 200])
def test_a_file_that_was_cut_is_named(folder: Path, cut: int):
    path = folder / f"{9:019}.light"
    path.write_bytes(path.read_bytes()[:cut])
    client = LightClient(pin(BLOCKS[1]), MemoryProvider("node", BLOCKS), store=LightStore(folder), clock=clock)
    with pytest.raises(DamagedStore, match=str(path)) as damaged:
        client.newest()
    assert "Remove the folder" in damaged.value.do


@pytest.mark.parametrize("place", range(0, 900, 90))
def test_a_byte_that_was_turned_is_found(folder: Path, place: int):
    path = folder / f"{6:019}.light"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedStore):
        LightStore(folder).at(6)


def test_a_file_under_the_name_of_another_is_found(folder: Path):
    (folder / f"{6:019}.light").replace(folder / f"{9:019}.light")
    with pytest.raises(DamagedStore, match="it holds height 6"):
        LightStore(folder).at(9)
    gone = LightStore(folder)
    (folder / f"{9:019}.light").unlink()
    with pytest.raises(DamagedStore, match="it is gone"):
        gone.at(9)


def test_headers_that_were_believed_for_another_root_are_not_believed(folder: Path):
    for other in (pin(BLOCKS[2]), pin(BLOCKS[1])._replace(header_hash=bytes(32))):
        with pytest.raises(OperationalError, match="another root"):
            LightClient(other, MemoryProvider("node", BLOCKS), store=LightStore(folder), clock=clock)
    (folder / ROOT_FILE).unlink()
    with pytest.raises(DamagedStore, match="there is none"):
        LightClient(pin(BLOCKS[1]), MemoryProvider("node", BLOCKS), store=LightStore(folder), clock=clock)


@pytest.mark.parametrize("on_disk", [False, True])
def test_keeps_the_first_and_the_newest(tmp_path: Path, on_disk: bool):
    folder = tmp_path / "light" if on_disk else None
    store = LightStore(folder, kept=4)
    client = LightClient(pin(BLOCKS[0]), MemoryProvider("node", BLOCKS), store=store, clock=clock, sequential=True)
    assert client.newest() == BLOCKS[-1]
    assert store.heights() == [1, 10, 11, 12]
    if folder is not None:
        assert LightStore(folder).heights() == [1, 10, 11, 12]
    with pytest.raises(ValueError, match="keeps at least"):
        LightStore(kept=1)


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationalError, match="cannot be"):
        LightClient(
            pin(BLOCKS[0]), MemoryProvider("node", BLOCKS), store=LightStore(tmp_path / "file" / "light"), clock=clock
        ).newest()
