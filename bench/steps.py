"""Where the time of a payment goes: the steps of the ledger thread, one after another, in µs per payment.

    python -m bench.steps                         1,000,000 accounts, blocks of 8,000
    python -m bench.steps --cached-leaves 500000        with a quarter of the records in memory

Verification runs in a process of its own and is measured beside: it costs the other core that much.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from typing import Any

from bench.payments import signed_payments
from bench.world import now_ms, prepared
from fujie.core.transaction import VerifiedBlock
from fujie.engine.admission import decode_verified, verdict
from fujie.engine.executor import Executor
from fujie.engine.live_state import CACHED_LEAVES_DEFAULT
from fujie.machine.transition import apply_block, touched_keys
from fujie.proof.block import data_hash
from fujie.store.opening import open_store


def main() -> int:
    """Run the blocks and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--block", type=int, default=8_000, help="payments in a block")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="rocks")
    parser.add_argument(
        "--cached-leaves", type=int, default=CACHED_LEAVES_DEFAULT, help="records kept decoded in memory"
    )
    arguments = parser.parse_args()
    executor = Executor(
        open_store(arguments.store, prepared(arguments.store, arguments.accounts)),
        cached_leaves=arguments.cached_leaves,
    )
    executor.warm()
    payments = signed_payments(executor.chain_id, arguments.accounts, arguments.block * (arguments.blocks + 1))
    gc.collect()
    gc.freeze()
    spent: dict[str, float] = {}

    def timed(step: str, function: Callable[..., Any], *values: Any) -> Any:
        started = time.perf_counter()
        result = function(*values)
        spent[step] = spent.get(step, 0.0) + time.perf_counter() - started
        return result

    for number in range(arguments.blocks + 1):
        if number == 1:
            spent.clear()  # the first block warms up
        raws = payments[number * arguments.block : (number + 1) * arguments.block]
        transactions = timed("decode", lambda batch: tuple(decode_verified(raw) for raw in batch), raws)
        block = VerifiedBlock(executor.chain_id, executor.head.height + 1, now_ms(), transactions)
        handlers = executor.schedule.handlers(executor.live, block.height)
        keys = timed("name the keys", touched_keys, handlers, transactions)
        timed("read", executor.live.prefetch, keys)
        result = timed("rules", apply_block, executor.live, block, executor.schedule)
        staged = timed("hash", executor.stage, block, result)
        timed("data hash of the header", data_hash, raws)
        timed("store", executor.commit, staged)
    count = arguments.block * arguments.blocks
    started = time.perf_counter()
    for raw in payments[:2_000]:
        verdict(raw)
    verify_us = (time.perf_counter() - started) / 2_000 * 1e6
    steps = {step: round(seconds / count * 1e6, 1) for step, seconds in spent.items()}
    report = {
        "accounts": arguments.accounts,
        "store": arguments.store,
        "block": arguments.block,
        "cached_leaves": executor.live.cached,
        "us": steps,
        "ledger_thread_us": round(sum(steps.values()), 1),
        "verification_us": round(verify_us, 1),
    }
    print(json.dumps(report))
    executor.store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
