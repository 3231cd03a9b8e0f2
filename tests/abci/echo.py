"""The smallest application there is: its state is a hash over all transactions, and it keeps that in a file."""

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from fujie.engine.cometbft import abci
from fujie.engine.cometbft.handler import Answer

T = TypeVar("T")

REFUSED = b"refuse"  # CheckTx refuses what begins so
RAISES = b"raise"  # and raises at this
POWER = b"power "  # a number behind it is the power of the first validator from then on
CODE_REFUSED = 7


class EchoApplication:
    """Blocks on a thread of its own, everything else at once. ``calls`` are the names of the requests, in order."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.height = 0
        self.app_hash = bytes(32)
        self.transactions = 0
        self.validator = b""  # the public key of the first one
        self._next: tuple[int, bytes, int] = (0, bytes(32), 0)
        if file is not None and file.exists():
            kept = json.loads(file.read_text("utf-8"))
            self.height, self.transactions = kept["height"], kept["transactions"]
            self.app_hash = bytes.fromhex(kept["app_hash"])
            self.validator = bytes.fromhex(kept["validator"])
        self.calls: list[str] = []
        self.batches: list[int] = []  # how many transactions each CheckTx call had
        self.may_finalize = threading.Event()  # cleared: FinalizeBlock takes for ever
        self.may_finalize.set()
        self.finalizes = threading.Event()  # whether one has begun
        self.ledger = ThreadPoolExecutor(1, thread_name_prefix="echo-ledger")

    def close(self) -> None:
        """End the thread."""
        self.may_finalize.set()
        self.ledger.shutdown()

    def _later(self, name: str, work: Callable[[Any], T], request: Any) -> Future[T]:
        self.calls.append(name)
        return self.ledger.submit(work, request)

    def info(self, request: abci.RequestInfo, /) -> Answer[abci.ResponseInfo]:
        self.calls.append("info")
        return abci.ResponseInfo(data="echo", last_block_height=self.height, last_block_app_hash=self.app_hash)

    def query(self, request: abci.RequestQuery, /) -> Answer[abci.ResponseQuery]:
        self.calls.append("query")
        return abci.ResponseQuery(key=request.data, value=self.app_hash, height=self.height)

    def check_tx(self, requests: Sequence[abci.RequestCheckTx], /) -> Answer[Sequence[abci.ResponseCheckTx]]:
        self.batches.append(len(requests))
        accepted, refused = abci.ResponseCheckTx(), abci.ResponseCheckTx(code=CODE_REFUSED)
        if any(request.tx == RAISES for request in requests):
            raise ValueError("the secret is 42")
        return [refused if request.tx.startswith(REFUSED) else accepted for request in requests]

    def init_chain(self, request: abci.RequestInitChain, /) -> Answer[abci.ResponseInitChain]:
        self.calls.append("init_chain")
        self.validator = next((each.pub_key.ed25519 for each in request.validators), b"")
        return abci.ResponseInitChain(app_hash=self.app_hash)

    def prepare_proposal(self, request: abci.RequestPrepareProposal, /) -> Answer[abci.ResponsePrepareProposal]:
        self.calls.append("prepare_proposal")
        return abci.ResponsePrepareProposal(txs=request.txs)

    def process_proposal(self, request: abci.RequestProcessProposal, /) -> Answer[abci.ResponseProcessProposal]:
        self.calls.append("process_proposal")
        return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.ACCEPT)

    def extend_vote(self, request: abci.RequestExtendVote, /) -> Answer[abci.ResponseExtendVote]:
        self.calls.append("extend_vote")
        return abci.ResponseExtendVote(vote_extension=request.hash)

    def verify_vote_extension(
        self, request: abci.RequestVerifyVoteExtension, /
    ) -> Answer[abci.ResponseVerifyVoteExtension]:
        self.calls.append("verify_vote_extension")
        good = request.vote_extension == request.hash
        status = abci.ResponseVerifyVoteExtension.ACCEPT if good else abci.ResponseVerifyVoteExtension.REJECT
        return abci.ResponseVerifyVoteExtension(status=status)

    def finalize_block(self, request: abci.RequestFinalizeBlock, /) -> Answer[abci.ResponseFinalizeBlock]:
        return self._later("finalize_block", self._finalize, request)

    def _finalize(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        self.finalizes.set()
        self.may_finalize.wait()
        app_hash = self.app_hash
        for transaction in request.txs:
            app_hash = hashlib.sha256(app_hash + transaction).digest()
        self._next = (request.height, app_hash, self.transactions + len(request.txs))
        results = [abci.ExecTxResult(data=transaction[:8]) for transaction in request.txs]
        updates = [
            abci.ValidatorUpdate(
                pub_key=abci.PublicKey(ed25519=self.validator), power=int(transaction.removeprefix(POWER))
            )
            for transaction in request.txs
            if transaction.startswith(POWER)
        ]
        return abci.ResponseFinalizeBlock(tx_results=results, app_hash=app_hash, validator_updates=updates)

    def commit(self, request: abci.RequestCommit, /) -> Answer[abci.ResponseCommit]:
        return self._later("commit", self._commit, request)

    def _commit(self, request: abci.RequestCommit) -> abci.ResponseCommit:
        self.height, self.app_hash, self.transactions = self._next
        if self._file is not None:
            kept = {
                "height": self.height,
                "transactions": self.transactions,
                "app_hash": self.app_hash.hex(),
                "validator": self.validator.hex(),
            }
            self._file.write_text(json.dumps(kept), "utf-8")
        return abci.ResponseCommit()

    def list_snapshots(self, request: abci.RequestListSnapshots, /) -> Answer[abci.ResponseListSnapshots]:
        self.calls.append("list_snapshots")
        return abci.ResponseListSnapshots(snapshots=[abci.Snapshot(height=self.height, chunks=1, hash=self.app_hash)])

    def offer_snapshot(self, request: abci.RequestOfferSnapshot, /) -> Answer[abci.ResponseOfferSnapshot]:
        self.calls.append("offer_snapshot")
        return abci.ResponseOfferSnapshot(result=abci.ResponseOfferSnapshot.REJECT)

    def load_snapshot_chunk(self, request: abci.RequestLoadSnapshotChunk, /) -> Answer[abci.ResponseLoadSnapshotChunk]:
        self.calls.append("load_snapshot_chunk")
        return abci.ResponseLoadSnapshotChunk(chunk=self.app_hash)

    def apply_snapshot_chunk(
        self, request: abci.RequestApplySnapshotChunk, /
    ) -> Answer[abci.ResponseApplySnapshotChunk]:
        self.calls.append("apply_snapshot_chunk")
        return abci.ResponseApplySnapshotChunk(result=abci.ResponseApplySnapshotChunk.ABORT)
