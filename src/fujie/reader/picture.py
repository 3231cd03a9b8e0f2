"""What a follower knows of the ledger at one moment, and what must hold between a store, a block and a header."""

from collections.abc import Sequence
from typing import NamedTuple

from fujie.engine.executor import HEAD, Head
from fujie.engine.feed import Rows
from fujie.engine.link.messages import LinkError
from fujie.engine.one_back import one_back_in
from fujie.engine.proving import Proven
from fujie.engine.stored_block import light_block_at
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.named import is_signed
from fujie.reader.view import Layer, View
from fujie.store.following import Moment
from fujie.store.layout import META_HEAD, Table


class NewBlock(NamedTuple):
    """A block as it arrives from the ledger; ``signed`` as of ``engine.feed.PublishedBlock``."""

    head: Head
    light_block: bytes
    signed: bool
    tables: dict[Table, Rows]


class Picture(NamedTuple):
    """What is known after a block, or after a newer moment was taken; one object, exchanged whole."""

    head: Head  # after the newest block
    proven: Proven  # the newest header, and the head whose app hash it carries
    newest: View  # with all blocks
    settled: View  # as of ``proven``
    changes: (
        Sequence[dict[Table, Rows]] | None
    )  # what was settled since the picture before; None: everything may differ


def head_of(moment: Moment) -> Head:
    """Return the head of the block that ``moment`` is as of."""
    data = moment.get(Table.META, META_HEAD)
    assert data is not None, "a chain has a head"
    return HEAD.decode_trusted(data)


def proof_of(moment: Moment, head: Head, newest: bytes) -> bytes | None:
    """Return a signed light block whose header carries the app hash of ``head``; None while there is none.

    That of the newest block does when the block was empty, as the one is that the ledger makes after every other.
    """
    if decode_light_block(newest).header.app_hash == head.app_hash:
        return newest
    found = _newest_signed(moment, head)
    return encode_light_block(found) if found is not None and found.header.app_hash == head.app_hash else None


def _newest_signed(moment: Moment, head: Head) -> LightBlock | None:
    """Return the newest block of a moment, if it proves something: a later one may name it instead (``proof.named``)."""
    found = light_block_at(moment.get, head.height) if head.height else None
    return found if found is not None and is_signed(found.header.chain_id, found) else None


def first_picture(moment: Moment, newest: bytes) -> Picture | None:
    """Return what is known from a moment alone: its state, or the one before its newest block; None while neither is proven.

    ``newest`` is the newest light block that the ledger shows.
    """
    head, view = head_of(moment), View(moment)
    light_block = proof_of(moment, head, newest)
    if light_block is not None:
        return Picture(head, Proven(light_block, head), view, view, None)
    kept, found = one_back_in(moment.get, head.height), _newest_signed(moment, head)
    if kept is None or found is None:
        return None
    before = HEAD.decode_trusted(kept.head)
    if found.header.app_hash != before.app_hash:
        return None
    replaced = kept.tables()
    settled = view.with_layer(Layer(head.height - 1, replaced))
    again = {table: {key: moment.get(table, key) for key in rows} for table, rows in replaced.items()}
    proven = Proven(encode_light_block(found), before)
    return Picture(head, proven, settled.with_layer(Layer(head.height, again)), settled, None)


def settled_height(picture: Picture) -> int:
    """Return the height of the newest block that a header proves."""
    return picture.head.height if picture.newest is picture.settled else picture.head.height - 1


def later(before: Picture, blocks: Sequence[NewBlock]) -> Picture:
    """Return what is known after ``blocks``, of which the last one is signed and, of those before it, none.

    Raises as :func:`require_next`.
    """
    head, settled = before.head, before.newest.compacted()
    changes = [before.newest.layers[-1].tables] if before.newest is not before.settled else []
    for named in blocks[:-1]:
        require_next(head, named.head, named.light_block)
        head, settled = named.head, settled.with_layer(Layer(named.head.height, named.tables)).compacted()
        changes.append(named.tables)
    newest = blocks[-1]
    require_next(head, newest.head, newest.light_block)
    view = settled.with_layer(Layer(newest.head.height, newest.tables))
    if newest.head.app_hash == head.app_hash:  # an empty block: it changes nothing that a header must prove
        changes.append(newest.tables)
        settled = view = view.compacted()
    return Picture(newest.head, Proven(newest.light_block, head), view, settled, changes)


def require_next(before: Head, head: Head, light_block: bytes) -> None:
    """Raise :class:`LinkError` unless the block of ``head`` follows ``before``: its header carries that app hash."""
    if head.height != before.height + 1:
        raise LinkError(f"Block {head.height} came after {before.height}.", "What lies between is read from the store.")
    if decode_light_block(light_block).header.app_hash != before.app_hash:
        raise LinkError(f"The header of block {head.height} proves another state.", "Run `fujie check`.")
