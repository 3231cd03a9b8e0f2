"""A node in a process of its own over a benchmark world, as the HTTP benchmarks need it."""

import gc
import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from bench.world import open_engine
from fujie.api.app import create_app
from fujie.api.server import serve
from fujie.node.founding import trust_root
from fujie.proof.trust import TrustRoot
from fujie.store.opening import StoreKind


class Node(NamedTuple):
    """Where a node serves, and what is needed to talk to it."""

    port: int
    chain_id: str
    trust: TrustRoot


@contextmanager
def serving(kind: StoreKind, folder: Path) -> Iterator[Node]:
    """Serve the chain in ``folder`` while the context lasts."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(kind, folder, theirs))  # not a daemon: it has a worker of its own
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def _run(kind: StoreKind, folder: Path, control: Connection) -> None:
    engine = open_engine(kind, folder)
    engine.executor.warm()
    gc.collect()
    gc.freeze()
    stop = threading.Event()

    def ready(url: str) -> None:
        control.send(Node(int(url.rsplit(":", 1)[1]), engine.chain_id, trust_root(engine.executor.genesis)))

    def wait() -> None:
        control.recv()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    try:
        serve(create_app(engine), on_ready=ready, stop_event=stop)
    finally:
        engine.close()
