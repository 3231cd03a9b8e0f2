"""What is made in a data folder is for its user alone, however open the umask is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.node.folder import Folder, closed_to_others, make_folder
from fujie.node.snapshot import save_snapshot
from tests.unit.node.town import found_town


@pytest.fixture(autouse=True)
def _an_open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_and_the_missing_ones_above_it_are_closed_to_others(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_folder_that_exists_keeps_its_rights(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    before = mode(tmp_path / "a")
    make_folder(tmp_path / "a")
    make_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == before == 0o777


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationalError, match="cannot be made"):
        make_folder(tmp_path / "file" / "a")


def test_a_relative_folder_is_made_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(Path("home/keys"))
    assert mode(tmp_path / "home") == mode(tmp_path / "home" / "keys") == 0o700


@pytest.mark.parametrize("store", ["sqlite", "rocks"])
def test_a_founded_ledger_and_its_snapshot_are_closed_to_others(store: str, tmp_path: Path) -> None:
    home = tmp_path / "place" / "home"
    found_town(home, store)
    assert [mode(each) for each in (home.parent, home, home / "chain", home / "keys")] == [0o700] * 4
    if store == "sqlite":
        assert mode(home / "chain" / "store.sqlite") == 0o600
    save_snapshot(Folder(home), tmp_path / "town.snapshot")
    assert mode(tmp_path / "town.snapshot") == 0o600


def test_what_is_written_meanwhile_is_closed_to_others_and_not_after(tmp_path: Path) -> None:
    with closed_to_others():
        (tmp_path / "in").write_text("")
    (tmp_path / "out").write_text("")
    assert (mode(tmp_path / "in"), mode(tmp_path / "out")) == (0o600, 0o666)
