"""The transaction log as a verifier sees it: the Merkle tree of RFC 9162, section 2.1, over sha256.

The inputs of the tree are 32-byte salted commitments (``TAG_LOG_ENTRY``), but nothing here depends on it. Everything is
a pure function over bytes; the side that keeps a log is ``fujie.store.transaction_log``.
"""

from hashlib import sha256
from typing import Annotated, Final

from msgspec import Meta

from fujie.core.encoding import Codec, Record
from fujie.core.errors import VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_LOG_LEAF, TAG_LOG_NODE

LOG_SIZE_MAX: Final = 2**63 - 1  # what a size may be; 100,000 entries a second fill it in three million years
EMPTY_ROOT: Final = sha256().digest()  # RFC 9162, section 2.1.1: the hash of an empty list

LogSize = Annotated[int, Meta(ge=0, le=LOG_SIZE_MAX)]


class LogProof(Record, tag=1, frozen=True):
    """That an entry stands at ``index`` in the log of ``size`` entries. ``path``: 32-byte nodes, bottom up, joined."""

    index: LogSize
    size: LogSize
    path: bytes


class LogConsistencyProof(Record, tag=1, frozen=True):
    """That the log of ``old_size`` entries is the beginning of the log of ``new_size``. ``path``: nodes, joined."""

    old_size: LogSize
    new_size: LogSize
    path: bytes


log_proof_codec: Final = Codec[LogProof](LogProof)
log_consistency_proof_codec: Final = Codec[LogConsistencyProof](LogConsistencyProof)


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of an entry, the 32-byte commitment of a transaction and its receipt."""
    return sha256(TAG_LOG_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of two subtrees."""
    return sha256(TAG_LOG_NODE + left + right).digest()


def verify_log_inclusion(root: bytes, size: int, entry: bytes, proof: LogProof) -> None:
    """Check that ``entry`` stands at ``proof.index`` in the log of ``size`` entries with this ``root``.

    Steps, in order: ``log-size`` (the proof speaks of this size), ``log-index``, ``log-path`` (well formed, of the
    length that index and size demand), ``log-root``. Raises :class:`VerificationError`. The caller still owes the
    trust in ``root`` and ``size`` (both stand under the app hash). RFC 9162, section 2.1.3.2.
    """
    if proof.size != size:
        raise VerificationError("log-size", f"the proof is for {proof.size} entries, the log has {size}")
    if not 0 <= proof.index < size:
        raise VerificationError("log-index", f"there is no entry {proof.index} among {size}")
    position, last = proof.index, size - 1
    current = leaf_hash(entry)
    for node in _nodes("log-path", proof.path):
        if last == 0:
            raise VerificationError("log-path", "the path is too long")
        if position & 1 or position == last:
            current = node_hash(node, current)
            # A rightmost subtree that is not full has no sibling on some levels: skip them.
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            current = node_hash(current, node)
        position >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("log-path", "the path is too short")
    if current != root:
        raise VerificationError("log-root", "the path leads to another log root")


def verify_log_consistency(
    old_root: bytes, old_size: int, new_root: bytes, new_size: int, proof: LogConsistencyProof
) -> None:
    """Check that the log of ``old_size`` entries and ``old_root`` is the beginning of the one of ``new_size``.

    Steps, in order: ``log-size``, ``log-path``, ``log-old-root``, ``log-root``. Raises :class:`VerificationError`. The
    caller owes the trust in both roots. RFC 9162, section 2.1.4.2; the cases which it leaves out are settled here: an
    empty log is the beginning of every log, and equal sizes need equal roots, each with an empty path.
    """
    if (proof.old_size, proof.new_size) != (old_size, new_size):
        raise VerificationError(
            "log-size", f"the proof is for {proof.old_size} and {proof.new_size} entries, not {old_size} and {new_size}"
        )
    if not 0 <= old_size <= new_size:
        raise VerificationError("log-size", f"a log does not shrink from {old_size} to {new_size} entries")
    path = _nodes("log-path", proof.path)
    if old_size in (0, new_size):
        if path:
            raise VerificationError("log-path", "the path is too long")
        old_current = EMPTY_ROOT if old_size == 0 else new_root
        new_current = new_root
    else:
        if old_size & (old_size - 1) == 0:  # the old log is one full subtree: its root is the first node, left out
            path.insert(0, old_root)
        old_current, new_current = _fold_both(old_size, new_size, path)
    if old_current != old_root:
        raise VerificationError("log-old-root", "the path leads to another root of the old log")
    if new_current != new_root:
        raise VerificationError("log-root", "the path leads to another root of the new log")


def _fold_both(old_size: int, new_size: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """Return the roots of the old and the new log to which ``path`` leads; ``0 < old_size < new_size``."""
    if not path:
        raise VerificationError("log-path", "the path is too short")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_current = new_current = path[0]
    for node in path[1:]:
        if last == 0:
            raise VerificationError("log-path", "the path is too long")
        if position & 1 or position == last:
            old_current = node_hash(node, old_current)
            new_current = node_hash(node, new_current)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new_current = node_hash(new_current, node)
        position >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("log-path", "the path is too short")
    return old_current, new_current


def _nodes(step: str, path: bytes) -> list[bytes]:
    """Return the nodes of a joined path, at most one per bit of a size and one more."""
    if len(path) % DIGEST_BYTES or len(path) > DIGEST_BYTES * 64:
        raise VerificationError(step, f"{len(path)} bytes are not a path of {DIGEST_BYTES}-byte nodes")
    return [path[start : start + DIGEST_BYTES] for start in range(0, len(path), DIGEST_BYTES)]
