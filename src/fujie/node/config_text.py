"""The commented configuration that a new folder gets: every key with its default, nothing set."""

import textwrap
from pathlib import Path
from typing import Final

from fujie.client.files import write_atomically
from fujie.core.errors import OperationalError
from fujie.node.config_file import CONFIG_NAME
from fujie.node.config_keys import SHORT_NAMES, Key, keys, sections, toml_text
from fujie.node.folder import Folder, make_folder

WIDTH: Final = 110

_HEAD: Final = """\
# Configuration of a Fujie node. Every key stands here with its default; take the # away to set one.
# A command option goes before an environment variable, that before this file, this file before the default.
# The variable of http.port is FUJIE_HTTP_PORT, and so for every key. `fujie config check` looks for mistakes,
# `fujie config show` says which value holds and where it comes from. A node reads this file at its start.
"""


def default_text() -> str:
    """Return the commented file."""
    parts = [_HEAD]
    for name, struct in sections().items():
        parts.append(f"\n[{name}]\n{_comment(struct.__doc__ or '')}")
        parts += [
            f"\n{_comment(sentence(key))}# {key.name.partition('.')[2]} = {toml_text(key.default)}\n"
            for key in keys().values()
            if key.section == name
        ]
    return "".join(parts)


def sentence(key: Key) -> str:
    """Return all that is said of a key, in sentences."""
    return " ".join(filter(None, (f"{key.said.description}.", f"It takes {key.form}.", key.said.reason)))


def variables(key: Key) -> list[str]:
    """Return the variables of the environment that set a key."""
    return [key.variable, *(short for short, name in SHORT_NAMES.items() if name == key.name)]


def write_default(folder: Folder) -> Path:
    """Write the commented file into ``folder``. Raises :class:`OperationalError` where one exists, or the folder cannot be written."""
    path = folder.home / CONFIG_NAME
    make_folder(folder.home)
    try:
        write_atomically(path, default_text().encode(), overwrite=False)
    except FileExistsError:
        raise OperationalError(
            f"{path} exists already; nothing was changed.", "`fujie config explain` says what may stand in it."
        ) from None
    return path


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, WIDTH - 2))
