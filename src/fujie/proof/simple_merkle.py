"""The Merkle tree of CometBFT's headers: sha256, ``00`` before a leaf, ``01`` before an inner node (RFC 6962).

Every root in a header (fields, validators, transactions, results, commit, block parts) is this tree. A tree of n leaves
splits at the largest power of two below n, which is the same as pairing neighbours level by level and carrying an odd
last node up unchanged: that way ten thousand leaves are hashed without recursion.

Source: CometBFT 0.38 specification, "Data structures", section "Merkle trees".
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Return the 32-byte root over byte strings of any length; without leaves the sha256 of nothing."""
    hash_ = sha256
    return _root_over([hash_(b"\x00" + leaf).digest() for leaf in leaves])


def merkle_root_of_hashes(values: Iterable[bytes]) -> bytes:
    """Return the 32-byte root whose leaves are the sha256 of each value, as CometBFT does for transactions."""
    hash_ = sha256
    return _root_over([hash_(b"\x00" + hash_(value).digest()).digest() for value in values])


def _root_over(level: Sequence[bytes]) -> bytes:
    if not level:
        return EMPTY_ROOT
    hash_ = sha256
    while (size := len(level)) > 1:
        left_and_right = iter(level)
        parents = [
            hash_(b"\x01" + left + right).digest() for left, right in zip(left_and_right, left_and_right, strict=False)
        ]
        if size & 1:
            parents.append(level[-1])
        level = parents
    return level[0]
