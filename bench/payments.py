"""Payments per second through the real machine, in process: signed, verified, limit-checked, in the tree, durable.

    python -m bench.payments                      1,000,000 accounts, rocksdict, 200,000 payments
    python -m bench.payments --cached-leaves 500000     with a quarter of the records in memory
    python -m bench.payments --accounts 100000 --store sqlite
    python -m bench.payments --profile            also prints where the ledger thread spends its time

Payer and payee are random; every payment is signed by the payer's own key before the clock starts. The clock stops when
the last one is durable. Afterwards the sums are checked over the whole state: money neither came nor went.
"""

import argparse
import cProfile
import gc
import json
import multiprocessing
import pstats
import random
import resource
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from bench.world import FUNDS_MINOR, INSTRUMENT, now_ms, open_engine, prepared, sign, wallet_id, wallet_signer
from fujie.modules.catalog import record_at
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.records import Balance
from fujie.store.layout import Table
from fujie.store.state_tree import unpack_leaf

BATCH = 1_000  # payments in one submission
UNDER_WAY = 36_000  # below the admission bound of 40,000


def make_payments(job: tuple[str, int, int, int]) -> list[bytes]:
    """Return signed random payments: (chain id, accounts, how many, seed)."""
    chain_id, accounts, count, seed = job
    dice = random.Random(seed)
    payments = []
    for _ in range(count):
        payer = dice.randrange(accounts)
        payee = (payer + dice.randrange(1, accounts)) % accounts
        operation = Pay(wallet_id(payer), wallet_id(payee), INSTRUMENT, dice.randrange(1, 1_000))
        payments.append(sign(chain_id, [operation], wallet_signer(payer)))
    return payments


def signed_payments(chain_id: str, accounts: int, count: int) -> list[bytes]:
    """Return ``count`` payments, signed on all cores."""
    jobs = [(chain_id, accounts, min(5_000, count - first), first) for first in range(0, count, 5_000)]
    with multiprocessing.get_context("spawn").Pool() as pool:
        return [payment for part in pool.imap(make_payments, jobs) for payment in part]


def drive(engine: Any, payments: list[bytes]) -> tuple[float, dict[int, int]]:
    """Submit everything, never more under way than admission takes; return seconds and outcomes by reason number."""
    codes: dict[int, int] = {}
    under_way: deque[Any] = deque()
    started = time.perf_counter()
    for first in range(0, len(payments), BATCH):
        while len(under_way) * BATCH >= UNDER_WAY:
            _count(codes, under_way.popleft().result())
        under_way.append(engine.submit(payments[first : first + BATCH]))
    for future in under_way:
        _count(codes, future.result())
    return time.perf_counter() - started, codes


def _count(codes: dict[int, int], outcomes: list[Any]) -> None:
    for outcome in outcomes:
        codes[outcome.code] = codes.get(outcome.code, 0) + 1


def total_held(engine: Any) -> int:
    """Return the sum of every balance, read from the store and not from any counter."""
    total = 0
    for _, stored in engine.executor.store.scan(Table.STATE):
        path, _, record = unpack_leaf(stored)
        if path.startswith(b"currency/balance/"):
            balance = record_at(path.decode(), record)
            assert isinstance(balance, Balance)
            total += balance.amount_minor
    return total


def filesystem(folder: Path) -> str:
    """Return the type of the file system that ``folder`` is on, so that nobody measures a disk that is memory."""
    place = str(folder.resolve())
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text("ascii").splitlines()]
    fitting = [mount for mount in mounts if place == mount[0] or place.startswith(mount[0].rstrip("/") + "/")]
    return max(fitting, key=lambda mount: len(mount[0]))[1]


def memory_bytes() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def folder_bytes(folder: Path) -> int:
    """Return the size of a data folder on disk."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> int:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--payments", type=int, default=200_000)
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    parser.add_argument("--cached-leaves", type=int, default=None, help="records kept decoded in memory")
    parser.add_argument("--profile", action="store_true", help="profile the ledger thread")
    arguments = parser.parse_args()

    folder = prepared(arguments.store, arguments.accounts)
    options = {} if arguments.cached_leaves is None else {"cached_leaves": arguments.cached_leaves}
    opened = time.perf_counter()
    engine = open_engine(arguments.store, folder, **options)
    open_s = time.perf_counter() - opened
    warmed = time.perf_counter()
    engine.executor.warm()
    warm_s = time.perf_counter() - warmed
    warm_memory_mb = memory_bytes() // 1_000_000
    disk_mb = folder_bytes(folder) // 1_000_000
    payments = signed_payments(engine.chain_id, arguments.accounts, arguments.payments)
    drive(engine, payments[:2_000])  # starts the worker
    gc.collect()
    gc.freeze()
    height = engine.head.height
    if arguments.profile:
        seconds, codes = _profiled(engine, payments[2_000:])
    else:
        seconds, codes = drive(engine, payments[2_000:])
    blocks = engine.head.height - height
    held = total_held(engine)
    expected = FUNDS_MINOR * arguments.accounts
    engine.close()
    count = sum(codes.values())
    report = {
        "accounts": arguments.accounts,
        "store": arguments.store,
        "filesystem": filesystem(folder),
        "payments": count,
        "per_second": round(count / seconds),
        "accepted_percent": round(100 * codes.get(0, 0) / count, 2),
        "refused": {str(code): number for code, number in codes.items() if code},
        "blocks": blocks,
        "open_s": round(open_s, 2),
        "warm_s": round(warm_s, 2),
        "cached_leaves": engine.executor.live.cached,
        "memory_before_mb": warm_memory_mb,
        "memory_most_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000,
        "disk_before_mb": disk_mb,
        "disk_after_mb": folder_bytes(folder) // 1_000_000,
        "sum_is_right": held == expected,
        "at_ms": now_ms(),
    }
    print(json.dumps(report))
    return 0 if held == expected and codes.get(0, 0) >= 0.99 * count else 1


def _profiled(engine: Any, payments: list[bytes]) -> tuple[float, dict[int, int]]:
    """Run with the profiler on the thread that makes blocks. The profile itself costs about a third of the speed."""
    profiler = cProfile.Profile()
    make_block = engine._make_block

    def profiled(waiting: Any) -> None:
        profiler.enable()
        try:
            make_block(waiting)
        finally:
            profiler.disable()

    engine._make_block = profiled
    result = drive(engine, payments)
    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    return result


if __name__ == "__main__":
    raise SystemExit(main())
