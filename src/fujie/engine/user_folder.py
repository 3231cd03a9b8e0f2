"""The folder of this user of the machine for what belongs to no data folder: programs, and locks on keys."""

import os
from collections.abc import Mapping
from pathlib import Path

from fujie.core.errors import OperationalError


def user_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return it; it may not exist. Raises :class:`OperationalError` for a user who has no home folder."""
    base = environment.get("XDG_DATA_HOME", "")
    if base.startswith("/"):
        return Path(base) / "fujie"
    try:
        return Path.home() / ".local" / "share" / "fujie"
    except RuntimeError as error:
        raise OperationalError(
            "The user of this process has no home folder.", "Give it one, or name a folder in XDG_DATA_HOME."
        ) from error
