"""Every table of a data folder in one place: what its keys and values are, and who writes them.

All integers in keys are 8 bytes, big endian, so that key order is number order.
"""

from enum import Enum
from typing import Final


class Table(Enum):
    """A table; the value is (SQL name, one-byte RocksDB prefix). Prefixes are permanent."""

    META = ("meta", b"m")  # name -> bytes: format, chain description, head (written with every block)
    GENESIS = ("genesis", b"g")  # b"genesis" -> canonical genesis
    STATE = ("state", b"s")  # key hash (32) -> StoredLeaf: path, salt, record (store.state_tree writes it)
    BUCKETS = ("buckets", b"b")  # bucket number (4 bytes, big endian) -> bucket digest (32)
    VERSIONS = ("versions", b"v")  # digest of an old version (32) -> its record; content-addressed, never deleted
    BLOCKS = ("blocks", b"k")  # height -> StoredBlock: header, commit, first log index, transaction count
    EVIDENCE = (
        "evidence",
        b"y",
    )  # height -> evidence of misbehaviour in a block that has some, in CometBFT's protobuf form
    VALIDATORS = ("validators", b"w")  # validator set hash (32) -> validator set in CometBFT's protobuf form
    LOG_TILES = ("log_tiles", b"t")  # level (1) || tile number (8) -> up to 256 digests of 32 bytes, joined
    LOG_ENTRIES = ("log_entries", b"e")  # log index -> LogEntry: height, transaction, receipt
    TRANSACTION_INDEX = ("transaction_index", b"i")  # transaction id (32) -> log index (8)

    def __init__(self, sql_name: str, prefix: bytes) -> None:
        self.sql_name = sql_name
        self.prefix = prefix


META_FORMAT: Final = b"format"  # format number of the folder, as decimal text
META_HEAD: Final = b"head"  # canonical Head (engine.executor): height, time, app hash, roots, log size
META_PROMISED: Final = b"promised"  # of a mirror: the light block after the head, while that one alone proves the head
META_NAMING: Final = (
    b"naming"  # of a mirror: those after it up to one that is signed, where it is not (engine.stored_block)
)
META_PIVOT: Final = (
    b"pivot/"  # then a validator set hash -> height of the last block of these validators, before others'
)
META_CHANGE: Final = (
    b"change/"  # then a height -> light block from before the first block in the store, where validators changed
)
META_ONE_BACK: Final = b"one-back"  # what the newest block replaced, where no header proves it (engine.one_back)
META_HANDED_OVER: Final = b"handed-over"  # the height of the last block of the embedded engine, where another goes on


def number_key(number: int) -> bytes:
    """Return the 8-byte key of a height or log index."""
    return number.to_bytes(8, "big")
