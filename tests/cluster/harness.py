"""Real clusters: `fujie up` several times, each with its `cometbft`, on one chain and on this machine.

    cluster = Cluster(place)                     founded, nothing runs
    cluster.start()                              all nodes serve
    cluster.node(2).kill()                       as if its machine had lost its power
    cluster.part(nodes, others); cluster.heal()
    cluster.agree()                              all that runs stands at one height; every block and receipt is compared

Folders, ports and networks are chosen here; nothing has a fixed number. What an interrupted run left behind, the next one
removes.
"""

import itertools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fujie.client.transport import TransportOutcome
from fujie.core.errors import FujieError
from fujie.engine.cometbft.home import Peer
from fujie.machine.genesis import chain_id
from fujie.modules.membership.records import Action
from fujie.node.cometbft_file import CometFile, peer_texts, write_comet_file
from fujie.node.founding import found_from
from fujie.store.opening import StoreKind
from tests.cluster import processes
from tests.cluster.founding import EXPIRY_MS, WALLETS, Signing, genesis
from tests.cluster.ledgers import Ledger, compare
from tests.cluster.links import open_links
from tests.cluster.node import GIVE_UP_S, PROGRAM, Node
from tests.newer import LEAST_MINOR

POLL_S: Final = 0.1

_numbers = itertools.count()


class Cluster:
    """All nodes of one chain. A context manager that leaves nothing running."""

    def __init__(
        self, place: Path, validators: int = 4, program: Sequence[str] = PROGRAM, snapshots_s: int = 3_600
    ) -> None:
        """Found a chain with so many validators, half of them with the other kind of store.

        ``snapshots_s``: how often a node takes a snapshot for those that come late.
        """
        for mark in processes.marks_of_the_dead():
            processes.end(mark)
        self.place = place
        self.snapshots_s = snapshots_s
        self.mark = f"{os.getpid()}-{next(_numbers)}"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FUJIE_")} | {
            "XDG_DATA_HOME": str(place / "user"),
            "PYTHONWARNINGS": "error",
        }
        self.links = open_links(self.mark)
        self.nodes: list[Node] = []
        self.promised: list[bytes] = []  # submitted while the chain stood still
        self._relayed = False
        try:
            for _ in range(validators):
                self._make(program)
            self._genesis = genesis([node.public_key for node in self.nodes])
            self.chain_id = chain_id(self._genesis)
            self.signing = Signing(self.chain_id, 0)
            for node in self.nodes:
                found_from(node.folder, node.store, "plain", self._genesis)
            self._connect()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End everything and remove the network; the folders stay for whoever looks at a failure."""
        processes.end(self.mark)
        for node in self.nodes:
            if node.process is not None:
                node.process.wait()
                node.process = None
        self.links.close()

    # -- its nodes

    def node(self, number: int) -> Node:
        """Return a node by its number, from 1."""
        return self.nodes[number - 1]

    @property
    def running(self) -> list[Node]:
        """The nodes whose process was started and not ended here."""
        return [node for node in self.nodes if node.process is not None]

    def start(self) -> None:
        """Start what does not run, and wait until every node serves."""
        for node in self.nodes:
            if node.process is None:
                node.start()
        self.serving(*self.nodes)

    def serving(self, *nodes: Node) -> None:
        """Wait until these nodes serve."""
        for node in nodes:
            self.until(node.serves, f"{node.name} serves")

    def recover(self) -> None:
        """End every fault: all nodes run, and hear one another."""
        self.heal()
        for node in self.running:
            node.thaw()
        self.start()

    def stop(self) -> None:
        """Stop every node in order."""
        for node in self.running:
            node.stop()

    def finish(self) -> None:
        """Stop every node in order, compare what they leave, and have `fujie check` look at each folder."""
        self.recover()
        self.agree()
        self.stop()
        self.compare()
        with ThreadPoolExecutor(2) as pool:
            for said in pool.map(lambda node: node.run("check"), self.nodes):
                assert "Everything fits" in said, said

    def add(self) -> Node:
        """Make a node that is no validator, and knows the others as they will know it at their next start."""
        node = self._make(self.nodes[0].program)
        found_from(node.folder, node.store, "plain", self._genesis)
        self._connect()
        return node

    def _make(self, program: Sequence[str]) -> Node:
        store: StoreKind = "rocks" if len(self.nodes) % 2 else "sqlite"
        node = Node(self, len(self.nodes) + 1, store)
        node.program = program
        self.nodes.append(node)
        return node

    def _connect(self) -> None:
        """Tell every node of the others."""
        for node in self.nodes:
            peers = [
                Peer(other.node_id, self.links.peer(node.number, other.number, relayed=self._relayed))
                for other in self.nodes
                if other is not node
            ]
            file = CometFile(
                initial_height=1,
                moniker=node.name,
                listen=self.links.listen(node.number),
                peers=peer_texts(peers),
            )
            write_comet_file(node.folder, file)

    # -- its network

    def part(self, *groups: Sequence[Node]) -> None:
        """Let each of two groups hear its own members only."""
        self.links.part([[node.number for node in group] for group in groups])

    def heal(self) -> None:
        """Let everybody hear everybody again."""
        self.links.heal()

    def silence(self, source: Node, target: Node) -> None:
        """Let nothing that ``source`` sends reach ``target``; the other way stays open."""
        self.links.silence(source.number, target.number)

    def restart(self, delay_s: float) -> None:
        """Stop all nodes, and start them again on a network on which everything takes so long."""
        self.stop()
        self._relayed = delay_s > 0
        self._connect()
        if self._relayed:
            self.links.slow(delay_s)
        self.start()

    # -- its chain

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds. Fails with where all nodes stand."""
        give_up = time.monotonic() + GIVE_UP_S
        while not holds():
            assert time.monotonic() < give_up, f"not so: {what}\n{self.describe()}"
            time.sleep(POLL_S)

    def height(self) -> int:
        """Return the greatest height that a node shows."""
        return max(node.height() for node in self.running)

    def goes_on(self, *nodes: Node) -> None:
        """Carry a payment out at each of these nodes, and wait until every one of them has them all."""
        for node in nodes:
            self.pay_at(node)
        height = max(node.height() for node in nodes)
        self.until(lambda: all(node.height() >= height for node in nodes), f"{len(nodes)} nodes have block {height}")

    def payment(self, lives_ms: int = EXPIRY_MS) -> bytes:
        """Return a payment that every version of the rules lets pass, between wallets that are of no client of a bank."""
        return self.signing.pay(WALLETS - 1, WALLETS - 2, LEAST_MINOR, lives_ms)

    def pay_at(self, node: Node) -> TransportOutcome:
        """Carry one payment out at a node, however often it must be asked."""
        raw = self.payment()
        outcome: list[TransportOutcome] = []

        def is_paid() -> bool:
            try:
                outcome[:] = node.submit(raw)
            except FujieError:
                return False
            return outcome[0].code == 0

        self.until(is_paid, f"a payment at {node.name}")
        return outcome[0]

    def agree(self) -> list[Ledger]:
        """Wait until all nodes that run have everything, then compare every block and every receipt; return the ledgers."""

        def is_level() -> bool:
            found = [node.status() for node in self.running]
            return None not in found and len({(each.height, each.app_hash) for each in found if each}) == 1

        self.until(is_level, "all nodes stand at one height with one app hash")
        return self.compare()

    def compare(self) -> list[Ledger]:
        """Compare every block and every receipt that two nodes have, running or not; return the ledgers."""
        return compare(self.nodes)

    def decide(self, action: Action) -> int:
        """Have the governors carry an action, each at another node; return the height of the last vote."""
        height = 0
        for node, raw in zip(itertools.cycle(self.running), self.signing.decide(action), strict=False):
            [outcome] = node.submit(raw)
            assert (outcome.code, outcome.height is None) == (0, False), outcome
            height = outcome.height or 0
            self.until(lambda: all(each.height() >= height for each in self.running), f"all have block {height}")  # noqa: B023 - called here only
        return height

    def describe(self) -> str:
        """Say where all nodes stand."""
        lines = [f"{self.links.kind}; folders and logs in {self.place}"]
        for node in self.nodes:
            alive = node.process is not None and node.process.poll() is None
            lines.append(f"  {node.name} ({node.store}): {'runs' if alive else 'ended'}, {node.status()}")
        return "\n".join(lines)
