"""Snapshots: a chain as it stands at one block, in one file (docs/spec/08-files.md, "Snapshot").

A file is ``MAGIC`` and frames, each ``length (4, big endian) || digest (32, TAG_SNAPSHOT) || payload``. The first payload
is a :class:`Manifest`, the last an :class:`End` that counts the rows, and between them stand :class:`Rows`: the genesis,
every leaf of the state by key hash, every old version, the newest log entries (those whose ids a node must remember) and
the tiles that lead from them to the log root.

Nothing in a file is believed because it is there: leaves must hash to the state root, entries and tiles to the log root,
both to the app hash of a header that the validators of a trust root signed. What belongs to a chain but not to its
state (older blocks and log entries) is left behind, and :data:`META_ORIGIN` says so in the folder that was loaded.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, BinaryIO, Final, NamedTuple

from msgspec import Meta

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_SNAPSHOT, app_hash, digest, version_digest
from fujie.core.limits import SNAPSHOT_PATH_BYTES_MAX, SNAPSHOT_PATH_MAX
from fujie.core.transaction import ChainId
from fujie.core.units import Count, Digest, Height
from fujie.proof.changes import verify_newest
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.merkle_log import leaf_hash
from fujie.proof.merkle_state import key_hash, value_digest
from fujie.proof.trust import TrustRoot
from fujie.store.base import ReadOnlyStore, Store, WriteBatch
from fujie.store.files import write_whole
from fujie.store.layout import Table, number_key
from fujie.store.rebuild import LogTiles, StateFold
from fujie.store.snapshot_forms import Forms, OldVersions, Signatures
from fujie.store.state_tree import unpack_leaf

MAGIC: Final = b"fujie-snapshot-1\n"
META_ORIGIN: Final = b"origin"  # canonical Origin: only in a folder that was loaded from a snapshot
CHUNK_BYTES: Final = 1_048_576  # rows gathered into one frame: large enough to compress well, small enough to hold
FRAME_BYTES_MAX: Final = 16 * CHUNK_BYTES  # one row may be large: a genesis with thousands of members
LENGTH_BYTES: Final = 4


Advance = Callable[[int], None]
"""Called with how many more rows are done."""


class Origin(Record, tag=1):
    """Where a loaded folder begins: the block of the snapshot, and the first log entry that came with it."""

    height: Height
    first_index: Count


class Manifest(Record, tag=1):
    """What the snapshot is of. The header in ``light_block`` carries the app hash of the roots.

    ``path``: light blocks as ``light_block`` is one, by ascending height, all before it, at most 12,582,912 bytes together: the
    last block of each former set of validators and the one after it, as far as they are kept.
    """

    chain_id: ChainId
    light_block: bytes
    state_root: Digest
    log_root: Digest
    log_size: Count
    first_index: Count
    path: Annotated[tuple[bytes, ...], Meta(max_length=SNAPSHOT_PATH_MAX)]


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


class Roots(NamedTuple):
    """What the rows of a snapshot must add up to: the state after a block, and the log from ``first_index`` on."""

    chain_id: str
    state_tree_depth: int
    height: int
    time_ms: int
    state_root: bytes
    log_root: bytes
    log_size: int
    first_index: int


HeadRow = tuple[Table, bytes, bytes]
"""A row of those that make loaded tables a chain."""


def read_origin(data: bytes) -> Origin:
    """Return where a loaded folder begins. Raises ``DecodeError``."""
    return _ORIGIN.decode(data)


def save(store: ReadOnlyStore, manifest: Manifest, path: Path, advance: Advance | None = None) -> int:
    """Write a snapshot of ``store``, which stands where ``manifest`` says, to ``path``; return how many rows it has.

    ``advance`` hears of rows as they are written. The file is whole and durable when this returns; until then it has
    another name, and an interruption leaves nothing. Raises :class:`OperationalError`, also when ``path`` is taken.
    """
    rows = 0

    def frames() -> Iterator[bytes]:
        nonlocal rows
        yield MAGIC
        yield _frame(encode(manifest))
        for chunk in _chunks(store, manifest.log_size, manifest.first_index):
            rows += len(chunk.rows)
            if advance is not None:
                advance(len(chunk.rows))
            yield _frame(encode(chunk))
        yield _frame(encode(End(rows)))

    write_whole(path, frames())
    return rows


def row_frames(store: ReadOnlyStore, log_size: int, first_index: int) -> Iterator[bytes]:
    """Yield what follows the manifest in a snapshot of ``store``: the frames of its rows, and the last one.

    The same state gives the same bytes on every node and over every kind of store.
    """
    rows = 0
    for chunk in _chunks(store, log_size, first_index):
        rows += len(chunk.rows)
        yield _frame(encode(chunk))
    yield _frame(encode(End(rows)))


def load_rows(
    file: BinaryIO,
    roots: Roots,
    store: Store,
    forms: Forms,
    head: Callable[[], list[HeadRow]],
    advance: Advance | None = None,
) -> None:
    """Load the frames of :func:`row_frames` into ``store``, which is empty, if they add up to ``roots``.

    ``head`` gives the rows that make the loaded tables a chain; they are written last. Raises as :func:`load`, from
    ``snapshot-frame`` on.
    """
    with closing(forms.signatures()) as signatures:
        _Loading(file, roots, store, forms, signatures, advance).run(head)


def load(
    path: Path,
    trust: TrustRoot,
    store: Store,
    forms: Forms,
    head: Callable[[Manifest, Sequence[LightBlock]], list[HeadRow]],
    advance: Advance | None = None,
) -> Manifest:
    """Load the snapshot at ``path`` into ``store``, which is empty, and return its manifest.

    ``head`` as of :func:`load_rows`, with the light blocks at which validators changed, and last the one of the snapshot.

    The rows that make it a chain are written last, so an interrupted load leaves none. Raises
    :class:`OperationalError` for a file that does not read, and :class:`VerificationError` with one of the steps
    ``snapshot-form``, ``snapshot-frame`` (bytes were changed or cut off), ``chain-id``, those of
    ``proof.changes.verify_newest``, ``app-hash``, ``snapshot-state``, ``snapshot-version``, ``snapshot-log``, ``snapshot-genesis``,
    ``snapshot-window``, and those of ``core.transaction.check_signatures``.
    """
    try:
        with path.open("rb") as file:
            manifest, blocks = _read_manifest(file, trust)
            roots = _roots(manifest, blocks[-1], trust)
            load_rows(file, roots, store, forms, lambda: head(manifest, blocks), advance)
            return manifest
    except OSError as error:
        raise OperationalError(f"{path} does not read: {error.strerror}.", "Check the path and its rights.") from error


def manifest_of(path: Path) -> Manifest:
    """Return what the snapshot at ``path`` begins with; nothing of it is verified.

    Raises :class:`OperationalError`, and :class:`VerificationError` (``snapshot-form``, ``snapshot-frame``).
    """
    try:
        with path.open("rb") as file:
            return _first_frame(file)
    except OSError as error:
        raise OperationalError(f"{path} does not read: {error.strerror}.", "Check the path and its rights.") from error


def _first_frame(file: BinaryIO) -> Manifest:
    if file.read(len(MAGIC)) != MAGIC:
        raise VerificationError("snapshot-form", "it is no snapshot, or of a format that this version does not know")
    manifest = _next_frame(file)
    if not isinstance(manifest, Manifest):
        raise VerificationError("snapshot-form", "it does not begin with its manifest")
    return manifest


def _read_manifest(file: BinaryIO, trust: TrustRoot) -> tuple[Manifest, list[LightBlock]]:
    """Return what a file begins with, and its light blocks, once they are verified and the last one stands for the roots."""
    manifest = _first_frame(file)
    if sum(map(len, manifest.path)) > SNAPSHOT_PATH_BYTES_MAX:
        raise VerificationError("snapshot-path", f"its light blocks are more than {SNAPSHOT_PATH_BYTES_MAX:,} bytes")
    blocks = [decode_light_block(data) for data in (*manifest.path, manifest.light_block)]
    block = blocks[-1]
    if manifest.chain_id != trust.chain_id or block.header.chain_id != trust.chain_id:
        raise VerificationError("chain-id", f"it is of {manifest.chain_id!r}, the trust root of {trust.chain_id!r}")
    verify_newest(trust, blocks)
    if app_hash(manifest.state_root, manifest.log_root, manifest.log_size) != block.header.app_hash:
        raise VerificationError("app-hash", "its roots are not those that the header commits to")
    return manifest, blocks


def _roots(manifest: Manifest, block: LightBlock, trust: TrustRoot) -> Roots:
    return Roots(
        manifest.chain_id,
        trust.state_tree_depth,
        block.header.height,
        block.header.time_ms,
        manifest.state_root,
        manifest.log_root,
        manifest.log_size,
        manifest.first_index,
    )


def _next_frame(file: BinaryIO) -> Manifest | Rows | End:
    head = file.read(LENGTH_BYTES + DIGEST_BYTES)
    length = int.from_bytes(head[:LENGTH_BYTES], "big")
    payload = file.read(length) if length <= FRAME_BYTES_MAX else b""
    whole = len(head) == LENGTH_BYTES + DIGEST_BYTES and len(payload) == length
    if not whole or digest(TAG_SNAPSHOT, payload) != head[LENGTH_BYTES:]:
        raise VerificationError("snapshot-frame", "a part of the file was changed or is missing")
    return _FRAME.decode(payload)


class _Loading:
    """The rows of one file on their way into a store."""

    def __init__(
        self,
        file: BinaryIO,
        roots: Roots,
        store: Store,
        forms: Forms,
        signatures: Signatures,
        advance: Advance | None = None,
    ) -> None:
        self._file = file
        self._roots = roots
        self._store = store
        self._forms = forms
        self._signatures = signatures
        self._advance = advance
        self._fold = StateFold(roots.state_tree_depth)
        self._versions = OldVersions(forms)
        self._before = (-1, b"")  # place of the table, and key, of the row before
        self._index: dict[bytes, bytes] = {}  # transaction id → log index
        self._nodes: list[bytes] = []  # of the entries, from first_index on
        self._genesis = False
        self._next_entry = roots.first_index

    def run(self, head: Callable[[], list[HeadRow]]) -> None:
        if self._roots.first_index > self._roots.log_size:
            raise VerificationError("snapshot-log", "its first log entry lies beyond the log")
        rows = 0
        while isinstance(frame := _next_frame(self._file), Rows):
            rows += len(frame.rows)
            self._take(frame)
            if self._advance is not None:
                self._advance(len(frame.rows))
        if not isinstance(frame, End) or frame.rows != rows or self._file.read(1):
            raise VerificationError("snapshot-form", "it does not end where its last frame says")
        self._check_roots()
        self._finish(head())

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
            self._versions.see_record(path, record)
        elif table is Table.VERSIONS:
            if version_digest(value) != key:
                raise VerificationError("snapshot-version", f"an old version has another digest than {key.hex()}")
            self._versions.see_version(key)
        elif table is Table.LOG_ENTRIES:
            if key != number_key(self._next_entry):
                raise VerificationError("snapshot-log", f"log entry {self._next_entry} is missing")
            entry = self._forms.entry(value)
            self._signatures.see(entry.transaction)  # no root covers them
            self._nodes.append(leaf_hash(entry.commitment))
            if entry.authorised or entry.transaction_id not in self._index:
                self._index[entry.transaction_id] = key
            self._next_entry += 1
        elif table is Table.GENESIS:
            if key != b"genesis" or self._forms.chain_id(value) != self._roots.chain_id:
                raise VerificationError("snapshot-genesis", "its genesis is that of another chain")
            self._genesis = True

    def _check_roots(self) -> None:
        """Check that the rows are all there is under the two roots."""
        roots = self._roots
        if not self._genesis:
            raise VerificationError("snapshot-genesis", "it has no genesis")
        if self._fold.root() != roots.state_root:
            raise VerificationError("snapshot-state", "its records do not hash to the state root")
        if self._next_entry != roots.log_size:
            raise VerificationError("snapshot-log", f"the log ends at {self._next_entry}, not {roots.log_size}")
        tiles = LogTiles(self._store.get, roots.first_index, roots.log_size)
        stored = (key for key, _ in self._store.scan(Table.LOG_TILES))
        if any(key != wanted for key, wanted in zip_longest(stored, tiles.keys())):
            raise VerificationError("snapshot-log", "it has other tiles than its entries need")
        for level, number, detail in tiles.problems(roots.log_root):
            raise VerificationError("snapshot-log", f"tile {number} of level {level}: {detail}")
        for place, node in enumerate(self._nodes, roots.first_index):
            if tiles.node(place) != node:
                raise VerificationError("snapshot-log", f"log entry {place} is not the one under the log root")
        self._versions.check(self._store)
        oldest = self._store.get(Table.LOG_ENTRIES, number_key(roots.first_index))
        if roots.first_index and (oldest is None or not self._forms.forgotten(self._store, roots.time_ms, oldest)):
            raise VerificationError("snapshot-window", "it lacks log entries whose ids a node must remember")
        self._signatures.finish()

    def _finish(self, head: list[HeadRow]) -> None:
        """Write what follows from the rows, and last what makes them a chain."""
        batch = WriteBatch()
        batch.put_many(
            Table.BUCKETS, {number.to_bytes(4, "big"): value for number, value in self._fold.buckets.items()}
        )
        batch.put_many(Table.TRANSACTION_INDEX, dict(self._index))
        batch.put(Table.META, META_ORIGIN, encode(Origin(self._roots.height, self._roots.first_index)))
        for table, key, value in head:
            batch.put(table, key, value)
        self._store.commit(batch)


def _chunks(store: ReadOnlyStore, log_size: int, first_index: int) -> Iterator[Rows]:
    """Yield the rows of a snapshot."""
    tiles = LogTiles(store.get, first_index, log_size)
    sources: list[tuple[Table, Iterator[tuple[bytes, bytes]]]] = [
        (Table.GENESIS, store.scan(Table.GENESIS)),
        (Table.STATE, store.scan(Table.STATE)),
        (Table.VERSIONS, store.scan(Table.VERSIONS)),
        (Table.LOG_TILES, ((key, store.get(Table.LOG_TILES, key) or b"") for key in tiles.keys())),  # noqa: SIM118 - no dict
        (Table.LOG_ENTRIES, store.scan(Table.LOG_ENTRIES, number_key(first_index))),
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


def _frame(payload: bytes) -> bytes:
    if len(payload) > FRAME_BYTES_MAX:
        raise OperationalError("A row of the store is too large for a snapshot.", "Report this: no rule allows it.")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + digest(TAG_SNAPSHOT, payload) + payload
