"""RFC 9162, section 2.1, written down as the recursive definitions stand there; nothing shared with what it tests."""

from hashlib import sha256


def largest_power_below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive_root(entries: list[bytes]) -> bytes:
    """MTH(D[n]), section 2.1.1."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    half = largest_power_below(len(entries))
    return sha256(b"\x01" + naive_root(entries[:half]) + naive_root(entries[half:])).digest()


def naive_path(index: int, entries: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.3.1."""
    if len(entries) == 1:
        return []
    half = largest_power_below(len(entries))
    if index < half:
        return [*naive_path(index, entries[:half]), naive_root(entries[half:])]
    return [*naive_path(index - half, entries[half:]), naive_root(entries[:half])]


def naive_consistency(old_size: int, entries: list[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), section 2.1.4.1; empty where the RFC defines none."""
    if old_size in (0, len(entries)):
        return []
    return _subproof(old_size, entries, True)


def _subproof(old_size: int, entries: list[bytes], whole: bool) -> list[bytes]:
    if old_size == len(entries):
        return [] if whole else [naive_root(entries)]
    half = largest_power_below(len(entries))
    if old_size <= half:
        return [*_subproof(old_size, entries[:half], whole), naive_root(entries[half:])]
    return [*_subproof(old_size - half, entries[half:], False), naive_root(entries[:half])]
