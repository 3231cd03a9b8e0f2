"""A node over a benchmark world, started as users start one: `fujie up`, with its processes."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.world import VALIDATOR
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
    folder = _data_folder(kind, chain)
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


def _data_folder(kind: StoreKind, chain: Path) -> Folder:
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
