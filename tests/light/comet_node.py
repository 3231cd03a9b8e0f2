"""A real CometBFT node with its built-in key-value store, on free ports of this machine."""

import json
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

BINARY: Final = Path(__file__).resolve().parents[2] / ".tools" / "bin" / "cometbft"
POWER: Final = "10000"  # of the one validator that runs: it makes blocks alone, whoever else is taken in
WAIT_SECONDS_MAX: Final = 60.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class CometNode:
    """Its RPC at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, path: str) -> Any:
        """The result of an RPC method."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.loads(answer.read())["result"]

    def height(self) -> int:
        """The height of the newest block."""
        return int(self.call("/status")["sync_info"]["latest_block_height"])

    def wait_for(self, height: int) -> None:
        """Wait until the chain is that high."""
        give_up = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                if self.height() >= height:
                    return
            except OSError:
                pass
            if time.monotonic() > give_up:
                raise TimeoutError(f"no block {height} at {self.url}")
            time.sleep(0.05)


@contextmanager
def comet_node(home: Path) -> Iterator[CometNode]:
    """Found a chain of one validator in ``home``, and run it until the end of the block."""
    subprocess.run([str(BINARY), "init", "--home", str(home)], check=True, capture_output=True)
    genesis = home / "config" / "genesis.json"
    content = json.loads(genesis.read_text())
    content["validators"][0]["power"] = POWER
    genesis.write_text(json.dumps(content))
    rpc, p2p = free_port(), free_port()
    config = home / "config" / "config.toml"
    text = config.read_text()
    text = re.sub(r"^timeout_commit = .*$", 'timeout_commit = "50ms"', text, flags=re.MULTILINE)
    text = re.sub(r"^addr_book_strict = .*$", "addr_book_strict = false", text, flags=re.MULTILINE)
    config.write_text(text)
    command = [
        str(BINARY), "start", "--home", str(home), "--proxy_app=kvstore", f"--rpc.laddr=tcp://127.0.0.1:{rpc}",
        f"--p2p.laddr=tcp://127.0.0.1:{p2p}", "--log_level=error",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            node = CometNode(f"http://127.0.0.1:{rpc}")
            node.wait_for(1)
            yield node
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
