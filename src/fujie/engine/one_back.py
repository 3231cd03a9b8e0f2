"""The state one block back, kept beside the newest block: what a node can prove that starts again and stands alone.

A state is proven by the header of the next block. After a restart that block may be long in coming, where more than two
thirds of the validators are needed for it; the newest header is here, and proves the state before its own block. So the
batch of a block also holds what its records were before, one row, which the next such block replaces.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from fujie.core.encoding import Codec, Record, encode
from fujie.core.state import Key, Leaf
from fujie.core.units import Height
from fujie.engine.executor import HEAD, Executor, Head, Staged
from fujie.modules.catalog import codec_of
from fujie.store.base import WriteBatch
from fujie.store.layout import META_ONE_BACK, Table
from fujie.store.state_tree import pack_leaf, stored_value_digest, unpack_leaf

Rows = dict[bytes, bytes | None]

NOTHING: Final = encode(None)


class OneBack(Record, tag=1):
    """What block ``height`` replaced: the head before it; path, salt and record (nil for none) of each record that it changed;
    rows of the table BUCKETS, None for no row.
    """

    height: Height
    head: bytes
    records: tuple[tuple[str, bytes, msgspec.Raw], ...]
    buckets: tuple[tuple[bytes, bytes | None], ...]

    def tables(self) -> dict[Table, Rows]:
        """Return what was replaced as rows, to be laid over a store that holds the block."""
        return {Table.STATE: dict(map(_row, self.records)), Table.BUCKETS: dict(self.buckets)}


ONE_BACK: Final[Codec[OneBack]] = Codec(OneBack)


def keep_one_back(executor: Executor, staged: Staged) -> None:
    """Put what a staged block replaces into its batch. One that changes nothing is proven by its own header."""
    if staged.head.app_hash == executor.head.app_hash:
        return
    undo = staged.undo
    records = [
        (path, b"", None) if (leaf := undo[key.hash]) is None else (path, leaf.salt, leaf.record)
        for path, (key, _) in staged.result.changes.items()
    ]
    # The form of OneBack, in one call for all records: this is done for every block.
    kept = (1, staged.head.height, encode(executor.head), records, staged.tree.replaced_rows())
    staged.batch.put(Table.META, META_ONE_BACK, encode(kept))


def drop_one_back(batch: WriteBatch) -> None:
    """Take it out of a batch that is committed: followers have no use for it."""
    batch.tables[Table.META].pop(META_ONE_BACK, None)


def one_back_in(get: Callable[[Table, bytes], bytes | None], height: int) -> OneBack | None:
    """Return what block ``height``, the newest in a store, replaced; None where that is not kept."""
    data = get(Table.META, META_ONE_BACK)
    kept = None if data is None else ONE_BACK.decode_trusted(data)
    return kept if kept is not None and kept.height == height else None


def look_back(executor: Executor) -> Head | None:
    """Have the state before the newest block read and proven as well, and return its head; None where that is not kept.

    For a node's start. Raises :class:`OperationalError` when what is kept does not lead to the root of then.
    """
    kept = one_back_in(executor.store.get, executor.head.height)
    if kept is None:
        return None
    head, rows = HEAD.decode(kept.head), dict(map(_row, kept.records))
    undo = {key_hash: None if stored is None else _leaf(stored) for key_hash, stored in rows.items()}
    digests = {key_hash: None if stored is None else stored_value_digest(stored) for key_hash, stored in rows.items()}
    executor.look_back(head, undo, digests)
    return head


def _row(replaced: tuple[str, bytes, msgspec.Raw]) -> tuple[bytes, bytes | None]:
    """Return key and value in the table STATE."""
    path, salt, record = replaced
    key_hash = Key(path, codec_of(path)).hash
    return key_hash, None if bytes(record) == NOTHING else pack_leaf(path.encode(), salt, bytes(record))


def _leaf(stored: bytes) -> Leaf:
    path, salt, record = unpack_leaf(stored)
    return Leaf(codec_of(path.decode()).decode_trusted(record), salt)
