"""Runs many seeds of the simulation: ``python -m tests.simulation --seeds 1000 [--from N] [--replicas 4]``.

A seed that fails is printed with the end of its trace, and written to ``seeds.txt``, which the ordinary test runs.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.cluster import cluster
from tests.simulation.regression import write_seed


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description="Simulate clusters in virtual time."
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--replicas", type=int, default=4, help="validators of each cluster (4)")
    parser.add_argument("--trace", action="store_true", help="print the digest of each trace")
    arguments = parser.parse_args(given)
    logging.disable(logging.CRITICAL)  # what nodes say of faults that are meant

    failed: list[int] = []
    begun_s = time.monotonic()
    for number, seed in enumerate(range(arguments.first, arguments.first + arguments.seeds), 1):
        try:
            with (
                tempfile.TemporaryDirectory(prefix="fujie-simulation-") as place,
                cluster(seed, arguments.replicas, Path(place)) as made,
            ):
                outcome = made.run()
            if arguments.trace:
                print(seed, outcome.trace)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and the next seed may show more
            failed.append(seed)
            write_seed(seed, arguments.replicas, str(error))
            print(f"\n{type(error).__name__}: {error}", *getattr(error, "__notes__", ()), sep="\n")
            print(f"repeat: python -m tests.simulation --seeds 1 --from {seed} --replicas {arguments.replicas}")
        per_minute = number * 60 / (time.monotonic() - begun_s)
        print(f"\r{number} seeds, {per_minute:.0f} a minute, {len(failed)} failed", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
