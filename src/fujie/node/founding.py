"""Founding a chain in a data folder, and opening the one that is there.

Founding writes the description, then the trust root, then the store in one batch. A crash in between leaves no chain, and
founding again begins anew with the same keys; a trust root therefore always belongs to the chain beside it.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from fujie.core.encoding import Record
from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor, found
from fujie.engine.key_lock import KeyLock
from fujie.machine.genesis import Genesis, chain_id, compose, founding_record, load
from fujie.modules.membership.state_keys import PARAMETERS_KEY, VALIDATORS_KEY
from fujie.node.config import load_config
from fujie.node.folder import Folder, World, exchange_chain, make_folder
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from fujie.store.base import Store
from fujie.store.layout import META_HEAD, Table
from fujie.store.opening import StoreKind, open_store
from fujie.store.reading import open_for_reading

if TYPE_CHECKING:
    from fujie.engine.cometbft.engine import CometEngine

Parts = Iterable[tuple[str, Record]]


def is_founded(folder: Folder) -> bool:
    """Tell whether the folder holds a chain. Takes the folder's lock for a moment."""
    exchange_chain(folder)
    description = folder.describe()
    if description is None or not folder.chain.is_dir():
        return False
    store = open_store(description.store, folder.chain)
    try:
        return store.get(Table.META, META_HEAD) is not None
    finally:
        store.close()


def found_chain(folder: Folder, store: StoreKind, world: World, name: str, parts: Parts) -> None:
    """Found a chain that begins with ``parts``. See :func:`found_from`. Raises ``Refused`` for parts that break a rule."""
    found_from(folder, store, world, compose(name, time.time_ns() // 1_000_000, parts))


def found_from(folder: Folder, kind: StoreKind, world: World, genesis: Genesis) -> None:
    """Found the chain of ``genesis`` in ``folder`` and pin its trust root.

    Raises :class:`OperationalError` when the folder holds a chain already, or another process has it.
    """
    make_folder(folder.chain)
    store = open_store(kind, folder.chain)
    try:
        if store.get(Table.META, META_HEAD) is not None:
            do = "Open it, or choose an empty folder."
            if folder.describe() is None:
                do = "Its node.json is missing: restore that file from a backup, or choose an empty folder."
            raise OperationalError(f"The data folder {folder.home} holds a chain already.", do)
        folder.write_description(kind, world)
        folder.write_trust(trust_root(genesis))
        found(store, genesis)
    finally:
        store.close()


def trust_root(genesis: Genesis) -> TrustRoot:
    """Return the trust root of a chain that begins with ``genesis``."""
    validators = founding_record(genesis, VALIDATORS_KEY).members
    members = ValidatorSet.of(Validator(member.public_key, member.power) for member in validators)
    return TrustRoot(
        chain_id=chain_id(genesis),
        validators_hash=validator_set_hash(members).hex(),
        state_tree_depth=founding_record(genesis, PARAMETERS_KEY).state_tree_depth,
    )


def open_engine(
    folder: Folder, validator: Signer, *, worker: bool = True, stopped: Callable[[], bool] = lambda: False
) -> "EmbeddedEngine | CometEngine":
    """Start the engine of ``folder`` on its chain: the embedded one, or CometBFT's where the folder has a cometbft.json.

    The latter waits until enough validators run; ``stopped`` ends the wait. How much is kept in memory, the
    configuration of the folder says; a node that is to begin from a snapshot of others has it before. Raises
    :class:`OperationalError` when there is no chain, another process has the folder, the pinned trust root is of
    another chain, the validator's key is not the one that the chain was founded with (embedded) or signs in another
    process on this machine, or the configuration does not read; and as :func:`node.cometbft_home.open_comet_engine`.
    """
    description = folder.require()
    config = load_config(folder)
    if folder.cometbft.exists():
        from fujie.node.state_sync import fetch_state  # not at the top: most nodes need none of it

        exchange_chain(folder)
        fetch_state(folder, lambda: read_genesis(folder)[1], validator, stopped)
    memory = config.ledger
    store: Store = open_store(description.store, folder.chain)
    try:
        executor = Executor(
            store, cached_leaves=memory.cached_records, cached_bucket_bytes=memory.cached_bucket_mib << 20
        )
        if executor.chain_id != folder.trust().chain_id:
            raise OperationalError(
                f"The trust root {folder.trust_path} is of another chain, {folder.trust().chain_id}, than the one in "
                f"{folder.chain}, {executor.chain_id}.",
                "Restore the file that was written when this chain was founded.",
            )
        if folder.cometbft.exists():
            from fujie.node.cometbft_home import open_comet_engine  # not at the top: most nodes need none of it

            every_s = config.snapshots.every_s
            return open_comet_engine(
                executor, folder, validator, worker=worker, snapshots_every_s=every_s, stopped=stopped
            )
        return _open_embedded(executor, folder, validator, worker)
    except (msgspec.MsgspecError, UnicodeError) as error:  # what was decoded when it was written does not decode now
        store.close()
        raise OperationalError(
            f"The chain in {folder.chain} is damaged: {error}.",
            "`fujie check` says where. Restore the folder from a snapshot, or from another replica.",
        ) from error
    except BaseException:
        store.close()
        raise


def _open_embedded(executor: Executor, folder: Folder, validator: Signer, worker: bool) -> EmbeddedEngine:
    """Start the embedded engine, with the right to sign with its key until it is closed: it may sign when it starts."""
    lock = KeyLock(validator.public_key, folder.home)
    try:
        return EmbeddedEngine(executor, validator, worker=worker, on_closed=lock.release)
    except BaseException:
        lock.release()
        raise


def read_genesis(folder: Folder) -> tuple[bytes, Genesis]:
    """Return the genesis of the chain in ``folder``, as bytes and read. Raises :class:`OperationalError` without a chain."""
    store = open_for_reading(folder.require().store, folder.chain)
    try:
        data = store.get(Table.GENESIS, b"genesis")
    finally:
        store.close()
    if data is None:
        raise OperationalError("The data folder holds no chain.", "Start one with `fujie up`, or check the path.")
    return data, load(data)


def require_validator(genesis: Genesis, public_key: bytes) -> None:
    """Raise :class:`OperationalError` unless ``public_key`` is the one validator of ``genesis``, as embedded use needs."""
    if [member.public_key for member in founding_record(genesis, VALIDATORS_KEY).members] != [public_key]:
        raise OperationalError(
            "The validator key of this data folder is not the one that the genesis names.",
            "Put the validator's key file into keys/validator.key before you found the chain.",
        )
