"""A node that comes late, played in one process: CometBFT's state sync on the application of another, seeded, with crashes.

    start ─► (OfferSnapshot refused)* ─► OfferSnapshot ─► (ApplySnapshotChunk refused | taken)* ─► Info ─► FinalizeBlock
          ◄─ again from the beginning, whenever the process dies ─────────────────────────────────────────────────┘

What CometBFT would have verified, the headers, is made here of the blocks that were decided.

Source: CometBFT 0.38 specification, "ABCI 2.0", section "CometBFT's expected behavior", ``state-sync``.
"""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.consensus import Block
from fujie.engine.cometbft.light_rpc import Turns
from fujie.engine.cometbft.state_sync import Restoration
from fujie.engine.executor import Executor
from fujie.node import state_sync
from fujie.node.folder import Folder, exchange_chain
from fujie.node.founding import found_from
from fujie.node.state_sync import Installing
from fujie.proof.block import encode_result, results_hash
from fujie.proof.header import EMPTY_EVIDENCE_HASH, BlockID, PartSetHeader, make_header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import validator_address, validator_set_hash
from fujie.proof.vote import Commit
from fujie.store.base import Store
from fujie.store.opening import StoreKind, open_store
from tests.abci.driver import ANSWER_S, CrashError, Driver
from tests.abci.replica import MEMBERS
from tests.abci.requests import request_of
from tests.engine.bare import BareChain, Result
from tests.store.faults import Fault, FaultyStore
from tests.world import VALIDATOR, funded

Step = Literal["offered", "chunk", "load", "loaded", "fetched", "removed", "installed"]
"""Where the process dies: an offer was taken; a chunk was; a write of the store that is built fails; that store is whole;
it has its name; what it replaces is gone; it stands, and CometBFT does not know."""

STEPS: Final = get_args(Step)
DIGEST: Final = bytes(range(32))


def headers(blocks: list[Block], results: list[Result]) -> dict[int, LightBlock]:
    """Return a light block for every height of a chain, and for the one after it, as a light client would believe them."""
    genesis = BareChain(funded())
    made = {}
    for height in range(1, len(blocks) + 2):
        before = results[height - 2] if height > 1 else Result(genesis.app_hash, [], [])
        block = blocks[height - 1] if height <= len(blocks) else None
        header = make_header(
            chain_id=genesis.chain_id,
            height=height,
            time_ms=blocks[-1].time_ms + 1 if block is None else block.time_ms,
            last_block_id=BlockID(DIGEST, PartSetHeader(1, DIGEST)),
            last_commit_hash=DIGEST,
            data_hash=DIGEST,
            validators_hash=validator_set_hash(MEMBERS),
            next_validators_hash=validator_set_hash(MEMBERS),
            consensus_hash=DIGEST,
            app_hash=before.app_hash,
            last_results_hash=results_hash([encode_result(code) for code in before.codes]),
            proposer_address=validator_address(VALIDATOR.public_key),
        )
        made[height] = LightBlock(header, Commit(height, 0, header.last_block_id, ()), MEMBERS)
        assert header.evidence_hash == EMPTY_EVIDENCE_HASH
    return made


class LateNode:
    """A founded folder whose chain begins from a snapshot of the application that ``driver`` has open."""

    def __init__(
        self, seed: int, kind: StoreKind, folder: Folder, driver: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.random = random.Random(seed)
        self.crashes: list[Step] = []
        self.refused = 0  # offers and chunks
        self.folder = folder
        self._kind = kind
        self._monkeypatch = monkeypatch
        self._application = driver.replica.application
        self._headers = headers(driver.decided, driver.results)
        self._decided = driver.decided
        self._turns = Turns()
        self._plan: list[Step] = []
        self._load_fault: tuple[int, Fault] | None = None
        found_from(folder, kind, "plain", funded())

    def run(self, plan: list[Step], load_fault: tuple[int, Fault] | None = None) -> int:
        """Sync, dying once at each step of ``plan``, and return the height at which the chain stands then.

        ``load_fault``: which commit of a store that is built fails, and how, where the plan says ``load``.
        """
        self._plan, self._load_fault = list(plan), load_fault
        while True:
            try:
                return self._live()
            except CrashError:
                self._look()

    # -- one life

    def _live(self) -> int:
        exchange_chain(self.folder)
        installing = Installing(self.folder, self._kind)
        with self._monkeypatch.context() as patched:
            self._arm(patched)
            restoration = Restoration(
                BareChain(funded()).chain_id,
                self.folder.state_sync,
                believed=self._headers.__getitem__,
                turns=self._turns,
                install=installing.install,
            )
            try:
                return self._grammar(restoration)
            finally:
                restoration._worker.shutdown()  # a process that dies removes nothing
                installing.close()

    def _grammar(self, restoration: Restoration) -> int:
        assert restoration.info(abci.RequestInfo()).last_block_height == 0
        snapshots = self._application.list_snapshots(abci.RequestListSnapshots()).snapshots
        snapshot = self.random.choice(list(snapshots))
        app_hash = self._headers[snapshot.height + 1].header.app_hash
        self._refuse_offers(restoration, snapshot, app_hash)
        promised = restoration.offer_snapshot(abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=app_hash))
        if self._restarts(restoration):
            promised = restoration.offer_snapshot(abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=app_hash))
        assert promised.result(ANSWER_S).result == abci.ResponseOfferSnapshot.ACCEPT
        self._crash("offered")
        for index in range(snapshot.chunks):
            self._chunk(restoration, snapshot, index)
            if index == snapshot.chunks // 2:
                self._crash("chunk")
        answer = restoration.info(abci.RequestInfo())
        assert (answer.last_block_height, answer.last_block_app_hash) == (snapshot.height, app_hash)
        self._crash("installed")
        waiting = restoration.finalize_block(request_of(self._decided[snapshot.height]))
        assert restoration.done.is_set()
        assert not waiting.done(), "the ledger itself carries the block out"
        return int(snapshot.height)

    def _restarts(self, restoration: Restoration) -> bool:
        """Tell whether CometBFT has to start again, since its light client was told of other turns than those offered."""
        restoration._worker.submit(lambda: None).result(ANSWER_S)  # what came before is done
        restarts = restoration.restart.is_set()
        restoration.restart.clear()
        return restarts

    def _refuse_offers(self, restoration: Restoration, snapshot: abci.Snapshot, app_hash: bytes) -> None:
        offer = abci.ResponseOfferSnapshot
        other = abci.Snapshot()
        other.CopyFrom(snapshot)
        other.format = 9
        forged = abci.Snapshot()
        forged.CopyFrom(snapshot)
        forged.hash = bytes(32)
        for wrong, believed, wanted in self.random.sample(
            [
                (other, app_hash, offer.REJECT_FORMAT),
                (forged, app_hash, offer.REJECT_SENDER),
                (snapshot, bytes(32), offer.REJECT_SENDER),
            ],
            self.random.randint(0, 3),
        ):
            request = abci.RequestOfferSnapshot(snapshot=wrong, app_hash=believed)
            assert restoration.offer_snapshot(request).result(ANSWER_S).result == wanted
            self.refused += 1

    def _chunk(self, restoration: Restoration, snapshot: abci.Snapshot, index: int) -> None:
        """Hand a chunk over, now and then after one of a peer that lies."""
        apply = abci.ResponseApplySnapshotChunk
        asked = abci.RequestLoadSnapshotChunk(height=snapshot.height, format=snapshot.format, chunk=index)
        answered = self._application.load_snapshot_chunk(asked)
        assert not isinstance(answered, abci.ResponseLoadSnapshotChunk)
        chunk = answered.result(ANSWER_S).chunk
        if self.random.random() < 0.3:
            lie = abci.RequestApplySnapshotChunk(index=index, chunk=chunk[:-1] + b"\0\1", sender="liar")
            answer = restoration.apply_snapshot_chunk(lie).result(ANSWER_S)
            assert (answer.result, list(answer.refetch_chunks), list(answer.reject_senders)) == (
                apply.RETRY,
                [index],
                ["liar"],
            )
            self.refused += 1
        request = abci.RequestApplySnapshotChunk(index=index, chunk=chunk, sender="honest")
        try:
            assert restoration.apply_snapshot_chunk(request).result(ANSWER_S).result == apply.ACCEPT
        except OperationalError as error:  # a store that fails stops the node
            raise self._crashed("load") from error

    # -- how it dies

    def _arm(self, patched: pytest.MonkeyPatch) -> None:
        """Have this life end at a step of installing, if that is what comes next."""
        step = self._plan[0] if self._plan else None
        opened: Callable[[StoreKind, Path], Store] = open_store

        def faulty(kind: StoreKind, folder: Path) -> Store:
            assert self._load_fault is not None
            commit, fault = self._load_fault
            return FaultyStore(opened(kind, folder), {commit: fault})

        def dying(*_: object) -> None:
            assert step is not None
            raise self._crashed(step)

        if step == "load":
            patched.setattr(state_sync, "open_store", faulty)
        if step == "loaded":
            patched.setattr(state_sync, "sync_folder", dying)
        if step == "fetched":
            patched.setattr(state_sync, "exchange_chain", dying)
        if step == "removed":
            patched.setattr("fujie.node.folder.Path.rename", _Dying(self.folder, dying).rename)

    def _crash(self, step: Step) -> None:
        if self._plan and self._plan[0] == step:
            raise self._crashed(step)

    def _crashed(self, step: Step) -> CrashError:
        assert self._plan[0] == step
        self.crashes.append(self._plan.pop(0))
        return CrashError(step)

    def _look(self) -> None:
        """Open the chain that a crash has left: it is that of genesis, or one of a snapshot, and nothing in between."""
        exchange_chain(self.folder)
        store = open_store(self._kind, self.folder.chain)
        try:
            head = Executor(store).head
            if head.height:
                assert head.app_hash == self._headers[head.height + 1].header.app_hash
            else:
                assert head.app_hash == BareChain(funded()).app_hash
        finally:
            store.close()


class _Dying:
    """Renaming that dies where a chain is to take the place of the one that is gone."""

    def __init__(self, folder: Folder, die: Callable[[], None]) -> None:
        self._fetched = folder.fetched
        self._die = die
        self._plain = Path.rename

    @property
    def rename(self) -> Callable[[Path, Path], Path]:
        def rename(path: Path, target: Path) -> Path:
            if path == self._fetched:
                self._die()
            return self._plain(path, target)

        return rename
