"""Whatever CometBFT asks in whatever legal order, and wherever the application is killed: the chain is the bare machine's.

`FUJIE_ABCI_SEEDS=1000 pytest tests/abci/test_driver.py` runs more seeds. A seed that fails is named, and repeats.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from tests.abci.driver import Driver
from tests.store.faults import Fault
from tests.world import ON_DISK, Kind

SEEDS: Final = int(os.environ.get("FUJIE_ABCI_SEEDS", "24"))
HEIGHTS: Final = 12
TABLE_HEIGHTS: Final = 6


def drive(
    seed: int, kind: Kind, folder: Path, heights: int, crash_in: float, faults: dict[int, Fault] | None = None
) -> Driver:
    """Drive a chain, and name the seed where something does not hold."""
    driver = Driver(seed, kind, folder, faults)
    try:
        driver.run(heights, crash_in)
    except BaseException as error:
        error.add_note(f"seed {seed} on {kind}, faults {faults}")
        raise
    finally:
        driver.close()
    return driver


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_chain_driven_by_any_legal_calls_with_crashes_is_that_of_the_bare_machine(seed: int, tmp_path: Path) -> None:
    drive(seed, ON_DISK[seed % len(ON_DISK)], tmp_path, HEIGHTS, 0.4)


@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("commit", range(1, TABLE_HEIGHTS + 1))
@pytest.mark.parametrize("kind", ON_DISK)
def test_recovers_from_a_commit_that_is(kind: Kind, commit: int, fault: Fault, tmp_path: Path) -> None:
    driver = drive(7, kind, tmp_path, TABLE_HEIGHTS, 0.0, {commit: fault})
    assert driver.crashes == 1
    assert len(driver.decided) == TABLE_HEIGHTS


def test_the_seeds_reach_what_they_are_meant_to_reach(tmp_path: Path) -> None:
    drivers = [drive(seed, "rocks", tmp_path / str(seed), HEIGHTS, 0.4) for seed in range(4)]
    assert all(driver.crashes for driver in drivers)
    blocks = [block for driver in drivers for block in driver.decided]
    assert any(block.misbehaviour for block in blocks)
    assert any(len(block.transactions) > 5 for block in blocks)
    assert any(not block.transactions for block in blocks)
    assert any(len(driver.bare.powers()) > 1 for driver in drivers)
