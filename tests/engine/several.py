"""A chain of several validators as a mirror is shown it: blocks made by hand and signed, carried out by the bare machine."""

from collections.abc import Sequence
from typing import Any

from fujie.core.signing import Signer
from fujie.engine.cometbft.consensus import Block
from fujie.machine.genesis import Genesis
from fujie.modules.membership.records import Action
from fujie.proof.block import data_hash, encode_result, make_block_id, results_hash
from fujie.proof.block_evidence import (
    DuplicateVote,
    Vote,
    encode_block_evidence,
    evidence_hash,
    misbehaviour_in,
)
from fujie.proof.commit import sign_commit
from fujie.proof.header import BlockID, Header, PartSetHeader, consensus_params_hash, make_header
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import Validator, ValidatorSet, validator_address, validator_set_hash
from fujie.proof.vote import EMPTY_COMMIT, Commit, commit_hash
from tests import world
from tests.engine.bare import BareChain
from tests.light.tampering import changed

Item = tuple[bytes, list[bytes], list[bytes]]

STEP_MS = 1_000
EFFECTIVE_AFTER = 2  # heights from the block that changes validators to the first that they sign


def voted_twice(signer: Signer, height: int) -> bytes:
    """Evidence that a validator voted twice at a height; nobody here looks at its signatures."""

    def vote(block: bytes) -> Vote:
        return Vote(
            kind=2,
            height=height,
            round=0,
            block_id=BlockID(block * 32, PartSetHeader(1, block * 32)),
            time_ns=world.START_MS * 1_000_000,
            address=validator_address(signer.public_key),
            index=0,
            signature=b"\x07" * 64,
        )

    return encode_block_evidence(DuplicateVote(vote(b"\x01"), vote(b"\x02"), 10, 10, world.START_MS * 1_000_000))


class SeveralChain:
    """Implements ``engine.mirror_blocks.Source``: the blocks that :meth:`make` made.

    ``embedded``: as the embedded engine makes them, whatever is voted, until :meth:`grow`. A block is shown with the votes
    of all but one of its validators where that is enough, and the next one holds the votes of all.
    """

    def __init__(self, signers: Sequence[Signer], *, embedded: bool = False, genesis: Genesis | None = None) -> None:
        self.url = "http://source.invalid"
        self.genesis = genesis or world.funded()
        self.bare = BareChain(self.genesis)
        self.signing = world.Signing(self.bare.chain_id)
        self.items: list[Item] = []
        self.lights: list[LightBlock] = []
        self._signers = {each.public_key: each for each in signers}
        self._embedded = embedded
        self._first = 1  # height whose block names none before it
        self._codes: list[int] = []
        self._last_commit = EMPTY_COMMIT
        self._sets = dict.fromkeys((1, 2), self._voted())

    # -- as a source

    def blocks(self, height: int, wait_ms: int, limit: int) -> list[Item]:
        return self.items[height - 1 : height - 1 + limit]

    def height(self) -> int:
        return len(self.items)

    def close(self) -> None:
        pass

    # -- making blocks

    def trust(self) -> TrustRoot:
        """The trust root of the first validators."""
        return TrustRoot(
            chain_id=self.bare.chain_id,
            validators_hash=validator_set_hash(self._sets[1]).hex(),
            state_tree_depth=world.DEPTH,
        )

    def vote(self, *actions: Action) -> None:
        """Decide on actions, each in a block of its own, and prove the last."""
        for action in actions:
            self.make(self.signing.decide(action, 1 + len(self.items)))
            assert not any(self._codes)
        self.make()
        self.make()

    def grow(self) -> None:
        """End the embedded engine with a block that announces those who were voted for; they begin anew."""
        height = len(self.items) + 1
        self._embedded, self._sets[height + 1] = False, self._voted()
        self.make()
        self._first = height + 1

    def make(
        self, raws: Sequence[bytes] = (), evidence: Sequence[bytes] = (), *, later_ms: int = 0, **fields: Any
    ) -> Item:
        """Make the next block, of a time that much later; ``fields`` replace those of its header."""
        if later_ms:
            fields["time_ns"] = (self.bare.time_ms + STEP_MS + later_ms) * 1_000_000
        height = len(self.items) + 1
        light, whole = self.signed(raws, evidence, **fields)
        block = Block(height, light.header.time_ms, tuple(raws), misbehaviour_in(evidence))
        self._codes = self.bare.decide(block).codes
        self._sets[height + EFFECTIVE_AFTER] = self._sets[height] if self._embedded else self._voted()
        self._last_commit = whole
        self.lights.append(light)
        self.items.append(item_of(light, raws, evidence))
        return self.items[-1]

    def signed(
        self, raws: Sequence[bytes] = (), evidence: Sequence[bytes] = (), **fields: Any
    ) -> tuple[LightBlock, Commit]:
        """A block after the newest one, signed by those whose turn it is, and the votes of all of them."""
        height = len(self.items) + 1
        validators = self._sets[height]
        last_commit = EMPTY_COMMIT if height == self._first else self._last_commit
        header = make_header(
            chain_id=self.bare.chain_id,
            height=height,
            time_ms=self.bare.time_ms + STEP_MS,
            last_block_id=last_commit.block_id,
            last_commit_hash=commit_hash(last_commit),
            data_hash=data_hash(raws),
            validators_hash=validator_set_hash(validators),
            next_validators_hash=validator_set_hash(self._sets[height + 1]),
            consensus_hash=consensus_params_hash(4_194_304, -1),
            app_hash=self.bare.app_hash,
            last_results_hash=results_hash(encode_result(code) for code in self._codes),
            proposer_address=validators.addresses[0],
        )
        header = changed(header, evidence_hash=evidence_hash(evidence), **fields)
        return self.commit(header, validators, raws, evidence)

    def commit(
        self, header: Header, validators: ValidatorSet, raws: Sequence[bytes] = (), evidence: Sequence[bytes] = ()
    ) -> tuple[LightBlock, Commit]:
        """The block of a header, signed by ``validators``, and the votes of all of them."""
        block_id = make_block_id(header, raws, self._last_commit, evidence)
        seeds = [self._signers[each.public_key].seed for each in validators.validators]
        shown, whole = (
            sign_commit(header.chain_id, header, block_id, validators, those, header.time_ms + 1)
            for those in (seeds[:-1] if len(seeds) > 3 else seeds, seeds)
        )
        return LightBlock(header, shown, validators), whole

    def _voted(self) -> ValidatorSet:
        return ValidatorSet.of(Validator(key, power) for key, power in self.bare.powers().items())


def item_of(light: LightBlock, raws: Sequence[bytes] = (), evidence: Sequence[bytes] = ()) -> Item:
    """A block as it travels."""
    return encode_light_block(light), list(raws), list(evidence)
