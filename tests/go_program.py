"""Go programs that tests run: built once, into ``.tools/``."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]

_BUILD_SECONDS_MAX: Final = 600


@cache
def build(source: Path, name: str) -> Path:
    """Build the program in folder ``source`` and return its path. Safe when several test processes build at once."""
    binary = ROOT / ".tools" / name
    binary.parent.mkdir(exist_ok=True)
    temporary = binary.with_name(f"{name}.{os.getpid()}")
    done = subprocess.run(
        ["go", "build", "-trimpath", "-mod=readonly", "-o", str(temporary), "."],
        cwd=source,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS_MAX,
    )
    if done.returncode:
        raise RuntimeError(f"{source.relative_to(ROOT)} does not build:\n{done.stderr}")
    temporary.replace(binary)
    return binary
