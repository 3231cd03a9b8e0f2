"""An engine for reading, in a process of its own: it follows the ledger and answers with the same proofs.

Implements ``engine.base.Served``. What it reads is a :class:`Picture` of its follower, the tree is always at the state
that the newest header proves, and both are exchanged together. What is submitted goes to the ledger over the link.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any, Final, TypeVar

from fujie.core.errors import OperationalError
from fujie.core.state import Key, Leaf
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.core.transaction import transaction_id as id_of
from fujie.engine.base import Outcome
from fujie.engine.executor import Head, log_salt
from fujie.engine.link.connection import Requests
from fujie.engine.link.levels import LogLevels
from fujie.engine.proving import Proven
from fujie.machine.genesis import GENESIS, Genesis, founding_record
from fujie.machine.schedule import ComingRules
from fujie.modules.catalog import TRANSACTION
from fujie.modules.membership.state_keys import PARAMETERS_KEY
from fujie.proof.bundle import Absent, Bundle, Item, Logged, Present
from fujie.proof.merkle_state import find_leaf, value_digest
from fujie.reader.followed_tree import CACHE_BYTES_DEFAULT, BucketDiffersError, FollowedTree
from fujie.reader.follower import OPEN_TIMEOUT_S, Follower, Limits
from fujie.reader.picture import Picture
from fujie.store.following import MomentGone
from fujie.store.layout import Table
from fujie.store.state_tree import unpack_leaf
from fujie.store.transaction_log import TransactionLog, tile_key

log = logging.getLogger(__name__)

DRY_RUN_TIMEOUT_S: Final = 30.0
CACHED_ROWS_DEFAULT: Final = 100_000  # records in memory, about 60 MB
ATTEMPTS: Final = 50
OPTIMISTIC_ATTEMPTS: Final = 3  # without the lock over the whole question; blocks then need not wait for it
ADVANCE_TIMEOUT_S: Final = 0.2  # for one attempt, while a block that was read too early arrives

T = TypeVar("T")

_UNKNOWN: Final[Any] = object()


class _MovedError(Exception):
    """Another block was shown between two parts of an answer."""


class Replica:
    """Follows the ledger of a data folder. Any thread may call any method."""

    def __init__(
        self,
        home: Path,
        *,
        ledger_pid: int | None = None,
        timeout_s: float = OPEN_TIMEOUT_S,
        cancelled: Callable[[], bool] = lambda: False,
        limits: Limits | None = None,
        levels: LogLevels | None = None,
        works: Callable[[], bool] = lambda: True,
        cached_rows: int = CACHED_ROWS_DEFAULT,
        cached_bucket_bytes: int = CACHE_BYTES_DEFAULT,
    ) -> None:
        """Attach to the ledger and return when there is something to read. ``works``: see ``Follower``.

        Raises :class:`OperationalError` when no ledger (of process ``ledger_pid``, if given) answers in time, or when
        ``cancelled`` says so meanwhile.
        """
        self._lock = threading.RLock()  # around an answer from tree and view, and the exchange of both
        self._picture: Picture | None = None
        self._tree: FollowedTree | None = None
        self._cached_bucket_bytes = cached_bucket_bytes
        self._genesis: Genesis | None = None
        self._rows: dict[bytes, bytes | None] = {}  # key hash → what stands there in the proven state
        self._leaves: dict[str, Leaf] = {}  # the same, decoded
        self._cached_max = cached_rows
        self._unseen: list[tuple[int, Callable[[], None]]] = []  # outcomes of blocks that have not arrived yet
        self._closed = False
        self._requests = Requests(home, ledger_pid)
        self._follower = Follower(
            home, ledger_pid=ledger_pid, limits=limits, levels=levels, watch=self._take, works=works
        )
        try:
            self._follower.wait_attached(timeout_s, cancelled)
        except BaseException:
            self.close()
            raise
        self._log = TransactionLog(self._follower)
        self._unsubscribe = self._follower.subscribe(self._tell_seen)
        self.chain_id = self._follower.chain_id
        self.subscribe = self._follower.subscribe
        self.block = self._follower.block
        self.light_block = self._follower.light_block
        self.pivot = self._follower.pivot
        self.entry = self._follower.entry
        self.entries = self._follower.entries
        self.index_of = self._follower.index_of
        self.archived = self._follower.archived

    # -- how it stands

    @property
    def head(self) -> Head:
        """See ``Engine``."""
        return self._follower.head

    @property
    def proven(self) -> Proven:
        """See ``Served``."""
        return self._shown.proven

    @property
    def genesis(self) -> Genesis:
        """See ``Served``."""
        if self._genesis is None:
            self._genesis = self._follower.genesis
        return self._genesis

    @property
    def pending(self) -> int:
        """See ``Served``; as of a moment ago."""
        return self._follower.pulse.pending

    @property
    def lacking(self) -> tuple[ComingRules, ...]:
        """See ``Served``; as of a moment ago."""
        return self._follower.pulse.lacking

    @property
    def failure(self) -> BaseException | None:
        """See ``Served``; also set while the ledger process is away."""
        if self._follower.pulse.failure is not None:
            return OperationalError(f"The ledger has stopped: {self._follower.pulse.failure}", "See the node's log.")
        if not self._follower.connected:
            return OperationalError("The ledger process does not answer.", "It is started again by itself.")
        return None

    @property
    def connected(self) -> bool:
        """Whether the ledger is followed now."""
        return self._follower.connected

    # -- to the ledger

    def submit(self, transactions: Sequence[bytes]) -> "Future[list[Outcome]]":
        """See ``Engine``. Whoever hears of an outcome can read what it did here."""
        answer: Future[list[Outcome]] = Future()
        answer.set_running_or_notify_cancel()

        def settled(done: "Future[list[Outcome]]") -> None:
            error = done.exception()
            if error is not None:
                answer.set_exception(error)
                return
            outcomes = done.result()
            heights = [outcome.receipt.height for outcome in outcomes if outcome.receipt is not None]
            self._when_seen(max(heights, default=0), lambda: answer.set_result(outcomes))

        self._requests.submit(transactions).add_done_callback(settled)
        return answer

    def dry_run(self, transaction: bytes) -> Outcome:
        """See ``Engine``."""
        try:
            return self._requests.dry_run(transaction).result(DRY_RUN_TIMEOUT_S)[0]
        except FutureTimeout:
            raise OperationalError("The ledger did not answer in time.", "Try again.") from None

    def close(self) -> None:
        """Stop following. What waits for an outcome fails. Idempotent."""
        self._closed = True
        self._follower.close()
        self._requests.close()
        self._tell_seen()

    # -- reading

    def read(self, key: Key[Any]) -> Leaf | None:
        """See ``Engine``."""
        known = self._leaves.get(key.path)
        return known if known is not None else self._asked(lambda picture: self._read(picture, key))

    def prove(self, keys: Sequence[Key[Any]]) -> Bundle:
        """See ``Engine``."""
        return self._asked(
            lambda picture: self._bundle(picture, tuple([self._item(picture, key) for key in keys])),
        )

    def prove_receipt(self, transaction_id: bytes, timeout_s: float = 10.0) -> Bundle | None:
        """See ``Engine``."""
        index = self.index_of(transaction_id)
        if index is None:
            return None
        with self._follower.changed:
            self._follower.changed.wait_for(
                lambda: self.proven.head.log_size > index or self.failure is not None or self._closed, timeout_s
            )
        picture = self._shown
        size = picture.proven.head.log_size
        if size <= index:
            raise OperationalError(
                "The block that proves the receipt was not made in time.",
                "The receipt stands; ask for the proof again.",
            )
        entry = self.entry(index)
        assert entry is not None, "the index names an entry"
        body = SIGNED_TRANSACTION.decode_trusted(entry.transaction).body
        salt = log_salt(TRANSACTION.decode_trusted(body).nonce, id_of(body))
        with self._lock:
            if self._log.size < size:
                self._log.move(size)
        proof = self._log.prove_inclusion(index, size)
        return self._bundle(picture, (Logged(salt, entry.transaction, entry.receipt, proof),))

    def log_tile(self, level: int, number: int) -> bytes | None:
        """See ``Served``."""
        return self._follower.get(Table.LOG_TILES, tile_key(level, number))

    # -- inside: one answer

    @property
    def _shown(self) -> Picture:
        assert self._picture is not None, "opening waits for the first"
        return self._picture

    def _asked(self, question: Callable[[Picture], T]) -> T:
        """Return what ``question`` gives for one picture, asked again when another takes its place meanwhile.

        After a few times with the lock held, so that a large question comes to its end beside a quick ledger.
        """
        for attempt in range(ATTEMPTS):
            picture = self._shown
            try:
                with contextlib.nullcontext() if attempt < OPTIMISTIC_ATTEMPTS else self._lock:
                    return question(self._shown if attempt >= OPTIMISTIC_ATTEMPTS else picture)
            except _MovedError:
                continue
            except MomentGone:
                if self._closed:
                    raise
            except BucketDiffersError:
                if picture.settled.base.exact and self._shown is picture:
                    raise OperationalError(
                        "The records in the store do not have the digest in the state tree.",
                        "Run `fujie check` to see where, and restore a snapshot.",
                    ) from None
                self._wait_after(picture)  # the store was read a block too early: that block is on its way
        raise OperationalError("The state changes faster than it can be proven.", "Ask for fewer keys at a time.")

    def _wait_after(self, picture: Picture) -> None:
        with self._follower.changed:
            self._follower.changed.wait_for(lambda: self._shown is not picture, ADVANCE_TIMEOUT_S)

    def _read(self, picture: Picture, key: Key[Any]) -> Leaf | None:
        exact = picture.settled.base.exact
        with self._lock:
            self._require_shown(picture)
            if exact:
                stored = self._stored(picture, key)
            else:
                item = self._item(picture, key)
                stored = None if isinstance(item, Absent) else self._rows.get(key.hash)
            if stored is None:
                return None
            _, salt, record = unpack_leaf(stored)
            leaf = Leaf(key.codec.decode_trusted(record), salt)
            self._leaves[key.path] = leaf
            return leaf

    def _item(self, picture: Picture, key: Key[Any]) -> Item:
        """Return the item that proves what stands at ``key``, or that nothing does."""
        key_hash = key.hash
        with self._lock:
            self._require_shown(picture)
            tree = self._tree
            assert tree is not None, "it was made with the first picture"
            view = picture.settled
            proof = tree.prove(key_hash, lambda start, end: view.scan(Table.STATE, start, end))
            if find_leaf(proof.leaves, key_hash) < 0:
                return Absent(key.path, proof)
            stored = self._stored(picture, key)
            if stored is not None:
                _, salt, record = unpack_leaf(stored)
                if find_leaf(proof.leaves, key_hash + value_digest(salt, record)) >= 0:
                    return Present(key.path, salt, record, proof, ())
            self._rows.pop(key_hash, None)
            raise BucketDiffersError

    def _stored(self, picture: Picture, key: Key[Any]) -> bytes | None:
        """Return the row of ``key`` in the STATE table, and keep it. The caller holds the lock."""
        rows = self._rows
        found: Any = rows.get(key.hash, _UNKNOWN)
        if found is _UNKNOWN:
            found = picture.settled.get(Table.STATE, key.hash)
            if len(rows) >= self._cached_max:
                rows.clear()
                self._leaves.clear()  # which block changes a leaf is found by its row
            rows[key.hash] = found
        stored: bytes | None = found
        return stored

    def _require_shown(self, picture: Picture) -> None:
        if picture is not self._picture:
            raise _MovedError

    def _bundle(self, picture: Picture, items: tuple[Item, ...]) -> Bundle:
        head = picture.proven.head
        return Bundle(self.chain_id, picture.proven.light_block, head.state_root, head.log_root, head.log_size, items)

    # -- inside: the follower's thread

    def _take(self, picture: Picture) -> None:
        """Hash what was settled, then exchange tree and picture in an instant."""
        tree = self._tree
        if tree is None:
            depth = founding_record(self._genesis_of(picture), PARAMETERS_KEY).state_tree_depth
            tree = FollowedTree(depth, self._lock, self._cached_bucket_bytes)
        changes: dict[bytes, bytes | None] | None = None
        if picture.changes is None:
            digests = tree.differing(picture.settled.scan(Table.BUCKETS))
        else:
            digests, changes = {}, {}
            for tables in picture.changes:
                digests.update(tree.decode(tables.get(Table.BUCKETS, {})))
                changes.update(tables.get(Table.STATE, {}))
        try:
            root = tree.stage(digests) if digests else tree.root
            if root != picture.proven.head.state_root:
                raise OperationalError(
                    f"Block {picture.head.height} does not lead to the state root that its header proves.",
                    "Run `fujie check` to see where, and restore a snapshot.",
                )
        except BaseException:
            with self._lock:
                tree.take_back()
            raise
        with self._lock:
            tree.apply(changes)
            self._forget(changes)
            self._tree = tree
            self._picture = picture

    def _genesis_of(self, picture: Picture) -> Genesis:
        if self._genesis is None:
            data = picture.settled.get(Table.GENESIS, b"genesis")
            assert data is not None, "a chain has its genesis"
            self._genesis = GENESIS.decode_trusted(data)
        return self._genesis

    def _forget(self, changes: dict[bytes, bytes | None] | None) -> None:
        """Forget the cached records that a block changed. The caller holds the lock."""
        if changes is None:
            self._rows.clear()
            self._leaves.clear()
            return
        rows, leaves = self._rows, self._leaves
        for key_hash, stored in changes.items():
            if key_hash in rows:
                old = rows[key_hash]
                rows[key_hash] = stored
                if old is not None:
                    leaves.pop(unpack_leaf(old)[0].decode(), None)

    def _when_seen(self, height: int, tell: Callable[[], None]) -> None:
        """Call ``tell`` once block ``height`` is shown here, or will not be for now."""
        with self._lock:
            if height > self.head.height and self._follower.connected and not self._closed:
                self._unseen.append((height, tell))
                return
        tell()

    def _tell_seen(self) -> None:
        """Tell of the outcomes that waited for a block."""
        with self._lock:
            height = self.head.height if self._unseen else 0
            away = self._closed or not self._follower.connected
            due = [tell for wanted, tell in self._unseen if away or wanted <= height]
            self._unseen = [] if away else [pair for pair in self._unseen if pair[0] > height]
        for tell in due:
            tell()
