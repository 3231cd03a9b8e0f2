"""Domain-separated sha256 (docs/spec/01-hashing.md).

Every digest of Fujie is ``sha256(tag || parts)`` with a one-byte tag from the table below, so that a value hashed for
one purpose can never stand for another. The two exceptions are foreign formats: the transaction log keeps the tags of
RFC 9162, and block headers keep the tree of CometBFT; both happen to be ``00`` for leaves and ``01`` for inner nodes.
"""

from hashlib import sha256
from typing import Final

DIGEST_BYTES: Final = 32
ZERO_DIGEST: Final = bytes(DIGEST_BYTES)

TAG_LOG_LEAF: Final = b"\x00"  # RFC 9162, section 2.1.1
TAG_LOG_NODE: Final = b"\x01"  # RFC 9162, section 2.1.1
TAG_TRANSACTION_ID: Final = b"\x10"  # || transaction body
TAG_SIGNED_TRANSACTION: Final = b"\x11"  # || transaction id: what a signer signs is this tag and the id, unhashed
TAG_READ_GRANT: Final = b"\x12"  # || grant body
TAG_KEY: Final = b"\x20"  # || path of the state key
TAG_VALUE: Final = b"\x21"  # || salt (0 or 32 bytes, its length first) || record
TAG_BUCKET: Final = b"\x22"  # || (key hash || value digest) of every leaf, by key hash ascending
TAG_STATE_NODE: Final = b"\x23"  # || left || right
TAG_SALT_FIRST: Final = b"\x24"  # || seed || key hash
TAG_SALT_NEXT: Final = b"\x25"  # || salt || nonce of the transaction || key hash
TAG_APP_HASH: Final = b"\x30"  # || state root || log root || log size as 8 bytes, big endian
TAG_LOG_ENTRY: Final = b"\x31"  # || entry salt || transaction id || receipt
TAG_LOG_SALT: Final = b"\x32"  # || nonce of the transaction || transaction id
TAG_GENESIS: Final = b"\x33"  # || genesis
TAG_VERSION: Final = b"\x34"  # || record of an old version
TAG_CODEBOOK_LEAF: Final = b"\x35"  # || codebook entry
TAG_CODEBOOK_NODE: Final = b"\x36"  # || left || right
TAG_SNAPSHOT: Final = b"\x37"  # || snapshot chunk


def digest(tag: bytes, *parts: bytes) -> bytes:
    """Return the 32-byte sha256 of ``tag`` and all ``parts``, joined. Parts of variable length need a length first."""
    return sha256(tag + b"".join(parts)).digest()


def app_hash(state_root: bytes, log_root: bytes, log_size: int) -> bytes:
    """Return the one commitment that a block header carries (docs/spec/04-proofs.md)."""
    return digest(TAG_APP_HASH, state_root, log_root, log_size.to_bytes(8, "big"))


def version_digest(data: bytes) -> bytes:
    """Return the digest by which the canonical bytes of an old version of a record are known."""
    return digest(TAG_VERSION, data)
