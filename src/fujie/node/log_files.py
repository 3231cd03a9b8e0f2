"""Reading the logs of a node: the files of all its processes, in the order of time, also while they grow and rotate."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from fujie.core.errors import OperationalError
from fujie.core.wording import quoted, visible
from fujie.node.folder import Folder
from fujie.node.logs import LEVELS, LOG_BYTES_MAX, Entry

TAIL_BYTES_MAX: Final = 2 * LOG_BYTES_MAX  # read of one process: its file and the newest rotated one
LINE_BYTES_MAX: Final = 65_536  # of a line; what is longer was not written by a node

_TEXT: Final = re.compile(
    r"(?P<ts>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (?P<level>[A-Z]+) +(?P<process>[a-z0-9-]+) (?P<logger>\S+): (?P<message>.*)"
)
_COMET_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z")


class Lines:
    """Turns the lines of one file into entries. Indented lines belong to the record before them."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._open: Entry | None = None

    def feed(self, line: bytes) -> Iterator[Entry]:
        """Yield the entry that ``line`` completes, if it does: that before it, or itself."""
        text = line[:LINE_BYTES_MAX].decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("    ") and self._open is not None:
            self._open = msgspec.structs.replace(self._open, traceback=(*self._open.traceback, visible(text[4:])))
            return
        yield from self.rest()
        found = _parsed(text, self._process)
        if found is None:
            if text.strip():
                yield Entry("", "info", "", self._process, visible(text))
        elif text.startswith("{"):
            yield found
        else:
            self._open = found

    def rest(self) -> Iterator[Entry]:
        """Yield the entry whose lines may not be over yet."""
        if self._open is not None:
            entry, self._open = self._open, None
            yield entry


class Selection(msgspec.Struct, frozen=True):
    """Which entries are wanted: of one process where it is named, of ``level`` and above."""

    process: str | None = None
    level: str = "debug"

    def wants(self, entry: Entry) -> bool:
        """Tell whether ``entry`` is one of them; a level that is not ours counts as the highest."""
        least = LEVELS.index(self.level)
        return (LEVELS.index(entry.level) if entry.level in LEVELS else len(LEVELS)) >= least

    def files(self, folder: Folder) -> list[Path]:
        """Return the log files of ``folder`` that may hold some."""
        found = sorted(folder.log.parent.glob("*.log"))
        return [path for path in found if self.process is None or path.stem == self.process]


def newest_entries(folder: Folder, selection: Selection, count: int) -> list[Entry]:
    """Return the newest ``count`` entries that are wanted, oldest first.

    Raises :class:`OperationalError` where there is no log, or none of the process that is named.
    """
    paths = _require_files(folder, selection)
    entries = [entry for path in paths for entry in _entries(path, _tail(path)) if selection.wants(entry)]
    entries.sort(key=lambda entry: entry.ts)  # stable: what has one time stays in the order of its file
    return entries[-count:] if count else []


class Follower:
    """Reads what is added to the files from now on, across rotations and for processes that come later."""

    def __init__(self, folder: Folder, selection: Selection) -> None:
        """Begin at the end of each file. Raises as :func:`newest_entries`."""
        self._folder = folder
        self._selection = selection
        self._files: dict[Path, _Growing] = {
            path: _Growing(path, at_end=True) for path in _require_files(folder, selection)
        }

    def poll(self) -> list[Entry]:
        """Return the entries that were added since the last call, in the order of time."""
        for path in self._selection.files(self._folder):
            if path not in self._files:
                self._files[path] = _Growing(path, at_end=False)
        entries = [entry for each in self._files.values() for entry in each.added() if self._selection.wants(entry)]
        return sorted(entries, key=lambda entry: entry.ts)

    def close(self) -> None:
        """Close the files. Idempotent."""
        for each in self._files.values():
            each.close()


class _Growing:
    """One file that is appended to, and after a rotation is another one under the same name."""

    def __init__(self, path: Path, *, at_end: bool) -> None:
        self._path = path
        self._lines = Lines(path.stem)
        self._begun = b""  # a line whose end is not written yet
        self._file = self._opened()
        if at_end and self._file is not None:
            self._file.seek(0, 2)

    def added(self) -> Iterator[Entry]:
        """Yield what was added; the last entry of a poll is taken as whole."""
        yield from self._read()
        if self._rotated():
            self._reopen()
            yield from self._read()
        yield from self._lines.rest()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> Iterator[Entry]:
        if self._file is None:
            return
        *whole, self._begun = (self._begun + self._file.read()).split(b"\n")
        for line in whole:
            yield from self._lines.feed(line)

    def _rotated(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        if self._file is None:
            return True
        ours = os.fstat(self._file.fileno())
        return (found.st_dev, found.st_ino) != (ours.st_dev, ours.st_ino)

    def _reopen(self) -> None:
        self.close()
        self._begun = b""
        self._file = self._opened()

    def _opened(self) -> BinaryIO | None:
        try:
            return self._path.open("rb")
        except OSError:  # between two names, or gone: the next poll looks again
            return None


def _require_files(folder: Folder, selection: Selection) -> list[Path]:
    paths = selection.files(folder)
    if paths:
        return paths
    known = sorted(path.stem for path in folder.log.parent.glob("*.log"))
    if selection.process is not None and known:
        raise OperationalError(
            f"There is no log of a process {quoted(selection.process, 40)}.", f"There are those of {', '.join(known)}."
        )
    raise OperationalError(f"There is no log in {folder.log.parent}.", "A node writes one when it starts: `fujie up`.")


def _tail(path: Path) -> bytes:
    """Return the end of a process's log: of the rotated file before it, and its own."""
    data = b""
    for part in (path.with_name(f"{path.name}.1"), path):
        try:
            with part.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(size - TAIL_BYTES_MAX, 0))
                data += file.read(TAIL_BYTES_MAX)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise OperationalError(f"{part} cannot be read: {error.strerror}.", "Check its rights.") from None
    return data


def _entries(path: Path, data: bytes) -> Iterator[Entry]:
    lines = Lines(path.stem)
    for line in data.split(b"\n"):
        yield from lines.feed(line)
    yield from lines.rest()


def _parsed(text: str, process: str) -> Entry | None:
    """Return the record on a line, of either form, or of CometBFT's; None for a line that is none."""
    if text.startswith("{"):
        try:
            return _escaped(msgspec.json.decode(text, type=Entry))
        except (msgspec.MsgspecError, RecursionError):
            return _comet_parsed(text, process)
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    return Entry(match["ts"], match["level"].lower(), match["logger"], match["process"], visible(match["message"]))


def _comet_parsed(text: str, process: str) -> Entry | None:
    """Return the record on a line that CometBFT wrote, its time to the millisecond as ours; None for a line that is none."""
    try:
        line = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        return None
    told = {name: str(line.pop(name, "")) for name in ("ts", "level", "module", "_msg")}
    moment = _COMET_TIME.match(told["ts"])
    if moment is None:
        return None
    return _escaped(
        Entry(
            f"{moment[1]}.{(moment[2] or '')[:3]:0<3}Z",
            told["level"],
            told["module"],
            process,
            told["_msg"],
            extra=line,
        )
    )


def _escaped(entry: Entry) -> Entry:
    """Return ``entry`` fit for a terminal, whoever wrote the file."""
    return Entry(
        ts=visible(entry.ts),
        level=visible(entry.level),
        logger=visible(entry.logger),
        process=visible(entry.process),
        message=visible(entry.message),
        extra={
            visible(name): visible(value) if isinstance(value, str) else value for name, value in entry.extra.items()
        },
        traceback=tuple(visible(line) for line in entry.traceback),
    )
