"""What the BLOCKS table keeps of a block."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError
from fujie.core.units import Count, Digest
from fujie.proof.block_evidence import decode_evidence_list, encode_evidence_list
from fujie.proof.header import EMPTY_EVIDENCE_HASH, Header, decode_header, encode_header
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.validators import decode_validator_set, encode_validator_set
from fujie.proof.vote import Commit, decode_commit, encode_commit
from fujie.store.base import WriteBatch
from fujie.store.layout import META_CHANGE, META_NAMING, META_PIVOT, META_PROMISED, Table, number_key


class StoredBlock(Record, tag=1):
    """A row of the BLOCKS table; the transactions stand in the log from ``first_index`` on."""

    header: bytes
    commit: bytes
    results_hash: Digest
    first_index: Count
    transactions: Count


class Naming(Record, tag=1):
    """A row of a mirror: the light blocks after the promised one, where that is not signed; the last is, and names all before it."""

    blocks: tuple[bytes, ...]


STORED_BLOCK: Final[Codec[StoredBlock]] = Codec(StoredBlock)
_NAMING: Final[Codec[Naming]] = Codec(Naming)

Get = Callable[[Table, bytes], bytes | None]


class BlockAt(NamedTuple):
    """Header and commit of a block, the row that they were read from, and the evidence of misbehaviour in it."""

    header: Header
    commit: Commit
    stored: StoredBlock
    evidence: tuple[bytes, ...] = ()


def put_block(
    batch: WriteBatch,
    block: LightBlock,
    *,
    results_hash: bytes,
    first_index: int,
    transactions: int,
    evidence: Sequence[bytes] = (),
) -> None:
    """Put the rows of a block into ``batch``: its own, the validators that signed it, and the evidence in it."""
    header = block.header
    stored = StoredBlock(encode_header(header), encode_commit(block.commit), results_hash, first_index, transactions)
    batch.put(Table.BLOCKS, number_key(header.height), encode(stored))
    batch.put(Table.VALIDATORS, header.validators_hash, encode_validator_set(block.validators))
    note_pivot(batch, header)
    if evidence:
        batch.put(Table.EVIDENCE, number_key(header.height), encode_evidence_list(evidence))


def note_pivot(batch: WriteBatch, header: Header) -> None:
    """Put into the batch of a block that it is the last of its validators, where its header announces others."""
    if header.next_validators_hash != header.validators_hash:
        batch.put(Table.META, META_PIVOT + header.validators_hash, number_key(header.height))


def put_change(batch: WriteBatch, block: LightBlock) -> None:
    """Put a light block from before the first block of the store into ``batch``, one of those at which validators changed."""
    batch.put(Table.META, META_CHANGE + number_key(block.header.height), encode_light_block(block))
    note_pivot(batch, block.header)


def put_promise(batch: WriteBatch, blocks: Sequence[LightBlock]) -> None:
    """Put what proves the head of a mirror into ``batch``: the block after it, and those up to one that is signed and names it.

    Without ``blocks`` what stands there is removed: the head proves itself.
    """
    if not blocks:
        batch.delete(Table.META, META_PROMISED)
    else:
        batch.put(Table.META, META_PROMISED, encode_light_block(blocks[0]))
    if len(blocks) < 2:
        batch.delete(Table.META, META_NAMING)
    else:
        batch.put(Table.META, META_NAMING, encode(Naming(tuple(map(encode_light_block, blocks[1:])))))


def promise_in(get: Get) -> list[LightBlock]:
    """Return what :func:`put_promise` put into a store, by ``get`` of it. Raises ``DecodeError``."""
    promised, naming = get(Table.META, META_PROMISED), get(Table.META, META_NAMING)
    if promised is None:
        return []
    return [decode_light_block(data) for data in (promised, *(_NAMING.decode(naming).blocks if naming else ()))]


def pivot_in(get: Get, validators_hash: bytes) -> int | None:
    """Return the height of the newest block that is the last of these validators before others, or None."""
    data = get(Table.META, META_PIVOT + validators_hash)
    return None if data is None else int.from_bytes(data, "big")


def block_at(get: Get, height: int) -> BlockAt | None:
    """Return the block at ``height``, by ``get`` of a store; None where the store has none."""
    data = get(Table.BLOCKS, number_key(height))
    if data is None:
        return None
    stored = STORED_BLOCK.decode_trusted(data)
    header = decode_header(stored.header)
    evidence = None if header.evidence_hash == EMPTY_EVIDENCE_HASH else get(Table.EVIDENCE, number_key(height))
    items = () if evidence is None else decode_evidence_list(evidence)
    return BlockAt(header, decode_commit(stored.commit), stored, items)


def light_block_at(get: Get, height: int) -> LightBlock | None:
    """Return the block at ``height`` with the validators that signed it; None where the store has none.

    Of heights before the first block, it has those at which validators changed, and these as light blocks alone. Raises
    :class:`OperationalError` when the store has the block and not its validators.
    """
    found = block_at(get, height)
    if found is None:
        change = get(Table.META, META_CHANGE + number_key(height))
        return None if change is None else decode_light_block(change)
    validators = get(Table.VALIDATORS, found.header.validators_hash)
    if validators is None:
        raise OperationalError(
            f"The validators of block {height} are missing in the store.", "Run `fujie check`, and restore a snapshot."
        )
    return LightBlock(found.header, found.commit, decode_validator_set(validators))
