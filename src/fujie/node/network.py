"""Several nodes of one chain on one machine: to learn and to try, with everything as between organisations but the walls.

    <home>/networks/NAME/node1/ …    a data folder each, with a key and ports of its own; node1 has the demonstration,
                                     or is <home> itself, where that grew into this network

Each node is a process of `fujie up` in the background. The lock of a data folder says which process has it, so nothing else
has to be written down, and no command depends on how the last one ended.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from fujie.core.errors import FujieError, OperationalError
from fujie.core.wording import nearest, quoted
from fujie.engine.cometbft.home import Peer, node_id
from fujie.engine.executor import Head
from fujie.machine.schedule import ComingRules
from fujie.node.address import running_url
from fujie.node.cometbft_file import CometFile, has_cometbft, peer_texts, read_comet_file, write_comet_file
from fujie.node.config_file import CONFIG_NAME
from fujie.node.control import node_status
from fujie.node.demo import demo_genesis
from fujie.node.folder import Folder, closed_to_others, make_folder, write_file
from fujie.node.founding import found_from
from fujie.node.keyring import ensure_key
from fujie.node.ports import NODES_MAX, PEER_PORTS, check_range, require_free
from fujie.node.reach import AGAIN_S, FIRST_S, Lasting, Say, lacks_first_block, reach_of, too_few, wait_text, waits_for
from fujie.node.state_sync import read_progress
from fujie.store.files import FileLock
from fujie.store.opening import LOCK_NAME, SharedLock, StoreKind

FOLDER: Final = "networks"
HOME_IS_FIRST: Final = "home"  # in the folder of a network that grew: node1 is the data folder that it lies in
READY_S: Final = 300.0
STOP_S: Final = 90.0
POLL_S: Final = 0.1
OUTPUT_TAIL: Final = 12  # lines
PID_BYTES_MAX: Final = 32
KEPT_VARIABLES: Final = ("FUJIE_PASSPHRASE", "FUJIE_DEBUG")  # others are of the one who commands, not of each node

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,16}")
NODE_NAME: Final = re.compile(r"node([1-9][0-9]?)")


class NodeState(NamedTuple):
    """How one node of a network is. What a node that does not run, or still starts, cannot say is None."""

    name: str
    folder: Folder
    pid: int | None
    url: str | None
    head: Head | None
    peers: int | None
    catching_up: bool | None
    power: int | None
    problem: str
    lacking: tuple[ComingRules, ...] = ()  # rules of blocks to come that it does not have
    too_few: str = ""  # whom it reaches, where these cannot make a block


class Network:
    """The nodes of one network."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self.place = place

    @classmethod
    def find(cls, home: Path, name: str) -> "Network":
        """Return the network ``name`` of the data folder ``home``. Raises :class:`OperationalError` where there is none."""
        found = cls(check_name(name), home / FOLDER / name)
        if not found.folders():
            known = names(home)
            raise OperationalError(
                f"There is no network called {name} in {home / FOLDER}.{nearest(name, known)}",
                f"Make one: fujie network create {name} --validators 4.",
            )
        return found

    def folders(self) -> dict[str, Folder]:
        """Return the data folder of each node, by name, in the order of their numbers."""
        if not self.place.is_dir():
            return {}
        found: dict[str, Folder] = {}
        if (self.place / HOME_IS_FIRST).exists():
            found["node1"] = Folder(self.place.parent.parent)
        numbered = [(int(match[1]), path) for path in self.place.iterdir() if (match := NODE_NAME.fullmatch(path.name))]
        found |= {path.name: Folder(path) for _, path in sorted(numbered)}
        return {name: folder for name, folder in found.items() if has_cometbft(folder)}

    def chosen(self, nodes: Sequence[str]) -> dict[str, Folder]:
        """Return the data folders of ``nodes``, or of all where none is named. Raises :class:`OperationalError`."""
        known = self.folders()
        for name in nodes:
            if name not in known:
                raise OperationalError(
                    f"The network {self.name} has no node {quoted(name, 40)}.", f"It has {', '.join(known)}."
                )
        return {name: folder for name, folder in known.items() if not nodes or name in nodes}

    def start(self, nodes: Sequence[str], say: Say, waiting: Say = lambda _: None, ready_s: float = READY_S) -> None:
        """Start what does not run and wait until it serves. What was started goes on when this is interrupted.

        ``waiting`` hears every other second what is waited for, and an empty text when nothing is.

        Raises :class:`OperationalError` for a node that ends, or does not serve in time.
        """
        chosen = self.chosen(nodes)
        with self._alone():
            started = {name: _spawn(folder) for name, folder in chosen.items() if holder(folder) is None}
        for name in chosen:
            say(f"{name}: {'starts' if name in started else 'runs already'}")
        give_up_s = time.monotonic() + ready_s
        told_s = time.monotonic() + FIRST_S
        open_ = dict(chosen)
        lasting = {name: Lasting() for name in chosen}
        while open_:
            for name, folder in list(open_.items()):
                if is_ready(folder):
                    del open_[name]
                    waiting("")
                    say(f"{name}: serves at {running_url(folder)}")
                elif name in started and _has_ended(started[name]):
                    raise OperationalError(f"{name} has ended: {_last_words(folder)}", f"See {_output(folder)}.")
            if time.monotonic() > give_up_s:
                raise OperationalError(
                    f"Not ready after {ready_s:.0f} s: {_waits(open_, lasting)}. They go on in the background.",
                    f"`fujie network logs {self.name}` says why. More than two thirds of the validators must run.",
                )
            if open_ and time.monotonic() > told_s:
                waiting(_waits(open_, lasting))
                told_s = time.monotonic() + AGAIN_S
            if open_:
                time.sleep(POLL_S)

    def stop(self, nodes: Sequence[str], say: Say) -> None:
        """Stop what runs, and wait until it has ended. Raises :class:`OperationalError` for a node that does not end."""
        with self._alone():
            waiting = {}
            for name, folder in self.chosen(nodes).items():
                process = holder(folder)
                if process is None:
                    say(f"{name}: does not run")
                    continue
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGTERM)
                waiting[name] = folder
            give_up_s = time.monotonic() + STOP_S
            while waiting:
                for name, folder in list(waiting.items()):
                    if holder(folder) is None:
                        del waiting[name]
                        say(f"{name}: stopped")
                if time.monotonic() > give_up_s:
                    raise OperationalError(
                        f"Not stopped after {STOP_S:.0f} s: {', '.join(waiting)}.", "See their logs; try again."
                    )
                if waiting:
                    time.sleep(POLL_S)

    def states(self) -> list[NodeState]:
        """Return how each node is. One that does not answer takes some seconds; all are asked at once."""
        folders = self.folders()
        with ThreadPoolExecutor(NODES_MAX, "fujie-status") as pool:
            return list(pool.map(state_of, folders, folders.values()))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep two commands from starting and stopping the same nodes."""

        def in_use(_file: int) -> OperationalError:
            return OperationalError(f"Another command works on the network {self.name}.", "Wait until it is done.")

        lock = FileLock(self.place / LOCK_NAME, in_use)
        try:
            yield
        finally:
            lock.release()


def check_name(name: str) -> str:
    """Return ``name`` if a network, and its chain, may be called so. Raises :class:`OperationalError`."""
    if _NAME.fullmatch(name) is None:
        raise OperationalError(
            f"{quoted(name, 40)} is no name for a network.", "Use up to 17 small letters, digits and hyphens."
        )
    return name


def names(home: Path) -> list[str]:
    """Return the names of the networks in the data folder ``home``."""
    place = home / FOLDER
    return sorted(path.name for path in place.iterdir() if _NAME.fullmatch(path.name)) if place.is_dir() else []


def neighbours(home: Path, but: str = "") -> list[tuple[str, Folder]]:
    """Return the data folders at ``home`` that hold ports, with what to call them: its own, and all nodes of its networks.

    Those of the network ``but`` are left out.
    """
    found = [("the data folder itself", Folder(home))] if Folder(home).chain.is_dir() else []
    for name in names(home):
        if name != but:
            nodes = Network(name, home / FOLDER / name).folders()
            found += [(f"{node} of the network {name}", folder) for node, folder in nodes.items()]
    return found


def create(home: Path, name: str, validators: int, port_base: int, store: StoreKind) -> Network:
    """Found a chain with the demonstration and several validators, each in a data folder of its own.

    It is there whole or not at all. Raises :class:`OperationalError`, also as ``node.ports.require_free``.
    """
    place = home / FOLDER / check_name(name)
    if place.exists():
        raise OperationalError(
            f"There is a network called {name} already.",
            f"Start it (`fujie network start {name}`), choose another name, or remove {place}.",
        )
    check_range(validators, port_base)
    require_free(validators, port_base, neighbours(home))
    make_folder(place.parent)
    new = place.with_name(f".{name}.{secrets.token_hex(8)}")
    try:
        with closed_to_others():
            _found(new, name, validators, port_base, store)
        new.rename(place)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return Network(name, place)


def _found(place: Path, name: str, validators: int, port_base: int, store: StoreKind) -> None:
    folders = [Folder(place / f"node{number + 1}") for number in range(validators)]
    keys = [ensure_key(folder.validator_key, "validator").public_key for folder in folders]
    peers = [
        Peer(
            node_id(ensure_key(folder.node_key, "node").public_key), f"127.0.0.1:{port_base + PEER_PORTS + number + 1}"
        )
        for number, folder in enumerate(folders)
    ]
    genesis = demo_genesis(folders[0], name, keys)
    for number, folder in enumerate(folders):
        found_from(folder, store, "demo" if number == 0 else "plain", genesis)
        write_node(
            folder, folder.home.name, port_base + number + 1, peers[number], [*peers[:number], *peers[number + 1 :]]
        )


def write_node(folder: Folder, moniker: str, port: int, own: Peer, peers: Sequence[Peer]) -> None:
    """Write what makes a node of a founded folder: ``cometbft.json``, and the port in ``fujie.toml``."""
    write_comet_file(folder, CometFile(initial_height=1, moniker=moniker, listen=own.address, peers=peer_texts(peers)))
    write_port(folder, port)


def write_port(folder: Folder, port: int) -> None:
    """Write the ``fujie.toml`` of a node of a network: where it answers."""
    text = f"# Written by `fujie network`.\n[http]\nport = {port}\nreaders = 1\n"
    write_file(folder.home / CONFIG_NAME, text.encode())


def holder(folder: Folder) -> int | None:
    """Return the process that has the data folder now, or None."""
    if not folder.chain.is_dir():
        return None
    lock = SharedLock.take(folder.chain)
    if lock is not None:
        lock.release()
        return None
    with (folder.chain / LOCK_NAME).open("rb") as file:
        text = file.read(PID_BYTES_MAX).decode("ascii", "replace").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def is_ready(folder: Folder) -> bool:
    """Tell whether the node of ``folder`` answers requests."""
    url = running_url(folder)
    if url is None:
        return False
    try:
        return httpx.get(f"{url}/health/ready", timeout=5.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def state_of(name: str, folder: Folder) -> NodeState:
    """Return how a node is; what it does not say yet is None, and ``problem`` says why."""
    process = holder(folder)
    if process is None:
        return NodeState(name, folder, None, None, None, None, None, None, "")
    problem = ""
    head = reach = None
    lacking: tuple[ComingRules, ...] = ()
    try:
        reach = reach_of(folder)
    except FujieError as error:
        problem = str(error)
    try:
        said = node_status(folder, timeout_s=5.0)
        head, lacking, problem = said.head, said.lacking, said.failure or problem
    except FujieError:
        if reach is None:
            problem = read_progress(folder) or problem
        else:
            problem = wait_text(folder, reach, lacks_first_block(folder))
    status = None if reach is None else reach.status
    return NodeState(
        name,
        folder,
        process,
        running_url(folder),
        head,
        None if status is None else status.peers,
        None if status is None else status.catching_up,
        None
        if status is None or not status.height
        else status.power,  # before its first block it says 0, whatever it is
        problem,
        lacking,
        "" if reach is None or problem else too_few(reach),
    )


def _waits(nodes: dict[str, Folder], lasting: dict[str, Lasting]) -> str:
    """Return which of ``nodes`` wait for what; those that wait for the same stand together."""
    waits: dict[str, list[str]] = {}
    for name, folder in nodes.items():
        waits.setdefault(waits_for(folder, lasting[name]), []).append(name)
    return "; ".join(f"{', '.join(names)}: {what}" for what, names in waits.items())


def _spawn(folder: Folder) -> int:
    """Start `fujie up` on a folder, apart from this terminal and this process; return its number.

    Raises :class:`OperationalError`.
    """
    read_comet_file(folder)
    make_folder(_output(folder).parent)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("FUJIE_") or name in KEPT_VARIABLES
    }
    command = [sys.executable, "-c", "from fujie.cli import main; main()", "--home", str(folder.home.absolute()), "up"]
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(_output(folder)), writing, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(sys.executable, command, environment, file_actions=streams, setsid=True)


def _has_ended(process: int) -> bool:
    """Tell whether a process that this one has started has ended."""
    try:
        return os.waitpid(process, os.WNOHANG)[0] == process
    except ChildProcessError:
        return True


def _output(folder: Folder) -> Path:
    return folder.log.with_name("up.out")


def _last_words(folder: Folder) -> str:
    try:
        lines = _output(folder).read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return "it said nothing"
    return " ".join(line.strip() for line in lines[-OUTPUT_TAIL:]) or "it said nothing"
