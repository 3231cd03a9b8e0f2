"""Codebook entries, their Merkle tree, and the identifiers they stand for (docs/spec/05-identifiers.md).

A codebook edition is a list of administrative divisions, sorted by code. Only its root and its size are on the ledger.
A transition reads no file: an operation that relies on a codebook carries the entry and its path, and the ledger checks
them with :func:`verify_entry` and :func:`expected_identifier`. The tree is the one of RFC 6962, section 2.1 (split at
the largest power of two below the size), with our own tags.

Everything here is pure. The data and their loader are in ``fujie.codebook``.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated, Final

from msgspec import Meta

from fujie.core import identifiers
from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import VerificationError
from fujie.core.hashing import DIGEST_BYTES, TAG_CODEBOOK_LEAF, TAG_CODEBOOK_NODE, digest

# Bounds of the format, fixed by version 1 of an entry.
CODEBOOK_ENTRIES_MAX: Final = 1 << 17
"""Entries of one edition. China has 3,214 divisions down to the county and about 41,000 towns below; a path stays
within 17 hashes (544 bytes), which an operation can carry."""

CODEBOOK_PATH_BYTES_MAX: Final = 2 * 17 * DIGEST_BYTES
"""Bytes of a path: of one entry a hash for each doubling up to :data:`CODEBOOK_ENTRIES_MAX`, of a range up to two."""

NAME_CHARACTERS_MAX: Final = 64
"""Characters of a division's name. The longest Chinese county name has 15."""

CODE_DIGITS: Final = 6
"""Digits of a GB/T 2260 code: two for the province, two for the prefecture, two for the county."""

Code = Annotated[str, Meta(min_length=CODE_DIGITS, max_length=CODE_DIGITS, pattern=r"\A[0-9]{6}\Z")]
ParentCode = Annotated[str, Meta(max_length=CODE_DIGITS, pattern=r"\A(?:[0-9]{6})?\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]


class Level(IntEnum):
    """Rank of a division. Numbers are permanent: they are hashed."""

    PROVINCE = 1
    PREFECTURE = 2
    COUNTY = 3


class CodebookEntry(Record, tag=1):
    """One division of one edition.

    ``code`` has six digits. ``parent`` is the code of the division that governs it, or ``""`` for a province: for a
    county it is its prefecture, or its province where the edition has no prefecture for it.
    """

    code: Code
    level: Level
    parent: ParentCode
    name: Name


ENTRY_CODEC: Final[Codec[CodebookEntry]] = Codec(CodebookEntry)


def leaf_digest(entry: CodebookEntry) -> bytes:
    """Return the 32-byte digest of an entry as a leaf."""
    return digest(TAG_CODEBOOK_LEAF, encode(entry))


def node_digest(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte digest of an inner node over the digests of its two children."""
    return digest(TAG_CODEBOOK_NODE, left, right)


def verify_entry(root: bytes, size: int, index: int, entry: CodebookEntry, path: bytes) -> None:
    """Check that ``entry`` is entry number ``index`` (from 0) of the codebook with this ``root`` and ``size``.

    ``path`` is the digests of the siblings, leaf first (RFC 6962, section 2.1.1). Otherwise as :func:`verify_entries`.
    """
    verify_entries(root, size, index, (entry,), path)


def verify_entries(root: bytes, size: int, first: int, entries: Sequence[CodebookEntry], path: bytes) -> None:
    """Check that ``entries`` are the neighbours from number ``first`` on of the codebook with this ``root`` and ``size``.

    ``root`` is 32 bytes. ``path`` is the digests, 32 bytes each, joined, that the entries do not give: row by row from
    the leaves, in each row the left neighbour, if the range begins at a right child, and then the right neighbour, if
    it ends at a left child that has one. A bulk allocation of a whole province needs no more than two for each row.

    The caller owes a root and a size from a source it trusts, the ledger's state. Even so, a wrong size or number can
    only make true entries fail: leaves and inner nodes have different tags, so nothing but leaves of the tree under
    ``root`` verify.

    Steps, in order: ``codebook-position`` (no entries, or numbers out of bounds), ``codebook-path`` (not as many
    digests as this range needs), ``codebook-root`` (the digests lead to another root). Raises
    :class:`VerificationError`.
    """
    end = first + len(entries)
    if not 0 <= first < end <= size <= CODEBOOK_ENTRIES_MAX:
        raise VerificationError("codebook-position", f"no entries {first} to {end} in a codebook of {size}")
    if len(path) % DIGEST_BYTES or len(path) > CODEBOOK_PATH_BYTES_MAX:
        raise VerificationError("codebook-path", "the path is not whole digests, or is too long for any codebook")
    neighbours = [path[offset : offset + DIGEST_BYTES] for offset in range(0, len(path), DIGEST_BYTES)]
    neighbours.reverse()  # so that the next one is popped from the end
    row = [leaf_digest(entry) for entry in entries]
    row_last = size - 1
    while row_last > 0:
        has_left, has_right = _neighbours(first, len(row), row_last)
        if has_left + has_right > len(neighbours):
            raise VerificationError("codebook-path", "the path is shorter than this position needs")
        if has_left:
            row.insert(0, neighbours.pop())
        if has_right:
            row.append(neighbours.pop())
        row = pair_row(row)
        first >>= 1
        row_last >>= 1
    if neighbours:
        raise VerificationError("codebook-path", "the path is longer than this position needs")
    if row[0] != root:
        raise VerificationError("codebook-root", "the entries and their path lead to another root")


def build_path(rows: Sequence[Sequence[bytes]], first: int, count: int) -> bytes:
    """Return the path of ``count`` entries from number ``first`` on, as :func:`verify_entries` reads it.

    ``rows`` is the tree: digests from the leaves to the root. The range must lie within the leaves.
    """
    found: list[bytes] = []
    for row in rows[:-1]:
        has_left, has_right = _neighbours(first, count, len(row) - 1)
        if has_left:
            found.append(row[first - 1])
        if has_right:
            found.append(row[first + count])
        count = (count + has_left + has_right + 1) >> 1
        first >>= 1
    return b"".join(found)


def build_rows(entries: Sequence[CodebookEntry]) -> list[list[bytes]]:
    """Return the rows of the tree over one or more ``entries``, from the leaves to the root.

    Pairing from the left and moving an odd last digest up as it is gives the tree of RFC 6962, which splits at the
    largest power of two below the size.
    """
    rows = [[leaf_digest(entry) for entry in entries]]
    while len(rows[-1]) > 1:
        rows.append(pair_row(rows[-1]))
    return rows


def pair_row(row: Sequence[bytes]) -> list[bytes]:
    """Return the row above: a digest for each two, and an odd last one as it is."""
    above = [node_digest(row[place], row[place + 1]) for place in range(0, len(row) - 1, 2)]
    if len(row) & 1:
        above.append(row[-1])
    return above


def _neighbours(first: int, count: int, row_last: int) -> tuple[bool, bool]:
    """Return whether a range in a row needs its left and its right neighbour to be made of whole pairs."""
    last = first + count - 1
    return bool(first & 1), not last & 1 and last < row_last


def check_entry(entry: CodebookEntry) -> None:
    """Check that code, level and parent of an entry agree.

    Province: ``pp0000``, no parent. Prefecture: ``ppcc00`` under ``pp0000``. County: ``ppccxx`` under ``ppcc00`` or
    ``pp0000``. Raises :class:`VerificationError` with step ``codebook-entry``.
    """
    code = entry.code
    province, prefecture, county = code[:2], code[2:4], code[4:]
    if entry.level is Level.PROVINCE:
        fits = prefecture == county == "00" and entry.parent == ""
    elif entry.level is Level.PREFECTURE:
        fits = prefecture != "00" and county == "00" and entry.parent == f"{province}0000"
    else:
        # A county ppcc = pp00 would have one parent code for two ranks of parent, and so two identifiers.
        fits = "00" not in (prefecture, county) and entry.parent in (code[:4] + "00", province + "0000")
    if province == "00" or not fits:
        raise VerificationError("codebook-entry", f"code, level and parent of {code} do not agree")


def node_for(entry: CodebookEntry) -> str:
    """Return the last node of the identifier: the digits of the code that its parent in the tree does not carry yet.

    Province 130000 gives ``13``; prefecture 130100 gives ``1301``, because both stand directly under the country;
    county 130111 of 130100 gives ``11``; county 110101 of 110000 gives ``0101``. Raises as :func:`check_entry`.
    """
    check_entry(entry)
    if entry.level is Level.PROVINCE:
        return entry.code[:2]
    if entry.level is Level.PREFECTURE:
        return entry.code[:4]
    return entry.code[len(_significant(entry.parent)) :]


def expected_identifier(root_prefix: str, entry: CodebookEntry) -> str:
    """Return the identifier that the ``codebook`` rule demands for ``entry`` under the country ``root_prefix``.

    ``ZZ.156`` and county 130111 of 130100 give ``ZZ.156.1301.11``. Two entries with different codes never give the same
    identifier: without its dots, the identifier is the prefix and the significant digits of the code.

    Raises :class:`VerificationError` (``codebook-entry``), then ``IdentifierError`` for a prefix that is no identifier
    or leaves no room.
    """
    node = node_for(entry)
    if entry.level is not Level.COUNTY:
        return identifiers.child(root_prefix, node)
    return identifiers.child(identifiers.child(root_prefix, _significant(entry.parent)), node)


def _significant(code: str) -> str:
    """Return the digits of a province or prefecture code without the zero pairs at its end."""
    return code[:2] if code[2:4] == "00" else code[:4]
