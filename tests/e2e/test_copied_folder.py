"""A copy of a data folder does not sign beside the first one, with the program as people run it."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.e2e.cli_node import CliNode

pytestmark = pytest.mark.slow


def test_a_copy_of_a_folder_is_refused_while_the_first_signs_and_takes_over_when_that_was_killed(
    tmp_path: Path,
) -> None:
    first, copy = CliNode(tmp_path / "first"), CliNode(tmp_path / "copy")
    first.run("init", "--name", "town")
    first.start()
    assert first.stop() == 0
    shutil.copytree(first.home, copy.home)
    first.start()
    said = copy.run("up", code=1)
    assert f"signs already, for the data folder {first.home}" in said
    assert "give this folder a key of its own" in said
    # What does not sign is free to run on it.
    assert copy.json("check")["findings"] == []
    assert copy.json("snapshot", "save", str(tmp_path / "saved"))["chain_id"] == first.json("status")["chain_id"]
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    copy.start()
    assert f"signs already, for the data folder {copy.home}" in first.run("up", code=1)
    assert copy.stop() == 0
    first.start()
    assert first.stop() == 0


def test_where_no_lock_can_be_made_nothing_is_signed_and_it_is_said_what_to_do(tmp_path: Path) -> None:
    node = CliNode(tmp_path / "node")
    node.run("init", "--name", "town")
    nowhere = tmp_path / "a-file"
    nowhere.write_text("")
    said = node.run("up", code=1, XDG_DATA_HOME=str(nowhere))
    assert "for locks on validator keys cannot be made" in said
    assert "XDG_DATA_HOME" in said
    assert node.json("check")["blocks"] == 0
