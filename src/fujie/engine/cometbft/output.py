"""What `cometbft` writes, kept in files of bounded size: it does not turn its own log over."""

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO, Final

from fujie.core.wording import visible

FILE_BYTES_MAX: Final = 5_242_880
FILES_KEPT: Final = 5  # older ones, as of every other log of a node
CHUNK_BYTES: Final = 65_536
WORDS_BYTES_MAX: Final = (
    262_144  # of the end of its log: a start that fails and the stacks of its threads are a tenth of that
)
WORDS_MAX: Final = 300

BEGINS: Final = '"Starting multiAppConn service"'  # the first thing that it does
FAULTS: Final = ("ERROR: ", "panic: ", "fatal error: ")

log = logging.getLogger(__name__)


class Output:
    """Writes what comes out of a pipe to a file. A thread of its own, which ends with the pipe.

    ``heard`` is called there with what comes, in pieces that need not be lines.
    """

    def __init__(self, pipe: IO[bytes], path: Path, heard: Callable[[bytes], None] | None = None) -> None:
        self._pipe = pipe
        self._heard = heard
        self._path = path
        self.thread = threading.Thread(target=self._run, name="fujie-cometbft-output", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        """Write until the pipe ends. A disk that is full costs lines, and never stops the process that writes them."""
        file: BinaryIO | None = None
        failed = False
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), CHUNK_BYTES):
                if self._heard is not None:
                    self._heard(chunk)
                try:
                    file = self._file(file)
                    file.write(chunk)
                    failed = False
                except OSError as error:
                    if not failed:
                        log.warning("%s cannot be written: %s", self._path, error)
                    failed = True
        if file is not None:
            file.close()

    def _file(self, file: BinaryIO | None) -> BinaryIO:
        """Return the file to write to: another one when this one is full."""
        if file is None or file.closed:
            return self._opened()
        if file.tell() < FILE_BYTES_MAX:
            return file
        file.close()
        for number in range(FILES_KEPT - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        return self._opened()

    def _opened(self) -> BinaryIO:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "ab", buffering=0)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def last_words(path: Path) -> str:
    """Return what `cometbft` said when it ended by a fault, if it has not begun again since: empty where it said nothing.

    ``path`` is its log. A fault is the one line that it does not write as JSON and begins with what it is.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - WORDS_BYTES_MAX, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        if BEGINS in line:
            return ""
        for what in FAULTS:
            if line.startswith(what):
                return visible(line.removeprefix(what))[:WORDS_MAX]
    return ""
