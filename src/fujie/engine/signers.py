"""Where a set of validators signed: what a light client begins with that knows nothing of the chain but them."""

from typing import Protocol

from fujie.engine.proving import Proven
from fujie.proof.light_block import LightBlock, decode_light_block


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
    """
    newest = decode_light_block(engine.proven.light_block)
    if newest.header.validators_hash == validators_hash:
        return newest
    height = engine.pivot(validators_hash)
    return None if height is None else engine.light_block(height)
