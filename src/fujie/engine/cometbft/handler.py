"""What an application of CometBFT answers. The server calls it; it decides everything else itself."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, TypeAlias, TypeVar

from fujie.engine.cometbft import abci

T = TypeVar("T")

Answer: TypeAlias = T | Future[T]
"""An answer, or the promise of one. Whoever promises keeps it: a future that is never done holds its connection."""


class Handler(Protocol):
    """One method for each request; the server itself answers Echo and Flush.

    **Threads.** Every method is called in the server's thread, which serves all connections: it returns at once, with
    the answer where that takes microseconds, otherwise with a ``concurrent.futures.Future`` of it. Any thread may
    complete the future. So FinalizeBlock belongs on the ledger's own thread; meanwhile the others are answered.

    **Order.** On each connection requests come one by one: the next when the one before is answered. Only calls of
    :meth:`check_tx` overlap, at most ``BATCHES_UNDER_WAY`` of them. Between connections there is no order, and Info,
    which comes on the connection for queries, may come while a block is finalized. When CometBFT dies and starts
    again, a request of its earlier life may still be under way; the answer to that is thrown away.

    **Failure.** An exception, raised or in the future, answers the request with an exception without its text, closes
    the connection and is told to the owner of the server. CometBFT stops at that, *on every one of its connections*:
    a bad transaction, an unknown path of a query or a snapshot that is gone must come back as a code or as an empty
    answer, never as an exception. What does raise is a fault of the program or of the disk.
    """

    # -- the connection for queries

    def info(self, request: abci.RequestInfo, /) -> Answer[abci.ResponseInfo]:
        """Say up to which block the ledger is durable, and its app hash."""
        ...

    def query(self, request: abci.RequestQuery, /) -> Answer[abci.ResponseQuery]:
        """Answer a query of CometBFT's own interface."""
        ...

    # -- the connection of the mempool

    def check_tx(self, requests: Sequence[abci.RequestCheckTx], /) -> Answer[Sequence[abci.ResponseCheckTx]]:
        """Say of each transaction whether it may wait for a block: one answer for each, in their order.

        What has come by now is one call, up to ``CHECK_BATCH_MAX``. An object that stands in the answer several times
        in a row is encoded once.
        """
        ...

    # -- the connection of consensus

    def init_chain(self, request: abci.RequestInitChain, /) -> Answer[abci.ResponseInitChain]:
        """Begin the chain. Comes again at the next start when no block was made since."""
        ...

    def prepare_proposal(self, request: abci.RequestPrepareProposal, /) -> Answer[abci.ResponsePrepareProposal]:
        """Choose the transactions of a block that this node proposes."""
        ...

    def process_proposal(self, request: abci.RequestProcessProposal, /) -> Answer[abci.ResponseProcessProposal]:
        """Say whether a proposed block is one to vote for. Every honest node must say the same."""
        ...

    def extend_vote(self, request: abci.RequestExtendVote, /) -> Answer[abci.ResponseExtendVote]:
        """Add bytes to the vote; only where vote extensions are on."""
        ...

    def verify_vote_extension(
        self, request: abci.RequestVerifyVoteExtension, /
    ) -> Answer[abci.ResponseVerifyVoteExtension]:
        """Judge what another validator added to its vote; only where vote extensions are on."""
        ...

    def finalize_block(self, request: abci.RequestFinalizeBlock, /) -> Answer[abci.ResponseFinalizeBlock]:
        """Carry out a decided block, and make nothing durable yet."""
        ...

    def commit(self, request: abci.RequestCommit, /) -> Answer[abci.ResponseCommit]:
        """Make the finalized block durable; it is when the answer is given. The mempool is locked until then."""
        ...

    # -- the connection for snapshots

    def list_snapshots(self, request: abci.RequestListSnapshots, /) -> Answer[abci.ResponseListSnapshots]:
        """Say which snapshots there are."""
        ...

    def offer_snapshot(self, request: abci.RequestOfferSnapshot, /) -> Answer[abci.ResponseOfferSnapshot]:
        """Say whether to take up a snapshot that peers have."""
        ...

    def load_snapshot_chunk(self, request: abci.RequestLoadSnapshotChunk, /) -> Answer[abci.ResponseLoadSnapshotChunk]:
        """Return a chunk for a peer."""
        ...

    def apply_snapshot_chunk(
        self, request: abci.RequestApplySnapshotChunk, /
    ) -> Answer[abci.ResponseApplySnapshotChunk]:
        """Take a chunk that a peer sent."""
        ...
