"""A node whose application checks signatures and does nothing else: what CometBFT leaves to any ledger on this machine.

It takes payments over HTTP like a real node, hands them to its CometBFT like a real node, checks each signature once, in
CheckTx, and answers when the block is committed. It has no state, so nothing is proven and nothing has to be durable. Its
app hash changes with every block that has transactions, like that of every ledger.
"""

import argparse
import asyncio
import contextlib
import queue
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from fujie.engine.admission import verdict
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.process import CometProcess, Paths
from fujie.engine.cometbft.rpc import BROADCAST_MAX, Rpc, Unanswered
from fujie.engine.cometbft.server import AbciServer
from tests.abci.echo import EchoApplication

WAIT_S = 0.01


class OnlySignatures(EchoApplication):
    """Checks signatures, and says what each block had."""

    def __init__(self, committed: "Committed") -> None:
        super().__init__()
        self._committed = committed
        self._verifier = ThreadPoolExecutor(1)
        self._block: list[bytes] = []

    def check_tx(self, requests: Sequence[abci.RequestCheckTx], /) -> Future[Sequence[abci.ResponseCheckTx]]:
        return self._verifier.submit(self._check, [request.tx for request in requests])

    def _check(self, raws: list[bytes]) -> list[abci.ResponseCheckTx]:
        return [_GOOD if verdict(raw) == 0 else abci.ResponseCheckTx(code=1) for raw in raws]

    def finalize_block(self, request: abci.RequestFinalizeBlock, /) -> abci.ResponseFinalizeBlock:
        self._block = list(request.txs)
        if self._block:
            self.app_hash = sha256(self.app_hash + request.hash).digest()
        self.height = request.height
        return abci.ResponseFinalizeBlock(tx_results=[_DONE] * len(self._block), app_hash=self.app_hash)

    def commit(self, request: abci.RequestCommit, /) -> abci.ResponseCommit:
        self._committed.block(self._block)
        return abci.ResponseCommit()

    def close(self) -> None:
        super().close()
        self._verifier.shutdown()


_GOOD = abci.ResponseCheckTx()
_DONE = abci.ExecTxResult()


class _Batch:
    def __init__(self, front: "Front", size: int) -> None:
        self.front = front
        self.missing = size
        self.size = size


class Committed:
    """Hands payments to CometBFT, and answers who sent them when a block has them."""

    def __init__(self, rpc: Path) -> None:
        self._rpc = Rpc(rpc)
        self._waiting: dict[bytes, _Batch] = {}
        self._sent: queue.SimpleQueue[list[bytes]] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._broadcast, daemon=True).start()

    def submit(self, front: "Front", payments: list[bytes]) -> None:
        batch = _Batch(front, len(payments))
        self._waiting.update(dict.fromkeys(payments, batch))
        self._sent.put(payments)

    def block(self, transactions: Sequence[bytes]) -> None:
        for transaction in transactions:
            batch = self._waiting.pop(transaction, None)
            if batch is not None:
                batch.missing -= 1
                if not batch.missing:
                    self._loop.call_soon_threadsafe(batch.front.answer, batch.size)

    def _broadcast(self) -> None:
        while True:
            payments = self._sent.get()
            with contextlib.suppress(queue.Empty):
                while len(payments) < BROADCAST_MAX:
                    payments = payments + self._sent.get_nowait()
            while payments:
                part, payments = payments[:BROADCAST_MAX], payments[BROADCAST_MAX:]
                try:
                    problems = self._rpc.broadcast(part)
                except Unanswered:
                    problems = ["no answer"] * len(part)
                again = [each for each, problem in zip(part, problems, strict=True) if problem]
                if again:
                    payments = again + payments
                    time.sleep(WAIT_S)


class Front(asyncio.Protocol):
    """One connection of the load generator: a request at a time."""

    def __init__(self, application: OnlySignatures, committed: Committed) -> None:
        self._application = application
        self._committed = committed
        self._received = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < end + 4 + length:
            return
        body = bytes(self._received[end + 4 : end + 4 + length])
        self._received.clear()
        if head.startswith(b"get"):
            self._write(msgspec.json.encode({"height": self._application.height}))
        else:
            self._committed.submit(self, msgspec.msgpack.decode(body, type=list[bytes]))

    def answer(self, size: int) -> None:
        """Say that all payments of the request are in blocks."""
        self._write(msgspec.msgpack.encode([(b"", 0, None, None)] * size))

    def _write(self, body: bytes) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


async def serve(paths: Paths, port: int) -> None:
    """Run until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    committed = Committed(paths.rpc)
    application = OnlySignatures(committed)
    server = AbciServer(application, paths.socket, lambda *_: None)
    process = CometProcess(paths, lambda: None)
    front = await loop.create_server(lambda: Front(application, committed), "127.0.0.1", port)
    try:
        await stop.wait()
    finally:
        front.close()
        process.close()
        server.close()
        application.close()


def main() -> None:
    """Serve the node in the folder ``--home``, which holds all that CometBFT reads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--abci", type=Path, required=True, help="where it listens for CometBFT")
    parser.add_argument("--rpc", type=Path, required=True, help="where CometBFT listens")
    parser.add_argument("--listen", required=True, help="where CometBFT waits for its peers, host:port")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cometbft", type=Path, required=True)
    arguments = parser.parse_args()
    home: Path = arguments.home
    log = home / "cometbft.log"
    paths = Paths(arguments.cometbft, home, arguments.abci, arguments.rpc, log, arguments.listen)
    asyncio.run(serve(paths, arguments.port))


if __name__ == "__main__":
    main()
