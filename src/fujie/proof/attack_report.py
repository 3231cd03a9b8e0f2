"""Two signed chains as evidence that CometBFT takes into a block, with those who are to blame as CometBFT finds them.

Source: CometBFT 0.38 specification, "Light client", "Accountability"; "Consensus", "Evidence": what its evidence pool checks.
"""

from fujie.core.errors import VerificationError
from fujie.proof.block_evidence import LightClientAttack
from fujie.proof.header import Header, header_hash
from fujie.proof.light_attack import DETERMINED
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import Validator, ValidatorSet
from fujie.proof.vote import BlockIDFlag, Commit


def light_client_attack(conflicting: LightBlock, trusted: LightBlock, common: LightBlock) -> LightClientAttack:
    """Return the evidence that ``conflicting`` is not of the chain, where ``trusted`` stands at its height.

    ``common`` is a block of the chain below both, of which more than a third of the power signed ``conflicting``. Raises
    :class:`VerificationError`: ``evidence-same`` where the two are one block; ``evidence-blame`` where they were signed in
    different rounds and hold what any block there may: who of the validators forgot a lock, signatures do not tell.
    """
    ours, theirs = trusted.header, conflicting.header
    if ours.height != theirs.height or header_hash(ours) == header_hash(theirs):
        raise VerificationError("evidence-same", "the two are not different blocks of one height")
    if _invented(ours, theirs):
        signers = _signers(conflicting.commit)
        known = [each for each in common.validators.validators if each.address in signers]
        return _evidence(conflicting, common, known)
    if trusted.commit.round != conflicting.commit.round:
        raise VerificationError(
            "evidence-blame", "they were signed in two rounds, and nobody in particular is to blame"
        )
    both = _signers(conflicting.commit) & _signers(trusted.commit)
    return _evidence(conflicting, trusted, [each for each in conflicting.validators.validators if each.address in both])


def _evidence(conflicting: LightBlock, common: LightBlock, byzantine: list[Validator]) -> LightClientAttack:
    header = common.header
    ordered = ValidatorSet.of(byzantine).validators if byzantine else ()
    return LightClientAttack(conflicting, header.height, ordered, common.validators.total_power, header.time_ns)


def _invented(ours: Header, theirs: Header) -> bool:
    """Tell whether a header holds what no application of the blocks before gives."""
    return any(getattr(ours, name) != getattr(theirs, name) for name in DETERMINED)


def _signers(commit: Commit) -> set[bytes]:
    return {entry.validator_address for entry in commit.signatures if entry.flag == BlockIDFlag.COMMIT}
