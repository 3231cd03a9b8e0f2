"""Builds and runs the Go program of this folder, which reads our log with clients that were written for other logs.

Without Go every function raises FileNotFoundError: a test that needs the word of others must fail without it, never skip.
"""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = Path(__file__).resolve().parent
BINARY: Final = ROOT / ".tools" / "fujie-tlog"

_BUILD_SECONDS_MAX: Final = 600
_RUN_SECONDS_MAX: Final = 300


class RefusedByClient(Exception):
    """The client does not accept the log; the text is its reason."""


@cache
def build() -> Path:
    """Build the program into ``.tools/`` and return its path. Safe when several test processes build at once."""
    BINARY.parent.mkdir(exist_ok=True)
    temporary = BINARY.with_name(f"{BINARY.name}.{os.getpid()}")
    done = subprocess.run(
        ["go", "build", "-trimpath", "-mod=readonly", "-o", str(temporary), "."],
        cwd=SOURCE,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS_MAX,
    )
    if done.returncode:
        raise RuntimeError(f"tests/tlog does not build:\n{done.stderr}")
    temporary.replace(BINARY)
    return BINARY


def verify(url: str, key: str, old: Path | None = None) -> dict[str, Any]:
    """Verify the log at ``url`` under the verifier key ``key``, and that it continues the checkpoint in ``old``.

    Returns what the program prints. Raises :class:`RefusedByClient`.
    """
    arguments = [str(build()), url, key, *([] if old is None else [str(old)])]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=_RUN_SECONDS_MAX, check=False)
    if done.returncode:
        raise RefusedByClient(done.stderr.strip())
    found: dict[str, Any] = json.loads(done.stdout)
    return found
