"""One recorded sequence gives the same app hashes and receipts whatever the environment, and on every store."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.abci.replaying import by_the_bare_machine, recorded
from tests.engine.recorded import blocks
from tests.world import KINDS

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it

ENVIRONMENTS: list[dict[str, str]] = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4294967295", "TZ": "America/St_Johns", "LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "random", "TZ": "Pacific/Kiritimati", "LC_ALL": "en_US.UTF-8", "PYTHONOPTIMIZE": "1"},
]


def printed_by(module: str, folder: Path) -> list[str]:
    """Run a program in every environment, and return what it prints, which is the same in all."""
    printed = []
    for number, environment in enumerate(ENVIRONMENTS):
        done = subprocess.run(
            [sys.executable, "-m", module, str(folder / str(number))],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout.splitlines())
    for environment, lines in zip(ENVIRONMENTS, printed, strict=True):
        assert lines == printed[0], environment
    return printed[0]


def test_app_hashes_and_receipts_depend_neither_on_hash_seed_nor_on_time_zone_nor_on_locale(tmp_path: Path) -> None:
    printed = printed_by("tests.engine.recorded", tmp_path)
    by_store = {kind: [line.split(" ", 1)[1] for line in printed if line.startswith(kind)] for kind in KINDS}
    assert len(by_store["memory"]) == len(blocks())
    for kind in KINDS:
        assert by_store[kind] == by_store["memory"], f"{kind} gives another app hash or receipt"
    gaining = {
        kind: [line.split(" ", 2)[2] for line in printed if line.startswith(f"gaining {kind}")] for kind in KINDS
    }
    assert len(gaining["memory"]) == 8
    assert all(lines == gaining["memory"] for lines in gaining.values()), (
        "a room that is founded gives another app hash"
    )
    # The bare machine gives the receipts that the stores give.
    machine = [line.split(" ", 1)[1] for line in printed if line.startswith("machine")]
    assert machine[:-1] == [line.split(" ")[1] for line in by_store["memory"]]


def test_replicas_that_are_fed_the_same_blocks_agree_whatever_their_environment_and_store(tmp_path: Path) -> None:
    printed = printed_by("tests.abci.replaying", tmp_path)
    wanted = [
        f"{result.app_hash.hex()} {sha256(b''.join(result.receipts)).hexdigest()} {' '.join(map(str, result.codes))}"
        for result in by_the_bare_machine(list(recorded()))
    ]
    for kind in KINDS:
        assert [line.split(" ", 1)[1].rstrip() for line in printed if line.startswith(kind)] == [
            line.rstrip() for line in wanted
        ], f"{kind} gives another app hash or receipt than the bare machine"


def test_the_recorded_sequence_has_successes_and_refusals_of_every_room() -> None:
    kinds = {type(op).__module__ for block in blocks() for tx in block.transactions for op in tx.body.operations}
    assert kinds == {f"fujie.modules.{room}.operations" for room in ("membership", "identity", "currency")}
    assert any(not block.transactions for block in blocks())
