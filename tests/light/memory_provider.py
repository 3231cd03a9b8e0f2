"""A node in memory that serves light blocks: an honest one, one that lags, one that lies, one that went away."""

from collections.abc import Iterable, Sequence

from fujie.client.light.provider import HeightAbsent
from fujie.core.errors import OperationalError
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block


class MemoryProvider:
    """Implements ``LightProvider`` over blocks of ascending height, and counts what it is asked.

    What it answers has been bytes, as everything has that comes from another machine. Unless it ``tells``, it is as the RPC
    of CometBFT, which cannot say where validators signed last.
    """

    def __init__(self, name: str, blocks: Sequence[LightBlock], *, tells: bool = False) -> None:
        self.name = name
        self.blocks = {block.header.height: block for block in blocks}
        self.tells = tells
        self.gone = False
        self.asked: list[int | None] = []

    def light_block(self, height: int | None) -> LightBlock:
        self.asked.append(height)
        if self.gone:
            raise OperationalError(f"{self.name} does not answer.", "Ask another node.")
        wanted = max(self.blocks, default=0) if height is None else height
        if wanted not in self.blocks:
            raise HeightAbsent(self.name, height)
        return decode_light_block(encode_light_block(self.blocks[wanted]))

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        if self.gone:
            raise OperationalError(f"{self.name} does not answer.", "Ask another node.")
        return last_signed(self.blocks.values(), validators_hash) if self.tells else None


def last_signed(blocks: Iterable[LightBlock], validators_hash: bytes) -> LightBlock | None:
    """The newest of ``blocks`` that these validators signed."""
    theirs = [block for block in blocks if block.header.validators_hash == validators_hash]
    return max(theirs, key=lambda block: block.header.height, default=None)
