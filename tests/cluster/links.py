"""How the nodes of a cluster reach one another, and how that is broken: network namespaces, or relays on loopback.

    namespaces   each node has a network of its own, with a cable to a bridge for its peers and one to the test. A partition
                 moves cables to another bridge; what goes one way only is dropped in the sender's network.
    loopback     every connection between peers goes through a relay of ours, which holds what is cut.

Delay goes through relays in both, because few machines can delay packets themselves.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from itertools import permutations
from pathlib import Path
from typing import Final, Protocol

from tests.cluster.processes import is_of_the_dead
from tests.cluster.relays import Relays
from tests.e2e.cli_node import free_port

PREFIX: Final = "fj"  # of every name that is visible on the machine
WANTED_VARIABLE: Final = "CLUSTER_LINKS"  # `loopback` asks for that where there could be namespaces
HTTP_PORT: Final = 8156
PEER_PORT: Final = 26_656
PEERS: Final = "10.99.0."  # within the namespaces; no route leads there from outside
NETS: Final = 256  # 10.213.NET.0/24, one for each cluster that runs on this machine

_NAME: Final = re.compile(
    rf"{PREFIX}(\d+-\d+)(?:[ab]|[ncv]\d+)"
)  # bridge; namespace, cable to the test, cable to peers


class Links(Protocol):
    """The network of one cluster. Nodes are known by their numbers, from 1."""

    kind: str
    bind: str  # the address at which a node listens for HTTP

    def add(self, node: int) -> None:
        """Give a node its place; its ways to the others are open."""

    def inside(self, node: int) -> list[str]:
        """Return what a command begins with that runs at the place of a node."""
        ...

    def http(self, node: int) -> tuple[str, int]:
        """Return where the test finds a node."""
        ...

    def http_among(self, node: int) -> tuple[str, int]:
        """Return where the other nodes find a node's HTTP."""
        ...

    def listen(self, node: int) -> str:
        """Return where a node listens for its peers."""
        ...

    def peer(self, node: int, other: int, *, relayed: bool) -> str:
        """Return where ``node`` finds ``other``."""
        ...

    def part(self, groups: Sequence[Sequence[int]]) -> None:
        """Let each of two groups hear its own members only."""

    def silence(self, source: int, target: int) -> None:
        """Let nothing that ``source`` sends reach ``target``; what ``target`` sends does."""

    def slow(self, delay_s: float) -> None:
        """Let what goes through relays arrive so much later."""

    def heal(self) -> None:
        """Open all ways, without delay."""

    def close(self) -> None:
        """Remove everything."""


class Namespaces:
    """See ``Links``. Needs root, and the program `ip`."""

    kind = "network namespaces"
    bind = "0.0.0.0"

    def __init__(self, mark: str) -> None:
        """``mark``: the name of the cluster, for what is visible on the machine."""
        self._mark = mark
        self._name = PREFIX + mark
        self._bridges = (f"{self._name}a", f"{self._name}b")
        self._nodes: list[int] = []
        self._silenced: list[tuple[int, int]] = []
        self._relays: Relays | None = None
        self._relayed: dict[tuple[int, int], int] = {}
        self._net = _free_net()
        try:
            for bridge in self._bridges:
                ip("link", "add", bridge, "type", "bridge")
                ip("link", "set", bridge, "up")
        except BaseException:
            self.close()
            raise

    def add(self, node: int) -> None:
        """See ``Links``."""
        space, peers, control = (f"{self._name}{kind}{node}" for kind in "nvc")
        self._nodes.append(node)
        ip("netns", "add", space)
        ip("link", "add", peers, "type", "veth", "peer", "name", "peers", "netns", space)
        ip("link", "add", control, "type", "veth", "peer", "name", "control", "netns", space)
        ip("link", "set", peers, "master", self._bridges[0])
        ip("addr", "add", f"{self._control(node, 1)}/30", "dev", control)
        ip("-n", space, "addr", "add", f"{PEERS}{node}/24", "dev", "peers")
        ip("-n", space, "addr", "add", f"{self._control(node, 2)}/30", "dev", "control")
        for device in ("lo", "peers", "control"):
            ip("-n", space, "link", "set", device, "up")
        for device in (peers, control):
            ip("link", "set", device, "up")

    def inside(self, node: int) -> list[str]:
        """See ``Links``."""
        return ["ip", "netns", "exec", f"{self._name}n{node}"]

    def http(self, node: int) -> tuple[str, int]:
        """See ``Links``."""
        return self._control(node, 2), HTTP_PORT

    def http_among(self, node: int) -> tuple[str, int]:
        """See ``Links``."""
        return f"{PEERS}{node}", HTTP_PORT

    def listen(self, node: int) -> str:
        """See ``Links``."""
        return f"0.0.0.0:{PEER_PORT}"

    def peer(self, node: int, other: int, *, relayed: bool) -> str:
        """See ``Links``."""
        if not relayed:
            return f"{PEERS}{other}:{PEER_PORT}"
        if self._relays is None:
            self._relays = Relays()
        host = self._control(node, 1)
        if (node, other) not in self._relayed:
            there = (self._control(other, 2), PEER_PORT)
            self._relayed[node, other] = self._relays.add(node, other, host, there)
        return f"{host}:{self._relayed[node, other]}"

    def part(self, groups: Sequence[Sequence[int]]) -> None:
        """See ``Links``."""
        for group, bridge in zip(groups, self._bridges, strict=True):
            for node in group:
                ip("link", "set", f"{self._name}v{node}", "master", bridge)

    def silence(self, source: int, target: int) -> None:
        """See ``Links``."""
        ip("-n", f"{self._name}n{source}", "route", "add", "blackhole", f"{PEERS}{target}/32")
        self._silenced.append((source, target))

    def slow(self, delay_s: float) -> None:
        """See ``Links``."""
        assert self._relays is not None, "the nodes know one another through relays"
        self._relays.slow(delay_s)

    def heal(self) -> None:
        """See ``Links``."""
        for source, target in self._silenced:
            ip("-n", f"{self._name}n{source}", "route", "del", "blackhole", f"{PEERS}{target}/32")
        self._silenced.clear()
        self.part((self._nodes, ()))
        if self._relays is not None:
            self._relays.slow(0.0)

    def close(self) -> None:
        """See ``Links``."""
        if self._relays is not None:
            self._relays.close()
        _remove([self._mark])

    def _control(self, node: int, end: int) -> str:
        """Return the address of the cable between the test (end 1) and a node (end 2)."""
        return f"10.213.{self._net}.{4 * node + end}"


class Loopback:
    """See ``Links``. All nodes have the network of this machine."""

    bind = "127.0.0.1"

    def __init__(self, why: str) -> None:
        """``why``: what keeps the cluster from having namespaces."""
        self.kind = f"relays on loopback ({why})"
        self._relays = Relays()
        self._ports: dict[int, tuple[int, int]] = {}  # of a node: for the test, for its peers
        self._relayed: dict[tuple[int, int], int] = {}

    def add(self, node: int) -> None:
        """See ``Links``."""
        self._ports[node] = (free_port(), free_port())

    def inside(self, node: int) -> list[str]:
        """See ``Links``."""
        return []

    def http(self, node: int) -> tuple[str, int]:
        """See ``Links``."""
        return "127.0.0.1", self._ports[node][0]

    def http_among(self, node: int) -> tuple[str, int]:
        """See ``Links``."""
        return self.http(node)

    def listen(self, node: int) -> str:
        """See ``Links``."""
        return f"127.0.0.1:{self._ports[node][1]}"

    def peer(self, node: int, other: int, *, relayed: bool) -> str:
        """See ``Links``. Everything is relayed here."""
        if (node, other) not in self._relayed:
            there = ("127.0.0.1", self._ports[other][1])
            self._relayed[node, other] = self._relays.add(node, other, "127.0.0.1", there)
        return f"127.0.0.1:{self._relayed[node, other]}"

    def part(self, groups: Sequence[Sequence[int]]) -> None:
        """See ``Links``."""
        side = {node: number for number, group in enumerate(groups) for node in group}
        for source, target in self._relayed:
            for one, other in ((source, target), (target, source)):
                self._relays.set_open(one, other, side[one] == side[other])

    def silence(self, source: int, target: int) -> None:
        """See ``Links``."""
        self._relays.set_open(source, target, False)

    def slow(self, delay_s: float) -> None:
        """See ``Links``."""
        self._relays.slow(delay_s)

    def heal(self) -> None:
        """See ``Links``."""
        for source, target in permutations(self._ports, 2):
            if (source, target) in self._relayed:
                self._relays.set_open(source, target, True)
                self._relays.set_open(target, source, True)
        self._relays.slow(0.0)

    def close(self) -> None:
        """See ``Links``."""
        self._relays.close()


def open_links(mark: str) -> Links:
    """Return a network for the cluster ``mark``: of namespaces where this machine allows them."""
    _remove(_marks_of_the_dead())
    if os.environ.get(WANTED_VARIABLE) == "loopback":
        return Loopback(f"{WANTED_VARIABLE} asks for it")
    missing = why_no_namespaces(mark)
    return Loopback(missing) if missing else Namespaces(mark)


def why_no_namespaces(mark: str) -> str:
    """Return why this machine has no namespaces for us, or nothing when it has: one is made, with a cable, and removed."""
    name = f"{PREFIX}{mark}"
    try:
        ip("netns", "add", f"{name}n0")
        ip("link", "add", f"{name}v0", "type", "veth", "peer", "name", "peers", "netns", f"{name}n0")
        ip("link", "add", f"{name}a", "type", "bridge")
    except FileNotFoundError:
        return "there is no `ip` on this machine"
    except subprocess.CalledProcessError as error:
        return f"`{' '.join(error.cmd)}` says: {error.stderr.strip()}"
    finally:
        _remove([mark])
    return ""


def ip(*arguments: str) -> str:
    """Run `ip`. Raises ``CalledProcessError`` with what it said."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
    return done.stdout


def _free_net() -> int:
    """Return a net that no other cluster on this machine has."""
    for more in range(NETS):
        net = (os.getpid() + more) % NETS
        if not ip("-4", "-o", "addr", "show", "to", f"10.213.{net}.0/24").strip():
            return net
    raise AssertionError("every net of 10.213.0.0/16 is in use on this machine")


def _remove(marks: Iterable[str]) -> None:
    """Remove the namespaces and devices of clusters. A namespace takes its end of a cable along, and so the cable."""
    gone = set(marks)
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        for space in _spaces():
            if _mark(space) in gone:
                ip("netns", "del", space)
        for device in _devices():
            if _mark(device) in gone:
                with contextlib.suppress(subprocess.CalledProcessError):  # it went with its other end
                    ip("link", "del", device)


def _marks_of_the_dead() -> list[str]:
    """Return the marks of clusters that left something behind, and whose test has ended."""
    marks: set[str] = set()
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        marks.update(_mark(name) for name in [*_spaces(), *_devices()])
    return sorted(mark for mark in marks if is_of_the_dead(mark))


def left_of(mark: str) -> list[str]:
    """Return the names that are visible on this machine of a cluster."""
    try:
        return [name for name in [*_spaces(), *_devices()] if _mark(name) == mark]
    except (OSError, subprocess.CalledProcessError):
        return []  # there is no `ip`, and nothing was made with it


def _mark(name: str) -> str:
    """Return the mark of the cluster that a visible name is of; empty for one that is of none."""
    match = _NAME.fullmatch(name)
    return match[1] if match else ""


def _spaces() -> list[str]:
    return [line.split()[0] for line in ip("netns", "list").splitlines() if line.strip()]


def _devices() -> list[str]:
    return [path.name for path in Path("/sys/class/net").iterdir()]
