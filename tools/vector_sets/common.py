"""What every vector set is made of: cases with a name, inputs and what to expect, and keys with fixed seeds."""

from hashlib import sha256
from typing import Any, Final

import msgspec

from fujie.core.signing import Signer

Case = dict[str, Any]
VectorSet = dict[str, Any]

VALID: Final = "valid"
OWN: Final = "Made by tools/make_vectors.py from the Python implementation, with fixed seeds."


def key_pair(number: int) -> Signer:
    """Return the test key pair with this number: its seed is the sha256 of ``fujie vector key <number>``."""
    return Signer(sha256(b"fujie vector key %d" % number).digest())


def noise(name: str, size: int = 32) -> bytes:
    """Return bytes that stand for random ones: the beginning of the sha256 of ``fujie vector <name>``."""
    return sha256(b"fujie vector " + name.encode()).digest()[:size]


def case(name: str, expect: str, **inputs: Any) -> Case:
    """Return a case; ``expect`` is ``valid`` or the name of the step that fails. Bytes become hexadecimal text."""
    shown = {key: value.hex() if isinstance(value, bytes) else value for key, value in inputs.items()}
    return {"name": name, **shown, "expect": VALID if expect == VALID else {"step": expect}}


def vector_set(description: str, cases: list[Case], source: str = OWN) -> VectorSet:
    """Return a whole file. Names of cases are distinct, so that a report can name one."""
    names = [one["name"] for one in cases]
    assert len(names) == len(set(names)), "two cases have one name"
    return {"description": description, "source": source, "cases": cases}


def plain(data: bytes) -> Any:
    """Return canonical bytes as JSON: byte strings as ``{"bin": hex}``, integers beyond 2^53 as ``{"int": text}``."""
    return _plain(msgspec.msgpack.decode(data))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bin": value.hex()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return {"int": str(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def flip(data: bytes, at: int, mask: int = 1) -> bytes:
    """Return ``data`` with the bits of ``mask`` flipped in byte ``at`` (negative counts from the end)."""
    at %= len(data)
    return data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :]
