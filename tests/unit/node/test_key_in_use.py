"""The key of an embedded chain signs for one data folder at a time; whatever ends the engine gives the key back."""

import shutil
from pathlib import Path

import pytest

from fujie.api.listening import accept, listen
from fujie.core.errors import OperationalError
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.key_lock import KeyLock
from fujie.node.config_keys import Config, Http
from fujie.node.folder import Folder
from fujie.node.founding import open_engine
from fujie.node.keyring import validator_signer
from fujie.node.ledger import open_ledger
from fujie.node.serve import _listen
from tests.growing import town


@pytest.fixture(autouse=True)
def _user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return town(tmp_path / "first")


def require_free(folder: Folder) -> None:
    KeyLock(validator_signer(folder).public_key, folder.home).release()


def test_a_copied_folder_does_not_open_beside_the_first(folder: Folder, tmp_path: Path) -> None:
    copy = Folder(Path(shutil.copytree(folder.home, tmp_path / "copy")))
    for one, other in ((folder, copy), (copy, folder)):
        said = f"signs already, for the data folder {one.home}"
        with open_ledger(one.home), pytest.raises(OperationalError, match=said):
            open_ledger(other.home)
    require_free(folder)


def test_a_key_is_free_for_cometbft_when_the_chain_was_handed_over(folder: Folder) -> None:
    engine = open_engine(folder, validator_signer(folder))
    assert isinstance(engine, EmbeddedEngine)
    with pytest.raises(OperationalError, match="signs already"):
        require_free(folder)
    engine.hand_over()
    require_free(folder)


def test_a_chain_that_does_not_open_holds_no_key(folder: Folder) -> None:
    engine = open_engine(folder, validator_signer(folder))
    assert isinstance(engine, EmbeddedEngine)
    engine.hand_over()
    with pytest.raises(OperationalError, match="handed over"):
        open_engine(folder, validator_signer(folder))
    require_free(folder)


def test_a_key_in_use_leaves_the_folder_to_others(folder: Folder, tmp_path: Path) -> None:
    lock = KeyLock(validator_signer(folder).public_key, tmp_path)
    with pytest.raises(OperationalError, match="signs already"):
        open_engine(folder, validator_signer(folder))
    lock.release()
    open_engine(folder, validator_signer(folder)).close()


def test_a_copy_is_not_sent_to_another_port_while_the_first_signs(folder: Folder, tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        accept(taken)
        config = Config(http=Http(port=taken.getsockname()[1]))
        with pytest.raises(OperationalError, match=r"Port .* is in use"):
            _listen(folder, config)
        copy = Folder(Path(shutil.copytree(folder.home, tmp_path / "copy")))
        with open_ledger(folder.home):
            with pytest.raises(OperationalError, match="signs already"):
                _listen(copy, config)
            with pytest.raises(OperationalError, match=r"Port .* is in use"):
                _listen(folder, config)
