"""What the BLOCKS table keeps of a block."""

from collections.abc import Callable
from typing import Final, NamedTuple

from fujie.core.encoding import Codec, Record
from fujie.core.errors import OperationalError
from fujie.core.units import Count, Digest
from fujie.proof.header import Header, decode_header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import decode_validator_set
from fujie.proof.vote import Commit, decode_commit
from fujie.store.layout import Table, number_key


class StoredBlock(Record, tag=1):
    """A row of the BLOCKS table; the transactions stand in the log from ``first_index`` on."""

    header: bytes
    commit: bytes
    results_hash: Digest
    first_index: Count
    transactions: Count


STORED_BLOCK: Final[Codec[StoredBlock]] = Codec(StoredBlock)

Get = Callable[[Table, bytes], bytes | None]


class BlockAt(NamedTuple):
    """Header and commit of a block, and the row that they were read from."""

    header: Header
    commit: Commit
    stored: StoredBlock


def block_at(get: Get, height: int) -> BlockAt | None:
    """Return the block at ``height``, by ``get`` of a store; None where the store has none."""
    data = get(Table.BLOCKS, number_key(height))
    if data is None:
        return None
    stored = STORED_BLOCK.decode_trusted(data)
    return BlockAt(decode_header(stored.header), decode_commit(stored.commit), stored)


def light_block_at(get: Get, height: int) -> LightBlock | None:
    """Return the block at ``height`` with the validators that signed it; None where the store has none.

    Raises :class:`OperationalError` when the store has the block and not its validators.
    """
    found = block_at(get, height)
    if found is None:
        return None
    validators = get(Table.VALIDATORS, found.header.validators_hash)
    if validators is None:
        raise OperationalError(
            f"The validators of block {height} are missing in the store.", "Run `fujie check`, and restore a snapshot."
        )
    return LightBlock(found.header, found.commit, decode_validator_set(validators))
