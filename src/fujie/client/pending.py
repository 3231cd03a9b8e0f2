"""Transactions on their way: their signed bytes, in files from before they are sent until it is known what became of them.

    keep (durable) ──► send ──► outcome known ──► forget
                        └─ killed, cut off, the chain stands still: the file stays, and the same bytes are sent again

Who signs anew after a lost answer may pay twice; who sends the same bytes again never does, since the ledger knows them by
their id. A file is locked while a process waits for its outcome, so that others see which ones nobody waits for any more.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from fujie.client.files import OWNER_ONLY, read_bounded, sync_folder
from fujie.client.reasons import NotSubmittedError, OutcomePendingError
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


class Pending(NamedTuple):
    """A transaction whose outcome is not known: its canonical signed bytes, and what they say. ``waited_for``: by a process."""

    path: Path
    transaction: bytes
    id: bytes
    body: Transaction[Any]
    waited_for: bool

    def unknown(self, what: str, program: str) -> OutcomePendingError:
        """Return the error that says what is to be done where the outcome was not heard, for the reason ``what``."""
        is_payment = all(isinstance(operation, Pay) for operation in self.body.operations)
        may = "The payment may still be made" if is_payment else "It may still be carried out"
        again = "pay anew" if is_payment else "enter it anew"
        return OutcomePendingError(
            what,
            f"{may}, until the time of blocks, which stands still with the chain, passes {_time_text(self.body.expires_at_ms)}; do "
            f"not {again}. "
            f"`{program} receipt {self.id.hex()}` tells what became of it; `{program} transaction resend {self.id.hex()}` sends "
            "the very same bytes again, which are never carried out twice.",
            transaction_id=self.id,
            expires_at_ms=self.body.expires_at_ms,
        )

    @contextmanager
    def in_doubt(self, program: str) -> Iterator[None]:
        """Say of whatever goes wrong meanwhile what it means for this transaction, but where it was not submitted at all."""
        try:
            yield
        except NotSubmittedError:
            raise
        except VerificationError as error:
            error.add_note(self.unknown("", program).do)
            raise
        except OperationalError as error:
            raise self.unknown(error.what, program) from error
        except Refused as error:
            raise self.unknown(str(error), program) from error
        except KeyboardInterrupt:
            raise self.unknown("Stopped before the outcome was known.", program) from None


class PendingFolder:
    """The files of one client, ``<transaction id>.fujie-tx`` in ``place``. Several processes may use it at once."""

    def __init__(self, place: Path, program: str = "fujie") -> None:
        """``program`` is what people type before a command, in what is said to them. Makes nothing before it is needed."""
        self.place = place
        self.program = program

    @contextmanager
    def keeping(self, transaction: bytes) -> Iterator[Pending]:
        """Have a canonical signed transaction on disk, durably, and locked while its outcome is waited for.

        Raises :class:`OperationalError`, and nothing may be sent then: the file cannot be written, or the same is asked for
        by a transaction that is here and that nobody waits for any more.
        """
        wanted = _decoded(self._path(_id(transaction)), transaction, waited_for=True)
        self._require_new(wanted)
        descriptor = self._write(wanted.path, transaction)
        try:
            yield wanted
        finally:
            os.close(descriptor)

    @contextmanager
    def found(self, identifier: bytes) -> Iterator[Pending]:
        """Have what is kept of the transaction with this id (32 bytes), locked. Raises :class:`OperationalError` without it."""
        path = self._path(identifier)
        with _opened(path) as descriptor:
            if descriptor is None:
                raise OperationalError(
                    f"The signed bytes of transaction {identifier.hex()} are not here.",
                    f"`{self.program} transaction pending` lists those that are; `{self.program} receipt` tells what became of it.",
                )
            if not _locks_soon(descriptor):
                raise OperationalError(
                    f"Another command sends transaction {identifier.hex()} and waits for its outcome.",
                    "Wait until it is done.",
                )
            yield _read(path, waited_for=True)

    def find(self, identifier: bytes) -> Pending | None:
        """Return what is kept of a transaction, or None. Raises :class:`OperationalError` for a file that does not read."""
        return next((each for each in self.all() if each.id == identifier), None)

    def all(self) -> list[Pending]:
        """Return every transaction that is kept, the one that expires first first. Raises as :meth:`find`."""
        found = []
        for path in self._paths():
            with _opened(path) as descriptor:
                if descriptor is not None:  # else it was forgotten meanwhile
                    found.append(_read(path, waited_for=not _locks(descriptor, fcntl.LOCK_SH)))
        return sorted(found, key=lambda each: (each.body.expires_at_ms, each.id))

    def count(self) -> int:
        """Return how many there are."""
        return len(self._paths())

    def forget(self, identifier: bytes) -> None:
        """Remove what is kept of a transaction whose outcome is known. Idempotent."""
        self._path(identifier).unlink(missing_ok=True)

    # -- inside

    def _path(self, identifier: bytes) -> Path:
        return self.place / f"{identifier.hex()}{SUFFIX}"

    def _paths(self) -> list[Path]:
        if not self.place.is_dir():
            return []
        return [path for path in self.place.iterdir() if path.suffix == SUFFIX and path.name[0] != "."]

    def _require_new(self, wanted: Pending) -> None:
        """Raise :class:`OutcomePendingError` where the same is asked for by one whose outcome nobody has heard."""
        asked = (wanted.body.chain_id, wanted.body.operations)
        for each in self.all():
            if not each.waited_for and each.id != wanted.id and (each.body.chain_id, each.body.operations) == asked:
                raise each.unknown(
                    f"The very same was submitted before, as transaction {each.id.hex()}, and it is not known here what became "
                    "of it. Nothing was sent now; when that is known, it can be asked for once more.",
                    self.program,
                )

    def _write(self, path: Path, transaction: bytes) -> int:
        """Write a file, locked from before it has its name, and return what holds the lock."""
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self.place.parent.mkdir(mode=0o700, exist_ok=True)
            self.place.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
            try:
                _locks(descriptor, fcntl.LOCK_EX)
                with os.fdopen(descriptor, "wb", closefd=False) as file:
                    file.write(transaction)
                    file.flush()
                os.fsync(descriptor)
                temporary.replace(path)
                sync_folder(self.place)
            except BaseException:
                os.close(descriptor)
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise OperationalError(
                f"{path} cannot be written: {error.strerror}. Nothing was sent.",
                "What is sent is kept there until its outcome is known: check the folder, its rights, and free space.",
            ) from None
        return descriptor


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


def _read(path: Path, *, waited_for: bool) -> Pending:
    data = read_bounded(path, FILE_BYTES_MAX)
    try:
        found = _decoded(path, data, waited_for=waited_for)
    except DecodeError:
        found = None
    if found is None or found.path.name != f"{found.id.hex()}{SUFFIX}":
        raise OperationalError(
            f"{path} is damaged, or no transaction that was kept.",
            "Its name says which one it was: see what became of that with `fujie receipt`, then remove the file.",
        )
    return found


def _decoded(path: Path, transaction: bytes, *, waited_for: bool) -> Pending:
    body = SIGNED_TRANSACTION.decode(transaction).body
    return Pending(path, transaction, transaction_id(body), TRANSACTION.decode(body), waited_for)


def _id(transaction: bytes) -> bytes:
    return transaction_id(SIGNED_TRANSACTION.decode(transaction).body)


def _time_text(time_ms: int) -> str:
    with suppress(ValueError, OverflowError):
        return f"{datetime.fromtimestamp(time_ms / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{time_ms} ms"
