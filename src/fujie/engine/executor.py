"""The one executor: apply → stage → commit (docs/adr/0002).

Only this file calls ``apply_block`` on the live store. The embedded engine calls the three steps back to back, ABCI
calls them from FinalizeBlock and Commit, and recovery replays through them: what is tested in one mode holds in all.

* **apply** carries the block out on the committed state; nothing is written.
* **stage** hashes what changed, which gives the app hash, and gathers one batch; nothing is visible.
* **commit** writes the batch, atomically and durably, and only then lets readers see the block.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import OperationalError, Refused
from fujie.core.hashing import TAG_LOG_ENTRY, TAG_LOG_SALT, TAG_VALUE, app_hash, digest
from fujie.core.limits import PROVEN_ROOTS_KEPT
from fujie.core.state import BlockOverlay, Key, Leaf
from fujie.core.transaction import SIGNED_TRANSACTION, Receipt, VerifiedBlock, VerifiedTransaction
from fujie.core.units import Count, Digest, Height, TimeMs
from fujie.engine.live_state import CACHED_LEAVES_DEFAULT, LiveState, PassingState
from fujie.engine.replay_window import ReplayWindow
from fujie.engine.rules_watch import RulesWatch
from fujie.machine import genesis as genesis_form
from fujie.machine.schedule import SCHEDULE, Handlers, Schedule
from fujie.machine.transition import (
    BlockResult,
    apply_block,
    apply_transaction,
    begin_block,
    entitle,
    touched_keys,
)
from fujie.modules.catalog import RECEIPT, TRANSACTION
from fujie.modules.membership import queries as membership
from fujie.modules.membership.records import TRANSACTION_WINDOW_MS_MAX
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import META_FORMAT, META_HEAD, Table, number_key
from fujie.store.snapshot import META_ORIGIN, read_origin
from fujie.store.state_tree import CACHE_BYTES_DEFAULT, StagedTree, StateTree, pack_leaf
from fujie.store.transaction_log import StagedLog, TransactionLog

FOLDER_FORMAT: Final = b"1"
READ_AHEAD_MIN: Final = 256  # fewer transactions are read for in the block itself, without detour


class Head(Record, tag=1):
    """Where a chain stands after its last committed block; height 0 is genesis."""

    height: Height
    time_ms: TimeMs
    app_hash: Digest
    state_root: Digest
    log_root: Digest
    log_size: Count


class LogEntry(Record, tag=1):
    """What stands behind one commitment of the log: the signed transaction and its receipt, as bytes."""

    height: Height
    transaction: bytes
    receipt: bytes


HEAD: Final[Codec[Head]] = Codec(Head)
LOG_ENTRY: Final[Codec[LogEntry]] = Codec(LogEntry)

_SALTED: Final = b"\x20"  # length of a salt
_UNSALTED: Final = b"\x00"

Undo = dict[bytes, Leaf | None]  # key hash → what stood there before the block


class StateTooOld(OperationalError):
    """A state was asked for that is neither the current one nor one of the last few."""

    def __init__(self, root: bytes) -> None:
        super().__init__(f"The state with root {root.hex()} is too old to be read.", "Ask for the newest proven state.")


class Staged(NamedTuple):
    """A block that is hashed and gathered, and can be committed or discarded."""

    head: Head
    result: BlockResult
    batch: WriteBatch
    tree: StagedTree
    log: StagedLog
    undo: Undo


def log_salt(nonce: bytes, transaction_id: bytes) -> bytes:
    """Return the 32-byte salt of a log entry: known to whoever knows the transaction, to nobody else."""
    return digest(TAG_LOG_SALT, nonce, transaction_id)


def log_commitment(salt: bytes, transaction_id: bytes, receipt: bytes) -> bytes:
    """Return the 32-byte commitment that the log holds for a transaction and its receipt."""
    return digest(TAG_LOG_ENTRY, salt, transaction_id, receipt)


def longest_window_ms(
    parameters: membership.Parameters, time_ms: int, archived: Callable[[bytes], bytes | None]
) -> int:
    """Return the longest transaction window under which something may have been carried out that has not expired.

    A vote that shortens the window does not shorten the expiry of what was carried out before. ``archived`` gives the bytes
    of an old version by its digest.
    """
    longest_ms = parameters.transaction_window_ms
    while parameters.standing.previous and parameters.standing.since_ms + TRANSACTION_WINDOW_MS_MAX > time_ms:
        data = archived(parameters.standing.previous)
        assert data is not None, "an old version that is linked is always archived"
        parameters = PARAMETERS_KEY.codec.decode_trusted(data)
        longest_ms = max(longest_ms, parameters.transaction_window_ms)
    return longest_ms


def found(store: Store, genesis: genesis_form.Genesis) -> None:
    """Write genesis and the state it begins with into an empty store, in one batch.

    Raises :class:`OperationalError` when the store holds a chain already.
    """
    if store.get(Table.META, META_HEAD) is not None:
        raise OperationalError("The data folder holds a chain already.", "Open it, or choose an empty folder.")
    batch = WriteBatch()
    changes: dict[bytes, bytes | None] = {}
    depth = genesis_form.founding_record(genesis, PARAMETERS_KEY).state_tree_depth
    for key, leaf in genesis_form.founded(genesis):
        stored = pack_leaf(key.path.encode(), leaf.salt, encode(leaf.record))
        changes[key.hash] = sha256(TAG_VALUE + stored[2 + len(key.path.encode()) :]).digest()
        batch.put(Table.STATE, key.hash, stored)
    tree = StateTree(store, depth).stage(changes)
    tree.write_into(batch)
    for version, data in genesis_form.founded_archive(genesis).items():
        batch.put(Table.VERSIONS, version, data)
    log_root = TransactionLog(store).root
    head = Head(0, genesis.time_ms, app_hash(tree.root, log_root, 0), tree.root, log_root, 0)
    batch.put(Table.META, META_FORMAT, FOLDER_FORMAT)
    batch.put(Table.META, META_HEAD, encode(head))
    batch.put(Table.GENESIS, b"genesis", encode(genesis))
    store.commit(batch)


class Executor:
    """Owns the state of one chain. One thread applies, stages and commits; any thread reads."""

    def __init__(
        self,
        store: Store,
        schedule: Schedule = SCHEDULE,
        cached_leaves: int = CACHED_LEAVES_DEFAULT,
        cached_bucket_bytes: int = CACHE_BYTES_DEFAULT,
    ) -> None:
        """Open the chain in ``store`` where its last commit left it. Raises :class:`OperationalError` without one."""
        self.store = store
        self.schedule = schedule
        head, genesis = store.get(Table.META, META_HEAD), store.get(Table.GENESIS, b"genesis")
        if head is None or genesis is None:
            raise OperationalError("The data folder holds no chain.", "Create one with `fujie up`, or check the path.")
        if store.get(Table.META, META_FORMAT) != FOLDER_FORMAT:
            raise OperationalError(
                "The data folder has a format that this version of Fujie does not read.",
                "Open it with the version that wrote it.",
            )
        self.head = HEAD.decode(head)
        self.genesis = genesis_form.GENESIS.decode(genesis)
        self.chain_id = genesis_form.chain_id(self.genesis)
        self.window = ReplayWindow()
        self.live = LiveState(store, self.window, cached_leaves)
        self.depth = membership.parameters(self.live).state_tree_depth
        self.tree = StateTree(store, self.depth, PROVEN_ROOTS_KEPT, cached_bucket_bytes)
        self.log = TransactionLog(store)
        if (self.tree.root, self.log.root, self.log.size) != (
            self.head.state_root,
            self.head.log_root,
            self.head.log_size,
        ):
            raise OperationalError(
                "The records of the data folder do not hash to the state that its last block signed.",
                "Run `fujie check` to see where, and restore a snapshot.",
            )
        self._handlers: Handlers = {}  # of the newest block
        self._lock = threading.Lock()  # around the exchange of what readers see
        self._undo: deque[tuple[bytes, Undo]] = deque(maxlen=PROVEN_ROOTS_KEPT + 1)  # (root before, what it held)
        self._rebuild_window()
        self.rules = RulesWatch(schedule, PassingState(self.live), self.head.height)

    def warm(self) -> None:
        """Fill the caches of buckets and records up to their bounds: for a node's start, before it takes load."""
        self.tree.warm()
        self.live.warm()

    # -- one block

    def apply(self, block: VerifiedBlock) -> BlockResult:
        """Carry ``block`` out on the committed state. Raises ``UnknownRules`` before anything when rules are missing."""
        self._handlers = self.schedule.handlers(self.live, block.height)
        self.live.prefetch(touched_keys(self._handlers, block.transactions))
        return apply_block(self.live, block, self.schedule)

    def read_ahead(self, transactions: Sequence[VerifiedTransaction]) -> None:
        """Read, in another thread, what waiting transactions will touch, while a block is being made.

        RocksDB reads without holding the interpreter, so the time that this takes is nearly free. A hint, as ``touches``
        is: what a block changes meanwhile is read again.
        """
        if len(transactions) >= READ_AHEAD_MIN:
            self.live.read_ahead(touched_keys(self._handlers, transactions))

    def rehearse(self, block: VerifiedBlock) -> BlockResult:
        """Carry ``block`` out on the committed state, from any thread, and leave no trace, not even in the cache.

        What is read is of one state from first to last, whatever is committed meanwhile. Raises :class:`StateTooOld`
        when that were too many blocks.
        """
        root = self.head.state_root
        state = PassingState(self.live, lambda key: self.leaf_under(key, root))
        return apply_block(state, block, self.schedule)

    def entitled(self, block: VerifiedBlock) -> list[int]:
        """Return, for each transaction by itself, 0 or why its sender is not entitled to it now; otherwise as :meth:`rehearse`."""
        root = self.head.state_root
        return entitle(PassingState(self.live, lambda key: self.leaf_under(key, root)), block, self.schedule)

    def failing(self, block: VerifiedBlock) -> list[tuple[int, Exception]]:
        """Return the places of transactions that raise what they must not, and what they raise.

        For a block at which :meth:`apply` raised. Each is carried out after those before it that do not raise.
        """
        overlay = BlockOverlay(self.live)
        handlers = self.schedule.handlers(overlay, block.height)
        window_ms = membership.parameters(overlay).transaction_window_ms
        result = BlockResult(overlay.leaves, overlay.archive, [], {})
        failed: list[tuple[int, Exception]] = []
        begin_block(overlay, block, self.schedule)
        for position, transaction in enumerate(block.transactions):
            try:
                apply_transaction(overlay, handlers, window_ms, block, transaction, result)
            except (OperationalError, Refused):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller quarantines the transaction and logs it
                failed.append((position, error))
                result.remembered.pop(transaction.id, None)
        return failed

    def stage(self, block: VerifiedBlock, result: BlockResult) -> Staged:
        """Hash what ``result`` changes and gather everything to write, readers seeing nothing of it."""
        batch = WriteBatch()
        leaves: dict[bytes, bytes | None] = {}
        digests: dict[bytes, bytes | None] = {}
        undo: Undo = {}
        before = self.live.leaf
        for path, (key, leaf) in result.changes.items():
            key_hash = key.hash
            salt = leaf.salt
            tail = (_SALTED + salt if salt else _UNSALTED) + encode(leaf.record)
            place = path.encode()
            leaves[key_hash] = len(place).to_bytes(2, "big") + place + tail
            digests[key_hash] = sha256(TAG_VALUE + tail).digest()
            undo[key_hash] = before(key)
        batch.put_many(Table.STATE, leaves)
        batch.put_many(Table.VERSIONS, dict(result.archive))
        log = self.log.stage(self._log_entries(block, result, batch))
        log.write_into(batch)
        tree = self.tree.stage(digests)
        tree.write_into(batch)
        commitment = app_hash(tree.root, log.root, log.size)
        head = Head(block.height, block.time_ms, commitment, tree.root, log.root, log.size)
        batch.put(Table.META, META_HEAD, encode(head))
        return Staged(head, result, batch, tree, log, undo)

    def commit(self, staged: Staged) -> None:
        """Make ``staged`` durable, then visible. The engine may have added its own rows to ``staged.batch``.

        Raises :class:`OperationalError` when the store fails; whether the block is on disk is then unknown, and the
        executor must be closed and opened again, which finds out.
        """
        changes_state = staged.head.state_root != self.head.state_root
        if changes_state:
            with self._lock:
                # Before the store changes: a reader that finds the new value there must know that it is one too new.
                self._undo.append((self.head.state_root, staged.undo))
        self.store.commit(staged.batch)
        self.live.commit(staged.result.changes)
        self.window.remember(staged.result.remembered)
        self.window.forget_until(staged.head.time_ms)
        self.tree.apply(staged.tree)
        self.log.apply(staged.log)
        self.head = staged.head
        self.rules.after(staged.head.height, staged.result.changes)

    def discard(self, staged: Staged) -> None:
        """Forget a staged block that is not going to be committed."""
        self.tree.discard(staged.tree)

    def look_back(self, before: Head, undo: Undo, digests: dict[bytes, bytes | None]) -> None:
        """Have the state ``before`` the newest block read and proven as well: for a node's start, see ``engine.one_back``."""
        if before.state_root == self.head.state_root:
            return
        if self.tree.look_back(digests) != before.state_root:
            raise OperationalError(
                "What the newest block replaced was damaged.", "Run `fujie check`, restore a snapshot."
            )
        self._undo.append((before.state_root, undo))

    # -- reading

    def leaf_under(self, key: Key[Any], root: bytes) -> Leaf | None:
        """Return what stood at ``key`` under the state root ``root``: the current one or one of the last few.

        Raises :class:`StateTooOld` for any other root.
        """
        # The newest value first, what replaced it second: a block that is committed in between is then among the latter.
        newest = self.live.peek(key)
        replaced = self._undo
        if root == self.head.state_root and (not replaced or replaced[-1][0] != root):
            return newest  # no block that follows this root had begun to be committed
        with self._lock:
            newer = tuple(self._undo)
            current = self.head.state_root
        key_hash = key.hash
        known = False
        for before, undo in newer:
            known = known or before == root
            if known and key_hash in undo:
                return undo[key_hash]
        if not known and root != current:
            raise StateTooOld(root)
        return newest

    def entry(self, index: int) -> LogEntry | None:
        """Return log entry ``index``, or None beyond the end."""
        data = self.store.get(Table.LOG_ENTRIES, number_key(index))
        return None if data is None else LOG_ENTRY.decode_trusted(data)

    def entries(self, first: int, end: int) -> list[LogEntry]:
        """Return the log entries ``first <= index < end``, fewer where the log ends before."""
        rows = self.store.scan(Table.LOG_ENTRIES, number_key(first), number_key(end))
        return [LOG_ENTRY.decode_trusted(data) for _, data in rows]

    def index_of(self, transaction_id: bytes) -> int | None:
        """Return the place in the log of the transaction with this id, or None."""
        data = self.store.get(Table.TRANSACTION_INDEX, transaction_id)
        return None if data is None else int.from_bytes(data, "big")

    def receipt_of(self, transaction_id: bytes) -> Receipt[Any] | None:
        """Return the receipt of the transaction with this id, or None."""
        index = self.index_of(transaction_id)
        entry = None if index is None else self.entry(index)
        return None if entry is None else RECEIPT.decode_trusted(entry.receipt)

    # -- inside

    def _log_entries(self, block: VerifiedBlock, result: BlockResult, batch: WriteBatch) -> list[bytes]:
        """Put the transactions and receipts of a block into ``batch`` and return their commitments."""
        commitments = []
        entries: dict[bytes, bytes | None] = {}
        index: dict[bytes, bytes | None] = {}
        number = self.log.size
        height = block.height
        remembered = result.remembered
        for transaction, receipt in zip(block.transactions, result.receipts, strict=True):
            data = encode(receipt)
            identifier = transaction.id
            salt = sha256(TAG_LOG_SALT + transaction.body.nonce + identifier).digest()
            commitments.append(sha256(TAG_LOG_ENTRY + salt + identifier + data).digest())
            place = number.to_bytes(8, "big")
            entries[place] = encode(LogEntry(height, transaction.raw, data))
            if identifier not in index and (identifier in remembered or self.index_of(identifier) is None):
                index[identifier] = place
            number += 1
        batch.put_many(Table.LOG_ENTRIES, entries)
        batch.put_many(Table.TRANSACTION_INDEX, index)
        return commitments

    def _rebuild_window(self) -> None:
        """Remember again what the newest log entries say was carried out and has not expired."""
        window_ms = longest_window_ms(membership.parameters(self.live), self.head.time_ms, self.live.archived)
        origin = self.store.get(Table.META, META_ORIGIN)
        # What a snapshot left behind had expired then, also where a vote has lengthened the window since.
        first = 0 if origin is None else read_origin(origin).first_index
        index = self.log.size - 1
        while index >= first:
            entry = self.entry(index)
            assert entry is not None, "every index from the first one kept has its entry"
            receipt = RECEIPT.decode_trusted(entry.receipt)
            if receipt.time_ms + window_ms <= self.head.time_ms:
                return
            if receipt.authorised:
                body = TRANSACTION.decode_trusted(SIGNED_TRANSACTION.decode_trusted(entry.transaction).body)
                self.window.remember({receipt.transaction_id: body.expires_at_ms})
            index -= 1
