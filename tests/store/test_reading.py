"""Reading a store where nothing may be written: a read-only file system, and a look that leaves nothing behind."""

import os
import shutil
import subprocess
import sys

import pytest

from fujie.core.errors import OperationalError
from fujie.store.base import WriteBatch
from fujie.store.layout import Table
from fujie.store.opening import open_store
from fujie.store.reading import open_for_reading


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "chain"
    fill(path)
    return path


def fill(path, value=b"one"):
    store = open_store("sqlite", path)
    batch = WriteBatch()
    batch.put(Table.META, b"name", value)
    store.commit(batch)
    store.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_an_untouched_look_leaves_nothing_behind(folder):
    before = names(folder)
    store = open_for_reading("sqlite", folder, untouched=True)
    assert store.get(Table.META, b"name") == b"one"
    with pytest.raises(OperationalError, match="in use"):
        open_store("sqlite", folder)
    store.close()
    assert names(folder) == before == ["lock", "store.sqlite"]
    fill(folder, b"two")


def test_an_untouched_look_beside_a_writer_sees_its_newest_commit(folder):
    writer = open_store("sqlite", folder)
    batch = WriteBatch()
    batch.put(Table.META, b"name", b"newest")
    writer.commit(batch)
    store = open_for_reading("sqlite", folder, untouched=True)
    assert store.get(Table.META, b"name") == b"newest"
    store.close()
    writer.close()


def mounted_read_only(folder, program):
    """Run a program of Python where ``folder`` is mounted read-only."""
    script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$1"'
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "-", str(folder), sys.executable, program], capture_output=True, text=True
    )


def may_mount():
    if sys.platform != "linux" or shutil.which("unshare") is None or os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


READ = """
import sys
from pathlib import Path
from fujie.core.errors import OperationalError
from fujie.store.layout import Table
from fujie.store.reading import open_for_reading
try:
    print(open_for_reading("sqlite", Path(sys.argv[1])).get(Table.META, b"name"))
except OperationalError as error:
    print(error)
"""


@pytest.mark.skipif(not may_mount(), reason="mounting takes rights that this machine does not give")
def test_a_store_on_a_read_only_file_system_is_read(folder):
    assert mounted_read_only(folder, READ).stdout == "b'one'\n"


@pytest.mark.skipif(not may_mount(), reason="mounting takes rights that this machine does not give")
def test_the_newest_commits_are_not_left_out_on_a_read_only_file_system(folder, tmp_path):
    writer = open_store("sqlite", folder)
    batch = WriteBatch()
    batch.put(Table.META, b"name", b"newest")
    writer.commit(batch)
    copy = tmp_path / "copy"  # as a crash leaves it: the newest commit stands in the write-ahead log alone
    shutil.copytree(folder, copy)
    writer.close()
    assert mounted_read_only(copy, READ).stdout == "b'newest'\n"
    (copy / "store.sqlite-shm").unlink()
    shown = mounted_read_only(copy, READ).stdout
    assert "was not closed when it was last used" in shown
    assert "Copy the whole folder" in shown
