"""The networks that are measured: real nodes on a bench world of their own, and nodes that only check signatures.

A real network is made as `fujie network create` makes one, with the wallets of the benchmarks in place of the
demonstration; they are opened and funded by real transactions through the real network.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench.http_load import Connection, request
from bench.world import BANK, INSTITUTION, WORLD_ROOT, fundings, genesis_parts, issue, now_ms, openings, sign
from fujie.api import media
from fujie.core.signing import Signer, new_seed
from fujie.engine.cometbft import home as comet
from fujie.engine.cometbft.binary import require
from fujie.engine.cometbft.home import Peer, node_id
from fujie.engine.ports import port_taken
from fujie.machine.genesis import compose
from fujie.node.folder import Folder, make_folder, write_file
from fujie.node.founding import found_from
from fujie.node.keyring import ensure_key
from fujie.node.network import Network, holder, write_node
from fujie.node.ports import LOOPBACK
from fujie.proof.validators import Validator
from fujie.store.opening import StoreKind

NAME: Final = "bench"
PORTS: Final = (20_000, 31_000)
FILL_BATCH: Final = 100  # transactions in a request
READY_S: Final = 120.0
POLL_S: Final = 0.05


class Running(NamedTuple):
    """Nodes that run: where they take payments, and their processes by kind."""

    name: str  # "fujie" or "echo"
    ports: tuple[int, ...]
    roots: dict[int, str]

    def height(self) -> int:
        """Return the height of the first node."""
        return int(msgspec.json.decode(_get(self.ports[0], "/status"))["height"])


def _get(port: int, path: str) -> bytes:
    connection = Connection("127.0.0.1", port)
    try:
        return connection.exchange(request("GET", path, media.JSON))
    finally:
        connection.socket.close()


def quiet(_said: str) -> None:
    """Say nothing."""


def free_ports(count: int) -> int:
    """Return the first of ``count`` ports that are free now, in a row.

    Below those that the system gives to connections: while a node is down, one of these could get its port.
    """
    while True:
        first = random.randrange(*PORTS)
        if not any(port_taken(LOOPBACK, port) for port in range(first, first + count)):
            return first


# -- real nodes


def founded(place: Path, validators: int, store: StoreKind) -> None:
    """Found a network with the world of the benchmarks in its genesis, otherwise as `fujie network create` does."""
    folders = [Folder(place / f"node{number + 1}") for number in range(validators)]
    keys = [ensure_key(folder.validator_key, "validator").public_key for folder in folders]
    genesis = compose(NAME, now_ms() - 1, genesis_parts(keys))
    for folder in folders:
        found_from(folder, store, "plain", genesis)


def _ports(nodes: int) -> tuple[list[int], list[int]]:
    """Return free ports for what nodes take, and for meeting their peers."""
    first = free_ports(2 * nodes)
    return list(range(first, first + nodes)), list(range(first + nodes, first + 2 * nodes))


def at_free_ports(place: Path) -> list[int]:
    """Give every node of the network in ``place`` ports that are free now; return those for payments."""
    folders = [Folder(path) for path in sorted(place.glob("node*"))]
    paying, meeting = _ports(len(folders))
    peers = [
        Peer(node_id(ensure_key(folder.node_key, "node").public_key), f"127.0.0.1:{port}")
        for folder, port in zip(folders, meeting, strict=True)
    ]
    for folder, port, own in zip(folders, paying, peers, strict=True):
        write_node(folder, folder.home.name, port, own, [peer for peer in peers if peer != own])
    return paying


def prepared(validators: int, wallets: int, store: StoreKind) -> Path:
    """Return the folder of a stopped network with that many funded wallets, to be used at once.

    It is made anew: one that has stood still for minutes serves only when its heartbeats have caught up with the clock.
    """
    place = WORLD_ROOT / "cluster-run"
    shutil.rmtree(place, ignore_errors=True)
    founded(place, validators, store)
    with serving(place) as running:
        _fill(running, Folder(place / "node1").trust().chain_id, wallets)
    return place


@contextlib.contextmanager
def serving(place: Path) -> Iterator[Running]:
    """Run the real network in ``place`` while the context lasts."""
    ports = at_free_ports(place)
    network = Network(NAME, place)
    try:
        network.start([], quiet)
        roots = {number: "ledger" for folder in network.folders().values() if (number := holder(folder)) is not None}
        yield Running("fujie", tuple(ports), roots)
    finally:
        network.stop([], quiet)


def _fill(running: Running, chain: str, wallets: int) -> None:
    """Open and fund wallets."""
    connection = Connection("127.0.0.1", running.ports[0])
    started = time.perf_counter()

    def submit(transactions: Sequence[bytes]) -> None:
        for first in range(0, len(transactions), FILL_BATCH):
            body = msgspec.msgpack.encode(transactions[first : first + FILL_BATCH])
            asked = request("POST", "/transactions", media.OUTCOMES, body, media.TRANSACTIONS)
            failed = [each for each in msgspec.msgpack.decode(connection.exchange(asked)) if each[1]]
            assert not failed, failed[0]

    submit([sign(chain, issue(wallets), BANK)])
    for first in range(0, wallets, 16_000):
        numbers = range(first, min(first + 16_000, wallets))
        for part in (openings, fundings):
            submit([sign(chain, operations, INSTITUTION) for operations in part(numbers)])
        rate = numbers.stop / (time.perf_counter() - started)
        print(f"\r{numbers.stop:,} of {wallets:,} wallets opened and funded, {rate:,.0f}/s", end="", file=sys.stderr)
    print(file=sys.stderr)
    connection.socket.close()


# -- nodes that only check signatures


@contextlib.contextmanager
def echoing(place: Path, validators: int) -> Iterator[Running]:
    """Run as many nodes of :mod:`bench.cluster.echo`, with CometBFT set as for real nodes, while the context lasts."""
    shutil.rmtree(place, ignore_errors=True)
    sockets = Path(tempfile.mkdtemp(prefix="fujie-bench-"))  # the path of a Unix socket has few bytes
    binary = require()
    signers = [Signer(new_seed()) for _ in range(validators)]
    nodes = [Signer(new_seed()) for _ in range(validators)]
    paying, meeting = _ports(validators)
    peers = [Peer(node_id(node.public_key), f"127.0.0.1:{port}") for node, port in zip(nodes, meeting, strict=True)]
    genesis = comet.genesis_text(
        "echo", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), 1, bytes(32),
        [Validator(signer.public_key, 10) for signer in signers],
    )  # fmt: skip
    processes = []
    try:
        for number, (signer, node) in enumerate(zip(signers, nodes, strict=True)):
            home = (place / f"node{number + 1}").absolute()
            for folder in (home / "config", home / "data"):
                make_folder(folder)
            others = [peer for peer in peers if peer != peers[number]]
            abci, rpc = sockets / f"{home.name}-abci", sockets / f"{home.name}-rpc"
            listen = f"{LOOPBACK}:{meeting[number]}"
            sections = comet.settings(abci, rpc, home.name, listen, others)
            write_file(home / comet.CONFIG_FILE, comet.config_text(sections))
            write_file(home / comet.GENESIS_FILE, genesis)
            write_file(home / comet.NODE_KEY_FILE, comet.node_key_text(node))
            write_file(home / comet.VALIDATOR_KEY_FILE, comet.validator_key_text(signer))
            write_file(home / comet.VALIDATOR_STATE_FILE, comet.validator_state_text())
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "bench.cluster.echo", "--home", str(home), "--abci", str(abci),
                     "--rpc", str(rpc), "--listen", listen, "--port", str(paying[number]), "--cometbft", str(binary)],
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                )
            )  # fmt: skip
        running = Running("echo", tuple(paying), {process.pid: "echo" for process in processes})
        _await_first_block(running)
        yield running
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()
        shutil.rmtree(sockets)


def _await_first_block(running: Running) -> None:
    give_up_s = time.monotonic() + READY_S
    for port in running.ports:
        while True:
            with contextlib.suppress(OSError):
                if msgspec.json.decode(_get(port, "/status"))["height"] >= 1:
                    break
            if time.monotonic() > give_up_s:
                raise RuntimeError("the nodes that only check signatures make no block")
            time.sleep(POLL_S)
