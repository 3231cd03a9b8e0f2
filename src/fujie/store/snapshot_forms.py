"""What whoever loads a snapshot tells the store of its rows, and which old versions belong to them."""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from fujie.core.errors import VerificationError
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import Table


class Entry(NamedTuple):
    """A log entry as the layers above read it."""

    transaction_id: bytes
    commitment: bytes
    authorised: bool
    transaction: bytes


class Signatures(Protocol):
    """Verifies the signatures of transactions, while other rows are read. One thread uses it."""

    def see(self, transaction: bytes) -> None:
        """Take a signed transaction. Raises :class:`VerificationError`, also for an earlier one."""
        ...

    def finish(self) -> None:
        """Return when the signatures of all that was seen are valid. Raises :class:`VerificationError`."""
        ...

    def close(self) -> None:
        """Leave off. Idempotent."""
        ...


class Forms(NamedTuple):
    """What a store cannot know by itself and is told by whoever loads. All of it raises :class:`VerificationError`.

    ``chain_id`` of the bytes of a genesis; the :class:`Entry` in the bytes of a log entry, and what verifies its ``signatures``.
    ``previous``: the digest of the version before a record, by its path and bytes; empty where there is none. ``forgotten``:
    whether the id in the bytes of a log entry may be forgotten after a block at a time (ms), in a store that has the state.
    """

    chain_id: Callable[[bytes], str]
    entry: Callable[[bytes], Entry]
    signatures: Callable[[], Signatures]
    previous: Callable[[bytes, bytes], bytes]
    forgotten: Callable[[ReadOnlyStore, int, bytes], bool]


class OldVersions:
    """The old versions of a snapshot: all that its records lead back to, and no others."""

    def __init__(self, forms: Forms) -> None:
        self._forms: Final = forms
        self._newest: list[tuple[bytes, bytes]] = []  # path, and digest of the version before the record there
        self._left: set[bytes] = set()  # that no record has led to yet

    def see_record(self, path: bytes, record: bytes) -> None:
        """Take the record at a path."""
        if previous := self._forms.previous(path, record):
            self._newest.append((path, previous))

    def see_version(self, version: bytes) -> None:
        """Take the digest of a row that is in the store."""
        self._left.add(version)

    def check(self, store: ReadOnlyStore) -> None:
        """Walk back from every record. Raises :class:`VerificationError` (``snapshot-version``, ``decode``)."""
        for path, newest in self._newest:
            version = newest
            while version:
                data = store.get(Table.VERSIONS, version)
                if data is None:
                    raise VerificationError("snapshot-version", f"the old version {version.hex()} is missing")
                if version not in self._left:
                    break  # a record of the same bytes led here, and further back
                self._left.remove(version)
                version = self._forms.previous(path, data)
        if self._left:
            raise VerificationError("snapshot-version", f"no record leads to the old version {min(self._left).hex()}")
