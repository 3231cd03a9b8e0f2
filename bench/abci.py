"""What the way between CometBFT and the application costs: CheckTx a second, and a block of 10,000 transactions.

    python -m bench.abci
    python -m bench.abci --transaction-bytes 1000

Another process plays CometBFT over the real socket. The application in this one answers at once and verifies nothing, so
the figures are the bound that the server sets. The time of a block is from the first byte that is sent to the answer
decoded, both ends included; requests are encoded before the clock starts.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fujie.engine.cometbft import abci
from fujie.engine.cometbft.framing import frame
from fujie.engine.cometbft.server import AbciServer
from tests.abci.client import AbciClient, connected
from tests.abci.echo import EchoApplication

WAVE = 20_000  # transactions that are sent before the answers to the wave before are read


class Bare(EchoApplication):
    """Answers, and does nothing else."""

    def _finalize(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        results = [abci.ExecTxResult(data=bytes(32)) for _ in request.txs]
        return abci.ResponseFinalizeBlock(tx_results=results, app_hash=bytes(32))


class Threaded(Bare):
    """Promises the answers to CheckTx and gives them in another thread, as one that verifies does."""

    def __init__(self) -> None:
        super().__init__()
        self._verifier = ThreadPoolExecutor(1)

    def check_tx(self, requests: Sequence[abci.RequestCheckTx], /) -> Future[Sequence[abci.ResponseCheckTx]]:
        self.batches.append(len(requests))
        return self._verifier.submit(lambda: [abci.ResponseCheckTx()] * len(requests))

    def close(self) -> None:
        super().close()
        self._verifier.shutdown()


def checks_per_s(client: AbciClient, count: int, transaction_bytes: int) -> float:
    """Send in waves, one under way while the answers to the other are read."""
    request = abci.Request(check_tx=abci.RequestCheckTx(tx=os.urandom(transaction_bytes)))
    wave = frame(request.SerializeToString()) * WAVE
    client.mempool.check_tx([b"warm"] * 1_000)
    started = time.perf_counter()
    client.mempool.send_bytes(wave)
    for number in range(count // WAVE):
        if number + 1 < count // WAVE:
            client.mempool.send_bytes(wave)
        for _ in range(WAVE):
            client.mempool.receive_message()
    return count / (time.perf_counter() - started)


def block_ms(client: AbciClient, blocks: int, size: int, transaction_bytes: int) -> list[float]:
    """Return the milliseconds of each block."""
    transactions = [os.urandom(transaction_bytes) for _ in range(size)]
    spent = []
    for height in range(1, blocks + 1):
        request = abci.RequestFinalizeBlock(height=height, txs=transactions, hash=bytes(32))
        data = frame(abci.Request(finalize_block=request).SerializeToString())
        started = time.perf_counter()
        client.consensus.send_bytes(data)
        answer = client.consensus.receive()
        spent.append((time.perf_counter() - started) * 1_000)
        assert len(answer.finalize_block.tx_results) == size
        client.consensus.commit()
    return spent


def play(path: Path, arguments: argparse.Namespace, told: Connection) -> None:
    """Be CometBFT, in a process of its own."""
    with connected(path) as client:
        rate = checks_per_s(client, arguments.checks, arguments.transaction_bytes)
        spent = block_ms(client, arguments.blocks, arguments.block, arguments.transaction_bytes)
    told.send({"check_tx_per_s": round(rate), "finalize_block_ms_p50": round(statistics.median(spent), 1)})


def measured(make: Callable[[], EchoApplication], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one application."""
    spawn = multiprocessing.get_context("spawn")
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="fujie-abci-") as folder:
        application = make()
        server = AbciServer(application, Path(folder) / "abci.sock", lambda request, _: failures.append(request))
        here, there = spawn.Pipe()
        client = spawn.Process(target=play, args=(server.path, arguments, there))
        client.start()
        there.close()
        try:
            found: dict[str, Any] = here.recv()
        finally:
            client.join()
            server.close()
            application.close()
    assert not failures
    return {**found, "transactions_per_call": round(statistics.mean(application.batches))}


def main() -> int:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=1_000_000, help=f"CheckTx, in waves of {WAVE}")
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--block", type=int, default=10_000, help="transactions in a block")
    parser.add_argument("--transaction-bytes", type=int, default=260)
    arguments = parser.parse_args()
    figures = {"at_once": measured(Bare, arguments), "promised": measured(Threaded, arguments)}
    print(json.dumps({**vars(arguments), **figures}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
