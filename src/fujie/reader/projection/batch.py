"""One batch of the log, read from the ledger and decoded: whole blocks, in order."""

from typing import Any, Final, NamedTuple

from fujie.core.errors import OperationalError
from fujie.core.transaction import SIGNED_TRANSACTION, Receipt, Transaction
from fujie.engine.executor import LOG_ENTRY
from fujie.engine.stored_block import STORED_BLOCK
from fujie.modules.catalog import RECEIPT, TRANSACTION
from fujie.proof.header import NANOSECONDS_PER_MS, decode_header
from fujie.proof.vote import decode_commit
from fujie.reader.projection.source import Source
from fujie.store.layout import Table, number_key

BLOCKS_MAX: Final = 512  # in one batch: empty blocks cost little, and a commit a few times a second is wanted
ENTRIES_AT_ONCE: Final = 1_000  # asked of the source


class Block(NamedTuple):
    """A row of the table of blocks."""

    height: int
    time_ms: int
    transactions: int
    first_index: int
    app_hash: bytes
    block_hash: bytes
    proposer: bytes


class Entry(NamedTuple):
    """A log entry, decoded."""

    place: int
    height: int
    body: Transaction[Any]
    receipt: Receipt[Any]


class Batch(NamedTuple):
    """Blocks and the log entries in them. ``height`` is that of the last block, ``end`` the log size behind it."""

    height: int
    time_ms: int
    end: int
    blocks: list[Block]
    entries: list[Entry]


def next_batch(source: Source, height: int, log_size: int, transactions_max: int) -> Batch | None:
    """Return what follows block ``height`` and log entry ``log_size - 1``; None where nothing does.

    A batch holds whole blocks, of about ``transactions_max`` transactions. Raises :class:`OperationalError` for a ledger
    that lacks what lies below its head.
    """
    head = source.head
    rows = source.rows(Table.BLOCKS, number_key(height + 1), number_key(head.height + 1), BLOCKS_MAX)
    blocks: list[Block] = []
    end = log_size
    for key, data in rows:
        block = _block(int.from_bytes(key, "big"), data)
        if block.first_index > end:
            return _without_blocks(source, height, log_size, min(block.first_index, log_size + transactions_max))
        if blocks and end - log_size + block.transactions > transactions_max:
            break
        blocks.append(block)
        end = block.first_index + block.transactions
    if blocks:
        newest = blocks[-1]
        return Batch(newest.height, newest.time_ms, end, blocks, _entries(source, log_size, end))
    if head.log_size > log_size:
        return _without_blocks(source, height, log_size, min(head.log_size, log_size + transactions_max))
    return None


def block_hash_at(source: Source, height: int) -> bytes | None:
    """Return the hash of a block, or None where the ledger has none at this height."""
    data = source.get(Table.BLOCKS, number_key(height))
    return None if data is None else _block(height, data).block_hash


def _block(height: int, data: bytes) -> Block:
    stored = STORED_BLOCK.decode_trusted(data)
    header = decode_header(stored.header)
    block_id = decode_commit(stored.commit).block_id
    time_ms = header.time_ns // NANOSECONDS_PER_MS
    return Block(
        height,
        time_ms,
        stored.transactions,
        stored.first_index,
        header.app_hash,
        block_id.hash,
        header.proposer_address,
    )


def _entries(source: Source, first: int, end: int) -> list[Entry]:
    """Return the log entries ``first <= index < end``."""
    entries: list[Entry] = []
    while first < end:
        until = min(end, first + ENTRIES_AT_ONCE)
        rows = source.rows(Table.LOG_ENTRIES, number_key(first), number_key(until), until - first)
        if len(rows) != until - first:
            raise OperationalError(
                f"The ledger lacks log entries between {first} and {until}.",
                "Run `fujie check`, and restore a snapshot.",
            )
        for index, (_, data) in enumerate(rows, first):
            entry = LOG_ENTRY.decode_trusted(data)
            body = TRANSACTION.decode_trusted(SIGNED_TRANSACTION.decode_trusted(entry.transaction).body)
            entries.append(Entry(index, entry.height, body, RECEIPT.decode_trusted(entry.receipt)))
        first = until
    return entries


def _without_blocks(source: Source, height: int, first: int, end: int) -> Batch:
    """Return entries whose blocks the ledger does not keep: those that came with a snapshot.

    What is known of such a block follows from its receipts.
    """
    entries = _entries(source, first, end)
    blocks: dict[int, Block] = {}
    for entry in entries:
        earlier = blocks.get(entry.height)
        blocks[entry.height] = (
            Block(entry.height, entry.receipt.time_ms, 1, entry.place, b"", b"", b"")
            if earlier is None
            else earlier._replace(transactions=earlier.transactions + 1)
        )
    newest = blocks[entries[-1].height]
    return Batch(max(height, newest.height), newest.time_ms, end, list(blocks.values()), entries)
