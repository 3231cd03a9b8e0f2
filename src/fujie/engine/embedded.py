"""The embedded engine: one process, one data folder, one validator, no daemon.

Two threads. *Admission* has signatures verified in the worker process. The *ledger* thread makes blocks: as many
waiting transactions as fit go into one block and one fsync (group commit); when nothing waits, a block at once, followed
by the empty block that proves it. Headers and commits have CometBFT's form, so one verifier serves both engines.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.limits import (
    BLOCK_BYTES_MAX,
    HEARTBEAT_MS,
)
from fujie.core.reasons import TransactionReason
from fujie.core.signing import Signer
from fujie.core.transaction import VerifiedBlock, VerifiedTransaction
from fujie.core.wording import count
from fujie.engine.base import Outcome
from fujie.engine.executor import Executor, Head, Staged
from fujie.engine.intake import Waiting
from fujie.engine.local_ledger import LocalLedger
from fujie.engine.outcomes import not_carried_out
from fujie.engine.proving import Proven
from fujie.engine.quarantine import apply_sound
from fujie.engine.stored_block import StoredBlock, block_at, note_pivot
from fujie.machine.genesis import founding_record
from fujie.machine.transition import BlockResult
from fujie.modules.membership import queries as membership
from fujie.modules.membership.records import Validator as Member
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.proof.block import data_hash, encode_result, make_block_id, results_hash
from fujie.proof.commit import sign_commit
from fujie.proof.header import (
    NIL_BLOCK_ID,
    BlockID,
    consensus_params_hash,
    encode_header,
    make_header,
)
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.validators import Validator, ValidatorSet, encode_validator_set, validator_address, validator_set_hash
from fujie.proof.vote import EMPTY_COMMIT, Commit, commit_hash, encode_commit
from fujie.store.base import Store
from fujie.store.layout import META_HANDED_OVER, Table, number_key

log = logging.getLogger(__name__)


class _Tip(NamedTuple):
    """The newest block as the next one needs it."""

    block_id: BlockID
    commit: Commit
    results_hash: bytes


class EmbeddedEngine(LocalLedger):
    """Implements ``engine.base.Served``. Owns the executor and its store, and closes both."""

    def __init__(
        self,
        executor: Executor,
        signer: Signer,
        *,
        clock_ms: Callable[[], int] | None = None,
        worker: bool = True,
        heartbeat_ms: int = HEARTBEAT_MS,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on where the store stands. ``signer`` is the validator's key. ``worker=False`` verifies in this process.
        ``on_closed`` is called when everything is closed, also after :meth:`hand_over`.

        Raises ``UnknownRules`` when this program lacks those of the next block, and :class:`OperationalError` when the
        chain was founded with another validator key, or was handed over.
        """
        executor.rules.require(executor.head.height + 1)
        super().__init__(executor, clock_ms, worker=worker, prepare=executor.read_ahead)
        require_not_handed_over(executor.store)
        self._signer = signer
        self._on_closed = on_closed
        self._heartbeat_ms = heartbeat_ms
        self._validators = _validator_set(executor)
        if [validator.public_key for validator in self._validators.validators] != [signer.public_key]:
            raise OperationalError(
                "The validator key of this data folder is not the one that the chain was founded with.",
                "Restore the key file from your backup.",
            )
        self._validators_hash = validator_set_hash(self._validators)
        self._announced: ValidatorSet | None = None  # by the last block, when others go on from here
        self._address = validator_address(signer.public_key)
        self._consensus_hash = consensus_params_hash(BLOCK_BYTES_MAX, -1)
        self._unproven = False  # whether the newest block changed something that no header commits to yet
        self._tip, light_block, last_was_empty = self._load_tip()
        if light_block is None or not last_was_empty:
            # The newest state is not proven yet: its block came right before a crash, or there was none so far.
            self._make_block(())
        else:
            self._proven = Proven(light_block, executor.head)
        self._threads = [
            threading.Thread(target=self._guard, args=(target,), name=name, daemon=True)
            for name, target in (("fujie-ledger", self._make_blocks), ("fujie-admission", self._intake.verify_all))
        ]
        for thread in self._threads:
            thread.start()

    # -- for callers

    def close(self) -> None:
        """See ``Engine``."""
        if self._end():
            self._close_all()

    def hand_over(self) -> Head:
        """Close, after one last block: empty, and naming as the next validators those that the state has.

        So whoever believes this block may believe the next one, which those validators sign (CometBFT 0.38 specification,
        "Light client"). Returns the head after it; no embedded engine opens this store again. Raises
        :class:`OperationalError` when the engine is closed or has failed.
        """
        if self.failure is not None or not self._end():
            raise OperationalError("The ledger has stopped.", "Start it again, then hand it over.")
        try:
            if self._unproven:
                self._make_block(())
            self._announced = validator_set(membership.validators(self.executor.live).members)
            self._make_block(())
            return self.executor.head
        finally:
            self._close_all()

    def _end(self) -> bool:
        """Finish the block in hand and stop the threads; False when that was done before."""
        if not self._begin_to_close():
            return False
        for thread in self._threads:
            thread.join()
        self._close_intake()
        return True

    def _close_all(self) -> None:
        try:
            self.executor.store.close()
        finally:
            self._on_closed()

    # -- ledger thread

    def _make_blocks(self) -> None:
        """Make blocks until the engine closes."""
        intake = self._intake
        while True:
            with self._changed:
                due_s = (self.executor.head.time_ms + self._heartbeat_ms - self._clock_ms()) / 1000
                self._changed.wait_for(
                    # While something is on its way, the block that carries it will prove the one before.
                    lambda: intake.verified or intake.stopping or (self._unproven and not intake.pending),
                    max(due_s, 0.0),
                )
                if intake.stopping:
                    return
                waiting = intake.take()
            self._make_block(waiting)

    def _make_block(self, waiting: Sequence[Waiting]) -> None:
        """Make one block of ``waiting``, or an empty one, and answer for each of them when it is durable."""
        began_s = time.perf_counter()
        executor = self.executor
        head = executor.head
        time_ms = self._next_time(head)
        transactions = [item.transaction for item in waiting if item.transaction is not None]
        assert len(transactions) == len(waiting), "only what is verified waits for a block"
        block = VerifiedBlock(self.chain_id, head.height + 1, time_ms, tuple(transactions))
        block, result, faulty = apply_sound(executor, block)
        refused: dict[int, int] = dict.fromkeys(faulty, int(TransactionReason.EXECUTION_FAILED))
        if not all(receipt.authorised for receipt in result.receipts):
            # Whoever sent these was not entitled to: they wrote nothing, and are not worth a place in a block.
            places = [position for position in range(len(transactions)) if position not in refused]
            for position, receipt in zip(places, result.receipts, strict=True):
                if not receipt.authorised:
                    refused[position] = receipt.code
            block = block._replace(
                transactions=tuple(tx for position, tx in enumerate(transactions) if position not in refused)
            )
            result = executor.apply(block)
        if block.transactions or not waiting:
            staged = executor.stage(block, result)
            try:
                self._commit(block, result, staged)
            except BaseException:
                executor.discard(staged)
                raise
            if log.isEnabledFor(logging.DEBUG):
                took_ms = (time.perf_counter() - began_s) * 1000
                log.debug("block %d: %s, %.1f ms", block.height, count(len(block.transactions), "transaction"), took_ms)
        self._answer(waiting, transactions, result, refused)

    def _commit(self, block: VerifiedBlock, result: BlockResult, staged: Staged) -> None:
        """Sign the header of ``block``, make everything durable, show it."""
        executor = self.executor
        before = executor.head
        raws = [transaction.raw for transaction in block.transactions]
        header = make_header(
            chain_id=self.chain_id,
            height=block.height,
            time_ms=block.time_ms,
            last_block_id=self._tip.block_id,
            last_commit_hash=commit_hash(self._tip.commit),
            data_hash=data_hash(raws),
            validators_hash=self._validators_hash,
            next_validators_hash=validator_set_hash(self._announced or self._validators),
            consensus_hash=self._consensus_hash,
            app_hash=before.app_hash,
            last_results_hash=self._tip.results_hash,
            proposer_address=self._address,
        )
        block_id = make_block_id(header, raws, self._tip.commit)
        commit = sign_commit(
            self.chain_id, header, block_id, self._validators, [self._signer.seed], time_ms=block.time_ms
        )
        results = results_hash([encode_result(receipt.code) for receipt in result.receipts])
        stored = StoredBlock(encode_header(header), encode_commit(commit), results, before.log_size, len(raws))
        staged.batch.put(Table.BLOCKS, number_key(block.height), encode(stored))
        note_pivot(staged.batch, header)
        if block.height == 1:
            staged.batch.put(Table.VALIDATORS, self._validators_hash, encode_validator_set(self._validators))
        if self._announced is not None:
            staged.batch.put(Table.META, META_HANDED_OVER, number_key(block.height))
            staged.batch.put(Table.VALIDATORS, header.next_validators_hash, encode_validator_set(self._announced))
        executor.commit(staged)
        # The point of no return lies behind: readers may see the block, callers hear of it.
        self._tip = _Tip(block_id, commit, results)
        self._unproven = bool(block.transactions)
        with self._changed:
            self._proven = Proven(encode_light_block(LightBlock(header, commit, self._validators)), before)
            self._changed.notify_all()
        self._announce(staged.head, staged.batch)

    def _answer(
        self,
        waiting: Sequence[Waiting],
        transactions: Sequence[VerifiedTransaction],
        result: BlockResult,
        refused: dict[int, int],
    ) -> None:
        """Give each transaction of a block its outcome."""
        index = self.executor.head.log_size - len(result.receipts)
        receipts = iter(result.receipts)
        outcomes = []
        for position, transaction in enumerate(transactions):
            code = refused.get(position)
            if code is None:
                receipt = next(receipts)
                outcomes.append(Outcome(transaction.id, receipt.code, receipt, index))
                index += 1
            else:
                outcomes.append(not_carried_out(self.executor, transaction, code))
        self._intake.settle(waiting, outcomes)

    # -- inside

    def _load_tip(self) -> tuple[_Tip, bytes | None, bool]:
        """Return the newest block as the next one needs it, its light block if there is one, and whether it was empty."""
        height = self.executor.head.height
        if height == 0:
            return _Tip(NIL_BLOCK_ID, EMPTY_COMMIT, results_hash([])), None, True
        newest = block_at(self.executor.store.get, height)
        if newest is None:
            raise OperationalError(f"There is no block {height} in the store.", "Restore a snapshot.")
        header, commit, stored, _ = newest
        if header.next_validators_hash != self._validators_hash:
            # Of a snapshot, which has no mark and needs none: its block names those who go on.
            raise OperationalError(
                f"Block {height} of this chain was handed over to its validators, or made by them: the embedded engine makes none "
                "after it.",
                "Read the folder (`fujie check`), or follow the chain: `fujie mirror` from one of its nodes, or `fujie network join`.",
            )
        light_block = encode_light_block(LightBlock(header, commit, self._validators))
        return _Tip(commit.block_id, commit, stored.results_hash), light_block, stored.transactions == 0


def _validator_set(executor: Executor) -> ValidatorSet:
    """Return the validators that the chain was founded with, in CometBFT's form.

    Not those that the state holds: a vote on them prepares a chain for several validators. One process with one key
    goes on signing as the trust root says, or the vote would end the chain at its next start.
    """
    return validator_set(founding_record(executor.genesis, VALIDATORS_KEY).members)


def validator_set(members: Iterable[Member]) -> ValidatorSet:
    """Return validators as the state has them in CometBFT's form."""
    return ValidatorSet.of(Validator(member.public_key, member.power) for member in members)


def require_not_handed_over(store: Store) -> None:
    """Raise :class:`OperationalError` when other validators go on with the chain in ``store``: to make blocks would fork it."""
    data = store.get(Table.META, META_HANDED_OVER)
    if data is not None:
        raise handed_over(int.from_bytes(data, "big"))


def handed_over(height: int) -> OperationalError:
    """Return what is said where an embedded engine is to go on above ``height``, its last block."""
    return OperationalError(
        f"This chain was handed over to its validators at block {height}; the embedded engine ended there.",
        "Run `fujie network grow` on its data folder, which completes what was begun; then `fujie up`.",
    )
