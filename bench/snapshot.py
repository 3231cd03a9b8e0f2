"""How long a node takes to load a snapshot: every record hashed, every remembered transaction's signatures verified.

    python -m bench.snapshot                      100,000 accounts, 200,000 remembered payments, SQLite
    python -m bench.snapshot --accounts 1000000 --store rocks

What a node remembers are the transactions of the last minutes, so that a busy chain has many. The same rows come by state sync.
It is loaded twice: with signatures verified by the process that loads, and with processes beside it.
"""

import argparse
import json
import resource
import shutil
import time
from pathlib import Path
from typing import Any

from bench.node import data_folder
from bench.payments import drive, signed_payments
from bench.world import WORLD_ROOT, open_engine, prepared
from fujie.engine.snapshot_forms import FORMS
from fujie.engine.snapshot_signatures import SignatureCheck, workers_of
from fujie.node.folder import Folder
from fujie.node.snapshot import save_snapshot
from fujie.store.opening import StoreKind, open_store
from fujie.store.snapshot import load


def main() -> int:
    """Run the benchmark and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--payments", type=int, default=200_000)
    parser.add_argument("--store", choices=("rocks", "sqlite"), default="sqlite")
    parser.add_argument("--workers", type=int, default=workers_of(), help="processes that verify beside this one")
    arguments = parser.parse_args()

    chain = prepared(arguments.store, arguments.accounts)
    engine = open_engine(arguments.store, chain)
    drive(engine, signed_payments(engine.chain_id, arguments.accounts, arguments.payments))
    engine.wait_proven(engine.head.log_size - 1, 60.0)
    engine.close()
    folder = data_folder(arguments.store, chain)
    path = WORLD_ROOT / "bench.snapshot"
    path.unlink(missing_ok=True)
    manifest, rows = save_snapshot(folder, path, whole_log=True)
    report: dict[str, Any] = {
        "accounts": arguments.accounts,
        "store": arguments.store,
        "rows": rows,
        "transactions": manifest.log_size - manifest.first_index,
        "file_mb": path.stat().st_size // 1_000_000,
    }
    for workers in dict.fromkeys((0, arguments.workers)):
        seconds = loaded(path, folder, arguments.store, workers)
        report[f"seconds_{workers}_workers"] = round(seconds, 1)
    path.unlink()
    report["memory_most_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 1_000_000
    print(json.dumps(report))
    return 0


def loaded(path: Path, folder: Folder, kind: StoreKind, workers: int) -> float:
    """Return the seconds that it takes to load a snapshot with so many processes for signatures."""
    place = WORLD_ROOT / "loaded"
    shutil.rmtree(place, ignore_errors=True)
    store = open_store(kind, place)
    forms = FORMS._replace(signatures=lambda: SignatureCheck(workers))
    started = time.perf_counter()
    load(path, folder.trust(), store, forms, lambda *_: [])
    seconds = time.perf_counter() - started
    store.close()
    shutil.rmtree(place)
    return seconds


if __name__ == "__main__":
    raise SystemExit(main())
