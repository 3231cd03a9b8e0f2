"""One key signs in one process: the locks are held by `cometbft` itself, however its node ended."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.engine.cometbft.locks import FolderLock
from fujie.engine.cometbft.output import FILES_KEPT, Output
from fujie.engine.key_lock import KeyLock

SIGNER = Signer(b"one validator".ljust(32, b"."))
GIVE_UP_S = 60.0

# A node that starts a "cometbft" which sleeps, with the locks, and ends without a word.
NODE = """
import os, subprocess, sys
from pathlib import Path
from fujie.core.signing import Signer
from fujie.engine.cometbft.locks import FolderLock
from fujie.engine.key_lock import KeyLock
home = Path(sys.argv[1])
locks = FolderLock(home), KeyLock(bytes.fromhex(sys.argv[2]), home)
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)", "--home", str(home)],
    pass_fds=[lock.descriptor for lock in locks], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
)
locks[0].name(child.pid)
print(child.pid, flush=True)
os._exit(0)
"""


@pytest.fixture(autouse=True)
def _user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))


@pytest.fixture
def home(tmp_path) -> Path:
    path: Path = tmp_path / "home"
    path.mkdir()
    return path


def orphan(home: Path) -> int:
    """Leave a process behind that holds the locks of a node which is gone; return its number."""
    said = subprocess.run(
        [sys.executable, "-c", NODE, str(home), SIGNER.public_key.hex()],
        check=True,
        capture_output=True,
        timeout=GIVE_UP_S,
    )
    return int(said.stdout)


def test_a_key_signs_for_one_folder_at_a_time(home, tmp_path):
    other = tmp_path / "other"
    first = KeyLock(SIGNER.public_key, home)
    with pytest.raises(OperationalError, match=f"signs already, for the data folder {home}"):
        KeyLock(SIGNER.public_key, other)
    KeyLock(Signer(b"another".ljust(32, b".")).public_key, other).release()
    first.release()
    KeyLock(SIGNER.public_key, other).release()


def test_a_key_is_held_by_the_process_that_outlives_its_node(home, tmp_path):
    process = orphan(home)
    with pytest.raises(OperationalError, match="signs already"):
        KeyLock(SIGNER.public_key, tmp_path / "other")
    assert Path(f"/proc/{process}").exists()
    FolderLock(home).release()  # whoever takes the folder ends what an earlier node left behind


def test_what_a_killed_node_left_is_ended_by_the_next(home):
    process = orphan(home)
    lock = FolderLock(home)
    give_up = time.monotonic() + GIVE_UP_S
    while Path(f"/proc/{process}").exists() and "Z" not in Path(f"/proc/{process}/stat").read_text():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    KeyLock(SIGNER.public_key, home).release()
    lock.release()


def test_a_process_that_is_no_cometbft_of_this_folder_is_left_alone(home, monkeypatch):
    monkeypatch.setattr("fujie.engine.cometbft.locks.ORPHAN_S", 0.2)
    first = FolderLock(home)
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        first.name(bystander.pid)
        with pytest.raises(OperationalError, match=f"still runs on {home} \\(process {bystander.pid}\\)"):
            FolderLock(home)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        first.release()


def test_what_cometbft_writes_is_kept_in_files_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr("fujie.engine.cometbft.output.FILE_BYTES_MAX", 1_000)
    path = tmp_path / "cometbft.log"
    process = subprocess.Popen(
        [sys.executable, "-uc", "for n in range(200): print(f'{n:0>99}')"], stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    thread = Output(process.stdout, path).thread
    assert process.wait() == 0
    thread.join()
    files = sorted(tmp_path.iterdir())
    assert len(files) <= FILES_KEPT + 1
    assert path.read_bytes().endswith(b"199\n")
    assert [each.name for each in files if each.stat().st_mode & 0o077] == []
