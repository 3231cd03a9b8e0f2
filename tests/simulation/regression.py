"""Seeds that failed once, in ``seeds.txt``: seed, replicas, and what was violated, one a line."""

from pathlib import Path
from typing import Final

SEEDS: Final = Path(__file__).with_name("seeds.txt")


def kept_seeds() -> list[tuple[int, int]]:
    """Return (seed, replicas) of every line."""
    rows = [line.split() for line in SEEDS.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [(int(row[0]), int(row[1])) for row in rows]


def write_seed(seed: int, replicas: int, violated: str) -> None:
    """Add a line, unless the seed has one."""
    if (seed, replicas) not in kept_seeds():
        with SEEDS.open("a", encoding="utf-8") as file:
            file.write(f"{seed} {replicas} {violated.splitlines()[0] if violated else ''}".rstrip() + "\n")
