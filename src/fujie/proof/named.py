"""Blocks with too few votes that count here, and the later block that is signed and names them.

CometBFT counts signatures by ZIP-215, which are more than count here (``proof.commit``): whoever signs so, and chooses which
votes a block holds, makes a block of the chain whose commit does not verify. Such a block proves nothing by itself. It is
certain where the next block names its hash, or one that is named itself, up to one that is signed.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from fujie.core.errors import VerificationError
from fujie.proof.commit import verify_commit, verify_commit_trusting
from fujie.proof.light import NotEnoughTrust, verify_backwards
from fujie.proof.light_block import LightBlock

NAMED_MAX: Final = 64  # blocks in a row whose votes do not count; who makes them so proposes fewer than one in three


def has_too_few_votes(error: VerificationError) -> bool:
    """Tell whether ``verify_commit`` raised ``error`` for want of votes that count, and for nothing else."""
    return error.step in ("commit-power", "commit-signature")


def is_signed(chain_id: str, block: LightBlock) -> bool:
    """Tell whether more than two thirds of its validators signed a block, by votes that count here.

    Raises :class:`VerificationError` as ``verify_commit`` for whatever else is wrong with it.
    """
    try:
        verify_commit(chain_id, block.validators, block.header, block.commit)
    except VerificationError as error:
        if has_too_few_votes(error):
            return False
        raise
    return True


def verify_named(chain_id: str, blocks: Sequence[LightBlock]) -> None:
    """Check that the last of ``blocks`` is signed and names all before it, the first by way of those in between.

    In order, each with the name that the raised :class:`VerificationError` carries:

    1. ``header-…``, ``validator-set``, ``commit-…`` of the last: its own validators signed it (``commit.verify_commit``).
    2. ``light-trust`` (:class:`NotEnoughTrust`): so did more than a third of the power of the first one's validators. Else
       these may be strangers, whom an unsigned block announces.
    3. From the last one down, of each block before another: those of ``light.verify_backwards``; ``light-announced``: it
       announces the validators of the other.

    The caller still owes: why it believes the validators of the first.
    """
    first, last = blocks[0], blocks[-1]
    verify_commit(chain_id, last.validators, last.header, last.commit)
    try:
        verify_commit_trusting(chain_id, first.validators, last.commit)
    except VerificationError as error:
        raise NotEnoughTrust(f"height {last.header.height}: of believed power, {error.detail}") from None
    for before, block in reversed(list(pairwise(blocks))):
        verify_backwards(block.header, before)
        if block.header.validators_hash != before.header.next_validators_hash:
            detail = f"height {block.header.height} has other validators than the header before announces"
            raise VerificationError("light-announced", detail)
