"""Total order, as CometBFT gives it: rounds with a proposer, votes, decisions with signed headers.

    round ─► the proposer proposes ─► whoever has the proposal judges it and votes ─► more than two thirds ─► decided
      ▲                                                                    │ not in time, or judged bad
      └────────────────────────────────────────────────────────────────────┘

What is simulated is the outcome of consensus, not its protocol: a block is decided in the moment in which validators with
more than two thirds of the power have voted for it in the round that runs, wherever their votes are heard, and never twice
at one height. Who hears of it, and when, is the network's affair. Headers and commits are real and are verified.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fujie.core.misbehaviour import Misbehaviour
from fujie.engine.cometbft.consensus import Block
from fujie.proof.block import data_hash, encode_result, make_block_id, results_hash
from fujie.proof.commit import sign_commit
from fujie.proof.header import NIL_BLOCK_ID, consensus_params_hash, make_header
from fujie.proof.light import verify_follows
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.proof.vote import EMPTY_COMMIT, commit_hash
from tests.engine.bare import BareChain, Result
from tests.simulation.founding import validator
from tests.simulation.scheduler import Scheduler

ROUND_MS: Final = 900  # of the first round; each later one of a height takes longer
ROUND_MORE_MS: Final = 300
LATER_MS_MAX: Final = 20  # by how much the votes that a proposer has seen move the time of its block
REST_MS: Final = 150  # from a decision to the next height
EFFECTIVE_AFTER = 2  # heights from the block that changes validators to the first that they sign


class Proposal(NamedTuple):
    """A block that somebody proposes. ``good``: whether every honest validator must accept it; None where it depends."""

    round: int
    block: Block
    proposer: int
    good: bool | None


class Decision(NamedTuple):
    """A decided block: signed, and carried out by the bare machine."""

    block: Block
    round: int
    light: LightBlock
    result: Result
    powers: Mapping[int, int]  # validators by number that stand decided after it, with their power


class Agreement:
    """Decides blocks. ``asked`` is called at the begin of a round with what its proposer is asked."""

    def __init__(
        self,
        scheduler: Scheduler,
        bare: BareChain,
        validators: int,
        asked: Callable[[int, int, Block], None],
        clocks: Callable[[], list[int]],
    ) -> None:
        """``clocks`` gives the time in ms of every validator whose clock is seen in its vote."""
        self.bare = bare
        self.decisions: list[Decision] = []
        self.round = 0
        self.empty_rounds = 0
        self._scheduler = scheduler
        self._numbers = {validator(number).public_key: number for number in range(validators)}
        self._asked = asked
        self._clocks = clocks
        self._sets = dict.fromkeys((1, 2), self._powers())
        self._first = 1
        self._votes: dict[int, None] = {}
        self._seen: list[int] = []  # the times of the votes for the newest block

    @property
    def first(self) -> int:
        """The height of the first block that is decided here."""
        return self._first

    def take_over(self, block: Block, light: LightBlock) -> None:
        """Have the next block of the embedded ledger that made the chain before. Its validators go on after it."""
        result, powers = self.bare.decide(block), self._powers()
        self.decisions.append(Decision(block, 0, light, result, powers))
        self._first = self.height
        self._sets |= dict.fromkeys((self._first, self._first + 1), powers)

    @property
    def height(self) -> int:
        """The height that is to be decided."""
        return len(self.decisions) + 1

    def powers_at(self, height: int) -> Mapping[int, int]:
        """The validators that sign at a height, by number."""
        return self._sets[height]

    def majority(self, height: int, voters: Mapping[int, None]) -> bool:
        """Tell whether voters have more than two thirds of the power at a height."""
        powers = self._sets[height]
        return 3 * sum(powers.get(number, 0) for number in voters) > 2 * sum(powers.values())

    def begin(self, height: int, round_: int) -> None:
        """Begin a round, unless its height is decided."""
        if height != self.height:
            return
        self.round = round_
        self.empty_rounds += round_ > 0
        self._votes = {}
        powers = self._sets[height]
        numbers = sorted(powers)
        proposer = numbers[(height + round_) % len(numbers)]
        self._scheduler.after(ROUND_MS + round_ * ROUND_MORE_MS, lambda: self.begin(height, round_ + 1))
        self._asked(proposer, round_, Block(height, self._time_ms(), (), self._acts(height)))

    def vote(self, number: int, proposal: Proposal) -> None:
        """Count a vote for a proposal, if its round runs."""
        height = proposal.block.height
        if (height, proposal.round) != (self.height, self.round) or number not in self._sets[height]:
            return
        self._votes[number] = None
        if self.majority(height, self._votes):
            self._decide(proposal)

    # -- inside

    def _powers(self) -> dict[int, int]:
        return {self._numbers[key]: power for key, power in self.bare.powers().items()}

    def _set(self, height: int) -> ValidatorSet:
        return ValidatorSet.of(
            Validator(validator(number).public_key, power) for number, power in self._sets[height].items()
        )

    def _time_ms(self) -> int:
        """About the median of the times of votes for the block before: every proposer has seen some later than another."""
        times = sorted(self._seen)
        median_ms = times[len(times) // 2] if times else 0
        return max(self.bare.time_ms, median_ms) + self._scheduler.random.randint(1, LATER_MS_MAX)

    def _acts(self, height: int) -> tuple[Misbehaviour, ...]:
        """What validators are proven to have done: votes of now and then one that contradict each other."""
        if height == self._first or not self._scheduler.chance(0.1):
            return ()
        number = self._scheduler.random.choice(sorted(self._sets[height]))
        member = Validator(validator(number).public_key, self._sets[height][number])
        return (Misbehaviour(1, member.address, height - 1, self.bare.time_ms, member.voting_power),)

    def _decide(self, proposal: Proposal) -> None:
        block = proposal.block
        light = self._signed(proposal)
        result = self.bare.decide(block)
        powers = self._powers()
        for height in range(block.height + EFFECTIVE_AFTER, block.height + 3):
            self._sets[height] = powers
        self.decisions.append(Decision(block, proposal.round, light, result, powers))
        self._seen = self._clocks()
        self._scheduler.note(
            f"decided {block.height}/{proposal.round} by {proposal.proposer}: {len(block.transactions)} transactions, "
            f"{len(block.misbehaviour)} acts, {result.codes}, {result.app_hash.hex()[:12]}"
        )
        self._scheduler.after(REST_MS, lambda: self.begin(block.height + 1, 0))

    def _signed(self, proposal: Proposal) -> LightBlock:
        """Make header and commit as CometBFT does, and verify that they follow on those before."""
        block = proposal.block
        before = self.decisions[-1] if block.height > self._first else None
        validators = self._set(block.height)
        last_commit = before.light.commit if before else EMPTY_COMMIT
        header = make_header(
            chain_id=self.bare.chain_id,
            height=block.height,
            time_ms=block.time_ms,
            last_block_id=last_commit.block_id if before else NIL_BLOCK_ID,
            last_commit_hash=commit_hash(last_commit),
            data_hash=data_hash(block.transactions),
            validators_hash=validator_set_hash(validators),
            next_validators_hash=validator_set_hash(self._set(block.height + 1)),
            consensus_hash=consensus_params_hash(4_194_304, -1),
            app_hash=before.result.app_hash if before else self.bare.app_hash,
            last_results_hash=results_hash(encode_result(code) for code in before.result.codes) if before else b"",
            proposer_address=Validator(validator(proposal.proposer).public_key, 1).address,
        )
        block_id = make_block_id(header, block.transactions, last_commit)
        seeds = [validator(number).seed for number in self._votes]
        commit = sign_commit(self.bare.chain_id, header, block_id, validators, seeds, block.time_ms + 1)
        light = LightBlock(header, commit, validators)
        if self.decisions:  # the last block of an embedded ledger announces its successors
            newest = self.decisions[-1].light
            verify_follows(newest.header, newest.validators, light)
        return light
