"""Builds and runs the Go program of this folder, which asks CometBFT's own code about headers and commits.

Go caches the build, so building again costs about a second. Without Go every function raises FileNotFoundError: a test
that needs CometBFT's word must fail without it, never skip. ``python -m tests.light.comet_light`` writes the vectors.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.go_program import build

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = Path(__file__).resolve().parent
PROGRAM: Final = "fujie-light"
VECTORS: Final = ROOT / "vectors" / "cometbft" / "headers-and-commits.json"
VECTORS_SEED: Final = 20240601

_RUN_SECONDS_MAX: Final = 120


class RefusedByCometBFT(Exception):
    """CometBFT's light client does not accept the chain; the text is its reason."""


def verify(chain_id: str, light_blocks: Sequence[bytes], *, now_ms: int, trusting_period_ms: int) -> dict[str, int]:
    """Verify encoded light blocks of ascending height by CometBFT's light client, pairwise, in sequence and skipping.

    Returns the counts that the program prints. Raises :class:`RefusedByCometBFT`.
    """
    content = {
        "chain_id": chain_id,
        "now_ms": now_ms,
        "trusting_period_ms": trusting_period_ms,
        "light_blocks": [block.hex() for block in light_blocks],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.json"
        path.write_text(json.dumps(content))
        counts: dict[str, int] = json.loads(_run("verify", str(path)))
    return counts


def steps(
    pairs: Sequence[tuple[bytes, bytes, int]], *, trusting_period_ms: int, numerator: int = 1, denominator: int = 3
) -> list[tuple[str, str]]:
    """Return what CometBFT's ``light.Verify`` says of each pair of encoded light blocks, and why.

    A pair is a believed block, another one, and the time in milliseconds. It says SUCCESS, NOT_ENOUGH_TRUST, EXPIRED or
    INVALID.
    """
    content = {
        "trusting_period_ms": trusting_period_ms,
        "numerator": numerator,
        "denominator": denominator,
        "steps": [
            {"trusted": trusted.hex(), "untrusted": untrusted.hex(), "now_ms": now_ms}
            for trusted, untrusted, now_ms in pairs
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "steps.json"
        path.write_text(json.dumps(content))
        return [(said["verdict"], said["reason"]) for said in json.loads(_run("steps", str(path)))]


def vectors(seed: int) -> dict[str, Any]:
    """Return hashes and signed bytes that CometBFT computes for inputs drawn from ``seed``."""
    made: dict[str, Any] = json.loads(_run("vectors", str(seed)))
    return made


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [str(build(SOURCE, PROGRAM)), *arguments], capture_output=True, text=True, timeout=_RUN_SECONDS_MAX, check=False
    )
    if done.returncode:
        raise RefusedByCometBFT(done.stderr.strip())
    return done.stdout


def main() -> None:
    """Write the vectors that stand in the repository."""
    VECTORS.parent.mkdir(parents=True, exist_ok=True)
    VECTORS.write_text(_run("vectors", str(VECTORS_SEED)))


if __name__ == "__main__":
    main()
