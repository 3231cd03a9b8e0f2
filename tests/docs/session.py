"""Carrying out a page: one shell, a folder like a fresh clone, terminals for what keeps running."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from fujie.node.ports import PEER_PORTS
from tests.conftest import ROOT
from tests.docs.pages import ID, PORTS, Block, Page, Remark, commands_of, matches, outputs, steady
from tests.e2e.cli_node import START_S, is_free

NETWORK_BASE = 8160  # what a page gives to `fujie network create --port-base`
NETWORK_NODES = 4
BINARIES = Path(sys.executable).parent
LINKED = ("LICENSE", "Makefile", "README.md", "bench", "docs", "pyproject.toml", "src", "tools", "vectors", "verifier")


class Session:
    """What a reader has open: a shell, and terminals with programs that keep running."""

    def __init__(self, place: Path) -> None:
        self.clone = place / "fujie"
        self.clone.mkdir(parents=True)
        for name in LINKED:
            if (ROOT / name).exists():
                (self.clone / name).symlink_to(ROOT / name)
        (self.clone / ".venv").symlink_to(BINARIES.parent)
        self._scratch = place / "scratch"
        self._scratch.mkdir()
        self._ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
        base = free_base()
        self._ports |= {str(NETWORK_BASE + number): str(base + number) for number in range(NETWORK_NODES + 1)}
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FUJIE_")} | {
            "FUJIE_PORT": self._ports[PORTS[0]],
            "PATH": f"{BINARIES}:{ROOT / '.tools' / 'bin'}:{os.environ.get('PATH', '')}",
            "XDG_DATA_HOME": str(self._scratch / "user"),
            "PYTHONWARNINGS": "error",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
        }
        self._terminals: dict[str, subprocess.Popen[bytes]] = {}
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self.clone,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._terminals.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._terminals.values():
            try:
                process.wait(START_S)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        self._shell.communicate("exit\n", timeout=START_S)

    # -- what a page asks for

    def run(self, command: str) -> tuple[int, str]:
        """Run a command in the shell; return its exit code and both outputs."""
        script, printed = self._scratch / "command.sh", self._scratch / "printed"
        script.write_text(self._here(command) + "\n", "utf-8")
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"source {script} </dev/null >{printed} 2>&1; echo $?\n")
        self._shell.stdin.flush()
        bound = threading.Timer(START_S, self._shell.kill)
        bound.start()
        code = self._shell.stdout.readline()
        bound.cancel()
        assert code.strip().isdigit(), f"the shell ended at: {command}"
        return int(code), self._there(printed.read_text("utf-8", errors="replace"))

    def open_terminal(self, command: str, shown: str = "") -> None:
        """Start a command that keeps running, and wait until it has printed what is ``shown``."""
        log = self._log(command)
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", self._here(command)],
                cwd=self.clone,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._terminals[command] = process
        give_up = time.monotonic() + START_S
        printed = ""
        while time.monotonic() < give_up:
            printed = self._there(log.read_text("utf-8", errors="replace"))
            if printed and matches(printed, shown or "…", begins=True) and self._serves(command, printed):
                return
            assert process.poll() is None, f"{command} ended with {process.returncode}:\n{printed}"
            time.sleep(0.05)
        raise AssertionError(f"{command} does not print what is shown:\n{printed}")

    def press_ctrl_c(self, command: str) -> None:
        """End what runs in a terminal as Ctrl-C does; it must take that well."""
        process = self._terminals.pop(command)
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(START_S)
        assert code == 0, f"{command} ended with {code}:\n{self._log(command).read_text('utf-8', errors='replace')}"

    def save(self, name: str, text: str) -> None:
        """Save a file where the shell stands."""
        (self._scratch / "file").write_text(self._here(text), "utf-8")
        code, printed = self.run(f'mkdir -p "$(dirname {name})" && cp {self._scratch / "file"} {name}')
        assert code == 0, printed

    # -- inside

    def _log(self, command: str) -> Path:
        return self._scratch / f"terminal-{hashlib.sha256(command.encode()).hexdigest()[:16]}"

    def _serves(self, command: str, printed: str) -> bool:
        return "up" not in self._here(command).split() or "Ctrl-C stops" in printed

    def _here(self, text: str) -> str:
        for port, own in self._ports.items():
            text = text.replace(port, own)
        return "fujie up" if text.strip() == "make up" else text

    def _there(self, text: str) -> str:
        for port, own in self._ports.items():
            text = text.replace(own, port)
        return text.replace(str(self.clone), "/home/you/fujie")


def run_page(session: Session, page: Page) -> None:
    """Carry out a page from top to bottom.

    Raises AssertionError at the first thing that is not as the page says; at the end, where every output is as shown but
    what is shown comes from several runs.
    """
    programs = outputs(page)
    compared: list[tuple[str, str]] = []
    for place, item in enumerate(page.items):
        where = f"{page.name}, item {place}"
        if isinstance(item, Remark):
            _follow(session, item, where)
        elif item.remark("not run") is None and _applies(session, item):
            compared += _run_block(session, item, programs.get(place), where)
    mixed = several_runs(compared)
    assert not mixed, f"{page.name} shows outputs of several runs (make docs-fill PAGES={page.name}):\n{mixed}"


def _follow(session: Session, remark: Remark, where: str) -> None:
    if remark.word == "before":
        session.open_terminal(remark.value)
    elif remark.word == "ctrl-c":
        session.press_ctrl_c(remark.value)
    else:
        code, printed = session.run(remark.value)
        assert code == 0, f"{where}: {remark.value}\n{printed}"


def _applies(session: Session, block: Block) -> bool:
    condition = block.remark("only where")
    return condition is None or session.run(condition)[0] == 0


def _run_block(session: Session, block: Block, shown: str | None, where: str) -> list[tuple[str, str]]:
    """Run a block and return what it printed beside what is shown."""
    name = block.remark("file")
    if name is not None:
        session.save(name, block.text)
    elif block.remark("terminal") is not None:
        [(command, wanted)] = commands_of(block.text) if block.language == "console" else [(block.text.strip(), "")]
        session.open_terminal(command, wanted)
    elif block.language == "sh":
        for command in block.text.splitlines():
            code, printed = session.run(command)
            assert code == 0, f"{where}: {command}\n{printed}"
    elif block.language == "python":
        session.save("program.py", block.text)
        code, printed = session.run("python program.py; status=$?; rm program.py; (exit $status)")
        assert code == 0, f"{where}:\n{printed}"
        assert shown is None or matches(printed, shown), differing(where, printed, shown)
    elif block.language == "console":
        found = []
        for command, wanted in commands_of(block.text):
            _, printed = session.run(command)
            assert matches(printed, wanted), differing(f"{where}: {command}", printed, wanted)
            found.append((printed, wanted))
        return found
    return []


def several_runs(compared: list[tuple[str, str]]) -> str:
    """Return which ids of outputs ``(printed, shown)`` were never shown by one run, or nothing.

    In one run a thing has one id. So every id that is printed now stands for one id of the page, and the other way round.
    """
    pairs: set[tuple[str, str]] = set()
    for printed, shown in compared:
        if "…" not in shown.splitlines():
            pairs |= set(zip(ID.findall(printed), ID.findall(shown), strict=True))
    ours, theirs = Counter(here for here, _ in pairs), Counter(there for _, there in pairs)
    return "\n".join(sorted(there for here, there in pairs if ours[here] > 1 or theirs[there] > 1))


def differing(where: str, printed: str, shown: str) -> str:
    """Return what to tell when an output is not as shown; the printed text is fit to be put on the page."""
    return "\n".join([where, "--- the page shows", *steady(shown), "--- printed", *printed.rstrip("\n").split("\n")])


def free_base() -> int:
    """Return a port of four digits above which the nodes of a network, and their peers, find ports that are free."""
    while True:
        base = random.randrange(2_000, 9_800)
        wanted = [base + number + more for number in range(NETWORK_NODES + 1) for more in (0, PEER_PORTS)]
        if not {str(port) for port in wanted} & set(PORTS) and all(map(is_free, wanted)):
            return base


def free_ports(count: int) -> list[int]:
    """Return free ports of four digits, so that tables which show one are as wide as on the page."""
    found: set[int] = set()
    while len(found) < count:
        port = random.randrange(2_000, 10_000)
        if str(port) not in PORTS and is_free(port):
            found.add(port)
    return sorted(found)
