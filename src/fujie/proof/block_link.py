"""What a block must name of the one before it, whichever engine made the two (docs/spec/09-http.md, "Mirrors").

Signatures say who vouches for a block; this says that it is the next one. Light clients need neither (``proof.light``):
it is for those who have all blocks, and would otherwise take one for the next that is not.
"""

from typing import NamedTuple

from fujie.proof.header import NIL_BLOCK_ID, BlockID, Header
from fujie.proof.vote import EMPTY_COMMIT, Commit, commit_hash


class Link(NamedTuple):
    """What of a block the next one must name. ``several``: it has several validators. Its id is nil before block 1."""

    height: int
    time_ns: int
    block_id: BlockID
    commit: Commit
    several: bool
    next_validators_hash: bytes

    @classmethod
    def of(cls, header: Header, commit: Commit, validators: int) -> "Link":
        """Return what the block after one with ``header``, ``commit`` and so many validators must name."""
        return cls(header.height, header.time_ns, commit.block_id, commit, validators > 1, header.next_validators_hash)

    @classmethod
    def before_the_first(cls, time_ns: int, validators_hash: bytes) -> "Link":
        """Return what block 1 must name: nothing before it, and the validators that the chain is founded with."""
        return cls(0, time_ns, NIL_BLOCK_ID, EMPTY_COMMIT, False, validators_hash)

    def precedes(self, header: Header) -> bool:
        """Tell whether ``header`` names this block as the one before it.

        Among several validators the next proposer puts the votes into his block that he has seen, and those that came
        here may be others: then they are not compared. CometBFT's first block names none, where it goes on with a chain
        of the embedded engine, which has one validator; that the two belong together say the announced validators, who
        sign the app hash of this block in it.
        """
        same = header.last_block_id == self.block_id
        return (same and self.several) or self.votes_in(header) is not None

    def votes_in(self, header: Header) -> Commit | None:
        """Return the votes that the block of ``header`` has for this one; None where they are not known here."""
        if header.last_block_id == self.block_id and header.last_commit_hash == commit_hash(self.commit):
            return self.commit
        begins = header.last_block_id == NIL_BLOCK_ID and header.last_commit_hash == commit_hash(EMPTY_COMMIT)
        return EMPTY_COMMIT if begins and not self.several else None
