"""CometBFT's side of ABCI: blocking sockets, requests in, answers out. For tests and benchmarks that play CometBFT."""

import contextlib
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from fujie.engine.cometbft import abci
from fujie.engine.cometbft.framing import FrameReader, frame

GIVE_UP_S: Final = 60.0
_READ_BYTES: Final = 262_144


class ApplicationFailedError(Exception):
    """The application answered with an exception."""


class AbciConnection:
    """One connection to an application. One thread at a time."""

    def __init__(self, path: Path, timeout_s: float = GIVE_UP_S) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._frames = FrameReader()
        self._messages: deque[bytes] = deque()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def send(self, requests: Iterable[abci.Request]) -> None:
        """Send requests, and wait for none."""
        self.send_bytes(b"".join(frame(request.SerializeToString()) for request in requests))

    def receive_message(self) -> bytes:
        """Return the next message. Raises EOFError where the application has closed the connection."""
        while not self._messages:
            data = self._socket.recv(_READ_BYTES)
            if not data:
                self._frames.finish()
                raise EOFError
            self._messages.extend(self._frames.feed(data))
        return self._messages.popleft()

    def receive(self) -> abci.Response:
        """Return the next answer, an exception too."""
        return abci.Response.FromString(self.receive_message())

    def nothing_comes(self, for_s: float) -> bool:
        """Tell whether no answer comes for so long."""
        timeout_s = self._socket.gettimeout()
        self._socket.settimeout(for_s)
        try:
            self._messages.append(self.receive_message())
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(timeout_s)
        return False

    def ask(self, request: abci.Request) -> abci.Response:
        """Send a request with a Flush behind it, as CometBFT does, and return its answer.

        Raises :class:`ApplicationFailedError` when that is an exception.
        """
        self.send([request, abci.Request(flush=abci.RequestFlush())])
        answer = self.receive()
        if answer.HasField("exception"):
            raise ApplicationFailedError(answer.exception.error)
        assert request.WhichOneof("value") == answer.WhichOneof("value")
        flushed = self.receive()
        assert flushed.HasField("flush")
        return answer

    # -- one method for each request

    def echo(self, message: str) -> str:
        return self.ask(abci.Request(echo=abci.RequestEcho(message=message))).echo.message

    def info(self) -> abci.ResponseInfo:
        request = abci.RequestInfo(version="0.38.25", block_version=11, p2p_version=8, abci_version="2.0.0")
        return self.ask(abci.Request(info=request)).info

    def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        return self.ask(abci.Request(query=request)).query

    def check_tx(self, transactions: Sequence[bytes], *, recheck: bool = False) -> list[abci.ResponseCheckTx]:
        """Ask about all of them before the first answer is read."""
        kind = abci.CheckTxType.RECHECK if recheck else abci.CheckTxType.NEW
        requests = [abci.Request(check_tx=abci.RequestCheckTx(tx=raw, type=kind)) for raw in transactions]
        self.send([*requests, abci.Request(flush=abci.RequestFlush())])  # at once: after a failure nothing can be sent
        answers = []
        for _ in transactions:
            answer = self.receive()
            if answer.HasField("exception"):
                raise ApplicationFailedError(answer.exception.error)
            assert answer.HasField("check_tx")
            answers.append(answer.check_tx)
        flushed = self.receive()
        assert flushed.HasField("flush")
        return answers

    def init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        return self.ask(abci.Request(init_chain=request)).init_chain

    def prepare_proposal(self, request: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        return self.ask(abci.Request(prepare_proposal=request)).prepare_proposal

    def process_proposal(self, request: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        return self.ask(abci.Request(process_proposal=request)).process_proposal

    def extend_vote(self, request: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        return self.ask(abci.Request(extend_vote=request)).extend_vote

    def verify_vote_extension(self, request: abci.RequestVerifyVoteExtension) -> abci.ResponseVerifyVoteExtension:
        return self.ask(abci.Request(verify_vote_extension=request)).verify_vote_extension

    def finalize_block(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        return self.ask(abci.Request(finalize_block=request)).finalize_block

    def commit(self) -> abci.ResponseCommit:
        return self.ask(abci.Request(commit=abci.RequestCommit())).commit

    def list_snapshots(self) -> Sequence[abci.Snapshot]:
        return self.ask(abci.Request(list_snapshots=abci.RequestListSnapshots())).list_snapshots.snapshots

    def offer_snapshot(self, request: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        return self.ask(abci.Request(offer_snapshot=request)).offer_snapshot

    def load_snapshot_chunk(self, request: abci.RequestLoadSnapshotChunk) -> abci.ResponseLoadSnapshotChunk:
        return self.ask(abci.Request(load_snapshot_chunk=request)).load_snapshot_chunk

    def apply_snapshot_chunk(self, request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        return self.ask(abci.Request(apply_snapshot_chunk=request)).apply_snapshot_chunk


class AbciClient:
    """The four connections that CometBFT has: ``consensus``, ``mempool``, ``query`` and ``snapshot``."""

    def __init__(self, path: Path, timeout_s: float = GIVE_UP_S) -> None:
        with contextlib.ExitStack() as undo:
            opened = [AbciConnection(path, timeout_s) for _ in range(4)]
            for connection in opened:
                undo.callback(connection.close)
            self.query, self.snapshot, self.mempool, self.consensus = opened
            undo.pop_all()

    def close(self) -> None:
        """Close all four."""
        for connection in (self.query, self.snapshot, self.mempool, self.consensus):
            connection.close()


@contextlib.contextmanager
def connected(path: Path, timeout_s: float = GIVE_UP_S) -> Iterator[AbciClient]:
    """Give a client, and close it."""
    client = AbciClient(path, timeout_s)
    try:
        yield client
    finally:
        client.close()
