"""The way from a trust root to a block in the store, for whoever has the root alone and is shown evidence."""

from collections.abc import Callable, Sequence
from typing import overload

from fujie.engine.stored_block import light_block_at
from fujie.proof.light import shortened
from fujie.proof.light_block import LightBlock
from fujie.store.base import Store
from fujie.store.layout import Table


class StoredPath:
    """Finds the way in ``store``; ``before`` leads from one of the root's validators to the first block there, if that is not."""

    def __init__(self, store: Store, validators_hash: bytes, before: Sequence[LightBlock]) -> None:
        self._store = store
        self._validators_hash = validators_hash
        self._before = list(before)

    def to(self, block: LightBlock) -> list[LightBlock]:
        """Return blocks from one of the root's validators to the one before ``block``; none where ``block`` is theirs.

        Each follows on the one before it. Empty as well where the store does not reach back so far.
        """
        if block.header.validators_hash == self._validators_hash:
            return []
        kept = next(iter(self._store.scan(Table.BLOCKS)), None)
        first = block.header.height if kept is None else int.from_bytes(kept[0], "big")
        stored = _Stored(self._light_block, first, block.header.height)
        if not len(stored):
            return self._before
        return [*self._before[:-1], *shortened(stored)]

    def _light_block(self, height: int) -> LightBlock:
        found = light_block_at(self._store.get, height)
        assert found is not None, "a mirror has every block from its first one on"
        return found


class _Stored(Sequence[LightBlock]):
    """The blocks from ``first`` to the one before ``end``, each read when it is looked at."""

    def __init__(self, block_at: Callable[[int], LightBlock], first: int, end: int) -> None:
        self._block_at = block_at
        self._heights = range(first, end)

    def __len__(self) -> int:
        return len(self._heights)

    @overload
    def __getitem__(self, place: int) -> LightBlock: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[LightBlock]: ...
    def __getitem__(self, place: int | slice) -> LightBlock | Sequence[LightBlock]:
        found = self._heights[place]
        return self._block_at(found) if isinstance(found, int) else [self._block_at(height) for height in found]
