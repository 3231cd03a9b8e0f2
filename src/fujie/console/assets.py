"""The files that pages load: served from memory under their digest, so that a browser may keep them for ever."""

import mimetypes
from functools import cache
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, NamedTuple

from fujie.console.links import ROOT

PREFIX: Final = f"{ROOT}/static/"
_TYPES: Final = {  # Litestar adds the character set to those of text
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".md": "text/plain",
    ".LICENSE": "text/plain",
}


class Asset(NamedTuple):
    """A file: its bytes, its media type, and the beginning of its sha256 in hexadecimal."""

    data: bytes
    media_type: str
    digest: str


def asset(name: str) -> Asset | None:
    """Return the file ``name`` (``vendor/htmx.min.js``), or None."""
    return _all().get(name)


def address(name: str) -> str:
    """Return the path of a file with its digest. A file that is not there is a mistake of ours: KeyError."""
    return f"{PREFIX}{name}?v={_all()[name].digest}"


def names() -> tuple[str, ...]:
    """Return the name of every file."""
    return tuple(sorted(_all()))


@cache
def _all() -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    _collect(resources.files("fujie.console").joinpath("static"), "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            _collect(entry, f"{name}/", found)
        elif not entry.name.startswith("."):
            data = entry.read_bytes()
            ending = "." + entry.name.rpartition(".")[2]
            kind = _TYPES.get(ending) or mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
            found[name] = Asset(data, kind, sha256(data).hexdigest()[:12])
