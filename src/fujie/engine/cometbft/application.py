"""ABCI 2.0, one short method for each request. No rule stands here; all of it is translated and handed on.

    consensus   InitChain, PrepareProposal, ProcessProposal, FinalizeBlock, Commit   the ledger thread, one after another
    mempool     CheckTx, in batches                                 a thread beside it; a few, the server's own thread
    query       Info, Query                                                           the server's own thread
    snapshot    ListSnapshots, LoadSnapshotChunk                                      a thread for the chunks

Source: CometBFT 0.38 specification, "ABCI 2.0", sections "Methods" and "Requirements for the Application".
"""

import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Final, TypeVar

from fujie import __version__
from fujie.core.errors import OperationalError
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import VerifiedTransaction
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.consensus import Block, CarriedOut, Consensus
from fujie.engine.cometbft.peers import IsPeer, judge_peer, nobody
from fujie.engine.cometbft.snapshot_contents import FORMAT, offered
from fujie.engine.cometbft.snapshots import Snapshots
from fujie.engine.cometbft.verifying import Verification
from fujie.modules.membership import queries as membership
from fujie.proof.validators import Validator

NANOSECONDS_PER_MS: Final = 1_000_000
QUERY_NOT_SERVED: Final = 1
CHECKED_AT_ONCE_MAX: Final = 4  # transactions, 0.2 ms: no more than it costs to hand them to a thread and back

Q = TypeVar("Q")
A = TypeVar("A")

log = logging.getLogger(__name__)


def _on_ledger(method: "Callable[[Application, Q], A]") -> "Callable[[Application, Q], Future[A]]":
    """Have ``method`` carried out by the ledger thread, after what it was given before."""

    @wraps(method)
    def submit(self: "Application", request: Q) -> "Future[A]":
        return self.ledger.submit(method, self, request)

    return submit


class Application:
    """Implements ``engine.cometbft.handler.Handler``. What it raises is fatal: the node stops, and CometBFT with it."""

    def __init__(
        self,
        consensus: Consensus,
        verification: Verification,
        *,
        initial_height: int,
        on_decided: Callable[[CarriedOut], None] = lambda _: None,
        before_commit: Callable[[CarriedOut], None] = lambda _: None,
        on_commit: Callable[[CarriedOut], None] = lambda _: None,
        on_refused: Callable[[VerifiedTransaction, int], None] = lambda _transaction, _code: None,
        is_call: Callable[[bytes], bool] = lambda _: False,
        snapshots: Snapshots | None = None,
        is_peer: IsPeer = nobody,
    ) -> None:
        """``initial_height`` is that of the first block that CometBFT makes.

        ``on_decided`` hears of blocks that are carried out, ``before_commit`` of those that are about to be durable, whose
        batch it may add rows to, and ``on_commit`` of those that are, all in the ledger thread; ``on_refused`` hears of
        transactions with good signatures that may not wait for a block, in the thread that has checked them. ``is_call``
        tells what may wait although it is no transaction (``engine.cometbft.mempool``). ``snapshots`` are what nodes that come
        later may begin from. ``is_peer`` says which nodes CometBFT may connect to.
        """
        self.ledger = ThreadPoolExecutor(1, "fujie-ledger")
        self._mempool = ThreadPoolExecutor(1, "fujie-mempool")
        self._chunks = ThreadPoolExecutor(1, "fujie-chunks")
        self._consensus = consensus
        self._verification = verification
        self._initial_height = initial_height
        self._on_decided = on_decided
        self._before_commit = before_commit
        self._on_commit = on_commit
        self._on_refused = on_refused
        self._is_call = is_call
        self._snapshots = snapshots
        self._is_peer = is_peer
        self._decided: CarriedOut | None = None
        self._staging: Future[None] | None = None

    def close(self) -> None:
        """Finish what is in hand. Idempotent."""
        self._mempool.shutdown(cancel_futures=True)
        self._chunks.shutdown(cancel_futures=True)
        self.ledger.shutdown(cancel_futures=True)

    # -- query

    def info(self, _request: abci.RequestInfo) -> abci.ResponseInfo:
        """Tell where the ledger stands: at 0 before the first block of CometBFT, or InitChain would not be asked."""
        head = self._consensus.head
        if head.height < self._initial_height:
            return abci.ResponseInfo(data="fujie", version=__version__)
        return abci.ResponseInfo(
            data="fujie", version=__version__, last_block_height=head.height, last_block_app_hash=head.app_hash
        )

    def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """Say who may be a peer, and nothing else: reads with their proofs are the node's own interface."""
        not_served = "Ask the API of the Fujie node; see docs/spec/09-http.md."
        return judge_peer(request.path, self._is_peer) or abci.ResponseQuery(code=QUERY_NOT_SERVED, log=not_served)

    # -- consensus

    @_on_ledger
    def init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        """Agree on where the chain begins. Raises :class:`OperationalError` when the two do not mean the same chain."""
        executor = self._consensus.executor
        head = executor.head
        wanted = {member.public_key: member.power for member in membership.validators(executor.live).members}
        given = {update.pub_key.ed25519: update.power for update in request.validators}
        differing = [
            name
            for name, ours, theirs in (
                ("chain id", executor.chain_id, request.chain_id),
                ("initial height", head.height + 1, request.initial_height),
                ("validators", wanted, given),
            )
            if ours != theirs
        ]
        if time_ms(request.time) <= head.time_ms:
            differing.append("genesis time")
        if differing:
            raise OperationalError(
                f"CometBFT's genesis file is not that of this chain: {', '.join(differing)}.",
                "Write it anew with `fujie network` from the genesis of the chain.",
            )
        return abci.ResponseInitChain(app_hash=head.app_hash)

    @_on_ledger
    def prepare_proposal(self, request: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        """Propose a block of what waits."""
        return abci.ResponsePrepareProposal(txs=self._consensus.propose(_block(request), request.max_tx_bytes))

    @_on_ledger
    def process_proposal(self, request: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        """Say whether a proposed block may be decided."""
        block = _block(request)
        problem = self._consensus.judge(block)
        if problem is None:
            self._stage_while_others_vote(block)
            return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.ACCEPT)
        proposer = request.proposer_address.hex()
        log.warning("the block %d that validator %s proposes is rejected: %s", request.height, proposer, problem)
        return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.REJECT)

    def _stage_while_others_vote(self, block: Block) -> None:
        """Have the ledger thread stage a block when its proposal is answered, unless one was decided and is not committed:
        CometBFT was interrupted then, and asks for that one again.
        """
        if self._decided is None:
            with contextlib.suppress(RuntimeError):  # the application closes
                self._staging = self.ledger.submit(self._consensus.stage, block)

    @_on_ledger
    def finalize_block(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        """Carry a decided block out; nothing is durable before :meth:`commit`."""
        if self._decided is not None:
            self._consensus.discard(self._decided)  # CometBFT asks again after it was interrupted
            self._decided = None
        if self._staging is not None:
            self._staging.result()  # it is done, since one thread does all of this; what it raised is fatal here
            self._staging = None
        self._decided = decided = self._consensus.carry_out(_block(request))
        self._on_decided(decided)
        return abci.ResponseFinalizeBlock(
            tx_results=[abci.ExecTxResult(code=code) for code in decided.codes],
            validator_updates=[_update(validator) for validator in decided.validators],
            app_hash=decided.staged.head.app_hash,
        )

    @_on_ledger
    def commit(self, _request: abci.RequestCommit) -> abci.ResponseCommit:
        """Make the block of the last :meth:`finalize_block` durable."""
        decided, self._decided = self._decided, None
        if decided is None:
            raise OperationalError("CometBFT commits a block that was not finalized.", "Report this.")
        self._before_commit(decided)
        self._consensus.commit(decided)
        self._on_commit(decided)
        if self._snapshots is not None:
            self._snapshots.after(not decided.block.misbehaviour)
        return abci.ResponseCommit()

    def extend_vote(self, _request: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        """Add nothing to votes."""
        return abci.ResponseExtendVote()

    def verify_vote_extension(self, request: abci.RequestVerifyVoteExtension) -> abci.ResponseVerifyVoteExtension:
        """Take votes to which nothing is added."""
        answer = abci.ResponseVerifyVoteExtension
        return answer(status=answer.REJECT if request.vote_extension else answer.ACCEPT)

    # -- mempool

    def check_tx(self, requests: Sequence[abci.RequestCheckTx]) -> "Future[Sequence[abci.ResponseCheckTx]]":
        """Say of each transaction whether it may wait for a block: all that can be told without carrying it out.

        Whether its sender is entitled to it is not asked here, where the state may be a block behind that of the peer who
        sent it; the node that took it from its sender has asked (``engine.cometbft.engine``).
        """
        raws = [request.tx for request in requests]
        if len(raws) > CHECKED_AT_ONCE_MAX:
            return self._mempool.submit(self._check, raws)
        checked: Future[Sequence[abci.ResponseCheckTx]] = Future()
        checked.set_result(self._check(raws))
        return checked

    def _check(self, raws: Sequence[bytes]) -> Sequence[abci.ResponseCheckTx]:
        answers = []
        for raw, verdict in zip(raws, self._verification.verdicts(raws), strict=True):
            code = verdict
            if verdict and self._is_call(raw):
                code = 0
            elif not verdict:
                transaction = self._verification.transaction(raw)
                code = self._waits(transaction)
                if code:
                    self._on_refused(transaction, code)
            answers.append(abci.ResponseCheckTx(code=code) if code else _MAY_WAIT)
        return answers

    def _waits(self, transaction: VerifiedTransaction) -> int:
        """Return 0, or why a transaction with good signatures does not fit the chain now.

        Our clock says nothing of its expiry: the next block has the time at which the newest one was decided, which after a
        halt is long ago. One that is kept out settles that for nobody (``Submission.refuse``).
        """
        executor, body = self._consensus.executor, transaction.body
        reason: TransactionReason | None = None
        if body.chain_id != executor.chain_id:
            reason = TransactionReason.CHAIN_ID_DIFFERS
        elif body.expires_at_ms <= executor.head.time_ms:
            reason = TransactionReason.TRANSACTION_EXPIRED
        elif executor.window.remembers(transaction.id, body.expires_at_ms):
            reason = TransactionReason.TRANSACTION_REPEATED
        elif self._consensus.quarantined(transaction.raw):
            reason = TransactionReason.EXECUTION_FAILED
        return 0 if reason is None else int(reason)

    # -- snapshots

    def list_snapshots(self, _request: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """Offer what there is."""
        listed = () if self._snapshots is None else self._snapshots.listed()
        return abci.ResponseListSnapshots(snapshots=[offered(contents) for contents in listed])

    def load_snapshot_chunk(
        self, request: abci.RequestLoadSnapshotChunk
    ) -> "Future[abci.ResponseLoadSnapshotChunk] | abci.ResponseLoadSnapshotChunk":
        """Read a chunk; an empty answer where there is none."""
        snapshots = self._snapshots
        if snapshots is None or request.format != FORMAT:
            return abci.ResponseLoadSnapshotChunk()
        return self._chunks.submit(
            lambda: abci.ResponseLoadSnapshotChunk(chunk=snapshots.chunk(request.height, request.chunk))
        )

    def offer_snapshot(self, _request: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        """Take none: a node that begins from one does so before it has this application (``engine.cometbft.state_sync``)."""
        return abci.ResponseOfferSnapshot(result=abci.ResponseOfferSnapshot.ABORT)

    def apply_snapshot_chunk(self, _request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        """Take none."""
        return abci.ResponseApplySnapshotChunk(result=abci.ResponseApplySnapshotChunk.ABORT)


_MAY_WAIT: Final = abci.ResponseCheckTx()  # one object, which the server encodes once


def time_ms(timestamp: abci.Timestamp) -> int:
    """Return the block time in whole milliseconds since 1970, rounded down."""
    return timestamp.seconds * 1_000 + timestamp.nanos // NANOSECONDS_PER_MS


def _block(
    request: abci.RequestPrepareProposal | abci.RequestProcessProposal | abci.RequestFinalizeBlock,
) -> Block:
    misbehaviour = tuple(map(_misbehaviour, request.misbehavior))
    return Block(request.height, time_ms(request.time), tuple(request.txs), misbehaviour)


def _misbehaviour(told: abci.Misbehavior) -> Misbehaviour:
    validator = told.validator
    return Misbehaviour(told.type, validator.address, told.height, time_ms(told.time), validator.power)


def _update(validator: Validator) -> abci.ValidatorUpdate:
    return abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=validator.public_key), power=validator.voting_power)
