"""Ed25519 through libsodium, the one pinned verifier (docs/adr/0007). No other module imports a signature library.

Libraries disagree about edge cases: OpenSSL accepts any message under the identity point as key with R = identity and
s = 0; libsodium refuses. A key is therefore checked once, when it is registered, and every signature by this module.
"""

import secrets
from typing import Final

from nacl import bindings
from nacl.exceptions import BadSignatureError

SEED_BYTES: Final = 32
PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def new_seed() -> bytes:
    """Return 32 random bytes to make a key pair from. The caller keeps them secret."""
    return secrets.token_bytes(SEED_BYTES)


def public_key(seed: bytes) -> bytes:
    """Return the 32-byte public key of a 32-byte seed (RFC 8032, section 5.1.5)."""
    return bindings.crypto_sign_seed_keypair(seed)[0]


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte signature of ``message`` under the key of ``seed`` (RFC 8032, section 5.1.6)."""
    return bindings.crypto_sign(message, bindings.crypto_sign_seed_keypair(seed)[1])[:SIGNATURE_BYTES]


class Signer:
    """A key pair ready to sign: the secret key is expanded once, which halves the cost of many signatures."""

    __slots__ = ("_secret_key", "public_key", "seed")

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.public_key, self._secret_key = bindings.crypto_sign_seed_keypair(seed)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``."""
        return bindings.crypto_sign(message, self._secret_key)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"Signer({self.public_key.hex()})"


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` (64 bytes) is libsodium-valid for ``message`` under ``key`` (32 bytes). Never raises."""
    if len(key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


def is_sound_public_key(key: bytes) -> bool:
    """Tell whether ``key`` is a canonical point of the prime-order group, as registration demands.

    Refuses the identity, every point of small or mixed order, points off the curve and non-canonical spellings.
    """
    return len(key) == PUBLIC_KEY_BYTES and bool(bindings.crypto_core_ed25519_is_valid_point(key))
