"""What the checks of a data folder look at: read once, and None where it does not read."""

import os
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from fujie.core.encoding import Record
from fujie.core.errors import FujieError, VerificationError
from fujie.core.state import Key
from fujie.engine.executor import HEAD, Head
from fujie.engine.stored_block import STORED_BLOCK, StoredBlock
from fujie.modules.membership.records import Visibility
from fujie.modules.membership.state_keys import PARAMETERS_KEY, ROOMS_KEY, rules
from fujie.node.address import running_url
from fujie.node.config import Config, load_config
from fujie.node.folder import Description, Folder
from fujie.node.mirror_file import read_source
from fujie.proof.header import Header, decode_header
from fujie.proof.trust import TrustRoot
from fujie.store.base import ReadOnlyStore
from fujie.store.layout import META_FORMAT, META_HEAD, Table, number_key
from fujie.store.opening import LOCK_NAME, SharedLock
from fujie.store.reading import open_for_reading
from fujie.store.state_tree import unpack_leaf

PID_BYTES_MAX: Final = 32
STARTING_S: Final = 60.0  # for the first block, the socket and the projection of a node that begins
NAMED_MAX: Final = 5  # paths of one kind, in a finding
PUBLIC: Final = Visibility.PUBLIC

R = TypeVar("R", bound=Record)


class Decided:
    """What is decided about rules, as ``machine.schedule`` reads it: the rows of state that say so, by their path."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self._rows = rows

    def get(self, key: Key[R]) -> R | None:
        """Return the record at ``key``, or None. Raises :class:`VerificationError` for one that does not read."""
        row = self._rows.get(key.path)
        return None if row is None else key.codec.decode(unpack_leaf(row)[2])


class Stored(NamedTuple):
    """The newest rows of a store. ``block``, ``header`` and ``validators`` are None where there is no block yet."""

    format: bytes | None
    genesis: bytes | None
    head: Head
    block: StoredBlock | None
    header: Header | None
    validators: bytes | None
    last_entry: bytes | None
    parameters: bytes | None
    decided: Decided


class Scene:
    """A data folder as it is found. ``free_bytes_least``: below it, too little disk space is left."""

    def __init__(self, folder: Folder, *, now_ms: int | None = None, free_bytes_least: int = 67_108_864) -> None:
        self.folder = folder
        self.now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        self.free_bytes_least = free_bytes_least

    @cached_property
    def exists(self) -> bool:
        """Whether there is a folder that may be read."""
        try:
            return self.folder.home.is_dir() and os.access(self.folder.home, os.R_OK | os.X_OK)
        except OSError:  # a folder above it is closed
            return False

    @cached_property
    def description(self) -> Description | None:
        """What the folder is, or None."""
        try:
            return self.folder.describe() if self.exists else None
        except FujieError:
            return None

    @cached_property
    def trust(self) -> TrustRoot | None:
        """The pinned trust root, or None."""
        try:
            return self.folder.trust() if self.exists else None
        except FujieError:
            return None

    @cached_property
    def config(self) -> Config | None:
        """The configuration, or None."""
        try:
            return load_config(self.folder)
        except FujieError:
            return None

    @cached_property
    def running(self) -> bool:
        """Whether a process uses the chain now."""
        if not self.exists or not (self.folder.chain / LOCK_NAME).exists():
            return False
        lock = SharedLock.take(self.folder.chain)
        if lock is None:
            return True
        lock.release()
        return False

    @cached_property
    def url(self) -> str | None:
        """Where the node of the folder answers, as it says itself; None where none runs, or it still starts."""
        return running_url(self.folder) if self.running else None

    @property
    def mirrors(self) -> bool:
        """Whether the folder is that of a mirror, or says so in one of two places."""
        described = self.description is not None and self.description.world == "mirror"
        return described or (self.exists and self.folder.mirror.exists())

    @property
    def source(self) -> str | None:
        """What the folder mirrors, or None."""
        try:
            return read_source(self.folder) if self.mirrors else None
        except FujieError:
            return None

    @cached_property
    def last_user(self) -> int | None:
        """The process that used the chain last, or uses it now, as it wrote it down."""
        try:
            with (self.folder.chain / LOCK_NAME).open("rb") as file:
                text = file.read(PID_BYTES_MAX).decode("ascii", "replace").strip()
        except OSError:
            return None
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def readable_now(self) -> bool:
        """Whether the store can be read: one of kind rocks has one reader at a time."""
        return self.description is not None and not (self.description.store == "rocks" and self.running)

    @cached_property
    def just_started(self) -> bool:
        """Whether a process has used the chain for so short a time that it may still be at its beginning."""
        try:
            since_s = (self.folder.chain / LOCK_NAME).stat().st_mtime  # when it wrote its number down
        except OSError:
            return False
        return self.running and self.now_ms / 1_000 - since_s < STARTING_S

    @property
    def restricted(self) -> bool:
        """Whether the records of the chain are not for everybody; False where that cannot be read."""
        if not self.readable_now:
            return False
        try:
            row = self.stored.parameters
            return row is not None and PARAMETERS_KEY.codec.decode(unpack_leaf(row)[2]).visibility is not PUBLIC
        except FujieError:
            return False

    @cached_property
    def stored(self) -> Stored:
        """The newest rows of the store, as they were when they were first asked for. Raises as :meth:`read_stored`."""
        return self.read_stored()

    def read_stored(self) -> Stored:
        """Read the newest rows of the store. Raises as ``store.reading.open_for_reading``, and for rows that do not decode."""
        description = self.description
        assert description is not None, "the checks that read the store ask before"
        store = open_for_reading(description.store, self.folder.chain, untouched=True)
        try:
            data = store.get(Table.META, META_HEAD)
            if data is None:
                raise VerificationError("head", "the store holds no chain: founding it was interrupted")
            head = HEAD.decode(data)
            row = store.get(Table.BLOCKS, number_key(head.height)) if head.height else None
            block = None if row is None else STORED_BLOCK.decode(row)
            header = None if block is None else decode_header(block.header)
            return Stored(
                store.get(Table.META, META_FORMAT),
                store.get(Table.GENESIS, b"genesis"),
                head,
                block,
                header,
                None if header is None else store.get(Table.VALIDATORS, header.validators_hash),
                store.get(Table.LOG_ENTRIES, number_key(head.log_size - 1)) if head.log_size else None,
                store.get(Table.STATE, PARAMETERS_KEY.hash),
                _decided(store),
            )
        finally:
            store.close()

    def within(self, path: Path) -> str:
        """Return ``path`` as it is told to people: from the data folder, where it lies there."""
        return str(path.relative_to(self.folder.home)) if path.is_relative_to(self.folder.home) else str(path)

    def named(self, paths: Sequence[Path]) -> str:
        """Return the first of ``paths`` as they are told to people, and how many more there are."""
        names = ", ".join(self.within(path) for path in paths[:NAMED_MAX])
        return names if len(paths) <= NAMED_MAX else f"{names} and {len(paths) - NAMED_MAX} more"


def _decided(store: ReadOnlyStore) -> Decided:
    """Read what is decided about the rules of every room. Raises :class:`VerificationError` for a list that does not read."""
    rows: dict[str, bytes] = {}
    row = store.get(Table.STATE, ROOMS_KEY.hash)
    if row is not None:
        rows[ROOMS_KEY.path] = row
        for room in ROOMS_KEY.codec.decode(unpack_leaf(row)[2]).names:
            key = rules(room)
            if (found := store.get(Table.STATE, key.hash)) is not None:
                rows[key.path] = found
    return Decided(rows)


def alive(process: int) -> bool:
    """Tell whether a process of that number runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def process_name(process: int) -> str:
    """Return what the system calls a process, for people; empty where it does not say."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return " ".join(Path(word.decode("utf-8", "replace")).name for word in words[:2] if word)
