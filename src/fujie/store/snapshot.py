"""Snapshots: a chain as it stands at one block, in one file (docs/spec/08-files.md, "Snapshot").

A file is ``MAGIC`` and frames, each ``length (4, big endian) || digest (32, TAG_SNAPSHOT) || payload``. The first payload
is a :class:`Manifest`, the last an :class:`End` that counts the rows, and between them stand :class:`Rows`: the genesis,
every leaf of the state by key hash, every old version, the newest log entries (those whose ids a node must remember) and
the tiles that lead from them to the log root.

Nothing in a file is believed because it is there: leaves must hash to the state root, entries and tiles to the log root,
both to the app hash of a header that the validators of a trust root signed. What belongs to a chain but not to its
state (older blocks and log entries) is left behind, and :data:`META_ORIGIN` says so in the folder that was loaded.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

from msgspec import Meta

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_SNAPSHOT, app_hash, digest, version_digest
from fujie.core.transaction import ChainId
from fujie.core.units import Count, Digest, Height
from fujie.proof.commit import verify_commit
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.merkle_log import leaf_hash
from fujie.proof.merkle_state import key_hash, value_digest
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import Table, number_key
from fujie.store.reading import ReadOnlyStore
from fujie.store.rebuild import LogTiles, StateFold
from fujie.store.state_tree import unpack_leaf

MAGIC: Final = b"fujie-snapshot-1\n"
META_ORIGIN: Final = b"origin"  # canonical Origin: only in a folder that was loaded from a snapshot
CHUNK_BYTES: Final = 1_048_576  # rows gathered into one frame: large enough to compress well, small enough to hold
FRAME_BYTES_MAX: Final = 16 * CHUNK_BYTES  # one row may be large: a genesis with thousands of members
LENGTH_BYTES: Final = 4


class Origin(Record, tag=1):
    """Where a loaded folder begins: the block of the snapshot, and the first log entry that came with it."""

    height: Height
    first_index: Count


class Manifest(Record, tag=1):
    """What the snapshot is of. The header in ``light_block`` carries the app hash of the roots."""

    chain_id: ChainId
    light_block: bytes
    state_root: Digest
    log_root: Digest
    log_size: Count
    first_index: Count


class Rows(Record, tag=2):
    """Rows of one table, by its permanent prefix, keys ascending."""

    prefix: Annotated[bytes, Meta(min_length=1, max_length=1)]
    rows: tuple[tuple[bytes, bytes], ...]


class End(Record, tag=3):
    """The end of the file: how many rows stand before it."""

    rows: Count


_FRAME: Final[Codec[Manifest | Rows | End]] = Codec(Manifest | Rows | End)
_ORIGIN: Final[Codec[Origin]] = Codec(Origin)
_ORDER: Final = (Table.GENESIS, Table.STATE, Table.VERSIONS, Table.LOG_TILES, Table.LOG_ENTRIES)
_TABLES: Final = {table.prefix: (place, table) for place, table in enumerate(_ORDER)}


class Entry(NamedTuple):
    """A log entry as the layers above read it."""

    transaction_id: bytes
    commitment: bytes
    authorised: bool


class Forms(NamedTuple):
    """What a store cannot know by itself and is told by whoever loads.

    ``chain_id`` of the bytes of a genesis; the :class:`Entry` in the bytes of a log entry (both raise
    :class:`VerificationError`); ``head`` gives the rows that make the loaded tables a chain.
    """

    chain_id: Callable[[bytes], str]
    entry: Callable[[bytes], Entry]
    head: Callable[[Manifest, LightBlock], list[tuple[Table, bytes, bytes]]]


def read_origin(data: bytes) -> Origin:
    """Return where a loaded folder begins. Raises ``DecodeError``."""
    return _ORIGIN.decode(data)


def save(store: ReadOnlyStore, manifest: Manifest, path: Path) -> int:
    """Write a snapshot of ``store``, which stands where ``manifest`` says, to ``path``; return how many rows it has.

    The file is whole and durable when this returns; until then it has another name, and an interruption leaves nothing.
    Raises :class:`OperationalError`, also when ``path`` is taken.
    """
    rows = 0

    def frames() -> Iterator[bytes]:
        nonlocal rows
        yield MAGIC
        yield _frame(encode(manifest))
        for chunk in _chunks(store, manifest):
            rows += len(chunk.rows)
            yield _frame(encode(chunk))
        yield _frame(encode(End(rows)))

    _write_whole(path, frames())
    return rows


def load(path: Path, trust: TrustRoot, store: Store, forms: Forms) -> Manifest:
    """Load the snapshot at ``path`` into ``store``, which is empty, and return its manifest.

    The rows that make it a chain are written last, so an interrupted load leaves none. Raises
    :class:`OperationalError` for a file that does not read, and :class:`VerificationError` with one of the steps
    ``snapshot-form``, ``snapshot-frame`` (bytes were changed or cut off), those of ``proof.commit``, ``chain-id``,
    ``validators``, ``app-hash``, ``snapshot-state``, ``snapshot-version``, ``snapshot-log``, ``snapshot-genesis``.
    """
    try:
        with path.open("rb") as file:
            return _Loading(file, trust, store, forms).run()
    except OSError as error:
        raise OperationalError(f"{path} does not read: {error.strerror}.", "Check the path and its rights.") from error


class _Loading:
    """One file on its way into a store."""

    def __init__(self, file: BinaryIO, trust: TrustRoot, store: Store, forms: Forms) -> None:
        self._file = file
        self._trust = trust
        self._store = store
        self._forms = forms
        self._fold = StateFold(trust.state_tree_depth)
        self._before = (-1, b"")  # place of the table, and key, of the row before
        self._index: dict[bytes, bytes] = {}  # transaction id → log index
        self._nodes: list[bytes] = []  # of the entries, from first_index on
        self._genesis = False
        self._next_entry = 0

    def run(self) -> Manifest:
        if self._file.read(len(MAGIC)) != MAGIC:
            raise VerificationError(
                "snapshot-form", "it is no snapshot, or of a format that this version does not know"
            )
        manifest = self._next()
        if not isinstance(manifest, Manifest):
            raise VerificationError("snapshot-form", "it does not begin with its manifest")
        block = self._check_manifest(manifest)
        self._next_entry = manifest.first_index
        rows = 0
        while isinstance(frame := self._next(), Rows):
            rows += len(frame.rows)
            self._take(frame)
        if not isinstance(frame, End) or frame.rows != rows or self._file.read(1):
            raise VerificationError("snapshot-form", "it does not end where its last frame says")
        self._check_roots(manifest)
        self._finish(manifest, block)
        return manifest

    def _next(self) -> Manifest | Rows | End:
        head = self._file.read(LENGTH_BYTES + DIGEST_BYTES)
        length = int.from_bytes(head[:LENGTH_BYTES], "big")
        payload = self._file.read(length) if length <= FRAME_BYTES_MAX else b""
        whole = len(head) == LENGTH_BYTES + DIGEST_BYTES and len(payload) == length
        if not whole or digest(TAG_SNAPSHOT, payload) != head[LENGTH_BYTES:]:
            raise VerificationError("snapshot-frame", "a part of the file was changed or is missing")
        return _FRAME.decode(payload)

    def _check_manifest(self, manifest: Manifest) -> LightBlock:
        """Check the signed header, and that it stands for the roots."""
        trust = self._trust
        block = decode_light_block(manifest.light_block)
        if manifest.chain_id != trust.chain_id or block.header.chain_id != trust.chain_id:
            raise VerificationError("chain-id", f"it is of {manifest.chain_id!r}, the trust root of {trust.chain_id!r}")
        if validator_set_hash(block.validators).hex() != trust.validators_hash:
            raise VerificationError("validators", "other validators signed it than those of the trust root")
        verify_commit(trust.chain_id, block.validators, block.header, block.commit)
        if app_hash(manifest.state_root, manifest.log_root, manifest.log_size) != block.header.app_hash:
            raise VerificationError("app-hash", "its roots are not those that the header commits to")
        if manifest.first_index > manifest.log_size:
            raise VerificationError("snapshot-log", "its first log entry lies beyond the log")
        return block

    def _take(self, frame: Rows) -> None:
        if frame.prefix not in _TABLES:
            raise VerificationError("snapshot-form", f"it has rows of an unknown table {frame.prefix!r}")
        place, table = _TABLES[frame.prefix]
        batch = WriteBatch()
        for key, value in frame.rows:
            # Over all of the file: a leaf out of turn would be stored, and another one hashed in its place.
            if self._before >= (place, key):
                raise VerificationError("snapshot-form", "its rows do not ascend, by table and key")
            self._before = (place, key)
            self._check_row(table, key, value)
            batch.put(table, key, value)
        self._store.commit(batch)

    def _check_row(self, table: Table, key: bytes, value: bytes) -> None:
        if table is Table.STATE:
            try:
                path, salt, record = unpack_leaf(value)
            except IndexError:
                raise VerificationError("snapshot-state", f"the row of {key.hex()} is cut off") from None
            if key_hash(path) != key:
                raise VerificationError("snapshot-state", f"a record stands under a wrong key {key.hex()}")
            self._fold.add(key, value_digest(salt, record))
        elif table is Table.VERSIONS:
            if version_digest(value) != key:
                raise VerificationError("snapshot-version", f"an old version has another digest than {key.hex()}")
        elif table is Table.LOG_ENTRIES:
            if key != number_key(self._next_entry):
                raise VerificationError("snapshot-log", f"log entry {self._next_entry} is missing")
            entry = self._forms.entry(value)
            self._nodes.append(leaf_hash(entry.commitment))
            if entry.authorised or entry.transaction_id not in self._index:
                self._index[entry.transaction_id] = key
            self._next_entry += 1
        elif table is Table.GENESIS:
            if key != b"genesis" or self._forms.chain_id(value) != self._trust.chain_id:
                raise VerificationError("snapshot-genesis", "its genesis is that of another chain")
            self._genesis = True

    def _check_roots(self, manifest: Manifest) -> None:
        """Check that the rows are all there is under the two roots."""
        if not self._genesis:
            raise VerificationError("snapshot-genesis", "it has no genesis")
        if self._fold.root() != manifest.state_root:
            raise VerificationError("snapshot-state", "its records do not hash to the state root")
        if self._next_entry != manifest.log_size:
            raise VerificationError("snapshot-log", f"the log ends at {self._next_entry}, not {manifest.log_size}")
        tiles = LogTiles(self._store.get, manifest.first_index, manifest.log_size)
        stored = (key for key, _ in self._store.scan(Table.LOG_TILES))
        if any(key != wanted for key, wanted in zip_longest(stored, tiles.keys())):
            raise VerificationError("snapshot-log", "it has other tiles than its entries need")
        for level, number, detail in tiles.problems(manifest.log_root):
            raise VerificationError("snapshot-log", f"tile {number} of level {level}: {detail}")
        for place, node in enumerate(self._nodes, manifest.first_index):
            if tiles.node(place) != node:
                raise VerificationError("snapshot-log", f"log entry {place} is not the one under the log root")

    def _finish(self, manifest: Manifest, block: LightBlock) -> None:
        """Write what follows from the rows, and last what makes them a chain."""
        batch = WriteBatch()
        batch.put_many(
            Table.BUCKETS, {number.to_bytes(4, "big"): value for number, value in self._fold.buckets.items()}
        )
        batch.put_many(Table.TRANSACTION_INDEX, dict(self._index))
        batch.put(Table.META, META_ORIGIN, encode(Origin(block.header.height, manifest.first_index)))
        for table, key, value in self._forms.head(manifest, block):
            batch.put(table, key, value)
        self._store.commit(batch)


def _chunks(store: ReadOnlyStore, manifest: Manifest) -> Iterator[Rows]:
    """Yield the rows of a snapshot."""
    tiles = LogTiles(store.get, manifest.first_index, manifest.log_size)
    sources: list[tuple[Table, Iterator[tuple[bytes, bytes]]]] = [
        (Table.GENESIS, store.scan(Table.GENESIS)),
        (Table.STATE, store.scan(Table.STATE)),
        (Table.VERSIONS, store.scan(Table.VERSIONS)),
        (Table.LOG_TILES, ((key, store.get(Table.LOG_TILES, key) or b"") for key in tiles.keys())),  # noqa: SIM118 - no dict
        (Table.LOG_ENTRIES, store.scan(Table.LOG_ENTRIES, number_key(manifest.first_index))),
    ]
    for table, rows in sources:
        gathered: list[tuple[bytes, bytes]] = []
        size = 0
        for row in rows:
            gathered.append(row)
            size += len(row[0]) + len(row[1])
            if size >= CHUNK_BYTES:
                yield Rows(table.prefix, tuple(gathered))
                gathered, size = [], 0
        if gathered:
            yield Rows(table.prefix, tuple(gathered))


def _write_whole(path: Path, parts: Iterator[bytes]) -> None:
    """Write ``parts`` to ``path``, which is free, so that it holds all of them or does not exist."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        try:
            # For its owner alone: it holds what the store does.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(temporary)  # fails when the name is taken, where a rename would replace it
        finally:
            temporary.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except FileExistsError:
        raise OperationalError(f"{path} exists already.", "Choose another name for the snapshot.") from None
    except OSError as error:
        raise OperationalError(
            f"{path} cannot be written: {error.strerror}.", "Check the folder, its rights and the free space."
        ) from error


def _frame(payload: bytes) -> bytes:
    if len(payload) > FRAME_BYTES_MAX:
        raise OperationalError("A row of the store is too large for a snapshot.", "Report this: no rule allows it.")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + digest(TAG_SNAPSHOT, payload) + payload
