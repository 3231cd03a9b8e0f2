"""A network of several nodes on one machine, made and asked with the program as people run it."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fujie.engine.ports import port_taken
from fujie.node.folder import Folder
from fujie.node.ports import LOOPBACK, PEER_PORTS
from tests.e2e.cli_node import CliNode

GIVE_UP_S = 240.0
PORTS = (20_000, 31_000)


class CliNetwork(CliNode):
    """A network, and commands that look at its nodes. ``made`` is what `fujie network create` said."""

    def __init__(self, place: Path, name: str, validators: int) -> None:
        super().__init__(place)
        self.name = name
        del self.environment["FUJIE_PORT"]
        self.environment["XDG_DATA_HOME"] = str(place / "user")
        self.made = self.json(
            "network", "create", name, "--validators", str(validators), "--port-base", str(free_ports())
        )

    def folder(self, node: str) -> Folder:
        return Folder(self.home / "networks" / self.name / node)

    def at(self, node: str, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with the keys of node1, which has those of the demonstration, against any node."""
        url = self.states()[node]["url"]
        return self.json("--home", str(self.folder("node1").home), "--url", url, *arguments, code=code)

    def states(self) -> dict[str, dict[str, Any]]:
        said = self.json("network", "status", self.name)
        return {each["node"]: each for each in said["nodes"]}

    def wait(self, until: Callable[[dict[str, dict[str, Any]]], bool]) -> dict[str, dict[str, Any]]:
        give_up = time.monotonic() + GIVE_UP_S
        while not until(states := self.states()):
            assert time.monotonic() < give_up, json.dumps(states, indent=1)
            time.sleep(0.2)
        return states


def agree(states: dict[str, dict[str, Any]]) -> bool:
    """Tell whether all nodes stand at one height with one app hash; at one height, another hash fails at once."""
    heads = {(each["height"], each["app_hash"]) for each in states.values()}
    heights = [height for height, _ in heads]
    assert len(set(heights)) == len(heights), heads
    return len(heads) == 1


def free_ports() -> int:
    """Return a base above which four nodes and their peers find ports that are free now.

    It lies below the ports that the system gives to connections: while a node is down, one of these could get its port.
    """
    while True:
        base = random.randrange(*PORTS)
        if not any(port_taken(LOOPBACK, base + number + more) for number in range(1, 5) for more in (0, PEER_PORTS)):
            return base
