"""The state tree as a verifier sees it: digests, proofs, and the checks of a proof (docs/spec/04-proofs.md).

The tree has a fixed number of buckets, ``2 ** depth``, under a binary sha256 tree. A record stands in the bucket that
the first ``depth`` bits of its key hash name. A bucket is the sorted list of its leaves, ``key hash || value digest``;
so the root depends on what stands in state and on nothing else, and a whole bucket proves presence and absence alike.

Everything here is a pure function over bytes. The side that keeps a tree is ``fujie.store.state_tree``.
"""

from functools import cache
from hashlib import sha256
from typing import Final

from fujie.core.encoding import Codec, Record
from fujie.core.errors import VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_BUCKET, TAG_KEY, TAG_STATE_NODE, TAG_VALUE, digest

DEPTH_MIN: Final = 4
DEPTH_MAX: Final = 24  # 16.8 million buckets; a verifier and the four-byte bucket number need a bound
LEAF_BYTES: Final = 2 * DIGEST_BYTES  # key hash || value digest
SALT_BYTES: Final = 32  # a salt is absent or has this length
BUCKET_LEAVES_MAX: Final = 65_536  # 4 MiB: what a verifier is willing to hash for one proof


class StateProof(Record, tag=1, frozen=True):
    """One path of the state tree: the whole bucket of a key and what stands beside the way up to the root.

    ``leaves``: every leaf of the bucket, 64 bytes each, by key hash ascending. ``present``: a bitmap of
    ``ceil(depth / 8)`` bytes; bit ``k % 8`` (least significant first) of byte ``k // 8`` tells whether the sibling at
    height ``k`` above the buckets is given. ``siblings``: the given ones, 32 bytes each, from the bottom up. A sibling
    that is not given is the root of an empty subtree, which is what most siblings of a small chain are.
    """

    leaves: bytes
    present: bytes
    siblings: bytes


state_proof_codec: Final = Codec[StateProof](StateProof)


def key_hash(path: bytes) -> bytes:
    """Return the 32-byte hash under which the record of state key ``path`` stands."""
    return sha256(TAG_KEY + path).digest()


def value_digest(salt: bytes, record: bytes) -> bytes:
    """Return the 32-byte digest of a record and its salt (0 or 32 bytes)."""
    return sha256(TAG_VALUE + bytes((len(salt),)) + salt + record).digest()


def bucket_number(key_digest: bytes, depth: int) -> int:
    """Return the bucket of a key hash: its first ``depth`` bits as a number."""
    return int.from_bytes(key_digest[:4], "big") >> (32 - depth)


def find_leaf(leaves: bytes, beginning: bytes) -> int:
    """Return where in a bucket the leaf stands that begins with ``beginning`` (a key hash, or all of it); -1 if none does."""
    at = leaves.find(beginning)
    while at > 0 and at % LEAF_BYTES:  # a key hash across two leaves takes 2**128 work, but is no reason to be wrong
        at = leaves.find(beginning, at + 1)
    return at


@cache  # one entry per depth, at most 21
def empty_digests(depth: int) -> tuple[bytes, ...]:
    """Return the root of an empty subtree of every height, ``0`` (an empty bucket) to ``depth`` (an empty tree)."""
    digests = [digest(TAG_BUCKET)]
    for _ in range(depth):
        digests.append(digest(TAG_STATE_NODE, digests[-1], digests[-1]))
    return tuple(digests)


def compress_siblings(siblings: list[bytes]) -> tuple[bytes, bytes]:
    """Return the ``present`` bitmap and the joined ``siblings`` of a proof from all siblings, bottom up."""
    present = bytearray((len(siblings) + 7) // 8)
    given = []
    for height, (sibling, empty) in enumerate(zip(siblings, empty_digests(len(siblings)), strict=False)):
        if sibling != empty:
            present[height >> 3] |= 1 << (height & 7)
            given.append(sibling)
    return bytes(present), b"".join(given)


def verify_inclusion(root: bytes, depth: int, path: bytes, salt: bytes, record: bytes, proof: StateProof) -> None:
    """Check that ``record`` with ``salt`` is what stands under state key ``path`` in the state with this ``root``.

    Steps, in order: ``state-depth``, ``state-salt``, ``state-bucket`` (the bucket is well formed and the right one),
    ``state-leaf`` (it holds this key with this value), ``state-path`` (siblings are well formed), ``state-root``.
    Raises :class:`VerificationError` naming the first step that fails. The caller still owes the trust in ``root``
    (:func:`fujie.core.hashing.app_hash` and a signed header) and the meaning of ``record``.
    """
    if len(salt) not in (0, SALT_BYTES):
        raise VerificationError("state-salt", f"a salt has 0 or {SALT_BYTES} bytes, this one has {len(salt)}")
    number, position = _check_bucket(depth, path, proof.leaves)
    if position is None:
        raise VerificationError("state-leaf", "the bucket holds no record under this key")
    if proof.leaves[position + DIGEST_BYTES : position + LEAF_BYTES] != value_digest(salt, record):
        raise VerificationError("state-leaf", "another value stands under this key")
    _check_root(root, depth, number, proof)


def verify_exclusion(root: bytes, depth: int, path: bytes, proof: StateProof) -> None:
    """Check that nothing stands under state key ``path`` in the state with this ``root``.

    Steps, in order: ``state-depth``, ``state-bucket``, ``state-leaf`` (the bucket does not hold the key),
    ``state-path``, ``state-root``. Raises :class:`VerificationError`. The caller owes the trust in ``root``.
    """
    number, position = _check_bucket(depth, path, proof.leaves)
    if position is not None:
        raise VerificationError("state-leaf", "a record stands under this key")
    _check_root(root, depth, number, proof)


def _check_bucket(depth: int, path: bytes, leaves: bytes) -> tuple[int, int | None]:
    """Return the bucket number of ``path`` and where its leaf begins in ``leaves``, None when it is absent."""
    if not DEPTH_MIN <= depth <= DEPTH_MAX:
        raise VerificationError("state-depth", f"a tree has a depth of {DEPTH_MIN} to {DEPTH_MAX}, not {depth}")
    if len(leaves) % LEAF_BYTES:
        raise VerificationError("state-bucket", f"a leaf has {LEAF_BYTES} bytes, the bucket has {len(leaves)}")
    if len(leaves) > BUCKET_LEAVES_MAX * LEAF_BYTES:
        raise VerificationError("state-bucket", f"the bucket has more than {BUCKET_LEAVES_MAX} leaves")
    wanted = key_hash(path)
    number = bucket_number(wanted, depth)
    position = None
    previous = b""  # sorts before every key hash
    for start in range(0, len(leaves), LEAF_BYTES):
        present = leaves[start : start + DIGEST_BYTES]
        if present <= previous:
            raise VerificationError("state-bucket", "the leaves are not strictly ascending")
        if bucket_number(present, depth) != number:
            raise VerificationError("state-bucket", "a leaf belongs into another bucket")
        if present == wanted:
            position = start
        previous = present
    return number, position


def _check_root(root: bytes, depth: int, number: int, proof: StateProof) -> None:
    """Fold the bucket and its siblings to a root and compare it."""
    present, siblings = proof.present, proof.siblings
    bits = int.from_bytes(present, "little")
    if len(present) != (depth + 7) // 8 or bits >> depth:
        raise VerificationError("state-path", f"the bitmap of siblings does not have {depth} bits")
    if len(siblings) != bits.bit_count() * DIGEST_BYTES:
        raise VerificationError("state-path", "there are more or fewer siblings than the bitmap tells")
    empty = empty_digests(depth)
    current = digest(TAG_BUCKET, proof.leaves)
    start = 0
    for height in range(depth):
        sibling = empty[height]
        if bits >> height & 1:
            sibling = siblings[start : start + DIGEST_BYTES]
            start += DIGEST_BYTES
            # One tree has one proof for a key: an empty subtree is told by the bitmap and never written out.
            if sibling == empty[height]:
                raise VerificationError("state-path", "the root of an empty subtree is written out")
        left, right = (sibling, current) if number >> height & 1 else (current, sibling)
        current = digest(TAG_STATE_NODE, left, right)
    if current != root:
        raise VerificationError("state-root", "the path leads to another state root")
