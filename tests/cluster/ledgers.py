"""What stands in the data folders of a cluster, read beside the nodes that write there, and compared."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from fujie.core.state import Key
from fujie.core.transaction import Receipt
from fujie.engine.executor import HEAD, LOG_ENTRY, Head
from fujie.engine.stored_block import STORED_BLOCK
from fujie.modules.catalog import RECEIPT
from fujie.node.folder import Folder
from fujie.proof.header import decode_header, header_hash
from fujie.store.following import Moment, Moments
from fujie.store.layout import META_HEAD, Table
from fujie.store.opening import StoreKind
from fujie.store.state_tree import unpack_leaf


class Kept(Protocol):
    """A data folder and what kind of store is in it."""

    name: str
    folder: Folder
    store: StoreKind


class Block(NamedTuple):
    """What is compared of a block."""

    header_hash: bytes
    app_hash: bytes  # of the state before it
    validators_hash: bytes
    time_ms: int
    transactions: int


class Ledger(NamedTuple):
    """A node's blocks by height, and its log by index: transaction and receipt, as bytes."""

    name: str
    head: Head
    blocks: dict[int, Block]
    entries: dict[int, tuple[bytes, bytes]]
    places: dict[bytes, int]  # transaction id → log index

    def receipts(self) -> list[Receipt[Any]]:
        """Return all receipts, in the order of the log."""
        return [RECEIPT.decode(receipt) for _, (_, receipt) in sorted(self.entries.items())]


def read(node: Kept) -> Ledger:
    """Return what stands in the folder of a node now."""
    with _newest(node) as moment:
        blocks = {}
        for key, data in moment.scan(Table.BLOCKS):
            stored = STORED_BLOCK.decode(data)
            header = decode_header(stored.header)
            blocks[int.from_bytes(key, "big")] = Block(
                header_hash(header), header.app_hash, header.validators_hash, header.time_ms, stored.transactions
            )
        entries = {}
        for key, data in moment.scan(Table.LOG_ENTRIES):
            entry = LOG_ENTRY.decode(data)
            entries[int.from_bytes(key, "big")] = (entry.transaction, entry.receipt)
        places = {key: int.from_bytes(data, "big") for key, data in moment.scan(Table.TRANSACTION_INDEX)}
        head = HEAD.decode(moment.get(Table.META, META_HEAD) or b"")
    return Ledger(node.name, head, blocks, entries, places)


def records(node: Kept, keys: Sequence[Key[Any]]) -> list[Any]:
    """Return the records that stand at ``keys``, all as of one moment."""
    with _newest(node) as moment:
        stored = [moment.get(Table.STATE, key.hash) or b"" for key in keys]
    return [key.codec.decode(unpack_leaf(leaf)[2]) for key, leaf in zip(keys, stored, strict=True)]


@contextmanager
def _newest(node: Kept) -> Iterator[Moment]:
    with tempfile.TemporaryDirectory(prefix="cluster-") as place:
        moments = Moments(node.store, node.folder.chain, Path(place))
        try:
            moment = moments.newest()
            yield moment
            moment.close()
        finally:
            moments.close()


def compare(nodes: Sequence[Kept]) -> list[Ledger]:
    """Require that no two nodes differ in a block, a receipt or a place in the log that both have; return the ledgers."""
    ledgers = [read(node) for node in nodes]
    blocks: dict[int, Block] = {}
    entries: dict[int, tuple[bytes, bytes]] = {}
    places: dict[bytes, int] = {}
    heads: dict[int, Head] = {}
    for ledger in ledgers:
        for height, block in ledger.blocks.items():
            assert blocks.setdefault(height, block) == block, f"{ledger.name} has another block {height}"
        for index, entry in ledger.entries.items():
            assert entries.setdefault(index, entry) == entry, f"{ledger.name} has another entry {index} in its log"
        for identifier, index in ledger.places.items():
            assert places.setdefault(identifier, index) == index, f"{ledger.name} finds {identifier.hex()} elsewhere"
        head = ledger.head
        assert heads.setdefault(head.height, head) == head, f"{ledger.name} has another state after block {head.height}"
    for height, head in heads.items():
        after = blocks.get(height + 1)
        assert after is None or head.app_hash == after.app_hash, (
            f"the state after block {height} is not what was signed"
        )
    return ledgers
