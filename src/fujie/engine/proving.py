"""Answers with proof from the newest proven state.

The app hash after block H is signed in header H + 1. Under load the newest header therefore proves the state one block
back, and values as well as tree nodes are read there. A reader runs beside the thread that commits: it takes value and
proof, sees whether they belong together, and tries again in the rare case that a commit came between.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.state import Key, Leaf
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.executor import Executor, Head, StateTooOld, log_salt
from fujie.modules.catalog import TRANSACTION
from fujie.proof.bundle import Absent, Bundle, Item, Logged, Present
from fujie.proof.merkle_state import find_leaf, value_digest

_ATTEMPTS = 20


class Proven(NamedTuple):
    """A signed header as ``tendermint.types.LightBlock``, and the head whose app hash it carries."""

    light_block: bytes
    head: Head


def read_leaf(executor: Executor, proven: Callable[[], Proven], key: Key[Any]) -> Leaf | None:
    """Return what stands at ``key`` in the newest proven state."""
    for _ in range(_ATTEMPTS):
        try:
            return executor.leaf_under(key, proven().head.state_root)
        except StateTooOld:
            continue  # many blocks were made since the line above
    raise OperationalError("The state changes faster than it can be read.", "Try again.")


def prove_keys(executor: Executor, proven: Callable[[], Proven], keys: Sequence[Key[Any]]) -> Bundle:
    """Return a bundle for ``keys`` under the newest header.

    Raises :class:`OperationalError` when blocks come faster than the proof can be put together.
    """
    for _ in range(_ATTEMPTS):
        newest = proven()
        try:
            items = [_prove_key(executor, newest.head.state_root, key) for key in keys]
        except OperationalError:
            continue  # the root has left the window meanwhile
        if all(item is not None for item in items):
            return _bundle(executor, newest, tuple(item for item in items if item is not None))
    raise OperationalError("The state changes faster than it can be proven.", "Ask for fewer keys at a time.")


def prove_receipt(executor: Executor, proven: Proven, index: int) -> Bundle:
    """Return a bundle for the log entry at ``index``, which lies below the proven log size."""
    entry = executor.entry(index)
    assert entry is not None, "the caller has seen that the entry exists"
    body = SIGNED_TRANSACTION.decode_trusted(entry.transaction).body
    salt = log_salt(TRANSACTION.decode_trusted(body).nonce, transaction_id(body))
    proof = executor.log.prove_inclusion(index, proven.head.log_size)
    return _bundle(executor, proven, (Logged(salt, entry.transaction, entry.receipt, proof),))


def _prove_key(executor: Executor, root: bytes, key: Key[Any]) -> Item | None:
    """Return the item for one key, or None when value and proof are of different blocks."""
    leaf = executor.leaf_under(key, root)
    proof = executor.tree.prove(key.hash, root)
    if leaf is None:
        return Absent(key.path, proof) if find_leaf(proof.leaves, key.hash) < 0 else None
    record = encode(leaf.record)
    if find_leaf(proof.leaves, key.hash + value_digest(leaf.salt, record)) < 0:
        return None
    return Present(key.path, leaf.salt, record, proof, ())


def _bundle(executor: Executor, proven: Proven, items: tuple[Item, ...]) -> Bundle:
    head = proven.head
    return Bundle(executor.chain_id, proven.light_block, head.state_root, head.log_root, head.log_size, items)
