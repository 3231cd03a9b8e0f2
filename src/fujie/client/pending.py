"""Transactions on their way: their signed bytes, in files from before they are sent until it is known what became of them.

    keep (durable) ──► send ──► outcome known ──► forget
                        └─ killed, cut off, the chain stands still: the file stays, and the same bytes are sent again

Who signs anew after a lost answer may pay twice; who sends the same bytes again never does, since the ledger knows them by
their id. A file is locked while a process waits for its outcome, so that others see which ones nobody waits for any more.
"""

import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from fujie.client.files import OWNER_ONLY, sync_folder
from fujie.client.reasons import NotSubmittedError, OutcomePendingError
from fujie.client.times import time_text
from fujie.core.errors import DecodeError, OperationalError, Refused, VerificationError
from fujie.core.limits import TRANSACTION_BYTES_MAX
from fujie.core.transaction import SIGNED_TRANSACTION, Transaction, transaction_id
from fujie.modules.catalog import TRANSACTION
from fujie.modules.currency.operations import Pay

PENDING_NAME: Final = "pending"  # in the folder of a client
SUFFIX: Final = ".fujie-tx"
FILE_BYTES_MAX: Final = 2 * TRANSACTION_BYTES_MAX  # a body and its signatures
LOOKED_AT_S: Final = 1.0
_AGAIN_S: Final = 0.02

log = logging.getLogger(__name__)

Command = Callable[[str], str]
"""Returns how people type a command: ``receipt ID`` becomes ``fujie --home town receipt ID``."""


class Pending(NamedTuple):
    """A transaction whose outcome is not known: its canonical signed bytes, and what they say.

    ``waited_for``: by a process. ``sent_before``: its bytes may be on their way since before, so that a node which does not
    take them now settles nothing.
    """

    transaction: bytes
    id: bytes
    body: Transaction[Any]
    waited_for: bool = True
    sent_before: bool = True

    def unknown(self, what: str, command: Command | None) -> OutcomePendingError:
        """Return the error that says what is to be done where the outcome was not heard, for the reason ``what``.

        ``command`` words a command for people; None where nothing is kept, and a program has to send the bytes again.
        """
        is_payment = all(isinstance(operation, Pay) for operation in self.body.operations)
        may = "The payment may still be made" if is_payment else "It may still be carried out"
        again = "pay anew" if is_payment else "enter it anew"
        identifier = self.id.hex()
        if command is None:
            resend = "Submit the same bytes again, `transaction` of this error, which are never carried out twice"
            do = f"{resend}; `fujie receipt {identifier}` tells what became of it."
        else:
            resend = f"`{command(f'transaction resend {identifier}')}` sends the very same bytes again, which are never carried out twice."
            do = f"`{command(f'receipt {identifier}')}` tells what became of it; {resend}"
        return OutcomePendingError(
            what,
            f"{may}, until the time of blocks, which stands still with the chain, passes {time_text(self.body.expires_at_ms)}; do "
            f"not {again}. {do}",
            transaction_id=self.id,
            expires_at_ms=self.body.expires_at_ms,
            transaction=self.transaction,
        )

    @contextmanager
    def in_doubt(self, command: Command | None) -> Iterator[None]:
        """Say of whatever goes wrong meanwhile what it means for this transaction, but where it was not submitted at all."""
        try:
            yield
        except NotSubmittedError:
            raise
        except VerificationError as error:
            error.add_note(self.unknown("", command).do)
            raise
        except OperationalError as error:
            raise self.unknown(error.what, command) from error
        except Refused as error:
            raise self.unknown(str(error), command) from error
        except KeyboardInterrupt:
            if command is None:
                raise  # of a program, which decides by itself what it is stopped by
            raise self.unknown("Stopped before the outcome was known.", command) from None


class Kept(NamedTuple):
    """What a folder holds: transactions, the one that expires first first, and what is wrong with the files that do not read."""

    transactions: list[Pending]
    damaged: list[OperationalError]


class PendingFolder:
    """The files of one client, ``<transaction id>.fujie-tx`` in ``place``. Several processes may use it at once."""

    def __init__(self, place: Path, command: Command = "fujie {}".format) -> None:
        """``command`` returns how people type a further command, for what is said to them. Makes nothing before it is needed."""
        self.place = place
        self.command = command

    @contextmanager
    def keeping(self, transaction: bytes) -> Iterator[Pending]:
        """Have a canonical signed transaction on disk, durably, and locked while its outcome is waited for.

        Raises :class:`OperationalError`, and nothing may be sent then: the file cannot be written, or the same is asked for
        by a transaction that is here and that nobody waits for any more.
        """
        wanted = pending_of(transaction)
        self._require_new(wanted)
        path = self.path(wanted.id)
        wanted = wanted._replace(sent_before=path.exists())
        descriptor = self._write(path, wanted)
        try:
            yield wanted
        finally:
            os.close(descriptor)

    @contextmanager
    def found(self, identifier: bytes) -> Iterator[Pending]:
        """Have what is kept of the transaction with this id (32 bytes), locked. Raises :class:`OperationalError` without it."""
        path = self.path(identifier)
        with _opened(path) as descriptor:
            if descriptor is not None and not _locks_soon(descriptor):
                raise OperationalError(
                    f"Another command sends transaction {identifier.hex()} and waits for its outcome.",
                    "Wait until it is done.",
                )
            if descriptor is None or not os.fstat(descriptor).st_nlink:  # forgotten, while the lock was waited for
                raise OperationalError(
                    f"The signed bytes of transaction {identifier.hex()} are not here.",
                    f"`{self.command('transaction pending')}` lists those that are; "
                    f"`{self.command(f'receipt {identifier.hex()}')}` tells what became of it.",
                )
            yield self._read(path, descriptor, waited_for=True)

    def find(self, identifier: bytes) -> Pending | None:
        """Return what is kept of a transaction, or None. Raises :class:`OperationalError` for a file that does not read."""
        path = self.path(identifier)
        with _opened(path) as descriptor:
            if descriptor is None:
                return None
            return self._read(path, descriptor, waited_for=not _locks(descriptor, fcntl.LOCK_SH))

    def look(self) -> Kept:
        """Return every transaction that is kept, and what is wrong with the files that do not read."""
        found: list[Pending] = []
        damaged: list[OperationalError] = []
        for path in self._paths():
            try:
                with _opened(path) as descriptor:
                    if descriptor is not None:  # else it was forgotten meanwhile
                        waited_for = not _locks(descriptor, fcntl.LOCK_SH)
                        found.append(self._read(path, descriptor, waited_for=waited_for))
            except OperationalError as error:
                damaged.append(error)
        return Kept(sorted(found, key=lambda each: (each.body.expires_at_ms, each.id)), damaged)

    def all(self) -> list[Pending]:
        """Return every transaction that is kept and reads, the one that expires first first."""
        return self.look().transactions

    def count(self) -> int:
        """Return how many files there are, also such as do not read."""
        return len(self._paths())

    def forget(self, identifier: bytes) -> bool:
        """Remove what is kept of a transaction whose outcome is known; return whether there was anything. Idempotent."""
        try:
            self.path(identifier).unlink()
        except FileNotFoundError:
            return False
        return True

    def path(self, identifier: bytes) -> Path:
        """Return where a transaction is kept, if it is."""
        return self.place / f"{identifier.hex()}{SUFFIX}"

    # -- inside

    def _paths(self) -> list[Path]:
        if not self.place.is_dir():
            return []
        return [path for path in self.place.iterdir() if path.suffix == SUFFIX and path.name[0] != "."]

    def _require_new(self, wanted: Pending) -> None:
        """Raise :class:`OutcomePendingError` where the same is asked for by one whose outcome nobody has heard."""
        asked = (wanted.body.chain_id, wanted.body.operations)
        kept = self.look()
        for error in kept.damaged:
            log.warning("%s", error)
        for each in kept.transactions:
            if not each.waited_for and each.id != wanted.id and (each.body.chain_id, each.body.operations) == asked:
                raise each.unknown(
                    f"The very same was submitted before, as transaction {each.id.hex()}, and it is not known here what became "
                    "of it. Nothing was sent now; when that is known, it can be asked for once more.",
                    self.command,
                )

    def _write(self, path: Path, wanted: Pending) -> int:
        """Write a file, locked from before it has its name, and return what holds the lock."""
        placed = False
        try:
            self._prepare()
            temporary, descriptor = _new_file(path)
            try:
                with os.fdopen(descriptor, "wb", closefd=False) as file:
                    file.write(wanted.transaction)
                    file.flush()
                os.fsync(descriptor)
                temporary.replace(path)
                placed = True
                sync_folder(self.place)
            except BaseException:
                os.close(descriptor)
                temporary.unlink(missing_ok=True)
                if placed and not wanted.sent_before:  # nothing is sent, so that nothing may stay either
                    path.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OperationalError(
                f"{path} cannot be written: {error.strerror}. Nothing was sent.",
                "What is sent is kept there until its outcome is known: check the folder, its rights, and free space.",
            ) from None
        return descriptor

    def _prepare(self) -> None:
        """Make the folder, and remove what processes have left that were killed while they wrote."""
        if not self.place.is_dir():
            self.place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.place.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.place.parent)
        for path in self.place.glob(f".*{SUFFIX}.*"):
            with suppress(OperationalError), _opened(path) as descriptor:
                if descriptor is not None and _locks(descriptor, fcntl.LOCK_EX):
                    path.unlink(missing_ok=True)

    def _read(self, path: Path, descriptor: int, *, waited_for: bool) -> Pending:
        """Return what an open file holds: by its name another one may stand there by now, or none."""
        try:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise OperationalError(f"{path} cannot be read: {error.strerror}.", "Check its rights.") from None
        try:
            found = pending_of(data) if len(data) <= FILE_BYTES_MAX else None
        except DecodeError:
            found = None
        if found is None or self.path(found.id) != path:
            told = path.name.removesuffix(SUFFIX)
            raise OperationalError(
                f"{path} is damaged, or no transaction that was kept.",
                f"Its name says which one it was: see what became of that with `{self.command(f'receipt {told}')}`, then remove the file.",
            )
        return found._replace(waited_for=waited_for, sent_before=True)


def pending_of(transaction: bytes) -> Pending:
    """Return a canonical signed transaction that is about to be sent. Raises :class:`DecodeError`."""
    body = SIGNED_TRANSACTION.decode(transaction).body
    return Pending(transaction, transaction_id(body), TRANSACTION.decode(body), sent_before=False)


def _new_file(path: Path) -> tuple[Path, int]:
    """Make a locked file beside ``path``, and return its name and what holds the lock."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return temporary, descriptor
        os.close(descriptor)  # another process took it, before it was locked, for one that was left over


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file to lock it; None where there is none any more."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror}.", "Check its rights.") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _locks(descriptor: int, kind: int) -> bool:
    """Lock a file until it is closed, alone or with others who only look; False where that cannot be now."""
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    return False


def _locks_soon(descriptor: int) -> bool:
    """Lock a file alone; who only looks at it has it for a moment."""
    give_up_s = time.monotonic() + LOOKED_AT_S
    while not (locked := _locks(descriptor, fcntl.LOCK_EX)) and time.monotonic() < give_up_s:
        time.sleep(_AGAIN_S)
    return locked
