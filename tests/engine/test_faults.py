"""The fault table: every commit of a run × {lost, persisted}, over the real stores.

After each the folder is opened again and the run is repeated from its beginning, as a client does that does not know
what became of its transactions. It must end as the run that nothing disturbed: same blocks, same answers, same state.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.base import Outcome
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import chain_id
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.operations import Issue
from fujie.store.layout import Table
from fujie.store.opening import open_store
from tests import world
from tests.store.faults import Fault, FaultyStore, with_transactions
from tests.world import BANK, INSTRUMENT, ON_DISK, ROOT, Kind, Signing, allocate, funded, open_engine, pay

UNDER_WAY = 20
SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it


@cache
def script() -> list[list[bytes]]:
    """What a client submits, one submission after the other."""
    signing = Signing(chain_id(funded()))
    issue = Issue("institution", INSTRUMENT, 7_000, world.nonce(88))
    return [
        [signing.pay(0, 1, 5)],
        [signing.pay(1, 2, 6), signing.sign(allocate("1301"), ROOT), signing.pay(2, 3, 10**12)],
        [signing.sign([pay(2, 3, 7), pay(2, 0, 8)], world.holder(2)), signing.sign(pay(0, 1), world.holder(3))],
        [*signing.decide(world.membership_action(), 1), signing.sign(issue, *BANK[:2])],
        [signing.pay(n % 4, (n + 1) % 4, n + 1) for n in range(20)],
    ]


class Ended(NamedTuple):
    """What a run leaves."""

    outcomes: list[list[Outcome]]
    blocks: list[bytes]
    app_hashes: list[bytes]
    leaves: list[tuple[str, bytes, bytes]]
    commits: int


def submit_all(engine: EmbeddedEngine, known: list[list[Outcome]]) -> None:
    """Submit the whole script, each once the last is proven, and add the outcomes to ``known`` as they come."""
    for raws in script():
        outcomes = engine.submit(raws).result(SECONDS_MAX)
        known.append(outcomes)
        for outcome in outcomes:
            if outcome.log_index is not None and not engine.wait_proven(outcome.log_index, SECONDS_MAX):
                raise OperationalError("The ledger stopped before the proof.", "Open it again.")


def run(kind: Kind, folder: Path, plan: Mapping[int, Fault], known: list[list[Outcome]]) -> Ended:
    """Found the chain where there is none and submit the script; raises what the planned fault raises."""
    store = FaultyStore(open_store("sqlite" if kind == "sqlite" else "rocks", folder), plan)
    try:
        if store.get(Table.GENESIS, b"genesis") is None:
            found(store, funded())
    except OperationalError:
        store.close()
        raise
    engine = open_engine(store)
    try:
        submit_all(engine, known)
    except OperationalError:
        # Nothing of the block that failed is left in the tree, which would refuse to stage another otherwise.
        engine.executor.tree.discard(engine.executor.tree.stage({}))
        assert engine.failure is not None
        with pytest.raises(OperationalError, match="has stopped"):
            engine.submit([b""])
        raise
    else:
        executor = engine.executor
        assert world.findings(store) == []
        leaves = list(world.leaves_of(store))
        return Ended(known, world.header_hashes(executor), world.app_hashes(executor), leaves, store.commits)
    finally:
        engine.close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The run that nothing disturbs."""
    ends = [run(kind, tmp_path_factory.mktemp(kind), {}, []) for kind in ON_DISK]
    assert ends[0] == ends[1], "the stores end differently"
    return ends[0]


COMMITS = 12  # genesis, the first block, and two blocks for each of the five submissions


def test_the_table_has_a_row_for_every_commit_of_the_run(reference: Ended) -> None:
    assert reference.commits == COMMITS
    assert len(set(reference.app_hashes)) == 1 + len(script())


@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("commit", range(COMMITS))
@pytest.mark.parametrize("kind", ON_DISK)
def test_recovers_from_a_commit_that_is(
    kind: Kind, commit: int, fault: Fault, tmp_path: Path, reference: Ended
) -> None:
    acknowledged: list[list[Outcome]] = []
    with pytest.raises(OperationalError):
        run(kind, tmp_path, {commit: fault}, acknowledged)

    store = open_store("sqlite" if kind == "sqlite" else "rocks", tmp_path)
    if commit or fault == "persisted":
        executor = Executor(store)  # which checks that the records hash to what the last block signed
        assert executor.head.height in range(commit - 1, commit + 1), "not at the boundary of the block that failed"
        for outcome in [outcome for outcomes in acknowledged for outcome in outcomes]:
            if outcome.log_index is not None:
                assert executor.receipt_of(outcome.transaction_id) == outcome.receipt
                assert executor.index_of(outcome.transaction_id) == outcome.log_index
        assert world.findings(store) == []
    store.close()

    ended = run(kind, tmp_path, {}, [])
    assert ended.outcomes == reference.outcomes
    assert ended.outcomes[: len(acknowledged)] == acknowledged
    assert ended.leaves == reference.leaves
    assert ended.app_hashes == reference.app_hashes
    assert ended.blocks == reference.blocks, "the blocks differ from those of the undisturbed run"


@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("kind", ON_DISK)
def test_a_failed_commit_answers_everybody_who_waits(kind: Kind, fault: Fault, tmp_path: Path) -> None:
    # The fourth block with payments, and not a block of some number: that one may be empty, and nobody waits for it.
    inner = open_store("sqlite" if kind == "sqlite" else "rocks", tmp_path)
    store = FaultyStore(inner, {3: fault}, counts=with_transactions)
    found(store, funded())
    engine = open_engine(store)
    signing = Signing(engine.chain_id)
    futures: list[tuple[bytes, Future[list[Outcome]]]] = []
    while engine.failure is None:
        raw = signing.pay(len(futures) % 4, (len(futures) + 1) % 4)
        try:
            futures.append((raw, engine.submit([raw])))
            # A few at a time: a thousand in the queue would meet the quota of their wallets and not only the fault.
            if len(futures) > UNDER_WAY:
                futures[-UNDER_WAY][1].exception(SECONDS_MAX)
        except OperationalError:
            break
    acknowledged: dict[bytes, Outcome] = {}
    for raw, future in futures:
        error = future.exception(SECONDS_MAX)
        if error is None:
            acknowledged[raw] = future.result()[0]
        else:
            assert isinstance(error, OperationalError), error
    assert engine.pending == 0
    assert len(acknowledged) < len(futures)
    engine.close()
    engine.close()

    with world.running(kind, tmp_path) as again:
        for raw, outcome in acknowledged.items():
            assert again.submit([raw]).result(SECONDS_MAX) == [outcome]
        codes = {outcome.code for raw, _ in futures for outcome in again.submit([raw]).result(SECONDS_MAX)}
        assert codes == {0}
        assert again.head.log_size == len(futures)
        assert world.findings(again.executor.store) == []


@pytest.mark.parametrize("fault", ["lost", "persisted"])
@pytest.mark.parametrize("kind", ON_DISK)
def test_readers_keep_the_proven_state_when_a_commit_has_failed(kind: Kind, fault: Fault, tmp_path: Path) -> None:
    store = FaultyStore(open_store("sqlite" if kind == "sqlite" else "rocks", tmp_path), {4: fault})
    found(store, funded())
    engine = open_engine(store)
    signing = Signing(engine.chain_id)
    outcome = engine.submit([signing.pay(0, 1, 5)]).result(SECONDS_MAX)[0]
    assert engine.wait_proven(outcome.log_index or 0, SECONDS_MAX)
    with pytest.raises(OperationalError, match="as planned"):
        engine.submit([signing.pay(0, 1, 7)]).result(SECONDS_MAX)
    leaf = engine.read(currency_keys.balance(world.wallet_id(1), INSTRUMENT))
    assert leaf is not None
    assert leaf.record.amount_minor == world.FUNDS_MINOR + 5  # type: ignore[attr-defined]
    assert engine.wait_proven(99, SECONDS_MAX) is False, "a stopped ledger keeps its readers waiting"
    engine.close()
