"""Payments per second end to end over HTTP: in batches, and one by one.

    python -m bench.http_payments                 100,000 accounts, rocksdict

The node runs in a process of its own; the load generator shares the two cores with it. Every payment is signed by its
payer before the clock starts, and counted when the answer says that it is durable.
"""

import argparse
import json
from typing import Final

import msgspec

from bench import http_load
from bench.node import serving
from bench.payments import signed_payments
from bench.world import prepared
from fujie.api import media

BATCH: Final = 1_000
BATCH_CONNECTIONS: Final = 8
SINGLE_CONNECTIONS: Final = 64


def main() -> int:
    """Run the benchmark and print one line of JSON for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--payments", type=int, default=100_000, help="in the batched part")
    parser.add_argument("--singles", type=int, default=20_000, help="in the part one by one")
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    arguments = parser.parse_args()
    folder = prepared(arguments.store, arguments.accounts)
    with serving(arguments.store, folder) as target:
        payments = signed_payments(target.chain_id, arguments.accounts, arguments.payments + arguments.singles)
        for part, size, connections, chosen in (
            ("batches", BATCH, BATCH_CONNECTIONS, payments[: arguments.payments]),
            ("one by one", 1, SINGLE_CONNECTIONS, payments[arguments.payments :]),
        ):
            requests = [
                http_load.request(
                    "POST", "/transactions", media.OUTCOMES, msgspec.msgpack.encode(chosen[first : first + size]),
                    media.TRANSACTIONS,
                )
                for first in range(0, len(chosen), size)
            ]  # fmt: skip
            load = http_load.run_all("127.0.0.1", target.port, connections, requests)
            print(
                json.dumps(
                    {
                        "part": part,
                        "store": arguments.store,
                        "accounts": arguments.accounts,
                        "payments": len(chosen),
                        "per_second": round(len(chosen) / load.seconds),
                        "p50_ms": load.p50_ms,
                        "p99_ms": load.p99_ms,
                        "errors": load.errors,
                    }
                )
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
