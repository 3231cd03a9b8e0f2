"""Saving a chain into one file and loading it elsewhere: `fujie snapshot`.

``store.snapshot`` says what a file holds and verifies it; here is what it cannot know: heads, log entries, the genesis.
"""

import secrets
import shutil
import time
from pathlib import Path
from typing import Final

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.executor import FOLDER_FORMAT, HEAD, LOG_ENTRY, Head, log_commitment, log_salt
from fujie.engine.stored_block import STORED_BLOCK, StoredBlock
from fujie.machine import genesis as genesis_form
from fujie.modules.catalog import RECEIPT, TRANSACTION
from fujie.modules.membership.records import Parameters
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.node.folder import Folder, World, make_folder
from fujie.proof.block import results_hash
from fujie.proof.header import decode_header, encode_header
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import decode_validator_set, encode_validator_set, validator_set_hash
from fujie.proof.vote import decode_commit, encode_commit
from fujie.store.layout import META_FORMAT, META_HEAD, Table, number_key
from fujie.store.opening import StoreKind, open_store
from fujie.store.reading import ReadOnlyStore, open_for_reading
from fujie.store.snapshot import Entry, Forms, Manifest, load, save
from fujie.store.state_tree import unpack_leaf

ATTEMPTS: Final = 50  # a running node proves its newest block at once when idle; under load every moment is a chance
WAIT_S: Final = 0.1


def save_snapshot(folder: Folder, path: Path) -> tuple[Manifest, int]:
    """Save the chain in ``folder`` as it stands to ``path``; return its manifest and how many rows were written.

    The node may run if its store is ``sqlite``. Raises :class:`OperationalError`, also when no moment was found at which
    the newest state stood under a signed header.
    """
    description = folder.require()
    for _ in range(ATTEMPTS):
        store = open_for_reading(description.store, folder.chain)
        try:
            manifest = _manifest(store)
            if manifest is not None:
                return manifest, save(store, manifest, path)
        finally:
            store.close()
        time.sleep(WAIT_S)
    raise OperationalError(
        "The newest state is not proven by a signed header.", "Start the node, which proves it at once, and try again."
    )


def load_snapshot(folder: Folder, path: Path, trust: TrustRoot, kind: StoreKind = "sqlite") -> Manifest:
    """Load the snapshot at ``path`` into ``folder``, which holds no chain, verified against ``trust``.

    The store is built aside and takes its place when all of it is verified. Raises :class:`OperationalError` and
    :class:`VerificationError` as ``store.snapshot.load``.
    """
    if folder.describe() is not None or folder.chain.exists():
        raise OperationalError(f"The data folder {folder.home} is not empty.", "Load into a new folder: --home FOLDER.")
    aside = folder.home / f".chain.{secrets.token_hex(4)}"
    make_folder(folder.home)
    try:
        store = open_store(kind, aside)
        try:
            manifest = load(path, trust, store, Forms(_chain_id, _entry, _head_rows))
        finally:
            store.close()
        world: World = "plain"
        folder.write_description(kind, world)
        folder.write_trust(trust)
        aside.rename(folder.chain)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return manifest


def _manifest(store: ReadOnlyStore) -> Manifest | None:
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
    return Manifest(
        header.chain_id,
        encode_light_block(block),
        head.state_root,
        head.log_root,
        head.log_size,
        _first_remembered(store, head),
    )


def _first_remembered(store: ReadOnlyStore, head: Head) -> int:
    """Return the index of the newest entry whose id may be forgotten; the executor looks back until it meets that one."""
    row = store.get(Table.STATE, PARAMETERS_KEY.hash)
    if row is None:
        raise OperationalError("The chain has no parameters.", "Run `fujie check`.")
    parameters: Parameters = PARAMETERS_KEY.codec.decode(unpack_leaf(row)[2])
    for index in range(head.log_size - 1, -1, -1):
        entry = store.get(Table.LOG_ENTRIES, number_key(index))
        if entry is None:
            raise OperationalError(f"Log entry {index} is missing.", "Run `fujie check`.")
        receipt = RECEIPT.decode(LOG_ENTRY.decode(entry).receipt)
        if receipt.time_ms + parameters.transaction_window_ms <= head.time_ms:
            return index
    return 0


def _chain_id(genesis: bytes) -> str:
    return genesis_form.chain_id(genesis_form.load(genesis))


def _entry(data: bytes) -> Entry:
    entry = LOG_ENTRY.decode(data)
    body = SIGNED_TRANSACTION.decode(entry.transaction).body
    identifier = transaction_id(body)
    salt = log_salt(TRANSACTION.decode(body).nonce, identifier)
    receipt = RECEIPT.decode(entry.receipt)
    return Entry(identifier, log_commitment(salt, identifier, entry.receipt), receipt.authorised)


def _head_rows(manifest: Manifest, block: LightBlock) -> list[tuple[Table, bytes, bytes]]:
    """Return the rows of the newest block, which is empty and so follows from its header, and of the head."""
    header = block.header
    head = Head(
        header.height,
        header.time_ms,
        header.app_hash,
        manifest.state_root,
        manifest.log_root,
        manifest.log_size,
    )
    stored = StoredBlock(encode_header(header), encode_commit(block.commit), results_hash([]), manifest.log_size, 0)
    validators = encode_validator_set(block.validators)
    return [
        (Table.BLOCKS, number_key(header.height), encode(stored)),
        (Table.VALIDATORS, validator_set_hash(block.validators), validators),
        (Table.META, META_FORMAT, FOLDER_FORMAT),
        (Table.META, META_HEAD, encode(head)),
    ]
