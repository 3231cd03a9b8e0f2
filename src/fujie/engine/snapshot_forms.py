"""What the store cannot know of a snapshot by itself: log entries, the genesis, what must be remembered, the head.

Shared by files of `fujie snapshot` and by state sync between nodes (``engine.cometbft.snapshots``).
"""

from collections.abc import Sequence
from typing import Final

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, OperationalError, VerificationError
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.core.versions import Standing
from fujie.core.wording import span
from fujie.engine.executor import FOLDER_FORMAT, LOG_ENTRY, Head, log_commitment, log_salt, longest_window_ms
from fujie.engine.snapshot_signatures import SignatureCheck
from fujie.engine.stored_block import put_block, put_change
from fujie.machine import genesis as genesis_form
from fujie.modules.catalog import RECEIPT, TRANSACTION, codec_of
from fujie.modules.membership.records import Parameters
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.proof.light_block import LightBlock
from fujie.store.base import ReadOnlyStore, WriteBatch
from fujie.store.layout import META_FORMAT, META_HEAD, Table, number_key
from fujie.store.snapshot import META_ORIGIN, HeadRow, read_origin
from fujie.store.snapshot_forms import Entry, Forms
from fujie.store.state_tree import unpack_leaf


def first_remembered(store: ReadOnlyStore, head: Head) -> int:
    """Return the index of the newest entry whose id may be forgotten; the executor looks back until it meets that one.

    Raises :class:`OperationalError` where the store lacks what every chain has, or began with a snapshot from when less had to
    be remembered than now.
    """
    window_ms = _window_ms(store, head.time_ms)
    for index in range(head.log_size - 1, -1, -1):
        entry = store.get(Table.LOG_ENTRIES, number_key(index))
        if entry is None:
            raise _missing(store, index, window_ms, head)
        if _time_ms(entry) + window_ms <= head.time_ms:
            return index
    return 0


def _missing(store: ReadOnlyStore, index: int, window_ms: int, head: Head) -> OperationalError:
    """Return what is said where the entry at ``index`` would have to be remembered, and is not there."""
    origin = store.get(Table.META, META_ORIGIN)
    oldest = store.get(Table.LOG_ENTRIES, number_key(index + 1))
    if origin is None or oldest is None or read_origin(origin).first_index != index + 1:
        return OperationalError(f"Log entry {index} is missing.", "Run `fujie check`.")
    wait_ms = _time_ms(oldest) + window_ms - head.time_ms
    return OperationalError(
        f"This folder was loaded with the log entries from {index + 1:,} on, and by a vote since then nodes must remember older "
        "ones: whoever loaded its snapshot could carry a transaction out a second time.",
        f"Take the snapshot on a node that has them. This one can give one in {span(max(wait_ms, 0))}.",
    )


def head_rows(head: Head, block: LightBlock, results_hash: bytes, transactions: int) -> list[HeadRow]:
    """Return the rows of the newest block of a loaded chain, whose last ``transactions`` log entries it has, and of its head."""
    batch = WriteBatch()
    first_index = head.log_size - transactions
    put_block(batch, block, results_hash=results_hash, first_index=first_index, transactions=transactions)
    batch.put(Table.META, META_FORMAT, FOLDER_FORMAT)
    batch.put(Table.META, META_HEAD, encode(head))
    return _puts(batch)


def change_rows(blocks: Sequence[LightBlock]) -> list[HeadRow]:
    """Return the rows of light blocks from before the newest block of a loaded chain, at which validators changed; they ascend."""
    batch = WriteBatch()
    for block in blocks:
        put_change(batch, block)
    return _puts(batch)


def _puts(batch: WriteBatch) -> list[HeadRow]:
    return [(table, key, value or b"") for table, rows in batch.tables.items() for key, value in rows.items()]


def _window_ms(store: ReadOnlyStore, time_ms: int) -> int:
    row = store.get(Table.STATE, PARAMETERS_KEY.hash)
    if row is None:
        raise OperationalError("The chain has no parameters.", "Run `fujie check`.")
    parameters: Parameters = PARAMETERS_KEY.codec.decode(unpack_leaf(row)[2])
    return longest_window_ms(parameters, time_ms, lambda version: store.get(Table.VERSIONS, version))


def _time_ms(entry: bytes) -> int:
    return RECEIPT.decode(LOG_ENTRY.decode(entry).receipt).time_ms


def _chain_id(genesis: bytes) -> str:
    return genesis_form.chain_id(genesis_form.load(genesis))


def _entry(data: bytes) -> Entry:
    entry = LOG_ENTRY.decode(data)
    signed = SIGNED_TRANSACTION.decode(entry.transaction)
    identifier = transaction_id(signed.body)
    body = TRANSACTION.decode(signed.body)
    receipt = RECEIPT.decode(entry.receipt)
    if entry.height != receipt.height:
        raise VerificationError(
            "snapshot-log", f"a log entry of block {receipt.height} is put down as one of block {entry.height}"
        )
    commitment = log_commitment(log_salt(body.nonce, identifier), identifier, entry.receipt)
    return Entry(identifier, commitment, receipt.authorised, entry.transaction)


def _previous(path: bytes, record: bytes) -> bytes:
    try:
        codec = codec_of(path.decode("ascii"))
    except UnicodeDecodeError:
        raise DecodeError("the path of a record is not ASCII") from None
    standing = getattr(codec.decode(record), "standing", None)
    return standing.previous if isinstance(standing, Standing) else b""


def _forgotten(store: ReadOnlyStore, time_ms: int, entry: bytes) -> bool:
    return _time_ms(entry) + _window_ms(store, time_ms) <= time_ms


FORMS: Final = Forms(_chain_id, _entry, SignatureCheck, _previous, _forgotten)
