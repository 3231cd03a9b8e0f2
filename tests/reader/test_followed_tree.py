"""The tree beside the ledger proves the root that readers are shown, whatever is staged meanwhile."""

import threading
from collections.abc import Iterator
from hashlib import sha256

from fujie.core.hashing import TAG_BUCKET
from fujie.proof.merkle_state import StateProof, bucket_number, key_hash, verify_exclusion, verify_inclusion
from fujie.reader.followed_tree import FollowedTree
from fujie.store.state_tree import pack_leaf, stored_value_digest
from tests.reader.ledgers import GIVE_UP_S

DEPTH = 8
RECORDS = 600  # so that most buckets have some
SALT = bytes(32)

State = dict[bytes, bytes]  # path → record
Rows = list[tuple[bytes, bytes]]


def path_of(number: int) -> bytes:
    return b"record/%d" % number


BEFORE = {path_of(number): b"before" for number in range(RECORDS)}
AFTER = {path: b"after" if number % 40 == 7 else record for number, (path, record) in enumerate(BEFORE.items())}


def rows_of(state: State) -> Rows:
    return sorted((key_hash(path), pack_leaf(path, SALT, record)) for path, record in state.items())


def digests_of(state: State) -> dict[int, bytes]:
    buckets: dict[int, bytes] = {}
    for key, stored in rows_of(state):
        number = bucket_number(key, DEPTH)
        buckets[number] = buckets.get(number, b"") + key + stored_value_digest(stored)
    return {number: sha256(TAG_BUCKET + bucket).digest() for number, bucket in buckets.items()}


def changes() -> dict[int, bytes]:
    """Digests of the buckets that differ after the block."""
    before = digests_of(BEFORE)
    return {number: digest for number, digest in digests_of(AFTER).items() if digest != before[number]}


def scan(state: State, start: bytes, end: bytes | None) -> Rows:
    return [row for row in rows_of(state) if row[0] >= start and (end is None or row[0] < end)]


def tree_of(state: State, lock: "WatchedLock", cache_bytes: int = 1) -> FollowedTree:
    tree = FollowedTree(DEPTH, lock, cache_bytes)
    tree.stage(digests_of(state))
    tree.apply(None)
    return tree


def require_proves(tree: FollowedTree, state: State, proof: StateProof, path: bytes) -> None:
    verify_inclusion(tree.root, DEPTH, path, SALT, state[path], proof)


class WatchedLock:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.moved = threading.Event()

    def __enter__(self) -> bool:
        if not self._lock.acquire(blocking=False):
            self.moved.set()
            self._lock.acquire()
        return True

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_proof_that_reads_the_store_while_a_block_is_staged_is_of_the_old_root() -> None:
    for path in (path_of(3), path_of(7), b"nowhere"):
        lock = WatchedLock()
        tree = tree_of(BEFORE, lock)
        root = tree.root

        def stage(lock: WatchedLock = lock, tree: FollowedTree = tree) -> None:
            tree.stage(changes())
            lock.moved.set()

        stager = threading.Thread(target=stage)

        def read(
            start: bytes, end: bytes | None, lock: WatchedLock = lock, stager: threading.Thread = stager
        ) -> Iterator[tuple[bytes, bytes]]:
            stager.start()
            assert lock.moved.wait(GIVE_UP_S), "it is staged, or waits for this proof"
            yield from scan(BEFORE, start, end)

        with lock:
            proof = tree.prove(key_hash(path), read)
            assert tree.root == root
        stager.join(GIVE_UP_S)
        if path in BEFORE:
            require_proves(tree, BEFORE, proof, path)
        else:
            verify_exclusion(tree.root, DEPTH, path, proof)
        # What is proven beside the staged block, without the cache and with it, is of the old root as well.
        for _ in range(2):
            with lock:
                proof = tree.prove(key_hash(path_of(7)), lambda start, end: scan(BEFORE, start, end))
            require_proves(tree, BEFORE, proof, path_of(7))
        with lock:
            tree.apply(None)
        assert tree.root != root
        with lock:
            proof = tree.prove(key_hash(path_of(7)), lambda start, end: scan(AFTER, start, end))
        require_proves(tree, AFTER, proof, path_of(7))


def test_what_is_taken_back_leaves_the_old_root() -> None:
    lock = WatchedLock()
    tree = tree_of(BEFORE, lock, cache_bytes=1_000_000)
    root = tree.root
    assert tree.stage(changes()) != root
    with lock:
        tree.take_back()
    assert tree.root == root
    for number in range(RECORDS):
        proof = tree.prove(key_hash(path_of(number)), lambda start, end: scan(BEFORE, start, end))
        require_proves(tree, BEFORE, proof, path_of(number))
