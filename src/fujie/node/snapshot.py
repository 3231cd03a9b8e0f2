"""Saving a chain into one file and loading it elsewhere: `fujie snapshot`.

``store.snapshot`` says what a file holds and verifies it; here is what it cannot know: heads, log entries, the genesis.
"""

import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from fujie.core.errors import OperationalError
from fujie.engine.executor import HEAD, Executor, Head
from fujie.engine.pivots import changes_before
from fujie.engine.snapshot_forms import FORMS, change_rows, first_remembered, head_rows
from fujie.engine.stored_block import STORED_BLOCK
from fujie.node.folder import Folder, World, make_folder
from fujie.proof.block import results_hash
from fujie.proof.changes import verify_newest
from fujie.proof.header import decode_header
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.named import is_signed
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import decode_validator_set
from fujie.proof.vote import decode_commit
from fujie.store.base import ReadOnlyStore, Store
from fujie.store.layout import META_HEAD, Table, number_key
from fujie.store.opening import StoreKind, open_store
from fujie.store.reading import open_for_reading
from fujie.store.snapshot import META_ORIGIN, Advance, HeadRow, Manifest, load, read_origin, save

ATTEMPTS: Final = 50  # a running node proves its newest block at once when idle; under load every moment is a chance
WAIT_S: Final = 0.1
ASIDE: Final = ".chain."  # in the data folder: a store that is being built


def save_snapshot(
    folder: Folder, path: Path, *, whole_log: bool = False, advance: Advance | None = None
) -> tuple[Manifest, int]:
    """Save the chain in ``folder`` as it stands to ``path``; return its manifest and how many rows were written.

    ``whole_log``: with every log entry of the folder, not only those that a node must remember. ``advance`` hears of rows.
    The node may run if its store is ``sqlite``. Raises :class:`OperationalError`, also when no moment was found at which
    the newest state stood under a signed header.
    """
    description = folder.require()
    for _ in range(ATTEMPTS):
        store = open_for_reading(description.store, folder.chain)
        try:
            manifest = _manifest(store, whole_log)
            if manifest is not None:
                return manifest, save(store, manifest, path, advance)
        finally:
            store.close()
        time.sleep(WAIT_S)
    raise OperationalError(
        "The newest state is not proven by a signed header.", "Start the node, which proves it at once, and try again."
    )


def load_snapshot(
    folder: Folder,
    path: Path,
    trust: TrustRoot,
    kind: StoreKind = "sqlite",
    *,
    accept: Callable[[Store], None] = lambda _: None,
    advance: Advance | None = None,
    world: World = "plain",
    pinned: TrustRoot | None = None,
) -> Manifest:
    """Load the snapshot at ``path`` into ``folder``, which holds no chain, verified against ``trust``.

    The store is built aside and takes its place when all of it is verified, and ``accept`` did not raise at it; ``advance``
    hears of rows. ``pinned`` is the trust root that the folder gets, ``trust`` itself by default. Raises
    :class:`OperationalError` and :class:`VerificationError` as ``store.snapshot.load``.
    """
    if folder.chain.exists():
        raise OperationalError(f"The data folder {folder.home} is not empty.", "Load into a new folder: --home FOLDER.")
    for leftover in folder.home.glob(f"{ASIDE}*"):  # of a load that was killed
        shutil.rmtree(leftover)
    aside = folder.home / f"{ASIDE}{secrets.token_hex(4)}"
    make_folder(folder.home)
    try:
        store = open_store(kind, aside)
        try:
            manifest = load(path, trust, store, FORMS, _head_rows, advance)
            Executor(store)  # as a node opens it: what does not open is not put in place
            accept(store)
        finally:
            store.close()
        folder.write_description(kind, world)
        folder.write_trust(trust if pinned is None else pinned)
        aside.rename(folder.chain)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return manifest


def replaced_ms(manifest: Manifest, trust: TrustRoot) -> int | None:
    """Return the time of the last block that the validators of ``trust`` signed, where others signed that of a snapshot.

    None where they signed it themselves. Raises :class:`VerificationError` as loading the snapshot does.
    """
    blocks = [decode_light_block(data) for data in (*manifest.path, manifest.light_block)]
    path = verify_newest(trust, blocks)
    return path[0].header.time_ms if len(path) > 1 else None


def _manifest(store: ReadOnlyStore, whole_log: bool) -> Manifest | None:
    """Return what a snapshot of this moment begins with, or None when its state is not proven yet."""
    data = store.get(Table.META, META_HEAD)
    if data is None:
        raise OperationalError("The data folder holds no chain.", "Start one with `fujie up`, or check the path.")
    head = HEAD.decode(data)
    row = store.get(Table.BLOCKS, number_key(head.height))
    if row is None:
        return None
    stored = STORED_BLOCK.decode(row)
    header = decode_header(stored.header)
    validators = store.get(Table.VALIDATORS, header.validators_hash)
    if header.app_hash != head.app_hash or validators is None:
        return None
    block = LightBlock(header, decode_commit(stored.commit), decode_validator_set(validators))
    if not is_signed(header.chain_id, block):
        return None  # of a mirror, which has yet to store the later block that names it
    return Manifest(
        header.chain_id,
        encode_light_block(block),
        head.state_root,
        head.log_root,
        head.log_size,
        _first_kept(store) if whole_log else first_remembered(store, head),
        tuple(map(encode_light_block, changes_before(store, block))),
    )


def _first_kept(store: ReadOnlyStore) -> int:
    """Return the index of the oldest entry that the store has."""
    origin = store.get(Table.META, META_ORIGIN)
    return 0 if origin is None else read_origin(origin).first_index


def _head_rows(manifest: Manifest, blocks: Sequence[LightBlock]) -> list[HeadRow]:
    """Return the rows of the changes before the newest block, of that, which is empty and so follows from its header, and of the
    head.
    """
    block = blocks[-1]
    header = block.header
    head = Head(
        header.height,
        header.time_ms,
        header.app_hash,
        manifest.state_root,
        manifest.log_root,
        manifest.log_size,
    )
    return [*change_rows(blocks[:-1]), *head_rows(head, block, results_hash([]), 0)]
