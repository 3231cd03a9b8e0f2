"""The program as people run it: processes, a data folder, a port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FUJIE = str(Path(sys.executable).with_name("fujie"))
START_S = 300.0  # after which a test gives up waiting; nothing is measured by it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens at a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class CliNode:
    """A data folder and the node on it, which may be started, stopped and asked. ``program`` is what is run for `fujie`."""

    program: Sequence[str] = (FUJIE,)

    def __init__(self, place: Path) -> None:
        self.home = place / "home"
        self.work = place / "work"
        self.work.mkdir(parents=True)
        self.port = free_port()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FUJIE_")} | {
            "FUJIE_HOME": str(self.home),
            "FUJIE_PORT": str(self.port),
            "PYTHONWARNINGS": "error",
        }
        self.process: subprocess.Popen[str] | None = None
        self.log = place / "up.log"

    def launch(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `fujie up` and do not wait."""
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [*self.program, "up", *arguments],
                env=self.environment,
                cwd=self.work,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        return self.process

    def start(self, *arguments: str) -> str:
        """Start `fujie up`, wait until it serves, and return what it has printed by then."""
        process = self.launch(*arguments)
        give_up = time.monotonic() + START_S
        while time.monotonic() < give_up and process.poll() is None:
            if self.is_ready() and "Ctrl-C stops" in self.log.read_text("utf-8"):
                return self.log.read_text("utf-8")
            time.sleep(0.02)
        raise AssertionError(f"the node does not serve (rc {process.poll()}): {self.log.read_text('utf-8')}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        process = self.process
        assert process is not None
        process.send_signal(number)
        code = process.wait(START_S)
        self.process = None
        return code

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command, expect its exit code, and return both outputs."""
        done = subprocess.run(
            [*self.program, *arguments],
            env=self.environment | environment,
            cwd=self.work,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=START_S,
        )
        shown = done.stdout + done.stderr
        assert done.returncode == code, f"fujie {' '.join(arguments)}: {done.returncode}\n{shown}"
        assert "Traceback" not in shown
        return shown

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return its one object."""
        found: dict[str, Any] = json.loads(self.run(*arguments, "--json", code=code))
        return found
