"""Reading our own source: files, syntax trees, and the small questions that the architecture tests ask of them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "fujie"
ROOMS = PACKAGE / "modules"


def python_files(folder: Path) -> list[Path]:
    """Return the Python files under ``folder`` that people wrote (generated protobuf classes are not)."""
    return sorted(path for path in folder.rglob("*.py") if not path.name.endswith("_pb2.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    """Return the path as it is told to people: from the repository root where it lies there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def rooms() -> list[Path]:
    """Return the folders of the rooms that exist."""
    if not ROOMS.is_dir():
        return []
    return sorted(path for path in ROOMS.iterdir() if path.is_dir() and not path.name.startswith("_"))


def imported_modules(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of every import anywhere in the file, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def own_files() -> list[Path]:
    """Return every file of the repository: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    paths = (ROOT / name.decode() for name in listed.split(b"\0") if name)
    return sorted(path for path in paths if path.is_file())
