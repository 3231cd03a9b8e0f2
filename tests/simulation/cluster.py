"""A whole cluster in virtual time: one seed decides its weather, its faults, what callers ask, and the order of everything.

Real are the application and all that it stands on, the submission before it (what is parked, sent again, expires), headers,
commits and proofs, and the embedded ledger that made some of the chains before. Simulated are the outcome of consensus,
CometBFT's mempool and block store, the network, the disks and the clocks. Not here are the threads of the engine, the
fetching of headers over RPC, and state sync: `tests/abci` and `tests/cluster` have those. Which mistakes a few dozen seeds
find, `tests.simulation.planted` lists and `test_simulation` shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from fujie.engine.cometbft.consensus import Block
from fujie.store.layout import Table
from tests.engine.bare import BareChain
from tests.simulation.agreement import Agreement
from tests.simulation.beginning import Beginning, founded, grown
from tests.simulation.byzantine import ByzantineNode
from tests.simulation.client import PAUSE_MS, Client
from tests.simulation.disk import Disk
from tests.simulation.founding import NEWER, OLDER
from tests.simulation.invariants import Invariants, require
from tests.simulation.network import Network
from tests.simulation.node import Node, Perils, Surroundings
from tests.simulation.scheduler import Scheduler
from tests.world import KINDS, START_MS

HEIGHTS: Final = 14  # blocks in bad weather
STORM_MS: Final = 60_000  # at most
CALM_HEIGHTS: Final = 3  # that every replica must reach afterwards
CALM_MS: Final = 120_000
TURN_MS: Final = 300  # between two turns of fate
CLIENTS: Final = 3
SPEAK_AGAIN: Final = 0.15  # with which probability callers who have fallen silent do, at a turn of fate
SKEW_MS_MAX: Final = 4_000


class Weather(NamedTuple):
    """How bad things are in one run."""

    lost: float  # messages
    doubled: float
    killed: float  # replicas, while they carry out a block
    stopped: float  # replicas, at a turn of fate
    divided: float  # the network, at a turn of fate
    silent: float  # all callers, at a turn of fate: what is proposed is the same then, round after round
    disk: float  # commits of a replica, of the first ones after a start
    mempool: float  # what CometBFT is asked to take; and it is started anew by itself, at a turn of fate
    lies: bool  # disks lose at a crash what they said was durable
    on_disk: bool  # stores are files, of either kind
    byzantine: bool  # one validator
    rules: bool  # are voted in that half of the replicas lack
    grown: bool  # an embedded ledger made the chain, and handed it over


class Outcome(NamedTuple):
    """What a run reached; the trace is the same for the same seed, always."""

    trace: str
    height: int
    transactions: int
    outcomes: int
    proofs: int
    starts: int  # of processes
    empty_rounds: int  # in which nothing was decided
    outdated: int  # replicas that had to be updated
    sets: int  # of validators, one after the other


def weather_of(scheduler: Scheduler, replicas: int) -> Weather:
    """Draw the weather of a run."""
    random = scheduler.random
    return Weather(
        lost=random.choice((0.0, 0.05, 0.2)),
        doubled=random.choice((0.0, 0.1)),
        killed=random.choice((0.0, 0.03, 0.1)),
        stopped=random.choice((0.0, 0.02, 0.08)),
        divided=random.choice((0.0, 0.05, 0.15)),
        silent=random.choice((0.0, 0.05, 0.3)),
        disk=random.choice((0.0, 0.3)),
        mempool=random.choice((0.0, 0.05, 0.2)),
        lies=random.random() < 0.2,
        on_disk=random.random() < 0.1,
        byzantine=replicas > 3 and random.random() < 0.5,  # less than a third
        rules=random.random() < 0.4,
        grown=random.random() < 0.25,
    )


class Cluster:
    """All of it. ``folder`` is for the stores that are on disk."""

    def __init__(self, seed: int, replicas: int, folder: Path) -> None:
        self.scheduler = Scheduler(seed, START_MS + 60_000)
        self.weather = weather_of(self.scheduler, replicas)
        beginning = grown(replicas) if self.weather.grown else founded(replicas)
        bare = BareChain(beginning.genesis, NEWER)
        self.network = Network(self.scheduler, self.weather.lost, self.weather.doubled)
        self.agreement = Agreement(self.scheduler, bare, replicas, self._ask, self._clocks)
        self.invariants = Invariants(bare, self.agreement.decisions)
        for block, light in beginning.blocks:
            self.agreement.take_over(block, light)
            self.invariants.decided()
        around = Surroundings(self.scheduler, self.network, self.agreement, self.invariants)
        self.nodes = [self._node(number, replicas, beginning, around, folder) for number in range(replicas)]
        for node in self.nodes:
            node.peers = self.nodes
        self.clients = [
            Client(number, around, self.nodes, number == 0, self.weather.rules) for number in range(CLIENTS)
        ]
        self._stormy = True
        self._quiet = False  # nobody asks for anything
        self._was_outdated = 0

    def run(self) -> Outcome:
        """Let it storm, let it calm down, and see that everybody gets to the same place."""
        for node in self.nodes:
            node.start()
        self.agreement.begin(self.agreement.first, 0)
        self._turn()
        for client in self.clients:
            self.scheduler.after(self.scheduler.random.randint(1, PAUSE_MS), client.act)
        self.scheduler.run(lambda: self.agreement.height >= self.agreement.first + HEIGHTS, STORM_MS)
        self._calm()
        heard = self.scheduler.run(lambda: not any(client.waiting for client in self.clients), CALM_MS)
        require(heard, "in calm weather every caller hears what became of what was submitted")
        wanted = self.agreement.height + CALM_HEIGHTS
        got_there = self.scheduler.run(lambda: self._common_height() >= wanted, CALM_MS)
        require(got_there, f"in calm weather every replica gets to height {wanted}")
        self._compare()
        return self._outcome()

    def close(self) -> None:
        """End every process."""
        for node in self.nodes:
            node.close()

    # -- inside

    def _node(self, number: int, replicas: int, beginning: Beginning, around: Surroundings, folder: Path) -> Node:
        random, weather = self.scheduler.random, self.weather
        kind = random.choice(KINDS) if weather.on_disk else "memory"
        disk = Disk(kind, folder / f"n{number}", weather.lies)
        schedule = OLDER if weather.rules and random.random() < 0.5 else NEWER
        made = ByzantineNode if weather.byzantine and number == replicas - 1 else Node
        node = made(number, beginning, around, disk, schedule)
        node.skew_ms = random.randint(-SKEW_MS_MAX, SKEW_MS_MAX)
        node.perils = Perils(weather.killed, weather.disk, 0.5, weather.mempool)
        return node

    def _ask(self, proposer: int, round_: int, offered: Block) -> None:
        self.nodes[proposer].propose(round_, offered)

    def _clocks(self) -> list[int]:
        powers = self.agreement.powers_at(self.agreement.height)
        return [node.clock_ms() for node in self.nodes if node.process is not None and node.number in powers]

    def _turn(self) -> None:
        """A turn of fate: replicas go and come, the network falls apart and heals, those who lag ask others."""
        scheduler, random = self.scheduler, self.scheduler.random
        if self._stormy and scheduler.chance(self.weather.divided):
            self.network.divide({node.name: random.randint(0, 1) for node in self.nodes})
            scheduler.note("the network falls apart")
        elif scheduler.chance(0.3):
            self.network.divide({})
        self._quiet = not scheduler.chance(SPEAK_AGAIN) if self._quiet else scheduler.chance(self.weather.silent)
        for client in self.clients:
            client.resting = self._quiet or not self._stormy
        for node in self.nodes:
            if node.process is None and node.outdated and (not self._stormy or scheduler.chance(0.1)):
                self._was_outdated += 1
                node.update()
            if node.process is None and not node.outdated and (not self._stormy or scheduler.chance(0.3)):
                node.start()
            elif self._stormy and scheduler.chance(self.weather.stopped):
                node.crash()
            elif self._stormy and node.process is not None and scheduler.chance(self.weather.mempool / 2):
                node.note("has lost its mempool")
                node.process.lose_mempool()
            node.ask_peer(random.choice(self.nodes))
        scheduler.after(TURN_MS, self._turn)

    def _calm(self) -> None:
        self.scheduler.note("calm weather")
        self._stormy = False
        self.network.heal()
        for node in self.nodes:
            node.perils = Perils(0, 0, 0.5, 0)
            if isinstance(node, ByzantineNode):
                node.reformed = True
            node.crash()  # and start again at the next turn of fate, on a disk that does not fail

    def _common_height(self) -> int:
        """The height of all replicas, or 0 while they differ."""
        heights = {node.height for node in self.nodes}
        return heights.pop() if len(heights) == 1 else 0

    def _compare(self) -> None:
        """Every store holds the same, to the byte: no replica has begun the next block."""
        images: dict[bytes, list[str]] = {}
        for node in self.nodes:
            assert node.process is not None, "all replicas are at the same height"
            whole = sha256()
            for table in Table:
                for key, value in node.process.store.scan(table):
                    whole.update(sha256(key).digest() + sha256(value).digest())
            images.setdefault(whole.digest(), []).append(node.name)
        require(len(images) == 1, f"stores of one height are equal to the byte: {list(images.values())}")
        self.scheduler.note(f"all end with {next(iter(images)).hex()}")

    def _outcome(self) -> Outcome:
        decisions = self.agreement.decisions
        return Outcome(
            self.scheduler.trace,
            len(decisions),
            sum(len(decision.block.transactions) for decision in decisions),
            sum(client.outcomes for client in self.clients),
            sum(client.proofs for client in self.clients),
            sum(node.starts for node in self.nodes),
            self.agreement.empty_rounds,
            self._was_outdated,
            len({tuple(sorted(decision.powers.items())) for decision in decisions}),
        )


@contextmanager
def cluster(seed: int, replicas: int, folder: Path) -> Iterator[Cluster]:
    """Give a cluster, and end it; what fails names the seed and the end of the trace."""
    made = Cluster(seed, replicas, folder)
    try:
        yield made
    except BaseException as error:
        error.add_note("\n".join((f"seed {seed}, {replicas} replicas, {made.weather}", *made.scheduler.newest)))
        raise
    finally:
        made.close()
