"""Every record of the state: at its key, canonical, under the state root, consistent with the rooms' invariants."""

from collections.abc import Sequence
from typing import Any, Final

from fujie.core.encoding import Record
from fujie.core.errors import DecodeError
from fujie.core.finding import InvariantChecker
from fujie.core.hashing import version_digest
from fujie.core.versions import Standing
from fujie.modules.catalog import codec_of
from fujie.modules.currency.invariants import Checker as CurrencyChecker
from fujie.modules.identity.invariants import Checker as IdentityChecker
from fujie.modules.membership.invariants import Checker as MembershipChecker
from fujie.node.check.report import Report
from fujie.proof.merkle_state import SALT_BYTES, key_hash, value_digest
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import Table
from fujie.store.rebuild import StateFold

ROOM_CHECKERS: Final = (MembershipChecker, IdentityChecker, CurrencyChecker)


def check_state(store: ReadOnlyStore, depth: int, state_root: bytes, report: Report) -> None:
    """Check every record, old version and bucket digest; one pass over the leaves, by key hash."""
    fold = StateFold(depth)
    checkers: list[InvariantChecker] = [make() for make in ROOM_CHECKERS]
    for key, stored in store.scan(Table.STATE):
        report.records += 1
        leaf = _split(stored)
        if leaf is None:
            report.find("leaf-is-whole", f"state/{key.hex()}", "the row is cut off or its salt has a wrong length")
            continue
        path, salt, data = leaf
        if key_hash(path.encode()) != key:
            report.find("leaf-at-its-key", path, f"it stands under {key.hex()}")
        fold.add(key, value_digest(salt, data))
        _see(store, path, data, checkers, report)
    for checker in checkers:
        for finding in checker.findings():
            report.find(*finding)
    if fold.root() != state_root:
        report.find("state-root", "state", "the records do not hash to the state root of the head")
    _check_buckets(store, fold, report)
    for version, data in store.scan(Table.VERSIONS):
        report.old_versions += 1
        if version_digest(data) != version:
            report.find("old-version-at-its-digest", f"versions/{version.hex()}", "its bytes have another digest")


def _split(stored: bytes) -> tuple[str, bytes, bytes] | None:
    """Return (path, salt, record) of a row, or None when it is not one: unlike the node, a check trusts no row."""
    if len(stored) < 3:
        return None
    path_end = 2 + int.from_bytes(stored[:2], "big")
    if path_end >= len(stored) or stored[path_end] not in (0, SALT_BYTES):
        return None
    salt_end = path_end + 1 + stored[path_end]
    try:
        path = stored[2:path_end].decode("ascii")
    except UnicodeDecodeError:
        return None
    return path, stored[path_end + 1 : salt_end], stored[salt_end:]


def _see(store: ReadOnlyStore, path: str, data: bytes, checkers: Sequence[InvariantChecker], report: Report) -> None:
    try:
        codec = codec_of(path)
        record: Record = codec.decode(data)
    except DecodeError as error:
        report.find("record-is-canonical", path, error.detail)
        return
    for checker in checkers:
        checker.see(path, record)
    standing = getattr(record, "standing", None)
    if isinstance(standing, Standing):
        _walk_back(store, path, standing, codec, report)


def _walk_back(store: ReadOnlyStore, path: str, standing: Standing, codec: Any, report: Report) -> None:
    """Follow a record to its first version."""
    while standing.previous:
        data = store.get(Table.VERSIONS, standing.previous)
        if data is None:
            report.find("old-version-is-kept", path, f"version {standing.number - 1} is missing")
            return
        try:
            before: Standing = codec.decode(data).standing
        except DecodeError as error:
            report.find("old-version-is-canonical", path, error.detail)
            return
        if before.number != standing.number - 1:
            report.find("old-version-is-kept", path, f"version {before.number} stands before {standing.number}")
            return
        standing = before


def _check_buckets(store: ReadOnlyStore, fold: StateFold, report: Report) -> None:
    """Compare the stored digests of buckets with those of their leaves."""
    missing = dict(fold.buckets)
    for key, value in store.scan(Table.BUCKETS):
        number = int.from_bytes(key, "big")
        if missing.pop(number, None) != value:
            report.find("bucket-digest", f"buckets/{number}", "it is not the digest of the leaves in the bucket")
    for number in missing:
        report.find("bucket-digest", f"buckets/{number}", "the bucket has leaves and no digest")
