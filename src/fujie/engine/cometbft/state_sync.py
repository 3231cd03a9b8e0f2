"""Beginning from a snapshot of the other nodes: the application that CometBFT has until a chain stands in the folder.

    OfferSnapshot ──► form, chain, app hash, the light client's headers ──► ApplySnapshotChunk … ──► rows loaded aside
    ──► the chain of the folder ──► Info ──► CometBFT fetches the blocks after it: the node starts anew, as every other

CometBFT verifies the app hash with its own light client and gives it here; the rows must add up to it. What is more than the
app hash (time and transactions of the block) is held against headers that this node's light client believes. A chunk is
refused alone, and so is who sent it; whoever offered what does not add up is not asked again. Nothing stands in the folder
before all of it is verified.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

from fujie import __version__
from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.light_rpc import Turns
from fujie.engine.cometbft.peers import IsPeer, judge_peer, nobody
from fujie.engine.cometbft.snapshot_contents import CHUNK_BYTES, FORMAT, Contents, read_offer
from fujie.engine.executor import Head
from fujie.proof.header import EMPTY_EVIDENCE_HASH
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import validator_set_hash

ROWS_NAME: Final = "rows"
NOT_YET: Final = 1  # the code of CheckTx and Query until the node has a state

Q = TypeVar("Q")

log = logging.getLogger(__name__)

Offer = abci.ResponseOfferSnapshot
Apply = abci.ResponseApplySnapshotChunk


class Progress(NamedTuple):
    """How far it is: the block of the snapshot that is fetched, and how many of its chunks are here."""

    height: int
    chunks: int
    of_chunks: int


class Verified(NamedTuple):
    """What the light client believes of a snapshot: its block, and the one after it, whose header has the app hash."""

    block: LightBlock
    next_block: LightBlock


class Restoration:
    """Implements ``engine.cometbft.handler.Handler``, from the start of CometBFT to its first block."""

    def __init__(
        self,
        chain_id: str,
        folder: Path,
        *,
        believed: Callable[[int], LightBlock],
        turns: Turns,
        install: Callable[[BinaryIO, Contents, Verified], Head],
        progress: Callable[[Progress], None] = lambda _: None,
        is_peer: IsPeer = nobody,
    ) -> None:
        """``folder`` is for what is fetched; nothing else is in it.

        ``believed`` returns the light block at a height, or raises :class:`OperationalError` where it is not to be had,
        and :class:`VerificationError` where the nodes that are asked do not tell what holds: then the node stops.
        ``turns`` is what CometBFT's light client is told of priorities: where it has not been from its start, it must
        start again. ``install`` loads the rows in a file and makes them the chain of the folder, or raises as
        ``store.snapshot.load_rows``. ``is_peer`` says which nodes CometBFT may connect to.
        """
        self._chain_id = chain_id
        self._folder = folder
        self._believed = believed
        self._turns = turns
        self._install = install
        self._progress = progress
        self._is_peer = is_peer
        self._worker = ThreadPoolExecutor(1, "fujie-state-sync")
        self._contents: Contents | None = None
        self._verified: Verified | None = None
        self._senders: dict[int, str] = {}  # of the chunks that are here
        self._head: Head | None = None
        self.restart = threading.Event()  # CometBFT must start again, and asks for the same once more
        self.done = threading.Event()  # the chain stands in the folder, and CometBFT has all that it needs

    def close(self) -> None:
        """Finish what is in hand, and remove what was fetched. Idempotent."""
        self._worker.shutdown(cancel_futures=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- query

    def info(self, _request: abci.RequestInfo) -> abci.ResponseInfo:
        """Tell where the ledger stands."""
        head = self._head
        if head is None:
            return abci.ResponseInfo(data="fujie", version=__version__)
        return abci.ResponseInfo(
            data="fujie", version=__version__, last_block_height=head.height, last_block_app_hash=head.app_hash
        )

    def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """Say who may be a peer, and nothing else."""
        not_yet = "The node fetches the state of the chain."
        return judge_peer(request.path, self._is_peer) or abci.ResponseQuery(code=NOT_YET, log=not_yet)

    # -- snapshots

    def list_snapshots(self, _request: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """Have none."""
        return abci.ResponseListSnapshots()

    def load_snapshot_chunk(self, _request: abci.RequestLoadSnapshotChunk) -> abci.ResponseLoadSnapshotChunk:
        """Have none."""
        return abci.ResponseLoadSnapshotChunk()

    def offer_snapshot(self, request: abci.RequestOfferSnapshot) -> "Future[abci.ResponseOfferSnapshot]":
        """Say whether to begin from a snapshot."""
        promised: Future[abci.ResponseOfferSnapshot] = Future()

        def answer() -> None:
            result = self._judge(request)
            if result is not None:  # else CometBFT starts again, and there is nobody to answer
                promised.set_result(Offer(result=result))

        self._carry_out(answer, promised)
        return promised

    def apply_snapshot_chunk(
        self, request: abci.RequestApplySnapshotChunk
    ) -> "Future[abci.ResponseApplySnapshotChunk]":
        """Take a chunk; with the last one, make the rows the chain of the folder."""
        promised: Future[abci.ResponseApplySnapshotChunk] = Future()
        self._carry_out(lambda: promised.set_result(self._apply(request)), promised)
        return promised

    def _carry_out(self, task: Callable[[], None], promised: "Future[Q]") -> None:
        def guarded() -> None:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - the server tells it to the owner, and the node stops
                promised.set_exception(error)

        self._worker.submit(guarded)

    def _judge(self, request: abci.RequestOfferSnapshot) -> int | None:
        """Return the answer to an offer, in order of what is checked; None where CometBFT must start again."""
        snapshot, height = request.snapshot, request.snapshot.height
        self._contents = self._verified = None
        if snapshot.format != FORMAT:
            return Offer.REJECT_FORMAT
        try:
            contents = read_offer(snapshot)
        except VerificationError as error:
            log.warning("a snapshot of block %d is refused, and who offers it: %s", height, error)
            return Offer.REJECT_SENDER
        if contents.chain_id != self._chain_id or contents.app_hash != request.app_hash:
            log.warning("a snapshot of block %d is refused, and who offers it: it is of another state", height)
            return Offer.REJECT_SENDER
        try:
            verified = Verified(self._believed(height), self._believed(height + 1))
        except OperationalError as error:
            log.warning("a snapshot of block %d is refused: its headers are not to be had: %s", height, error)
            return Offer.REJECT
        if verified.next_block.header.app_hash != request.app_hash:
            raise OperationalError(
                f"The light clients of CometBFT and of this node believe different headers at block {height + 1}.",
                "Compare the header with the operators of several nodes before you start again.",
            )
        if verified.block.header.evidence_hash != EMPTY_EVIDENCE_HASH:
            log.warning("a snapshot of block %d is refused: there is more to that block than a snapshot has", height)
            return Offer.REJECT
        header, turns = verified.next_block.header, contents.turns()
        named = [validator_set_hash(validators) for _, validators in sorted(turns.items())]
        if named != [header.validators_hash, header.next_validators_hash]:
            log.warning("a snapshot of block %d is refused, and who offers it: it names other validators", height)
            return Offer.REJECT_SENDER
        if self._turns.contradict(turns):
            log.warning("a snapshot of block %d is refused: others tell of other turns to propose", height)
            return Offer.REJECT
        if not self._turns.learn(turns):
            log.info("cometbft starts again to begin from block %d", height)
            self.restart.set()
            return None
        free = shutil.disk_usage(self._make_folder()).free
        if free < 3 * contents.size:  # the rows, what is made of them, and room for their indexes
            log.error("a snapshot of %d bytes is refused: only %d bytes are free on disk", contents.size, free)
            return Offer.REJECT
        self._contents, self._verified = contents, verified
        self._senders.clear()
        log.info("fetching the state after block %d: %d chunks, %d bytes", height, contents.count, contents.size)
        self._progress(Progress(height, 0, contents.count))
        return Offer.ACCEPT

    def _make_folder(self) -> Path:
        """Return the folder for what is fetched, empty."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        return self._folder

    def _apply(self, request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        contents = self._contents
        if contents is None:
            return Apply(result=Apply.ABORT)  # of an offer that was not taken: CometBFT does not ask so
        if not contents.is_chunk(request.index, request.chunk):
            log.warning("chunk %d of %s is refused, and who sent it", request.index, request.sender or "nobody")
            return Apply(result=Apply.RETRY, refetch_chunks=[request.index], reject_senders=[request.sender])
        path = self._folder / ROWS_NAME
        with path.open("r+b" if path.exists() else "x+b") as file:
            file.seek(request.index * CHUNK_BYTES)
            file.write(request.chunk)
        self._senders[request.index] = request.sender
        self._progress(Progress(contents.height, len(self._senders), contents.count))
        if len(self._senders) < contents.count:
            return Apply(result=Apply.ACCEPT)
        return self._restore(contents, path)

    def _restore(self, contents: Contents, path: Path) -> abci.ResponseApplySnapshotChunk:
        assert self._verified is not None, "an offer that was taken was verified"
        try:
            with path.open("rb") as file:
                self._head = self._install(file, contents, self._verified)
        except VerificationError as error:
            log.warning("the snapshot of block %d is refused, and who sent it: %s", contents.height, error)
            senders = sorted({sender for sender in self._senders.values() if sender})
            self._contents = None
            return Apply(result=Apply.REJECT_SNAPSHOT, reject_senders=senders)
        finally:
            path.unlink(missing_ok=True)
        log.info("the state after block %d is here and verified", contents.height)
        return Apply(result=Apply.ACCEPT)

    # -- the mempool and consensus, which come when all is done

    def check_tx(self, requests: Sequence[abci.RequestCheckTx]) -> Sequence[abci.ResponseCheckTx]:
        """Take none: the node starts anew before it can judge."""
        return [abci.ResponseCheckTx(code=NOT_YET)] * len(requests)

    def init_chain(self, _request: abci.RequestInitChain) -> abci.ResponseInitChain:
        """Raise: who asks so does not begin from a snapshot."""
        raise OperationalError(
            "CometBFT begins with block 1 instead of a snapshot: the only validator of a chain has nobody to fetch it from.",
            "Remove `state_sync` from cometbft.json.",
        )

    def prepare_proposal(self, _request: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        """Propose nothing: the block after the snapshot is decided long since, and only has not come yet."""
        return abci.ResponsePrepareProposal()

    def process_proposal(self, _request: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        """Vote for none: nothing here can judge one. CometBFT asks where it has fetched all that its peers had.

        It must not start again at this point: with a state and without any block it never does. The block after the
        snapshot comes without this vote, since the header of that block was believed before the snapshot was taken.
        """
        return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.REJECT)

    def extend_vote(self, _request: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        """Add nothing to votes."""
        return abci.ResponseExtendVote()

    def verify_vote_extension(self, _request: abci.RequestVerifyVoteExtension) -> abci.ResponseVerifyVoteExtension:
        """Take votes, to which the chain lets nobody add anything."""
        return abci.ResponseVerifyVoteExtension(status=abci.ResponseVerifyVoteExtension.ACCEPT)

    def finalize_block(self, _request: abci.RequestFinalizeBlock) -> "Future[abci.ResponseFinalizeBlock]":
        """Answer never: CometBFT has stored the block before it asks, and the ledger itself answers it anew."""
        if self._head is None:
            raise OperationalError("CometBFT has a block to carry out, and no state is here.", "Report this.")
        self.done.set()
        return Future()

    def commit(self, _request: abci.RequestCommit) -> abci.ResponseCommit:
        """Raise: it comes after an answer that is never given."""
        raise OperationalError("CometBFT commits a block that was not carried out.", "Report this.")
