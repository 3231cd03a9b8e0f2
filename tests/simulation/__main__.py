"""Runs many seeds of the simulation: ``python -m tests.simulation --seeds 1000 [--from N] [--replicas 4] [--workers 2]``.

A seed that fails is printed with the end of its trace, and written to ``seeds.txt``, which the ordinary test runs. Ctrl-C
ends a run after it has said which seeds are done.
"""

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.simulation.regression import write_seed
from tests.simulation.seeds import results

BAR: Final = 30  # characters
INTERRUPTED: Final = 130  # exit code of a program that Ctrl-C has ended


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description="Simulate clusters in virtual time."
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--replicas", type=int, default=4, help="validators of each cluster (4)")
    parser.add_argument("--workers", type=int, default=1, help="processes that run seeds side by side (1)")
    parser.add_argument("--trace", action="store_true", help="print the digest of each trace")
    arguments = parser.parse_args(given)
    logging.disable(logging.CRITICAL)  # what nodes say of faults that are meant

    seeds = range(arguments.first, arguments.first + arguments.seeds)
    done: set[int] = set()
    failed: list[int] = []
    begun_s = time.monotonic()
    try:
        for each in results(seeds, arguments.replicas, arguments.workers):
            done.add(each.seed)
            if each.failure:
                failed.append(each.seed)
                write_seed(each.seed, arguments.replicas, each.failure)
                print(f"\n{each.told}")
                repeat = f"--seeds 1 --from {each.seed} --replicas {arguments.replicas}"
                print(f"repeat: python -m tests.simulation {repeat}", flush=True)
            elif arguments.trace:
                print(each.seed, each.trace)
            _show(len(done), len(seeds), len(failed), time.monotonic() - begun_s)
    except KeyboardInterrupt:
        print(f"\ninterrupted; done: {_spans(done)}", file=sys.stderr)
        return INTERRUPTED
    print(file=sys.stderr)
    return 1 if failed else 0


def _show(done: int, of: int, failed: int, took_s: float) -> None:
    """Show how far it is, over what was shown before."""
    per_minute = done * 60 / took_s
    filled = BAR * done // of
    left_min = (of - done) / per_minute
    line = f"[{'#' * filled}{'.' * (BAR - filled)}] {done} of {of} seeds, {per_minute:.0f} a minute, {failed} failed"
    print(f"\r{line}, {left_min:.0f} min left ", end="", file=sys.stderr, flush=True)


def _spans(seeds: set[int]) -> str:
    """Return seeds as people write them: ``0-99, 101``."""
    spans: list[list[int]] = []
    for seed in sorted(seeds):
        if spans and spans[-1][1] == seed - 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans) or "none"


if __name__ == "__main__":
    sys.exit(main())
