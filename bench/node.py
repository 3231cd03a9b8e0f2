"""A node over a benchmark world, started as users start one: `fujie up`, with its processes."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench import http_load
from bench.world import VALIDATOR
from fujie.api import media
from fujie.client.keys import save_key
from fujie.machine.genesis import load
from fujie.node.folder import Folder
from fujie.node.founding import trust_root
from fujie.proof.trust import TrustRoot
from fujie.store.layout import Table
from fujie.store.opening import StoreKind
from fujie.store.reading import open_for_reading

PROGRAM = (sys.executable, "-c", "from fujie.cli import main; main()")


class Node(NamedTuple):
    """Where a node serves, and what is needed to talk to it."""

    port: int
    chain_id: str
    trust: TrustRoot
    folder: Folder
    process: "subprocess.Popen[bytes]"


@contextmanager
def serving(kind: StoreKind, chain: Path, options: Sequence[str] = ()) -> Iterator[Node]:
    """Serve the store in folder ``chain``, which is moved into a data folder, while the context lasts."""
    folder = data_folder(kind, chain)
    log = (folder.home / "bench.stderr").open("wb")
    process = subprocess.Popen(
        [*PROGRAM, "--home", str(folder.home), "up", "--port", str(_free_port()), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=log,
    )
    assert process.stdout is not None
    try:
        said = b""
        while not said.endswith(b"}\n"):
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the node did not start; see {log.name}")
            said += line
        url = json.loads(said)["url"]
        trust = folder.trust()
        yield Node(int(url.rsplit(":", 1)[1]), trust.chain_id, trust, folder, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()
        log.close()


def data_folder(kind: StoreKind, chain: Path) -> Folder:
    """Make a data folder of a chain, which moves there; its validator's key is that of the benchmarks."""
    folder = Folder(chain.parent / f"{chain.name}-home")
    shutil.rmtree(folder.home, ignore_errors=True)
    folder.home.mkdir()
    chain.rename(folder.chain)
    store = open_for_reading(kind, folder.chain)
    genesis = load(store.get(Table.GENESIS, b"genesis") or b"")
    store.close()
    folder.write_description(kind, "plain")
    folder.write_trust(trust_root(genesis))
    folder.validator_key.parent.mkdir(mode=0o700)
    save_key(folder.validator_key, VALIDATOR.seed, None, label="validator")
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(target: Node, path: str, credential: str = "") -> Any:
    """Return the JSON at ``path``."""
    connection = http_load.Connection("127.0.0.1", target.port)
    try:
        return json.loads(connection.exchange(http_load.request("GET", path, media.JSON, headers=bearer(credential))))
    finally:
        connection.socket.close()


def bearer(credential: str) -> tuple[str, ...]:
    """Return the header lines of a credential."""
    return (f"Authorization: Bearer {credential}",) if credential else ()


def wait_for_lists(target: Node, credential: str = "") -> float:
    """Wait until the projection has everything; return the seconds that it took."""
    started = time.perf_counter()
    while True:
        size = get(target, "/status")["log_size"]
        try:
            found = get(target, "/statistics", credential)["projection"]
        except ConnectionError:  # there are no lists yet
            found = {"enabled": False}
        if found["enabled"] and found["log_size"] >= size:
            return time.perf_counter() - started
        time.sleep(0.05)
