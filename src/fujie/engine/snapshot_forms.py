"""What the store cannot know of a snapshot by itself: log entries, the genesis, what must be remembered, the head.

Shared by files of `fujie snapshot` and by state sync between nodes (``engine.cometbft.snapshots``).
"""

from typing import Final

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.executor import FOLDER_FORMAT, LOG_ENTRY, Head, log_commitment, log_salt, longest_window_ms
from fujie.engine.stored_block import put_block
from fujie.machine import genesis as genesis_form
from fujie.modules.catalog import RECEIPT, TRANSACTION
from fujie.modules.membership.records import Parameters
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.proof.light_block import LightBlock
from fujie.store.base import ReadOnlyStore, WriteBatch
from fujie.store.layout import META_FORMAT, META_HEAD, Table, number_key
from fujie.store.snapshot import Entry, Forms, HeadRow
from fujie.store.state_tree import unpack_leaf


def first_remembered(store: ReadOnlyStore, head: Head) -> int:
    """Return the index of the newest entry whose id may be forgotten; the executor looks back until it meets that one.

    Raises :class:`OperationalError` where the store lacks what every chain has.
    """
    row = store.get(Table.STATE, PARAMETERS_KEY.hash)
    if row is None:
        raise OperationalError("The chain has no parameters.", "Run `fujie check`.")
    parameters: Parameters = PARAMETERS_KEY.codec.decode(unpack_leaf(row)[2])
    window_ms = longest_window_ms(parameters, head.time_ms, lambda version: store.get(Table.VERSIONS, version))
    for index in range(head.log_size - 1, -1, -1):
        entry = store.get(Table.LOG_ENTRIES, number_key(index))
        if entry is None:
            raise OperationalError(f"Log entry {index} is missing.", "Run `fujie check`.")
        receipt = RECEIPT.decode(LOG_ENTRY.decode(entry).receipt)
        if receipt.time_ms + window_ms <= head.time_ms:
            return index
    return 0


def head_rows(head: Head, block: LightBlock, results_hash: bytes, transactions: int) -> list[HeadRow]:
    """Return the rows of the newest block of a loaded chain, whose last ``transactions`` log entries it has, and of its head."""
    batch = WriteBatch()
    first_index = head.log_size - transactions
    put_block(batch, block, results_hash=results_hash, first_index=first_index, transactions=transactions)
    batch.put(Table.META, META_FORMAT, FOLDER_FORMAT)
    batch.put(Table.META, META_HEAD, encode(head))
    return [(table, key, value or b"") for table, rows in batch.tables.items() for key, value in rows.items()]


def _chain_id(genesis: bytes) -> str:
    return genesis_form.chain_id(genesis_form.load(genesis))


def _entry(data: bytes) -> Entry:
    entry = LOG_ENTRY.decode(data)
    body = SIGNED_TRANSACTION.decode(entry.transaction).body
    identifier = transaction_id(body)
    salt = log_salt(TRANSACTION.decode(body).nonce, identifier)
    receipt = RECEIPT.decode(entry.receipt)
    return Entry(identifier, log_commitment(salt, identifier, entry.receipt), receipt.authorised)


FORMS: Final = Forms(_chain_id, _entry)
