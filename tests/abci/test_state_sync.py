"""A late node begins from a snapshot, dies wherever it may, and then is a node like every other: the chain is the same one.

`FUJIE_ABCI_SEEDS=1000 pytest tests/abci/test_state_sync.py` runs more seeds. A seed that fails is named, and repeats.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from fujie.core.reasons import TransactionReason
from fujie.engine.cometbft import abci, snapshot_contents, snapshots, state_sync
from fujie.node.folder import Folder
from fujie.store.opening import StoreKind
from tests.abci.driver import ANSWER_S, Driver
from tests.abci.late import STEPS, LateNode, Step
from tests.store.faults import Fault
from tests.world import ON_DISK

SEEDS: Final = int(os.environ.get("FUJIE_ABCI_SEEDS", "8"))
HEIGHTS: Final = 6
WITH_VERSIONS: Final = (12, 37)  # seeds with old versions in the snapshot, so that six batches are written to load it
CHUNK: Final = 3_000  # bytes: the small world has some 20,000
OTHER: Final[dict[str, StoreKind]] = {"sqlite": "rocks", "rocks": "sqlite"}


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (snapshot_contents, snapshots, state_sync):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)


def sync(
    seed: int, place: Path, monkeypatch: pytest.MonkeyPatch, plan: list[Step], fault: tuple[int, Fault] = (0, "lost")
) -> tuple[Driver, LateNode]:
    """Drive a chain, have a node with the other kind of store begin from it, and go on with that one."""
    kind = ON_DISK[seed % len(ON_DISK)]
    driver = Driver(seed, kind, place / "first", snapshots=place / "snapshots")
    try:
        driver.run(HEIGHTS, 0.2)
        late = LateNode(seed, OTHER[kind], Folder(place / "late"), driver, monkeypatch)
        height = late.run(plan, fault)
        assert late.crashes == plan
        driver.go_on(late.folder.chain, OTHER[kind], len(driver.decided) - height)
        driver.run(HEIGHTS + 3, 0.3)
    except BaseException as error:
        error.add_note(f"seed {seed}, plan {plan}, fault {fault}")
        raise
    finally:
        driver.close()
    return driver, late


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_late_node_goes_on_as_the_bare_machine_wherever_it_died_before(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan: list[Step] = [STEPS[(seed + each) % len(STEPS)] for each in range(seed % 3)]
    sync(seed, tmp_path, monkeypatch, plan)


@pytest.mark.parametrize("step", STEPS)
def test_a_node_that_died_at_a_step_begins_again(step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(WITH_VERSIONS[STEPS.index(step) % 2], tmp_path, monkeypatch, [step, step])


@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("commit", range(6))
def test_a_write_of_the_store_that_is_built_fails(
    commit: int, fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(WITH_VERSIONS[commit % 2], tmp_path, monkeypatch, ["load"], (commit, fault))


def test_what_was_carried_out_before_the_snapshot_is_not_carried_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(10, "sqlite", tmp_path / "first", snapshots=tmp_path / "snapshots")
    driver.run(HEIGHTS, 0.0)
    late = LateNode(10, "rocks", Folder(tmp_path / "late"), driver, monkeypatch)
    height = late.run([])
    driver.go_on(late.folder.chain, "rocks", len(driver.decided) - height)
    driver.run(HEIGHTS + 1, 0.0)
    repeated = [raw for block in driver.decided[:height] for raw in block.transactions if driver.remembers(raw)]
    assert repeated, "the seed has transactions that were carried out and have not expired"
    asked = [abci.RequestCheckTx(tx=raw) for raw in repeated]
    answers = driver.replica.application.check_tx(asked).result(ANSWER_S)
    assert {answer.code for answer in answers} == {int(TransactionReason.TRANSACTION_REPEATED)}
    driver.decide_again(repeated)  # by validators that let it pass: a receipt each, the same as on the bare machine
    assert set(driver.results[-1].codes) == {int(TransactionReason.TRANSACTION_REPEATED)}
    driver.close()


def test_the_seeds_reach_what_they_are_meant_to_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [sync(seed, tmp_path / str(seed), monkeypatch, []) for seed in range(4)]
    assert sum(late.refused for _, late in pairs) > 4
    assert any(driver.crashes for driver, _ in pairs)
    assert any(not block.transactions for driver, _ in pairs for block in driver.decided)
