"""Builds and runs the Go program of this folder, which reads our log with clients that were written for other logs.

Without Go every function raises FileNotFoundError: a test that needs the word of others must fail without it, never skip.
"""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.go_program import build

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = Path(__file__).resolve().parent
PROGRAM: Final = "fujie-tlog"

_RUN_SECONDS_MAX: Final = 300


class RefusedByClient(Exception):
    """The client does not accept the log; the text is its reason."""


def verify(url: str, key: str, old: Path | None = None) -> dict[str, Any]:
    """Verify the log at ``url`` under the verifier key ``key``, and that it continues the checkpoint in ``old``.

    Returns what the program prints. Raises :class:`RefusedByClient`.
    """
    arguments = [str(build(SOURCE, PROGRAM)), url, key, *([] if old is None else [str(old)])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=_RUN_SECONDS_MAX, check=False)
    if done.returncode:
        raise RefusedByClient(done.stderr.strip())
    found: dict[str, Any] = json.loads(done.stdout)
    return found
