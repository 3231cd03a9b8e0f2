"""The CometBFT engine: several validators, one of them here. Same interface, state, proofs and clients as the embedded one.

    callers ─► Intake ─► Submission ─► RPC ─► CometBFT ─► socket ─► Application ─► Consensus ─► Executor
       ▲                     ▲                    │                                               │ commit
       └──── outcomes ───────┴────────────────────┼───────────────────────────────────────────────┤
                                                  └─► Headers ─► light block, verified ─► shown: proven state, followers

A block is durable when Commit returns, and its callers hear of it then. It is *shown* to readers when the votes for it have
arrived too, most often in the same moment: a row of the table of blocks stands in the batch of its block, or is written
right after it where CometBFT replays a block and does not answer yet.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.engine.cometbft.application import Application
from fujie.engine.cometbft.consensus import CarriedOut, Consensus
from fujie.engine.cometbft.headers import Decided, Headers
from fujie.engine.cometbft.peers import IsPeer, nobody
from fujie.engine.cometbft.process import CometProcess, Paths
from fujie.engine.cometbft.rpc import Rpc
from fujie.engine.cometbft.server import AbciServer
from fujie.engine.cometbft.snapshots import Plan, Snapshots
from fujie.engine.cometbft.submission import Submission
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor, Head
from fujie.engine.local_ledger import LocalLedger
from fujie.engine.one_back import drop_one_back, keep_one_back, look_back
from fujie.engine.proving import Proven
from fujie.engine.reading import decided_at_ms
from fujie.engine.stored_block import block_at, light_block_at, put_block
from fujie.machine.schedule import UnknownRules
from fujie.modules.catalog import RECEIPT
from fujie.proof.block import encode_result, results_hash
from fujie.proof.header import Header
from fujie.proof.light_block import encode_light_block
from fujie.store.base import WriteBatch
from fujie.store.layout import Table

VOTES_WAIT_S: Final = 0.5  # of Commit, for the votes of its block; nothing but showing it waits for them
PROVEN_WAIT_S: Final = 60.0  # at the start, for a first block that proves the state
STOPPED_POLL_S: Final = 0.2  # how often it is looked then whether anybody still waits

log = logging.getLogger(__name__)


class _Row(NamedTuple):
    """What stands in the table of blocks besides header and commit."""

    results_hash: bytes
    first_index: int
    transactions: int


class _Unshown(NamedTuple):
    """A committed block whose votes have not arrived. One from before a start has a row to write, and nothing else."""

    height: int
    row: _Row
    heads: tuple[Head, Head] | None  # before the block, and after it
    batch: WriteBatch


class CometEngine(LocalLedger):
    """Implements ``engine.base.Served``. Owns executor, store and the `cometbft` process, and closes them."""

    def __init__(
        self,
        executor: Executor,
        paths: Paths,
        *,
        validator: Signer | None = None,
        initial_height: int = 1,
        clock_ms: Callable[[], int] | None = None,
        worker: bool = True,
        snapshots: Plan | None = None,
        is_peer: IsPeer = nobody,
        wait_s: float = PROVEN_WAIT_S,
        stopped: Callable[[], bool] = lambda: False,
        on_closed: Callable[[], None] = lambda: None,
    ) -> None:
        """Go on where the store stands, and return when the state is proven, or ``stopped`` says that nobody waits.

        ``validator`` is the key that CometBFT signs with, see :class:`CometProcess`. ``initial_height`` is that of the first
        block that CometBFT makes on this chain. Raises ``UnknownRules`` when this program lacks those of the next block, and
        :class:`OperationalError` when CometBFT does not start, or no block is made within ``wait_s``: too few validators run.
        ``on_closed`` is called when everything is closed, then as well.
        ``snapshots``: where and when they are taken for nodes that come later, or nowhere. ``is_peer``: which nodes
        CometBFT may connect to.
        """
        executor.rules.require(executor.head.height + 1)
        self._verification = Verification(use_worker=worker)
        super().__init__(executor, clock_ms, worker=worker, prepare=self._verification.remember)
        self._on_closed = on_closed
        self._votes: dict[int, Decided] = {}  # by height, of blocks that are not shown; guarded by `_changed`
        self._unshown: deque[_Unshown] = deque()
        self._answers = False  # whether CometBFT has answered since it started
        self._proves = False
        self._rpc = Rpc(paths.rpc)
        self._snapshots = None if snapshots is None else Snapshots(snapshots, executor, self._rpc.validators)
        self._initial_height = initial_height
        self._submission = Submission(executor, self._intake, self._rpc, self._clock_ms, decided_ms=self._decided_ms)
        self._headers = Headers(self.chain_id, self._rpc, self._take_votes)
        self._application = Application(
            Consensus(executor, self._verification, self._submission.mempool.note_unfit),
            self._verification,
            initial_height=initial_height,
            on_decided=lambda decided: self._headers.want(decided.block.height),
            before_commit=self._add_row,
            on_commit=self._take_block,
            on_refused=self._submission.refuse,
            is_call=self._submission.mempool.admits,
            snapshots=self._snapshots,
            is_peer=is_peer,
        )
        self._load()
        self._server = AbciServer(self._application, paths.socket, self._fail)
        self._threads = self._begin_threads()
        try:
            self._process = CometProcess(paths, self._started_again, validator)
        except BaseException:
            self._close_all()
            raise
        try:
            self._wait_for_proof(wait_s, stopped)
        except BaseException:
            self.close()
            raise

    # -- for callers

    def close(self) -> None:
        """See ``Engine``."""
        if self._begin_to_close():
            self._process.close()
            self._close_all()

    # -- the ledger thread

    def _add_row(self, decided: CarriedOut) -> None:
        """Put the row of a block into its batch, if its votes come soon."""
        height, before = decided.block.height, self.executor.head
        codes = [encode_result(code) for code in decided.codes]
        row = _Row(results_hash(codes), before.log_size, len(codes))
        with self._changed:
            if self._answers:
                self._answers = self._changed.wait_for(lambda: height in self._votes, VOTES_WAIT_S)
            votes = self._votes.get(height)
            waiting = [(each.row, self._votes[each.height]) for each in self._unshown if each.height in self._votes]
        keep_one_back(self.executor, decided.staged)
        if votes is not None and votes.signed:
            # With the rows of those that it names: after a crash none below the newest row is missing.
            for each in (*waiting, (row, votes)):
                _put_row(decided.staged.batch, *each)
        self._unshown.append(_Unshown(height, row, (before, decided.staged.head), decided.staged.batch))

    def _take_block(self, decided: CarriedOut) -> None:
        """Answer the callers of a block that is durable, and show it."""
        drop_one_back(decided.staged.batch)
        receipts = decided.staged.result.receipts
        self._submission.settle_block(self.executor.head.log_size - len(receipts), receipts)
        self._show()

    def _provable(self) -> list[tuple[_Unshown, Decided]]:
        """Take out the first of the committed blocks that are not shown whose votes are here: up to one that is signed.

        A block that is not is shown together with what names it: the newest one that is shown proves itself.
        """
        taken: list[tuple[_Unshown, Decided]] = []
        with self._changed:
            for block in self._unshown:
                votes = self._votes.get(block.height)
                if votes is None:
                    return []
                taken.append((block, votes))
                if votes.signed:
                    break
            else:
                return []
            for block, _ in taken:
                del self._votes[block.height]
                self._unshown.popleft()
        return taken

    def _show(self) -> None:
        """Show the committed blocks whose votes are here."""
        while blocks := self._provable():
            rows = WriteBatch()
            for block, votes in blocks:
                if Table.BLOCKS not in block.batch.tables:
                    _put_row(rows, block.row, votes)
                    _put_row(block.batch, block.row, votes)
            if rows.tables:
                self.executor.store.commit(rows)
            for block, votes in blocks:
                self._prove(block, votes)

    def _prove(self, block: _Unshown, votes: Decided) -> None:
        header = votes.block.header
        if block.heads is None:
            if not votes.signed:
                return
            after = self.executor.head
            signed = self._signed_by(header)
            if block.height < after.height or signed is None:
                return  # the roots that its header signs are no longer known; those of the next one are
            before = signed
        else:
            before, after = block.heads
        if (header.app_hash, header.time_ms) != (before.app_hash, after.time_ms):
            raise OperationalError(
                f"Block {block.height} in CometBFT's store is not the one that was carried out.",
                "Its folder and the chain's do not belong together: restore both from one backup.",
            )
        light_block = encode_light_block(votes.block)
        if votes.signed:
            with self._changed:
                self._proven = Proven(light_block, before)
                self._proves = True
                self._changed.notify_all()
            self._submission.move_on()
        if block.heads is not None:
            self._announce(after, block.batch, light_block, signed=votes.signed)

    # -- other threads

    def _take_votes(self, votes: Decided) -> None:
        """Have the votes for a block: Commit waits for them, or has gone on."""
        with self._changed:
            self._votes[votes.block.header.height] = votes
            self._answers = True
            self._changed.notify_all()
        with contextlib.suppress(RuntimeError):  # the engine closes, and its ledger thread has ended
            self._application.ledger.submit(self._guard, self._show)

    def _started_again(self) -> None:
        with self._changed:
            self._answers = False
        self._submission.send_again()

    def _fail(self, request: str, error: BaseException) -> None:
        """Stop for good: consensus cannot go on without this application."""
        if not isinstance(error, UnknownRules):
            log.error("the ledger stops at %s", request, exc_info=error)
        self._stop(error)

    def _stop(self, error: BaseException) -> None:
        super()._stop(error)
        # CometBFT ends by itself without its application; it must not be started again, and is waited for elsewhere.
        threading.Thread(target=self._process.close, name="fujie-stop", daemon=True).start()

    # -- inside

    def _begin_threads(self) -> list[threading.Thread]:
        """Start and return the threads that this engine has besides the ledger's."""
        work = (
            ("fujie-admission", self._intake.verify_all),
            ("fujie-submission", self._submission.send_all),
            ("fujie-headers", self._headers.fetch_all),
        )
        threads = [threading.Thread(target=self._guard, args=(task,), name=name, daemon=True) for name, task in work]
        for thread in threads:
            thread.start()
        return threads

    def _decided_ms(self) -> int:
        """Return when the newest block was decided; now before the first one, which CometBFT makes at once."""
        now_ms = self._clock_ms()
        if self.executor.head.height < self._initial_height:
            return now_ms
        return decided_at_ms(self, now_ms) if self._proves else self.executor.head.time_ms

    def _load(self) -> None:
        """Find what is proven, and which rows the table of blocks lacks."""
        executor = self.executor
        self._before = look_back(executor)
        height = executor.head.height
        newest = height
        while newest and block_at(executor.store.get, newest) is None:
            newest -= 1
        if newest == height > 0:
            light_block = light_block_at(executor.store.get, height)
            assert light_block is not None, "the row was there a line above"
            head = self._signed_by(light_block.header)
            if head is not None:
                self._proven = Proven(encode_light_block(light_block), head)
                self._proves = True
            return
        index = executor.log.size
        rows: list[_Unshown] = []
        for missing in range(height, newest, -1):
            codes: list[bytes] = []
            while index and (entry := executor.entry(index - 1)) is not None and entry.height == missing:
                codes.insert(0, encode_result(RECEIPT.decode_trusted(entry.receipt).code))
                index -= 1
            rows.insert(0, _Unshown(missing, _Row(results_hash(codes), index, len(codes)), None, WriteBatch()))
        self._unshown.extend(rows)
        for row in rows:
            self._headers.want(row.height)

    def _signed_by(self, header: Header) -> Head | None:
        """Return which head the newest header signs: that after its block, which then changed nothing, or that before it."""
        heads = (self.executor.head, self._before)
        return next((head for head in heads if head is not None and head.app_hash == header.app_hash), None)

    def _wait_for_proof(self, wait_s: float, stopped: Callable[[], bool]) -> None:
        give_up_s = time.monotonic() + wait_s
        with self._changed:
            while not (self._proves or self._intake.failure is not None or stopped()):
                if time.monotonic() > give_up_s:
                    break
                self._changed.wait(STOPPED_POLL_S)
            failure = self._intake.failure
        if failure is not None:
            raise failure
        if not self._proves and not stopped():
            raise OperationalError(
                f"No block was made in {wait_s:.0f} s.",
                "More than two thirds of the power of the validators must run and reach one another. See the log of cometbft.",
            )

    def _close_all(self) -> None:
        self._headers.close()
        self._server.close()
        self._application.close()
        if self._snapshots is not None:
            self._snapshots.close()
        self._begin_to_close()
        for thread in self._threads:
            thread.join()
        self._close_intake()
        self._verification.close()
        self._rpc.close()
        self.executor.store.close()
        self._on_closed()


def _put_row(batch: WriteBatch, row: _Row, votes: Decided) -> None:
    """Put the rows of a block into ``batch``."""
    put_block(batch, votes.block, **row._asdict(), evidence=votes.evidence)
