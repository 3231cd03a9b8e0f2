"""A real CometBFT node on this machine: it reaches the application by a Unix socket, and we reach it by another."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx

GIVE_UP_S: Final = 120.0
_POLL_S: Final = 0.05


def make_home(home: Path, *, vote_extensions_from: int = 0) -> None:
    """Make the home of a chain with one validator."""
    subprocess.run(["cometbft", "init", "--home", str(home)], check=True, capture_output=True, timeout=GIVE_UP_S)
    path = home / "config" / "genesis.json"
    genesis = json.loads(path.read_text("utf-8"))
    genesis["consensus_params"]["abci"]["vote_extensions_enable_height"] = str(vote_extensions_from)
    path.write_text(json.dumps(genesis), "utf-8")


class CometNode:
    """One run of ``cometbft start`` in a home. ``home`` must have a short path: a socket is made in it."""

    def __init__(self, home: Path, application: Path) -> None:
        self._log = (home / "cometbft.log").open("ab")
        self._log_path = home / "cometbft.log"
        self._rpc = home / "rpc.sock"
        self._rpc.unlink(missing_ok=True)
        options = {
            "proxy_app": f"unix://{application}",
            "abci": "socket",
            "rpc.laddr": f"unix://{self._rpc}",
            "p2p.laddr": "tcp://127.0.0.1:0",
            "p2p.pex": "false",
            "consensus.create_empty_blocks": "false",
        }
        self.process = subprocess.Popen(
            ["cometbft", "start", "--home", str(home), *(f"--{name}={value}" for name, value in options.items())],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "CMT_CONSENSUS_TIMEOUT_COMMIT": "50ms"},
        )
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self._rpc)), base_url="http://node", timeout=GIVE_UP_S
        )

    def close(self) -> None:
        """Stop it as a supervisor would, and wait for its end."""
        self._http.close()
        self.process.terminate()
        try:
            self.process.wait(GIVE_UP_S)
        finally:
            self.process.kill()
            self._log.close()

    def ask(self, method: str, **parameters: Any) -> Any:
        """Return the result of a call of its interface."""
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = self._http.post("/", json=call).json()
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer["result"]

    def listens(self) -> bool:
        """Tell whether it takes calls."""
        with socket.socket(socket.AF_UNIX) as asking:
            return asking.connect_ex(str(self._rpc)) == 0

    def height(self) -> int:
        """Return the height of its newest block."""
        return int(self.ask("status")["sync_info"]["latest_block_height"])

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait until something holds. Fails with the end of the log when the node ends, or after minutes."""
        give_up = time.monotonic() + GIVE_UP_S
        while not until():
            if self.process.poll() is not None or time.monotonic() > give_up:
                log = self._log_path.read_text("utf-8", "replace")
                raise AssertionError(f"CometBFT has ended or does not get there; its log ends with:\n{log[-3_000:]}")
            time.sleep(_POLL_S)


@contextlib.contextmanager
def running(home: Path, application: Path) -> Iterator[CometNode]:
    """Give a node that answers, and stop it."""
    node = CometNode(home, application)
    try:
        node.wait(node.listens)
        yield node
    finally:
        node.close()
