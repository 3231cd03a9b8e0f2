"""Headers and commits of decided blocks, fetched from CometBFT beside consensus and verified before they are used.

FinalizeBlock brings neither: what signs our app hash is asked for over the RPC, from when a block is carried out, in a
thread of its own. CometBFT has stored block and votes by then; while it starts and replays, it does not answer yet.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.cometbft.rpc import Rpc, Unanswered
from fujie.proof.block_evidence import evidence_hash
from fujie.proof.commit import verify_commit
from fujie.proof.header import EMPTY_EVIDENCE_HASH, Header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet, validator_set_hash
from fujie.proof.vote import Commit

RETRY_FIRST_S: Final = 0.005  # votes are stored a moment before the block is carried out, or after
RETRY_MAX_S: Final = 1.0

log = logging.getLogger(__name__)


class Decided(NamedTuple):
    """A block as it was decided: what signs it, and the evidence of misbehaviour in it (``proof.block_evidence``)."""

    block: LightBlock
    evidence: tuple[bytes, ...]


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
        header, commit = self._rpc.signed_header(height)
        validators = self._validators
        if validators is None or validator_set_hash(validators) != header.validators_hash:
            validators = self._rpc.validators(height)
        self._verify(height, header, commit, validators)
        self._validators = validators
        evidence = () if header.evidence_hash == EMPTY_EVIDENCE_HASH else self._rpc.evidence(height)
        if evidence_hash(evidence) != header.evidence_hash:
            raise Unanswered("block", "the evidence in it is not that of its header")
        return Decided(LightBlock(header, commit, validators), evidence)

    def _verify(self, height: int, header: Header, commit: Commit, validators: ValidatorSet) -> None:
        try:
            if header.height != height:
                raise VerificationError("header-height", f"asked for {height}, told {header.height}")
            verify_commit(self._chain_id, validators, header, commit)
        except VerificationError as error:
            if error.step in ("commit-power", "commit-signature"):
                # The votes that were seen first may lack one that others have; those in the next block do not.
                raise Unanswered("commit", str(error)) from None
            raise OperationalError(
                f"The header of block {height} in CometBFT's store does not verify: {error}.",
                "Its folder is damaged, or is that of another chain: fetch the blocks anew from the other validators.",
            ) from None
