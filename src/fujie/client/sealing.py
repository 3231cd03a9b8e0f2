"""Secrets at rest: a passphrase turned into a key (Argon2id, RFC 9106) that seals a few bytes (XSalsa20-Poly1305).

Beside ``core.signing`` this is the only importer of libsodium. The cost parameters travel with what is sealed, within
bounds, so that they can grow with the machines of an attacker.
"""

from typing import Final, NamedTuple

from nacl import bindings
from nacl.exceptions import CryptoError

SALT_BYTES: Final = bindings.crypto_pwhash_SALTBYTES  # 16
NONCE_BYTES: Final = bindings.crypto_secretbox_NONCEBYTES  # 24
OVERHEAD_BYTES: Final = bindings.crypto_secretbox_MACBYTES  # 16
SEALED_BYTES_MAX: Final = 1_024  # seeds and small settings, not documents

OPERATIONS_MIN: Final = 1
OPERATIONS_MAX: Final = 16
MEMORY_BYTES_MIN: Final = 8_192
MEMORY_BYTES_MAX: Final = 1_073_741_824  # 1 GiB: what a file may make the machine that opens it spend


class Cost(NamedTuple):
    """What each guess of a passphrase costs: passes over memory, and how much memory."""

    operations: int
    memory_bytes: int


MODERATE: Final = Cost(3, 268_435_456)  # libsodium's "moderate": 256 MiB, about 0.7 s


class Sealed(NamedTuple):
    """What is stored: the cost, 16 bytes of salt, 24 of nonce, and the sealed bytes (16 longer than the secret)."""

    cost: Cost
    salt: bytes
    nonce: bytes
    data: bytes


def is_sound_cost(cost: Cost) -> bool:
    """Tell whether a cost lies within the bounds."""
    return (
        OPERATIONS_MIN <= cost.operations <= OPERATIONS_MAX
        and MEMORY_BYTES_MIN <= cost.memory_bytes <= MEMORY_BYTES_MAX
    )


def seal(secret: bytes, passphrase: str, salt: bytes, nonce: bytes, cost: Cost = MODERATE) -> Sealed:
    """Return ``secret`` (at most 1,008 bytes) sealed under ``passphrase``.

    ``salt`` (16 bytes) and ``nonce`` (24) are random and never used twice: the caller draws them, since nothing in core
    but ``signing`` makes randomness.
    """
    if not is_sound_cost(cost) or len(secret) + OVERHEAD_BYTES > SEALED_BYTES_MAX:
        raise ValueError("cost or secret out of bounds")
    return Sealed(cost, salt, nonce, bindings.crypto_secretbox(secret, nonce, _key(passphrase, salt, cost)))


def unseal(sealed: Sealed, passphrase: str) -> bytes | None:
    """Return the secret, or None when the passphrase is wrong or a byte was changed; no one can tell which.

    Raises ValueError for parts out of bounds, which whoever read them should have refused.
    """
    if (
        not is_sound_cost(sealed.cost)
        or len(sealed.salt) != SALT_BYTES
        or len(sealed.nonce) != NONCE_BYTES
        or not OVERHEAD_BYTES <= len(sealed.data) <= SEALED_BYTES_MAX
    ):
        raise ValueError("a part of what is sealed is out of bounds")
    try:
        return bindings.crypto_secretbox_open(sealed.data, sealed.nonce, _key(passphrase, sealed.salt, sealed.cost))
    except CryptoError:
        return None


def _key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    return bindings.crypto_pwhash_alg(
        bindings.crypto_secretbox_KEYBYTES,
        passphrase.encode(),
        salt,
        cost.operations,
        cost.memory_bytes,
        bindings.crypto_pwhash_ALG_ARGON2ID13,
    )
