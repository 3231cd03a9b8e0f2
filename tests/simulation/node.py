"""A replica: processes, one after the other, on one disk, and what CometBFT keeps beside it.

CometBFT's block store outlives a crash, and holds a decided block before the application is asked to carry it out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.engine.cometbft.consensus import Block, CarriedOut
from fujie.engine.proving import Proven
from fujie.machine.schedule import Schedule, UnknownRules
from fujie.proof.bundle import Bundle
from fujie.proof.light_block import encode_light_block
from tests.simulation.agreement import Agreement, Decision, Proposal
from tests.simulation.beginning import Beginning
from tests.simulation.disk import LOST_MAX, Disk
from tests.simulation.founding import NEWER
from tests.simulation.invariants import Invariants, require
from tests.simulation.network import Network
from tests.simulation.process import Process, Reply
from tests.simulation.scheduler import Scheduler
from tests.store.faults import Fault

BEHIND_MAX: Final = 5  # blocks that a peer sends at once to one who lags
SLOW_MS: Final = 60  # at most, from hearing of a decision to carrying it out
FAULTY_WITHIN: Final = 4  # commits from a start, the one that fails being among them
SEND_MS: Final = 3  # at most, from a submission to the turn of the thread that sends
TURN_MS: Final = 250  # between two turns of it that nothing asks for: RETRY_S of the submission
MOMENTS: Final = ("decided", "finalized", "committed")


class CrashError(Exception):
    """The process is gone, as when it is killed."""


class Perils(NamedTuple):
    """With which probability what goes wrong in a replica."""

    killed: float  # while a block is carried out
    disk: float  # one of its next commits fails, from a start on
    impolite: float  # a transaction reaches the mempool past the question whether its sender is entitled to it
    mempool: float  # CometBFT does not answer, or its mempool is full


class Surroundings(NamedTuple):
    """What all replicas share."""

    scheduler: Scheduler
    network: Network
    agreement: Agreement
    invariants: Invariants


class Node:
    """One validator."""

    def __init__(self, number: int, beginning: Beginning, around: Surroundings, disk: Disk, schedule: Schedule) -> None:
        self.number = number
        self.name = f"n{number}"
        self.peers: Sequence[Node] = ()  # all, itself too
        self.process: Process | None = None
        self.outdated = False  # stopped before rules that it lacks
        self.skew_ms = 0
        self.perils = Perils(0, 0, 0, 0)
        self.starts = 0
        self.height = len(beginning.blocks)  # up to where somebody was told that blocks are committed
        self.stored: dict[int, Decision] = {}  # CometBFT's block store
        self.scheduler, self._network, self.agreement, self._invariants = around
        self._cast: dict[tuple[int, int], None] = {}  # heights and rounds of its votes: CometBFT's write-ahead log
        self._schedule = schedule
        self._disk = disk
        disk.begin(beginning.batches)

    # -- life

    def clock_ms(self) -> int:
        """The time as this replica's machine has it."""
        return self.scheduler.now_ms + self.skew_ms

    def start(self) -> None:
        """Start the process, and have it catch up with CometBFT's block store."""
        plan: dict[int, Fault] = {}
        if self.scheduler.chance(self.perils.disk):
            plan[self.scheduler.random.randrange(FAULTY_WITHIN)] = self.scheduler.random.choice(("lost", "persisted"))
        self.starts += 1
        self.note("starts")
        store = self._disk.open(plan)
        try:
            self.process = Process(
                store,
                self._schedule,
                self.scheduler,
                self.clock_ms,
                self._hear,
                self._spread,
                self.perils.mempool,
                self.agreement.first,
            )
        except UnknownRules as error:
            store.close()
            self._stop_for(error)
            return
        self._guarded(self._handshake)
        self._turn(self.process)

    def crash(self) -> None:
        """Kill the process, if it runs."""
        if self.process is not None:
            self.note("is killed")
            self._end()

    def update(self) -> None:
        """Install the newer program."""
        self._schedule = NEWER
        self.outdated = False

    def close(self) -> None:
        """End for good."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def note(self, what: str) -> None:
        """Add a line to the trace."""
        self.scheduler.note(f"{self.name} {what}")

    # -- consensus

    def propose(self, round_: int, offered: Block) -> None:
        """Propose a block of what waits, and send it to everybody."""
        self._guarded(lambda process: self._propose(process, round_, offered))

    def hear_proposal(self, proposal: Proposal) -> None:
        """Judge a proposal, and vote for it where nothing is wrong with it."""
        self._guarded(lambda process: self._judge(process, proposal))

    def hear_vote(self, proposal: Proposal, voter: int) -> None:
        """Count a vote; with more than two thirds of the power the block is known to be decided."""
        if self.process is None:
            return
        height, decisions = proposal.block.height, self.agreement.decisions
        voters = self.process.votes.setdefault((height, proposal.round), {})
        voters[voter] = None
        decided = height <= len(decisions) and decisions[height - 1].round == proposal.round
        if decided and self.agreement.majority(height, voters):
            self.learn(decisions[height - 1])

    def learn(self, decision: Decision) -> None:
        """Have a decided block, from votes or from a peer."""
        height = decision.block.height
        if self.process is not None and height not in self.stored:
            self.stored[height] = decision
            self.scheduler.after(self.scheduler.random.randint(0, SLOW_MS), lambda: self._guarded(self._advance))

    def ask_peer(self, peer: "Node") -> None:
        """Ask a peer for the blocks that come next; one that it has voted for itself it has, as it is locked on it."""
        if self.process is not None:
            height, decisions = self.process.height, self.agreement.decisions
            if height < len(decisions) and (height + 1, decisions[height].round) in self._cast:
                self.learn(decisions[height])
            self._network.send(self.name, peer.name, lambda: peer.send_blocks(self, height))

    def send_blocks(self, asker: "Node", height: int) -> None:
        """Send a peer the decided blocks after a height."""
        if self.process is not None:
            for following in range(height + 1, height + 1 + BEHIND_MAX):
                if following in self.stored:
                    self._send_block(asker, self.stored[following])

    # -- callers

    def submit(self, raw: bytes, reply: Reply) -> None:
        """Take a transaction from its sender, who hears what becomes of it, or never."""
        self._guarded(lambda process: self._submit(process, raw, reply))

    def gossip(self, raw: bytes) -> None:
        """Take a transaction from a peer."""
        if self.process is not None:
            self.process.mempool.hear(raw)

    def read(self, wallet: int) -> Iterable[Bundle]:
        """Answer what a wallet holds, with proof, where it can."""
        return () if self.process is None else self.process.prove_balance(wallet)

    def read_receipt(self, transaction_id: bytes) -> Iterable[Bundle]:
        """Answer with a proven receipt, where it can."""
        return () if self.process is None else self.process.prove_receipt(transaction_id)

    # -- what a byzantine validator does otherwise

    def made(self, round_: int, block: Block) -> Proposal:
        """Return what is proposed, where ``block`` would be honest."""
        return Proposal(round_, block, self.number, True)

    def votes_for_all(self) -> bool:
        """Tell whether it votes for whatever is proposed."""
        return False

    # -- inside: life

    def _guarded(self, step: Callable[[Process], object]) -> None:
        """Carry out a step of the process, if it runs; it may end in it."""
        process = self.process
        if process is None:
            return
        try:
            step(process)
            self._tell(process)
        except UnknownRules as error:
            require(process.height < error.height, "a node stops before the height whose rules it lacks")
            self._stop_for(error)
        except CrashError as error:
            self.note(f"is killed: {error}")
            self._end()
        except OperationalError as error:
            require("as planned" in str(error), f"a replica stops for no other reason than its disk: {error!r}")
            self.note(f"stops: {error}")
            self._end()

    def _stop_for(self, error: UnknownRules) -> None:
        self.note(f"stops before {error.height}: {error.room} {error.version}")
        require(self._schedule is not NEWER, "a node that knows all rules does not stop for them")
        self.outdated = True
        self._end()

    def _turn(self, process: Process | None) -> None:
        """Let the thread that sends have its turn, now and then, for as long as the process runs."""
        if process is not None and process is self.process:
            self._guarded(Process.send)
            self.scheduler.after(TURN_MS, lambda: self._turn(process))

    def _end(self) -> None:
        self.close()
        lost = self._disk.lose(self.scheduler.random.randint(0, LOST_MAX)) if self._disk.lies else 0
        if lost:
            self.note(f"has lost {lost} commits on its disk")
            self.height = max(self.agreement.first - 1, self.height - lost)

    def _handshake(self, process: Process) -> None:
        answer = process.info()
        height, first = process.height, self.agreement.first
        told = height if height >= first else 0
        require(answer.last_block_height == told, "Info tells of the blocks that CometBFT has made")
        require(height >= self.height, "a block is durable before anybody hears of it")
        require(height <= max(self.stored, default=first - 1), "nobody is ahead of consensus")
        self.height = height
        self._invariants.stored(process.executor)
        if height < first:
            process.init_chain(first, self.agreement.powers_at(first))
        else:
            require(answer.last_block_app_hash == self.stored[height].result.app_hash, "Info has the app hash")
        self._advance(process)

    # -- inside: consensus

    def _propose(self, process: Process, round_: int, offered: Block) -> None:
        if process.height != offered.height - 1:
            return
        random = self.scheduler.random
        space = BLOCK_BYTES_MAX if random.random() < 0.8 else random.randint(0, 2_000)
        commits = process.store.commits
        taken = process.prepare(offered._replace(transactions=tuple(process.mempool.waiting)), space)
        require(process.store.commits == commits, "a proposal writes nothing")
        require(sum(map(len, taken)) <= space, "a proposal is no larger than it may be")
        require(set(taken) <= process.mempool.waiting.keys(), "a proposal holds what waits, and nothing else")
        proposal = self.made(round_, offered._replace(transactions=taken))
        for peer in self.peers:
            self._send_proposal(peer, proposal)

    def _judge(self, process: Process, proposal: Proposal) -> None:
        key = (proposal.block.height, proposal.round)
        if process.height == proposal.block.height - 2:
            process.early.append(proposal)
        if process.height != proposal.block.height - 1:
            return
        before = process.store.commits, process.executor.head
        accepted = process.accepts(proposal.block)
        require((process.store.commits, process.executor.head) == before, "judging a proposal changes nothing")
        require(proposal.good is None or accepted == proposal.good, f"proposal {key} is good: {proposal.good}")
        if (accepted or self.votes_for_all()) and key not in self._cast:
            self._cast[key] = None
            self.agreement.vote(self.number, proposal)
            self._invariants.decided()
            for peer in self.peers:
                self._send_vote(peer, proposal)

    def _advance(self, process: Process) -> None:
        """Carry out the decided blocks that come next."""
        while process.height + 1 in self.stored:
            self._carry_out(process, self.stored[process.height + 1])
        early, process.early = process.early, []
        for proposal in early:
            self._judge(process, proposal)

    def _carry_out(self, process: Process, decision: Decision) -> None:
        block = decision.block
        moment = self.scheduler.random.choice(MOMENTS) if self.scheduler.chance(self.perils.killed) else ""
        self._crash_at("decided", moment)
        head, commits = process.executor.head, process.store.commits
        answer = process.finalize(block)
        if self.scheduler.chance(0.1):  # once more, where CometBFT was interrupted before the answer
            require(process.finalize(block) == answer, "FinalizeBlock repeats its answer")
        self._invariants.answered(block.height, answer)
        require((process.store.commits, process.executor.head) == (commits, head), "FinalizeBlock writes nothing")
        self._crash_at("finalized", moment)
        process.commit()
        self._crash_at("committed", moment)
        process.proven = Proven(encode_light_block(decision.light), head)
        self._invariants.stored(process.executor)
        self.note(f"is at {block.height}")

    def _crash_at(self, moment: str, chosen: str) -> None:
        if moment == chosen:
            raise CrashError(moment)

    def _send_proposal(self, peer: "Node", proposal: Proposal) -> None:
        self._network.send(self.name, peer.name, lambda: peer.hear_proposal(proposal))

    def _send_vote(self, peer: "Node", proposal: Proposal) -> None:
        self._network.send(self.name, peer.name, lambda: peer.hear_vote(proposal, self.number))

    def _send_block(self, peer: "Node", decision: Decision) -> None:
        self._network.send(self.name, peer.name, lambda: peer.learn(decision))

    # -- inside: callers

    def _submit(self, process: Process, raw: bytes, reply: Reply) -> None:
        if self.scheduler.chance(self.perils.impolite):
            process.mempool.hear(raw)
        process.submit(raw, reply)
        self._send_soon(process)

    def _send_soon(self, process: Process) -> None:
        def send() -> None:
            if process is self.process:
                self._guarded(Process.send)

        self.scheduler.after(self.scheduler.random.randint(0, SEND_MS), send)

    def _spread(self, raw: bytes) -> None:
        for peer in self.peers:
            if peer is not self:
                self._send_transaction(peer, raw)

    def _send_transaction(self, peer: "Node", raw: bytes) -> None:
        self._network.send(self.name, peer.name, lambda: peer.gossip(raw))

    def _hear(self, decided: CarriedOut) -> None:
        """Answer those who wait for a block, which is durable."""
        process = self.process
        assert process is not None, "only a process that runs carries blocks out"
        self.height = decided.block.height
        process.settle(decided)
        self._tell(process)
        self._send_soon(process)

    def _tell(self, process: Process) -> None:
        """Tell callers what has become of their transactions."""
        answers, process.answers = process.answers, []
        for reply, outcome in answers:
            if outcome.receipt is not None:
                assert outcome.log_index is not None, "a receipt has a place in the log"
                self._invariants.acknowledge(outcome.receipt, outcome.log_index)
            reply(outcome)
