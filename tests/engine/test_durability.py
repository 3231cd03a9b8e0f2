"""What is acknowledged is on the disk, and one process at a time has the folder: seen from outside, by the system."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.store.opening import open_store
from tests import world
from tests.engine.one_payment import ACKNOWLEDGED, SUBMITTED
from tests.world import ON_DISK, Kind, running

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it
CALLS = "fsync,fdatasync,sync_file_range,msync,write,pwrite64,writev,pwritev,pwritev2"

# 4242  fdatasync(5</folder/store.sqlite-wal>) = 0, also where another thread's call is reported in between.
_CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<descriptor>\d+)<(?P<path>[^>]*)>(?P<rest>.*)$")
_RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>")
_SYNCS = {"fsync", "fdatasync"}


def events(trace: str) -> list[tuple[str, str, str]]:
    """(call, path, rest of the line) of every call, at the moment when a write begins and when a sync has ended."""
    found = []
    under_way: dict[str, tuple[str, str, str]] = {}
    for line in trace.splitlines():
        call = _CALL.match(line)
        if call is None:
            resumed = _RESUMED.match(line)
            if resumed is not None and resumed["name"] in _SYNCS:
                assert line.rstrip().endswith("= 0"), line
                found.append(under_way.pop(resumed["pid"]))
            continue
        event = (call["name"], call["path"], call["rest"])
        if call["name"] not in _SYNCS:
            found.append(event)
        elif "<unfinished" in call["rest"]:
            under_way[call["pid"]] = event
        else:
            assert call["rest"].rstrip().endswith("= 0"), line
            found.append(event)
    return found


def is_data(path: str, folder: Path) -> bool:
    """Tell whether a file holds what a commit must not lose: SQLite's files, RocksDB's write-ahead log."""
    name = Path(path).name
    if "store.rocks" in path:
        return path.startswith(str(folder)) and name.endswith(".log")
    return path.startswith(str(folder)) and name.startswith("store.sqlite") and not name.endswith("-shm")


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_sync_lies_between_the_last_write_and_the_acknowledgement(kind: Kind, tmp_path: Path) -> None:
    folder, trace = tmp_path / "ledger", tmp_path / "trace"
    folder.mkdir()
    with running(kind, folder):
        pass  # founded, so that the trace holds a ledger's daily life alone
    arguments = ["strace", "-f", "-y", "-s", "32", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace)]
    done = subprocess.run(
        [*arguments, sys.executable, "-m", "tests.engine.one_payment", kind, str(folder)],
        cwd=ROOT,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == SUBMITTED + ACKNOWLEDGED

    seen = events(trace.read_text())
    marks = [number for number, (name, _, rest) in enumerate(seen) if name == "write" and "ED\\n" in rest]
    assert len(marks) == 2, "the two marks of the program are not in the trace"
    between = [(name, path) for name, path, _ in seen[marks[0] : marks[1]] if is_data(path, folder)]
    written = {path for name, path in between if name not in _SYNCS}
    assert written, "nothing was written before the acknowledgement"
    for path in written:
        calls = [name for name, of in between if of == path]
        assert calls[-1] in _SYNCS, f"{path} was written after its last sync: {calls}"
    after = [name for name, path, _ in seen[marks[1] :] if is_data(path, folder)]
    assert _SYNCS.intersection(after), "the block that proves the payment was not synced"

    with running(kind, folder) as engine:
        assert world.balance_minor(engine.executor, 1) == world.FUNDS_MINOR + 5


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_second_process_on_the_same_folder_is_refused_with_a_clear_message(kind: Kind, tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from fujie.store.opening import open_store\n"
        "from fujie.core.errors import OperationalError\n"
        "try:\n"
        "    open_store(sys.argv[1], pathlib.Path(sys.argv[2])).close()\n"
        "except OperationalError as error:\n"
        "    sys.exit(str(error))\n"
    )
    second = [sys.executable, "-c", program, kind, str(tmp_path)]
    with running(kind, tmp_path) as engine:
        refused = subprocess.run(second, capture_output=True, text=True, timeout=SECONDS_MAX)
        assert refused.returncode == 1
        assert refused.stderr.strip() == (
            f"The data folder {tmp_path} is in use by process {os.getpid()}. "
            "Stop that process, or give this one another data folder."
        )
        with pytest.raises(OperationalError, match="is in use by process"):
            open_store("rocks" if kind == "rocks" else "sqlite", tmp_path)
        assert engine.submit([world.Signing(engine.chain_id).pay(0, 1)]).result(300)[0].code == 0
    assert subprocess.run(second, capture_output=True, timeout=SECONDS_MAX).returncode == 0
