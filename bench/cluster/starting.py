"""How long validators take: to the first block of a fresh network, and to the next payment after all were killed."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.cluster.networks import free_ports, quiet
from bench.node import PROGRAM
from bench.world import WORLD_ROOT
from fujie.core.errors import FujieError
from fujie.node.cometbft_home import comet_status
from fujie.node.folder import Folder
from fujie.node.network import Network, holder
from fujie.node.ports import PEER_PORTS
from fujie.store.opening import StoreKind

NAME: Final = "fresh"
GIVE_UP_S: Final = 120.0
POLL_S: Final = 0.05


def measured(validators: int, store: StoreKind) -> dict[str, Any]:
    """Create a network with the program, start it, kill all of it, start it again, pay; return the seconds."""
    home = WORLD_ROOT / "cluster-start-run"
    shutil.rmtree(home, ignore_errors=True)
    create = [*PROGRAM, "--home", str(home), "network", "create", NAME, "--validators", str(validators)]
    subprocess.run(
        [*create, "--port-base", str(free_ports(PEER_PORTS + validators + 1)), "--store", store],
        check=True,
        capture_output=True,
    )
    network = Network.find(home, NAME)
    folders = list(network.folders().values())
    try:
        began_s = _start(home)
        _await(lambda: all(_height(folder) >= 1 for folder in folders))
        first_block_s = time.perf_counter() - began_s
        network.start([], quiet)  # it waits until all serve
        serving_s = time.perf_counter() - began_s
        for process in [number for folder in folders if (number := holder(folder)) is not None]:
            os.kill(process, signal.SIGKILL)
        _await(lambda: all(holder(folder) is None for folder in folders))
        began_s = _start(home)
        _await(lambda: _pays(folders[0]))
        payment_s = time.perf_counter() - began_s
        network.start([], quiet)
    finally:
        network.stop([], quiet)
    return {
        "part": "start",
        "validators": validators,
        "first_block_s": round(first_block_s, 2),
        "all_serve_s": round(serving_s, 2),
        "payment_after_kill_s": round(payment_s, 2),
    }


def _start(home: Path) -> float:
    """Begin to start all nodes, and say when."""
    began_s = time.perf_counter()
    said = subprocess.DEVNULL
    subprocess.Popen([*PROGRAM, "--home", str(home), "network", "start", NAME], stdout=said, stderr=said)
    return began_s


def _pays(folder: Folder) -> bool:
    """Pay with the program as the demonstration does; tell whether it was acknowledged."""
    return not subprocess.run(
        [*PROGRAM, "--home", str(folder.home), "pay", "alice", "shop", "0.01"], capture_output=True, check=False
    ).returncode


def _await(happened: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + GIVE_UP_S
    while not happened():
        if time.monotonic() > give_up_s:
            raise RuntimeError(f"the validators did not come to it in {GIVE_UP_S:.0f} s")
        time.sleep(POLL_S)


def _height(folder: Folder) -> int:
    try:
        return comet_status(folder).height
    except FujieError:
        return 0
