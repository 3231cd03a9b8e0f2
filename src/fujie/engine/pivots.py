"""Where validators changed: what leads somebody who knows old validators to the present ones.

A *pivot* is the last block that a set of validators signed before others did: its header announces them. The engines note
it in the batch of the block itself. From pivot to pivot, and over the block after each, a short path leads across any
number of changes, also where none of the old validators stayed. Where too few votes for one of the two blocks count, the next
one of the same validators takes its place that is signed; then enough of the old ones must have stayed.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from fujie.core.errors import VerificationError
from fujie.core.limits import BUNDLE_PATH_MAX, SNAPSHOT_PATH_BYTES_MAX, SNAPSHOT_PATH_MAX
from fujie.engine.signers import signed_in
from fujie.engine.stored_block import light_block_at
from fujie.proof.changes import Change, leading_on, walk
from fujie.proof.light import shortened
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.named import NAMED_MAX
from fujie.proof.trust import TRUST_PERIOD_MS_DEFAULT
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import META_CHANGE, META_PIVOT, Table

log = logging.getLogger(__name__)

KEPT_PATHS: Final = 64  # one for each set that somebody still has pinned


class Changed(Protocol):
    """The part of ``engine.base.Served`` that paths are made of."""

    def light_block(self, height: int) -> LightBlock | None:
        """See ``Served``."""
        ...

    def pivot(self, validators_hash: bytes) -> int | None:
        """See ``Served``."""
        ...


def changes_before(store: ReadOnlyStore, newest: LightBlock) -> list[LightBlock]:
    """Return the light blocks below ``newest`` at which validators changed, ascending; of many the newest ones.

    Those before a change of which a block is not signed are left out with it. They are what ``proof.changes.verify_newest``
    wants before ``newest``, and at most what a snapshot takes.
    """
    heights = sorted(int.from_bytes(height, "big") for _, height in _rows(store, META_PIVOT))
    found = (
        _change_at(partial(light_block_at, store.get), height) for height in heights if height < newest.header.height
    )
    whole = [each for each in found if each is not None and each.first.header.height == each.last.header.height + 1]
    kept: dict[int, LightBlock] = {}
    size = 0
    for change in leading_on(whole, newest):
        added = [block for block in change if block.header.height < newest.header.height]
        added = [block for block in added if block.header.height not in kept]
        size += sum(len(encode_light_block(block)) for block in added)
        if len(kept) + len(added) > SNAPSHOT_PATH_MAX or size > SNAPSHOT_PATH_BYTES_MAX:
            break
        kept |= {block.header.height: block for block in added}
    return [kept[height] for height in sorted(kept)]


def kept_changes(store: ReadOnlyStore) -> list[LightBlock]:
    """Return the light blocks that ``store`` has from before its first block, ascending. Raises ``DecodeError``."""
    return [decode_light_block(data) for _, data in _rows(store, META_CHANGE)]


def _rows(store: ReadOnlyStore, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    return store.scan(Table.META, prefix, prefix[:-1] + bytes([prefix[-1] + 1]))


class Paths:
    """Paths from old validators to the signers of a block, each made once while these stay. Any thread may call."""

    def __init__(self, engine: Changed) -> None:
        self._engine = engine
        self._kept: OrderedDict[tuple[bytes, bytes], list[LightBlock]] = OrderedDict()

    def to(self, block: LightBlock, since: bytes) -> list[LightBlock] | None:
        """Return light blocks that lead from the validators with hash ``since`` to ``block``, which is not among them.

        The first is of those validators, each further one follows on the one before it, and ``block`` on the last.
        Empty where ``block`` is theirs. None where the store does not know them, or not how others came after them, or too
        few votes count for those who know them alone.
        """
        signers = block.header.validators_hash
        if since == signers:
            return []
        kept = self._kept.get((since, signers))
        if kept is None:
            made = self._made(since, signers)
            if made is None:
                return None
            kept = self._kept[since, signers] = made
            while len(self._kept) > KEPT_PATHS:
                self._kept.popitem(last=False)
        if kept[-1].header.height < block.header.height:
            return kept
        if kept[-1].header.height > block.header.height:
            return None  # of a time before the newest of these changes
        # It is the first block of its validators itself.
        return _shortened([*kept[:-1], block])[:-1]

    def _made(self, since: bytes, signers: bytes) -> list[LightBlock] | None:
        """Return a path that ends with the first block of ``signers``."""
        try:
            blocks = walk(since, signers, self._change)
            return None if blocks is None else _shortened(blocks)
        except VerificationError as error:
            log.warning("no path leads from the validators %s: %s", since.hex(), error)
            return None

    def _change(self, validators_hash: bytes) -> Change | None:
        height = self._engine.pivot(validators_hash)
        return None if height is None else _change_at(self._engine.light_block, height)


def _change_at(light_block: Callable[[int], LightBlock | None], height: int) -> Change | None:
    """Return the signed blocks around the change after ``height``: neighbours, unless too few votes for one of these count."""
    last = signed_in(light_block, range(height, max(height - NAMED_MAX, 0), -1))
    first = signed_in(light_block, range(height + 1, height + 1 + NAMED_MAX))
    return None if last is None or first is None else Change(last, first)


def _shortened(blocks: list[LightBlock]) -> list[LightBlock]:
    made = shortened(blocks, period_ms=TRUST_PERIOD_MS_DEFAULT)
    return made if len(made) < BUNDLE_PATH_MAX else shortened(blocks)
