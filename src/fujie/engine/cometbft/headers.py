"""Headers and commits of decided blocks, fetched from CometBFT beside consensus and verified before they are used.

FinalizeBlock brings neither: what signs our app hash is asked for over the RPC, from when a block is carried out, in a
thread of its own. CometBFT has stored block and votes by then; while it starts and replays, it does not answer yet.

Where a block has too few votes that count here, it is certain when the block after it is signed and names it; it proves
nothing by itself (``proof.named``).
"""

import logging
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.cometbft.rpc import Rpc, Unanswered
from fujie.proof.block_evidence import evidence_hash
from fujie.proof.commit import verify_commit
from fujie.proof.header import EMPTY_EVIDENCE_HASH
from fujie.proof.light import verify_backwards
from fujie.proof.light_block import LightBlock
from fujie.proof.named import NAMED_MAX, has_too_few_votes
from fujie.proof.validators import ValidatorSet, validator_set_hash

RETRY_FIRST_S: Final = 0.005  # votes are stored a moment before the block is carried out, or after
RETRY_MAX_S: Final = 1.0
REFUSED_MIN: Final = 3  # so often the votes for a block are asked for before the block after it is

log = logging.getLogger(__name__)


class Decided(NamedTuple):
    """A block as it was decided: what signs it, and the evidence of misbehaviour in it (``proof.block_evidence``).

    Not ``signed``: too few of its signatures count here, and a later block names it.
    """

    block: LightBlock
    evidence: tuple[bytes, ...]
    signed: bool = True


class _TooFewVotes(Unanswered):
    """The votes that are there do not verify; others may come."""


class Headers:
    """Light blocks by height, in their order. One thread runs :meth:`fetch_all`; other methods are for any."""

    def __init__(self, chain_id: str, rpc: Rpc, arrived: Callable[[Decided], None]) -> None:
        """``arrived`` is called with each block, verified, in the order of heights, in the thread that fetches."""
        self._chain_id = chain_id
        self._rpc = rpc
        self._arrived = arrived
        self._changed = threading.Condition()
        self._wanted: list[int] = []
        self._closing = False
        self._validators: ValidatorSet | None = None  # of the newest
        self._refused = 0  # how often in a row the votes for the first that is wanted did not verify

    def want(self, height: int) -> None:
        """Fetch the light block at ``height``, which is above all that were wanted before."""
        with self._changed:
            if not self._wanted or height > self._wanted[-1]:
                self._wanted.append(height)
                self._changed.notify_all()

    def close(self) -> None:
        """Have the thread end. Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def fetch_all(self) -> None:
        """Fetch what is wanted until closed. Raises :class:`OperationalError` for a block that is not signed as it must."""
        wait_s = RETRY_FIRST_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closing)
                if self._closing:
                    return
                height = self._wanted[0]
            try:
                block = self._fetch(height)
            except Unanswered as error:
                if wait_s >= RETRY_MAX_S:
                    log.info("the votes for block %d are not there yet: %s", height, error.what)
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, wait_s)
                wait_s = min(2 * wait_s, RETRY_MAX_S)
                continue
            wait_s = RETRY_FIRST_S
            with self._changed:
                self._wanted.pop(0)
            self._arrived(block)

    def _fetch(self, height: int) -> Decided:
        block, signed = self._read(height), True
        try:
            self._verify(height, block)
        except _TooFewVotes:
            self._refused += 1
            if self._refused < REFUSED_MIN:
                raise
            self._require_named(block)
            signed = False
        self._refused = 0
        self._validators = block.validators
        header = block.header
        evidence = () if header.evidence_hash == EMPTY_EVIDENCE_HASH else self._rpc.evidence(height)
        if evidence_hash(evidence) != header.evidence_hash:
            raise Unanswered("block", "the evidence in it is not that of its header")
        if not signed:
            log.warning("the votes for block %d count for CometBFT alone; the block after it names it", height)
        return Decided(block, evidence, signed)

    def _read(self, height: int) -> LightBlock:
        header, commit = self._rpc.signed_header(height)
        validators = self._validators
        if validators is None or validator_set_hash(validators) != header.validators_hash:
            validators = self._rpc.validators(height)
        return LightBlock(header, commit, validators)

    def _verify(self, height: int, block: LightBlock) -> None:
        try:
            if block.header.height != height:
                raise VerificationError("header-height", f"asked for {height}, told {block.header.height}")
            verify_commit(self._chain_id, block.validators, block.header, block.commit)
        except VerificationError as error:
            if has_too_few_votes(error):
                # The votes that were seen first may lack one that others have; those in the next block most often do not.
                raise _TooFewVotes("commit", str(error)) from None
            raise _damaged(height, error) from None

    def _require_named(self, block: LightBlock) -> None:
        """Go up to a block whose votes count, and down from it by hashes to ``block``. Raises :class:`Unanswered` until then."""
        named = [block]
        while len(named) <= NAMED_MAX:
            height = named[-1].header.height + 1
            following = self._read(height)
            named.append(following)
            try:
                self._verify(height, following)
            except _TooFewVotes:
                continue
            for before, after in pairwise(named):
                try:
                    verify_backwards(after.header, before)
                except VerificationError as error:
                    raise _damaged(before.header.height, error) from None
            return
        raise _TooFewVotes("commit", f"{NAMED_MAX} blocks in a row have too few votes that count")


def _damaged(height: int, error: VerificationError) -> OperationalError:
    return OperationalError(
        f"The header of block {height} in CometBFT's store does not verify: {error}.",
        "Its folder is damaged, or is that of another chain: fetch the blocks anew from the other validators.",
    )
