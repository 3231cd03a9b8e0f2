"""Resolving with proof over HTTP: idle, and while the node takes payments.

    python -m bench.resolve                       200,000 identifiers, idle and beside 2,000 payments/s
    python -m bench.resolve --identifiers 3214 --payments-per-second 0

The node is `fujie up` with its processes; the load generator shares the two cores with it. Identifiers are drawn at random,
so that with many of them nearly every answer is proven anew. A reader that was just started reads what it has not been asked
for from the store (`first asked`), and has most of it in memory later. Also measured: verifying such an answer offline.
"""

import argparse
import json
import multiprocessing
import random
import time
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec

from bench import http_load
from bench.node import Node, serving, wait_for_lists
from bench.payments import signed_payments
from bench.world import PREFIX, node, prepared
from fujie.api import media
from fujie.proof.bundle import verify

CONNECTIONS: Final = 16
PAYMENT_BATCHES_PER_SECOND: Final = 20
VERIFICATIONS: Final = 2_000


def measure(target: Node, identifiers: int, seconds: float) -> dict[str, Any]:
    """Resolve random identifiers for ``seconds``."""
    dice = random.Random(1)
    requests = [
        http_load.request("GET", f"/ids/{PREFIX}.{node(dice.randrange(identifiers))}", media.BUNDLE)
        for _ in range(100_000)
    ]
    turn = iter(range(10**9))
    load = http_load.run("127.0.0.1", target.port, CONNECTIONS, seconds, lambda: requests[next(turn) % len(requests)])
    return {"per_second": load.per_second, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms, "errors": load.errors}


def verification_us(target: Node) -> float:
    """Return how long one answer takes to verify offline, in µs: the median of many."""
    connection = http_load.Connection("127.0.0.1", target.port)
    bundle = connection.exchange(http_load.request("GET", f"/ids/{PREFIX}.{node(7)}", media.BUNDLE))
    connection.socket.close()
    times = []
    for _ in range(VERIFICATIONS):
        started = time.perf_counter()
        verify(bundle, target.trust)
        times.append(time.perf_counter() - started)
    return round(sorted(times)[VERIFICATIONS // 2] * 1e6, 1)


def pay_steadily(port: int, batches: list[bytes], done: Connection) -> None:
    """Post a batch every 1/20 s until they are used up; report how many were accepted and how late the last was."""
    connection = http_load.Connection("127.0.0.1", port)
    accepted = 0
    started = time.perf_counter()
    late_s = 0.0
    for number, batch in enumerate(batches):
        due = started + number / PAYMENT_BATCHES_PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        late_s = max(late_s, time.perf_counter() - due)
        outcomes = msgspec.msgpack.decode(connection.exchange(batch))
        accepted += sum(outcome[1] == 0 for outcome in outcomes)
    done.send((accepted, round(late_s, 3)))


def main() -> int:
    """Run the benchmark and print one line of JSON for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identifiers", type=int, default=200_000)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--payments-per-second", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    arguments = parser.parse_args()
    folder = prepared(arguments.store, arguments.accounts, arguments.identifiers)
    with serving(arguments.store, folder) as target:
        print(json.dumps({"part": "verify offline", "median_us": verification_us(target)}))
        wait_for_lists(target)  # the first projection of so many wallets takes its share of the processors
        for part, seconds in (("first asked", arguments.seconds), ("asked before", 3 * arguments.seconds)):
            idle = measure(target, arguments.identifiers, seconds)
            print(json.dumps({"part": part, "store": arguments.store, "identifiers": arguments.identifiers} | idle))
        if not arguments.payments_per_second:
            return 0
        size = arguments.payments_per_second // PAYMENT_BATCHES_PER_SECOND
        count = round(arguments.payments_per_second * (arguments.seconds + 2))
        payments = signed_payments(target.chain_id, arguments.accounts, count)
        batches = [
            http_load.request(
                "POST", "/transactions", media.OUTCOMES, msgspec.msgpack.encode(payments[first : first + size]),
                media.TRANSACTIONS,
            )
            for first in range(0, count, size)
        ]  # fmt: skip
        ours, theirs = multiprocessing.Pipe()
        payer = multiprocessing.Process(target=pay_steadily, args=(target.port, batches, theirs))
        payer.start()
        time.sleep(1)
        busy = measure(target, arguments.identifiers, arguments.seconds)
        accepted, late_s = ours.recv()
        payer.join()
        print(
            json.dumps(
                {"part": f"beside {arguments.payments_per_second} payments/s over HTTP", "store": arguments.store}
                | busy
                | {"payments_accepted": accepted, "of": count, "latest_batch_s": late_s}
            )
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
