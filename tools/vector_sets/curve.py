"""As much arithmetic on Ed25519's curve as it takes to make keys and signatures that nobody should accept.

Slow and with no secrets to keep. Source of the formulas: RFC 8032, section 5.1.
"""

from hashlib import sha512
from typing import Final

P: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""Order of the prime-order group; the whole group has eight times as many points."""

_D: Final = -121665 * pow(121666, P - 2, P) % P
_ROOT_OF_MINUS_ONE: Final = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]

IDENTITY: Final[Point] = (0, 1)


def add(a: Point, b: Point) -> Point:
    """Return the sum of two points."""
    (x1, y1), (x2, y2) = a, b
    k = _D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P


def multiply(factor: int, point: Point) -> Point:
    """Return ``factor`` times ``point``."""
    total = IDENTITY
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def point_at(y: int, sign: int = 0) -> Point | None:
    """Return the point with this y and this low bit of x, or None when there is none."""
    square = (y * y - 1) * pow(_D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return (P - x if x & 1 != sign else x) % P, y


def encode_point(point: Point) -> bytes:
    """Return the 32 bytes of a point."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def _base() -> Point:
    found = point_at(4 * pow(5, P - 2, P) % P)
    assert found is not None
    return found


def _torsion() -> Point:
    """Return a point of order eight."""
    y = 2
    while True:
        found = point_at(y)
        if found is not None:
            candidate = multiply(ORDER, found)
            if multiply(4, candidate) != IDENTITY:
                return candidate
        y += 1


BASE: Final = _base()
TORSION: Final = _torsion()


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    """Return the number k of a signature."""
    return int.from_bytes(sha512(r + key + message).digest(), "little") % ORDER


def sign_with(secret: int, nonce: int, message: bytes, key: Point, r: Point) -> bytes:
    """Return a signature by the equation s = nonce + k · secret, whatever ``key`` and ``r`` are."""
    encoded = encode_point(r)
    s = (nonce + challenge(encoded, encode_point(key), message) * secret) % ORDER
    return encoded + s.to_bytes(32, "little")
