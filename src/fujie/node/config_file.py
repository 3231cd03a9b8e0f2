"""The file ``fujie.toml``: which value stands on which line, and the commented one that a new folder gets.

``tomllib`` reads values and forgets where they stood, so the lines are looked up in the text again: headers of sections
and the beginnings of assignments are all that this needs to know of TOML.
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Final, NamedTuple

from fujie.client.files import read_bounded
from fujie.core.errors import OperationalError

CONFIG_NAME: Final = "fujie.toml"
CONFIG_BYTES_MAX: Final = 65_536  # the commented file has 5,000

_HEADER: Final = re.compile(r"\s*\[\s*(?P<name>[^\[\]]+?)\s*\]\s*(?:#.*)?")
_ASSIGNMENT: Final = re.compile(
    r"\s*(?P<name>(?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)


class Written(NamedTuple):
    """A section of the file (``key`` is empty), or a value in one: what it holds as TOML has it, and the line."""

    section: str
    key: str
    value: Any
    line: int


def read_toml(path: Path) -> list[Written]:
    """Return what is written in the file at ``path``, in its order; nothing where there is no file.

    Sections and keys are those that stand there, known or not. Raises :class:`OperationalError` for a file that cannot be
    read, is too long, or is no TOML.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror}.", "Check the path and its rights.") from None
    data = read_bounded(path, CONFIG_BYTES_MAX)
    try:
        text = data.decode("utf-8")
        parsed = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise OperationalError(f"{path}, line {line}: this is not text in UTF-8.", "Save the file as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise OperationalError(
            f"{path} is no TOML: {error}.", "Correct the line; `fujie config check` looks again."
        ) from None
    except RecursionError:
        raise OperationalError(
            f"{path} is no configuration: it nests too deep.", "See `fujie config explain`."
        ) from None
    lines = _lines(text)
    found = []
    for section, content in parsed.items():
        first = lines.get((section,), 1)
        found.append(Written(section, "", content, first))
        if isinstance(content, dict):
            found += [Written(section, key, value, lines.get((section, key), first)) for key, value in content.items()]
    return found


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each section and key, counted from 1."""
    found: dict[tuple[str, ...], int] = {}
    inside: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        header = _HEADER.fullmatch(line.rstrip("\r"))
        if header is not None:
            inside = _path(header["name"])
            found.setdefault(inside, number)
            continue
        assignment = _ASSIGNMENT.match(line)
        if assignment is not None:
            path = (*inside, *_path(assignment["name"]))
            for depth in range(1, len(path) + 1):
                found.setdefault(path[:depth], number)
    return found


def _path(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))
