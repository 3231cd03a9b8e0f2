"""What holds for every file of the package: documented, short, finished, and light to import."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import PACKAGE, ROOT, imported_modules, name_of, python_files, tree_of

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# Names that may be longer, each with its reason. Empty on purpose: split by meaning instead.
LONG_MODULES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

HEAVY = ("google.protobuf", "litestar", "uvicorn", "rocksdict", "typer", "rich", "httpx", "pydantic", "sqlite3")

SOURCES = pytest.mark.parametrize("path", python_files(PACKAGE), ids=name_of)


@SOURCES
def test_signature_library_is_imported_by_one_module(path):
    # client/sealing.py encrypts key files with libsodium and signs nothing.
    if path not in (PACKAGE / "core" / "signing.py", PACKAGE / "client" / "sealing.py"):
        libraries = {"nacl", "cryptography", "coincurve", "ecdsa", "ed25519"}
        assert [name for _, name in imported_modules(tree_of(path)) if name.split(".")[0] in libraries] == []


@SOURCES
def test_everything_public_has_a_docstring(path):
    assert [f"{name} (line {line})" for name, line in undocumented(tree_of(path))] == []


@SOURCES
def test_nothing_is_left_to_do(path):
    notes = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    lines = path.read_text("utf-8").splitlines()
    assert [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if notes.search(line)] == []


@SOURCES
def test_module_is_short_enough_to_read(path):
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MODULE_LINES_MAX or name_of(path) in LONG_MODULES, f"{lines} lines"


@SOURCES
def test_functions_are_short_enough_to_read(path):
    long = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX and f"{name_of(path)}:{node.name}" not in LONG_FUNCTIONS:
                long.append(f"{node.name} has {lines} lines")
    assert long == []


def test_import_of_the_package_is_light():
    program = f"import sys, fujie; print([name for name in {HEAVY!r} if name in sys.modules], fujie.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    ).stdout.strip()
    assert answer == f"[] {PACKAGE / '__init__.py'}"


def undocumented(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield (name, line) of the module and of every public class, function and method without a docstring."""
    if tree.body and not ast.get_docstring(tree):
        yield "the module", 1
    yield from _undocumented_in(tree.body, "")


def _undocumented_in(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, int]]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        decorators = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
        if not ast.get_docstring(node) and not decorators & {"overload", "override", "setter"}:
            yield prefix + node.name, node.lineno
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_in(node.body, f"{prefix}{node.name}.")


def test_walk_finds_missing_docstrings(tmp_path: Path):
    path = tmp_path / "module.py"
    path.write_text(
        '"""Module."""\n'
        "def public(): ...\n"
        "def _private(): ...\n"
        "class Thing:\n"
        '    """A thing."""\n'
        "    def __len__(self): ...\n"
        "    def method(self): ...\n"
        "async def later():\n"
        '    """Do it later."""\n'
    )
    assert list(undocumented(tree_of(path))) == [("public", 2), ("Thing.method", 7)]
