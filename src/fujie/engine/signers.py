"""Where a set of validators signed: what a light client begins with that knows nothing of the chain but them."""

from collections.abc import Callable, Iterable
from typing import Protocol

from fujie.engine.proving import Proven
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.named import NAMED_MAX, is_signed


class Signed(Protocol):
    """The part of ``engine.base.Served`` that is asked."""

    @property
    def proven(self) -> Proven:
        """See ``Served``."""
        ...

    def light_block(self, height: int) -> LightBlock | None:
        """See ``Served``."""
        ...

    def pivot(self, validators_hash: bytes) -> int | None:
        """See ``Served``."""
        ...


def last_of(engine: Signed, validators_hash: bytes) -> LightBlock | None:
    """Return the last block that the validators with this hash (32 bytes) signed before others, or the newest proven one
    where they still sign. None where the store does not know them, or not that block any more.

    Where too few votes for that block count, it is the last one before it for which enough do.
    """
    newest = decode_light_block(engine.proven.light_block)
    if newest.header.validators_hash == validators_hash:
        return newest
    height = engine.pivot(validators_hash)
    return None if height is None else signed_in(engine.light_block, range(height, max(height - NAMED_MAX, 0), -1))


def signed_in(light_block: Callable[[int], LightBlock | None], heights: Iterable[int]) -> LightBlock | None:
    """Return the first block at ``heights`` that is signed, by votes that count here (``proof.named``).

    None where there is none, where one is missing before it, or where other validators than those of the first made it.
    """
    validators_hash = b""
    for height in heights:
        block = light_block(height)
        if block is None or block.header.validators_hash != (validators_hash or block.header.validators_hash):
            return None
        if is_signed(block.header.chain_id, block):
            return block
        validators_hash = block.header.validators_hash
    return None
