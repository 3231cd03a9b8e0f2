"""Small changes to bytes, texts and records, from a seeded source of randomness: what a forger or a bad disk would do."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec


def of_bytes(rng: random.Random, data: bytes) -> bytes:
    """``data`` with a bit or byte changed, left out, put in or cut off."""
    at = rng.randrange(len(data) + 1)
    match rng.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + rng.randbytes(1) + data[at:]
        case 2:
            return data[:at] + data[at + rng.randrange(1, 4) :]
        case 3:
            return data[:at] + rng.randbytes(1) + data[at + 1 :]
        case _:
            return data[:at] + bytes(byte ^ (1 << rng.randrange(8)) for byte in data[at : at + 1]) + data[at + 1 :]


def of_text(rng: random.Random, text: str) -> str:
    """``text`` with a character changed, left out or put in."""
    at = rng.randrange(len(text) + 1)
    new = rng.choice('\0\n az09AZ.-/~\x7f\xa0\xad\ufeff\u200b\u2028\u3000Ａ石𠀀{}[]",:eE+\\')
    return text[:at] + rng.choice(["", new]) + text[at + rng.randrange(2) :]


def of_number(rng: random.Random, number: int) -> int:
    """A neighbour of ``number``, or a number at an edge of an encoding or a bound."""
    edges = [
        0,
        -1,
        31,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        2**32 - 1,
        2**32,
        2**53,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -33,
        -129,
    ]
    return rng.choice([number + 1, max(number - 1, 0), number ^ 1, *rng.sample(edges, 2)])


def of_value(rng: random.Random, value: Any) -> Any:
    """Nested lists of MessagePack with one value in them changed."""
    if isinstance(value, list):
        changed = list(value)
        # A long byte string deep within is as likely to change as what stands beside it.
        if value and rng.random() < 0.9:
            at = rng.randrange(len(value))
            changed[at] = of_value(rng, value[at])
        elif value and rng.random() < 0.5:
            changed.insert(rng.randrange(len(value)), rng.choice(value))
        elif value:
            changed.pop(rng.randrange(len(value)))
        else:
            changed.append(rng.choice([0, "", b"", None]))
        return changed
    if isinstance(value, bytes):
        return of_bytes(rng, value)
    if isinstance(value, str):
        return of_text(rng, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return of_number(rng, value)
    return rng.choice([None, False, True, 0, 1, "", b""])


def of_record(rng: random.Random, data: bytes) -> bytes:
    """Canonical MessagePack with one value in it changed; canonical still, so that what follows decoding is reached."""
    return msgspec.msgpack.encode(of_value(rng, msgspec.msgpack.decode(data)))


def mutants(rng: random.Random, originals: Sequence[bytes], count: int) -> list[bytes]:
    """``count`` changed ones of ``originals``, which stand first, unchanged."""
    changed = [rng.choice([of_record, of_bytes])(rng, rng.choice(originals)) for _ in range(count)]
    return [*originals, *changed]
