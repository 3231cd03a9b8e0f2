"""Running seeds, one after the other or side by side in several processes."""

import logging
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from tests.simulation.cluster import cluster

ORPHANED_S: Final = 1.0  # between two looks whether the process that gives the seeds is there


class Done(NamedTuple):
    """What became of a seed. ``failure`` is what was violated, or empty; ``told`` is all there is to say of it."""

    seed: int
    trace: str
    failure: str = ""
    told: str = ""


def simulate(seed: int, replicas: int) -> Done:
    """Run one seed."""
    try:
        with (
            tempfile.TemporaryDirectory(prefix="fujie-simulation-") as place,
            cluster(seed, replicas, Path(place)) as made,
        ):
            return Done(seed, made.run().trace)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, and the next seed may show more
        told = "\n".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
        return Done(seed, "", str(error) or type(error).__name__, told)


def results(seeds: Sequence[int], replicas: int, workers: int) -> Iterator[Done]:
    """Run seeds and yield what became of each: in their order with one worker, as they end with several."""
    run = partial(simulate, replicas=replicas)
    if workers == 1:
        yield from map(run, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers, _begin_worker) as pool:
        yield from pool.imap_unordered(run, seeds)


def _begin_worker() -> None:
    """Be quiet, leave Ctrl-C to the process that was started with the command, and do not outlive it."""
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(ORPHANED_S)
    os._exit(1)
