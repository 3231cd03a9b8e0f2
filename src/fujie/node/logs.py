"""What a node's processes write to their logs: one record a line, for people or as JSON, in rotated files.

Every process has a file of its own, ``log/<process>.log``: two processes that rotate one file lose each other's lines. No
key, no passphrase, no credential and no payment is ever logged; what a record carries is escaped, so that nobody who
chooses a name or a message can write lines of his own.

The level belongs to ``fujie`` and the loggers below it. Libraries are held at warning whatever is set: at debug they tell
headers of requests, which hold credentials.
"""

import logging
import logging.handlers
import re
import threading
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from fujie.core.errors import OperationalError
from fujie.core.wording import count, nearest, quoted, visible
from fujie.node.config_keys import Log
from fujie.node.folder import Folder, make_folder

LOG_BYTES_MAX: Final = 5_242_880  # of one file; with the rotated ones at most 30 MiB a process
LOG_FILES_KEPT: Final = 5
MESSAGE_CHARACTERS_MAX: Final = 8_192  # of a message or an extra field; what is longer is cut
TRACEBACK_LINES_MAX: Final = 200
OWN: Final = "fujie"
LEVELS: Final = ("debug", "info", "warning", "error")
INHERITED: Final = "inherit"  # takes the level of a logger back: that of the one above holds again

_KNOWN_ATTRIBUTES: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_MODULE: Final = re.compile(r"[a-z][a-z0-9_]{0,40}")
# No credential is ever handed to a logger. Should one slip into the text of an error, it stops here.
_CREDENTIAL: Final = re.compile(r"(?i)\b(bearer|fujie-grant|basic)(\s+)[\w.~+/=-]{8,}")
_TOKEN: Final = re.compile(r"(fj[ks]_[0-9a-f]{16}_)[0-9a-f]{1,64}")  # an API key or a session; its number may be told


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record as it stands in a file of JSON lines; ``traceback`` and ``extra`` only where there is one."""

    ts: str
    level: str
    logger: str
    process: str
    message: str
    extra: dict[str, Any] = {}
    traceback: tuple[str, ...] = ()


def start_logging(folder: Folder, process: str, settings: Log) -> None:
    """Log to ``log/<process>.log`` of ``folder`` from now on; ``process`` is such as ``node``, ``reader-1``, ``projector``.

    Raises :class:`OperationalError` when the file cannot be written. Calling it again changes the file and the form.
    """
    make_folder(folder.log.parent)
    path = folder.log.with_name(f"{process}.log")
    try:
        handler = _LogFile(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise OperationalError(
            f"The log {path} cannot be written: {error.strerror}.", "Check the folder and who may write to it."
        ) from error
    handler.setFormatter(JsonLines(process) if settings.format == "json" else TextLines(process))
    root = logging.getLogger()
    for known in [each for each in root.handlers if isinstance(each, _LogFile)]:
        root.removeHandler(known)
        known.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN).setLevel(settings.level.upper())
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def apply_level(logger: str, level: str) -> None:
    """Set the level of ``logger``, which is ``fujie`` or one below it; ``inherit`` takes it back.

    Raises :class:`OperationalError` for a logger or a level that does not exist.
    """
    _require_level(level)
    _require_logger(logger)
    if level != INHERITED:
        logging.getLogger(logger).setLevel(level.upper())
    elif logger == OWN:
        raise OperationalError(f"There is nothing above {OWN} to inherit a level from.", "Name a level: info.")
    else:
        logging.getLogger(logger).setLevel(logging.NOTSET)


def levels() -> dict[str, str]:
    """Return the level of ``fujie`` and of every logger below it that has one of its own."""
    found = {OWN: logging.getLevelName(logging.getLogger(OWN).getEffectiveLevel()).lower()}
    for name in sorted(_own_loggers()):
        level = logging.getLogger(name).level
        if level != logging.NOTSET:
            found[name] = logging.getLevelName(level).lower()
    return found


def entry_of(record: logging.LogRecord, process: str) -> Entry:
    """Return what is written of a record: bounded, escaped, without credentials."""
    moment = datetime.fromtimestamp(record.created, UTC)
    extra = {name: value for name, value in record.__dict__.items() if name not in _KNOWN_ATTRIBUTES}
    return Entry(
        ts=f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
        level=record.levelname.lower(),
        logger=_safe(record.name),
        process=process,
        message=_safe(_message(record)),
        extra={_safe(name): _plain(value) for name, value in extra.items()},
        traceback=_traceback(record),
    )


class JsonLines(logging.Formatter):
    """One JSON object a line: :class:`Entry`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        return msgspec.json.encode(entry_of(record, self._process)).decode()


class TextLines(logging.Formatter):
    """A line for people; a traceback follows it on indented lines, so that none of them looks like a record."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        return text_of(entry_of(record, self._process))


def text_of(entry: Entry) -> str:
    """Return an entry as :class:`TextLines` writes it; a line that no node wrote, as it is."""
    if not entry.ts:
        return entry.message
    fields = "".join(f" {name}={_field(value)}" for name, value in entry.extra.items())
    head = f"{entry.ts} {entry.level.upper():<7} {entry.process} {entry.logger}: {entry.message}{fields}"
    return "\n".join((head, *(f"    {line}" for line in entry.traceback)))


class _LogFile(logging.handlers.RotatingFileHandler):
    _lost = 0  # records since one was written last

    def emit(self, record: logging.LogRecord) -> None:
        lost = self._lost
        super().emit(record)
        if lost and self._lost == lost:
            self._lost = 0
            text = "the log could not be written for a while, on a full disk say; up to %s missing above"
            said = {"name": OWN, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
            are = f"{count(lost, 'record')} {'is' if lost == 1 else 'are'}"
            super().emit(logging.makeLogRecord({**said, "args": (are,)}))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is that of logging
        """Go on: a log that cannot be written, on a full disk say, is no reason to print tracebacks to the operator."""
        self._lost += 1


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    """Log what ended a thread; the standard hook would print it to whoever started the node."""
    if failed.exc_type is not SystemExit and failed.exc_value is not None:
        name = failed.thread.name if failed.thread is not None else "unknown"
        logging.getLogger(OWN).error("the thread %s ended", name, exc_info=failed.exc_value)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - a record with the wrong arguments, or one whose repr fails, is still told
        return f"{record.msg!s} (its arguments do not fit: {type(error).__name__})"


def _traceback(record: logging.LogRecord) -> tuple[str, ...]:
    if not record.exc_info or record.exc_info[1] is None:
        return ()
    lines = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n").split("\n")
    if len(lines) > TRACEBACK_LINES_MAX:
        half = TRACEBACK_LINES_MAX // 2
        lines = [*lines[:half], f"... {len(lines) - 2 * half} lines left out", *lines[-half:]]
    return tuple(_safe(line) for line in lines)


def _safe(text: str) -> str:
    cut = text if len(text) <= MESSAGE_CHARACTERS_MAX else f"{text[:MESSAGE_CHARACTERS_MAX]}… (cut)"
    return _CREDENTIAL.sub(r"\1\2(not logged)", _TOKEN.sub(r"\1(not logged)", visible(cut)))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else _safe(str(value))


def _field(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return msgspec.json.encode(text).decode() if re.search(r"[\s\"=]", text) or not text else text


def _own_loggers() -> set[str]:
    known = logging.getLogger().manager.loggerDict
    return {name for name in known if name.startswith(f"{OWN}.")}


def _is_module(logger: str) -> bool:
    """Tell whether a logger is named like a module of ours: one that this process has not loaded yet may still be set."""
    first, *parts = logger.split(".")
    path = Path(__file__).parents[1].joinpath(*parts)
    named = first == OWN and all(_MODULE.fullmatch(part) for part in parts)
    return named and ((path / "__init__.py").is_file() or path.with_suffix(".py").is_file())


def _require_level(level: str) -> None:
    if level not in (*LEVELS, INHERITED):
        raise OperationalError(
            f"There is no level {quoted(level, 40)}.{nearest(level, LEVELS)}",
            f"Choose one of {', '.join(LEVELS)}, or {INHERITED}.",
        )


def _require_logger(logger: str) -> None:
    known = {OWN} | _own_loggers()
    if logger not in known and not _is_module(logger):
        raise OperationalError(
            f"There is no logger {quoted(logger, 80)}.{nearest(logger, known)}",
            f"Choose {OWN}, or a module below it such as fujie.engine.embedded.",
        )
