"""The mirror: the embedded engine's other half. It follows a chain without any key and carries all of it out itself.

    fetched block  ->  does it hold by itself  ->  does it follow  ->  carry it out  ->  does the NEXT header sign our result
                       (mirror_blocks.arrived)     (check_next)                          (app hash, results hash)  -> commit

Validators come and go: a block is signed by those whom the block before announces, and it may announce those only whom
the state, as carried out here, says were voted for.

Nothing is committed, and so nothing served, before a header that is certain says the same as we do. A block without transactions
changes nothing, so its own header proves it already, and a mirror of an idle node is never behind. Any deviation stops the
mirror for good, with a name; it goes on serving what it has verified. A source that is away, slow or behind is asked again.

A header is certain when it is signed, or a later one that is names it (``proof.named``). The latter proves nothing to others:
what is served as proven stands under a signed one.

What is on disk is what the embedded engine writes, so that checks, snapshots and followers need not know the difference.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, TypeVar

from fujie.core.errors import OperationalError, VerificationError
from fujie.core.wording import count
from fujie.engine.base import Outcome
from fujie.engine.executor import Executor
from fujie.engine.local_reads import LocalReads
from fujie.engine.mirror_blocks import (
    STRANGERS,
    Arrived,
    Deviation,
    Fetcher,
    Source,
    SourceTrouble,
    check_next,
    link_of,
)
from fujie.engine.mirror_evidence import MirrorEvidence
from fujie.engine.mirror_path import StoredPath
from fujie.engine.mirror_results import Executed, Results, carry_out, deviation, voted_validators_hash
from fujie.engine.proving import Proven
from fujie.engine.rehearsing import dry_run
from fujie.engine.stored_block import block_at, light_block_at, promise_in, put_block, put_promise
from fujie.proof.block import results_hash
from fujie.proof.block_link import Link
from fujie.proof.evidence import EvidenceFile
from fujie.proof.header import NANOSECONDS_PER_MS
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.named import is_signed

T = TypeVar("T")

log = logging.getLogger(__name__)

BLOCKS_AT_A_TIME: Final = 200
POLL_MS: Final = 20_000  # how long the source may wait for a block before it says that there is none
RETRY_FIRST_S: Final = 0.5  # doubled with every failure in a row
RETRY_MAX_S: Final = 30.0
LOOK_UP_S: Final = 0.25  # how often a thread that waits for the source looks whether it is to stop

Progress = Callable[[int, int], None]
"""Gets the height reached, first that of the beginning, and that of the source as the source says."""


class Closing(Exception):
    """The mirror was told to stop."""


class MirrorEngine(LocalReads):
    """Implements ``engine.base.Served``. Owns the executor and its store, and the source, and closes them."""

    _last: Link  # of the newest block that was accepted, committed or pending
    _results: bytes  # hash of the results of the newest committed block

    def __init__(
        self,
        executor: Executor,
        source: Source,
        *,
        validators_hash: bytes,
        on_evidence: Callable[[EvidenceFile], None],
        path: Sequence[LightBlock] = (),
        worker: bool = True,
        poll_ms: int = POLL_MS,
        retry_max_s: float = RETRY_MAX_S,
    ) -> None:
        """Go on where the store stands. Nothing is asked before :meth:`catch_up` or :meth:`start`.

        ``validators_hash`` (32 bytes) is that of the trust root. ``on_evidence`` keeps what shows that the validators
        signed what they must not. ``path`` leads from the trust root to the first block in the store, where that is not
        one of its validators. ``worker=False`` verifies signatures in this process.
        """
        super().__init__()
        self.executor = executor
        self.chain_id = executor.chain_id
        self.source = source
        self.trouble: SourceTrouble | None = None
        self._failure: BaseException | None = None
        self._evidence = MirrorEvidence(StoredPath(executor.store, validators_hash, path), on_evidence)
        self._poll_ms = poll_ms
        self._retry_max_s = retry_max_s
        self._changed = threading.Condition()
        self._closing = False
        self._pending: Arrived | None = None  # accepted, and not committed before the next header proves it
        self._promised: LightBlock | None = None  # the block after the head that was seen before a restart
        self.proves = False
        self._load(validators_hash)
        self._fetcher = Fetcher(self.chain_id, source, use_worker=worker, notify=self._notify)
        self._thread: threading.Thread | None = None

    # -- for callers

    @property
    def pending(self) -> int:
        """See ``Served``. Nothing is ever submitted here."""
        return 0

    @property
    def failure(self) -> BaseException | None:
        """What stopped the mirror from following, or None. What was verified until then is served all the same."""
        return self._failure

    def submit(self, transactions: Sequence[bytes]) -> Future[list[Outcome]]:
        """Raise :class:`OperationalError`: a mirror takes no transactions."""
        raise OperationalError("This node is a mirror and takes no transactions.", f"Submit to {self.source.url}.")

    def dry_run(self, transaction: bytes) -> Outcome:
        """See ``Engine``. It is carried out here, on the state that is committed here."""
        now_ms = time.time_ns() // 1_000_000
        return dry_run(self.executor, transaction, lambda head: max(now_ms, head.time_ms + 1))

    def wait_proven(self, index: int, timeout_s: float) -> bool:
        """See ``LocalReads``."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._proven.head.log_size > index or self._failure is not None or self._closing, timeout_s
            )
        return self._proven.head.log_size > index

    def catch_up(self, progress: Progress, stopping: Callable[[], bool]) -> None:
        """Follow until the source has nothing more, in the calling thread, before :meth:`start`.

        With something to serve it returns whatever comes: ``trouble`` or ``failure`` then say what. Without, it raises
        that, a :class:`SourceTrouble` or :class:`Deviation`; it raises :class:`Closing` when told to stop.
        """
        try:
            goal = self._answer(self._fetcher.height(), stopping)
            self._compare(stopping)
            progress(self._last.height, max(goal, self._last.height))
            self._follow_until_idle(0, stopping, lambda height: progress(height, max(goal, height)))
        except SourceTrouble as error:
            self.trouble = error
            if not self.proves:
                raise
            log.warning("the source cannot be followed now: %s", error)
        except (Deviation, VerificationError) as error:
            self._stop(error)
            if not self.proves:
                raise

    def start(self) -> None:
        """Follow in a thread of its own from now on, unless something has stopped the mirror before."""
        if self._failure is None:
            self._thread = threading.Thread(target=self._follow, name="fujie-mirror", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """See ``Engine``."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        self._fetcher.close()
        self.executor.store.close()

    # -- following

    def _follow(self) -> None:
        """Follow until the mirror closes or something is wrong with the chain."""
        pause_s = RETRY_FIRST_S
        while not self._closing:
            try:
                self._compare(None)
                while True:
                    if self.trouble is not None:
                        log.info("the source answers again, from height %d", self._last.height)
                        self.trouble = None
                    pause_s = RETRY_FIRST_S
                    self._follow_until_idle(self._poll_ms, None, None)
                    self._compare(None)
            except Closing:
                return
            except SourceTrouble as error:
                if self.trouble is None or self.trouble.what != error.what:
                    log.warning("the source cannot be followed now: %s", error)
                self.trouble = error
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, min(pause_s, self._retry_max_s))
                pause_s = min(pause_s * 2, self._retry_max_s)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the mirror does not go on in doubt
                self._stop(error)
                return

    def _follow_until_idle(
        self, wait_ms: int, stopping: Callable[[], bool] | None, progress: Callable[[int], None] | None
    ) -> None:
        """Take blocks, each time asking for the next ones first, until the source has none within ``wait_ms``."""
        height = self._last.height + 1
        coming = self._fetcher.blocks(height, wait_ms, BLOCKS_AT_A_TIME)
        while blocks := self._answer(coming, stopping):
            height += len(blocks)
            coming = self._fetcher.blocks(height, wait_ms, BLOCKS_AT_A_TIME)
            for block in blocks:
                if self._closing or (stopping is not None and stopping()):
                    raise Closing
                if isinstance(block, Deviation):
                    raise block
                try:
                    self._take(block)
                except Deviation as error:
                    if error.step == "block-parent":
                        self._compare(stopping)  # both chains are signed: where they part is the evidence
                    raise
            if progress is not None:
                progress(self._last.height)

    def _compare(self, stopping: Callable[[], bool] | None) -> None:
        """Ask the source for the newest block that we have, and see whether it is the same.

        Raises :class:`Deviation` (``fork``, ``block-validators``) and :class:`SourceTrouble` when the source has none.
        """
        last = self._last
        if not last.height:
            return
        found = self._answer(self._fetcher.blocks(last.height, 0, 1), stopping)
        if not found:
            raise SourceTrouble(
                f"{self.source.url} has no block {last.height}, which this mirror has verified: it is behind, or another chain.",
                "It is asked again; if it stays behind, mirror another node.",
            )
        theirs = found[0]
        if isinstance(theirs, Deviation):
            raise theirs
        if theirs.hash != last.block_id.hash:
            self._part(self._last_block(), theirs)

    def _part(self, ours: LightBlock, theirs: Arrived) -> None:
        """Raise what two different blocks of one height are: a fork with its evidence, or a lie of strangers."""
        height, own = ours.header.height, ours.commit.block_id.hash
        expected, signed_by = ours.header.validators_hash, theirs.block.header.validators_hash
        if signed_by != expected:
            raise Deviation("block-validators", height, STRANGERS, expected, signed_by)
        self._evidence.fork(ours, theirs.block)
        raise Deviation("fork", height, "two blocks of this height were signed", own, theirs.hash)

    def _last_block(self) -> LightBlock:
        """Return the newest block that was accepted; there is one."""
        found = self._pending.block if self._pending else light_block_at(self.executor.store.get, self._last.height)
        assert found is not None, "the last block is pending or stored"
        return found

    def _take(self, block: Arrived) -> None:
        """Accept the next block, which commits the one that waited for its header, and itself where it changes nothing.

        Raises :class:`Deviation`: ``fork``, the steps of ``check_next``, ``app-hash``, ``results-hash``,
        ``validators-change``.
        """
        promised, self._promised = self._promised, None
        if (
            promised is not None
            and promised.header.height == block.height
            and promised.commit.block_id.hash != block.hash
        ):
            self._part(promised, block)
        check_next(self._last, block.block)
        if self._pending is None:
            voted = voted_validators_hash(self.executor.live)
            self._require_signed(block, Results(self.executor.head.app_hash, self._results, voted))
        else:
            executed = carry_out(self.executor, self._pending)
            try:
                self._require_signed(block, executed.gives)
            except Deviation:
                self.executor.discard(executed.staged)
                raise
            self._commit(self._pending, executed, block)
        self._last = link_of(block.block)
        self._pending = block
        if not block.transactions and not block.evidence and block.signed:
            executed = carry_out(self.executor, block)
            if executed.staged.head.app_hash == block.block.header.app_hash:
                self._commit(block, executed, None)
                self._pending = None
            else:
                self.executor.discard(executed.staged)

    def _require_signed(self, block: Arrived, ours: Results) -> None:
        """Raise :class:`Deviation` unless the header of ``block`` signs ``ours``, what we made of the block before.

        That block is kept with what was signed: whoever carries it out on the same state sees who is right.
        """
        found = deviation(block.block, ours)
        if found is None:
            return
        if found.step != "validators-change" and block.height > 1:
            self._evidence.result(found, self._last_block(), self._pending, block.block)
        raise found

    def _commit(self, block: Arrived, executed: Executed, promised: Arrived | None) -> None:
        """Make a block durable that a header proves which is certain, and show it.

        ``promised``: the block whose header does, where it is another; with it a restart can serve without the source.
        """
        executor = self.executor
        before, batch = executor.head, executed.staged.batch
        put_block(
            batch,
            block.block,
            results_hash=executed.gives.results_hash,
            first_index=before.log_size,
            transactions=len(block.transactions),
            evidence=block.evidence,
        )
        put_promise(batch, [] if promised is None else [promised.block, *promised.naming])
        try:
            executor.commit(executed.staged)
        except BaseException:
            executor.discard(executed.staged)
            raise
        self._results = executed.gives.results_hash
        light_block = encode_light_block(block.block)
        with self._changed:
            if block.signed:
                self._proven, self.proves = Proven(light_block, before), True
            elif promised is not None and promised.signed:
                self._proven, self.proves = Proven(encode_light_block(promised.block), executor.head), True
            self._changed.notify_all()
        self._announce(executor.head, batch, light_block, signed=block.signed)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("block %d: %s, verified", block.height, count(len(block.transactions), "transaction"))

    # -- inside

    def _load(self, validators_hash: bytes) -> None:
        """Take up what the store holds: the last block, what it gave, and the header that proves it."""
        executor = self.executor
        get, head = executor.store.get, executor.head
        newest = None
        if head.height == 0:
            self._last = Link.before_the_first(head.time_ms * NANOSECONDS_PER_MS, validators_hash)
            self._results = results_hash([])
        else:
            newest, row = light_block_at(get, head.height), block_at(get, head.height)
            if newest is None or row is None:
                raise OperationalError(f"There is no block {head.height} in the store.", "Restore a snapshot.")
            self._last = link_of(newest)
            self._results = row.stored.results_hash
        self._promised = next(iter(promise_in(get)), None)
        for block in (self._promised, newest):
            if block is None or block.header.app_hash != head.app_hash:
                continue
            if is_signed(self.chain_id, block):
                self._proven = Proven(encode_light_block(block), head)
                self.proves = True
                return

    def _answer(self, future: "Future[T]", stopping: Callable[[], bool] | None) -> T:
        """Wait for an answer of the source. Raises :class:`Closing` when the mirror is told to stop meanwhile."""
        while not future.done():
            with self._changed:
                self._changed.wait_for(lambda: future.done() or self._closing, LOOK_UP_S)
            if self._closing or (stopping is not None and stopping()):
                raise Closing
        return future.result()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _stop(self, error: BaseException) -> None:
        """Stop following, for good, and say so."""
        if isinstance(error, VerificationError | OperationalError):
            log.error("the mirror stops at height %d: %s", self.executor.head.height, error)
        else:
            log.error("the mirror stops at height %d", self.executor.head.height, exc_info=error)
        with self._changed:
            self._failure = error
            self._changed.notify_all()
