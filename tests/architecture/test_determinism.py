"""No rule depends on anything but the state and the block."""

import pytest

from tests.architecture.determinism import problems_of
from tests.architecture.source import PACKAGE, name_of, python_files

MACHINE = PACKAGE / "machine"
CORE_SIGNING = PACKAGE / "core" / "signing.py"  # makes keys, so it needs randomness; rules are given its answers only


def rule_files():
    return [*python_files(MACHINE), *python_files(PACKAGE / "modules")]


@pytest.mark.parametrize("path", rule_files(), ids=name_of)
def test_rules_are_deterministic(path):
    assert problems_of(path, only_refused=path.is_relative_to(MACHINE)) == []


@pytest.mark.parametrize("path", [p for p in python_files(PACKAGE / "core") if p != CORE_SIGNING], ids=name_of)
def test_what_rules_stand_on_is_deterministic(path):
    assert problems_of(path) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("import time", "imports time"),
        ("from datetime import datetime", "imports datetime"),
        ("import os.path", "imports os.path"),
        ("half = 0.5", "float literal"),
        ("rate = a / b", "true division"),
        ("a /= 2", "true division"),
        ("x = float(a)", "calls float()"),
        ("x = hash(a)", "calls hash()"),
        ("x = id(a)", "calls id()"),
        ("open('file')", "calls open()"),
        ("print(a)", "calls print()"),
        ("for x in {1, 2}: pass", "walks a set"),
        ("for x in set(a): pass", "walks a set"),
        ("x = tuple({n for n in a})", "walks a set"),
        ("x = [n for n in frozenset(a)]", "walks a set"),
        ("x = (*{1, 2},)", "walks a set"),
        ("x = b''.join({a, b})", "walks a set"),
        ("x = set(a) | b\nfor n in x: pass", "walks a set"),
        ("for n in context.signers: pass", "walks a set"),
        ("def f(names: frozenset[str]):\n    return list(names)", "walks a set"),
        ("x = set(a)\nx.pop()", "walks a set"),
        ("try: pass\nexcept: pass", "catches everything"),
        ("try: pass\nexcept Exception: pass", "catches Exception"),
        ("try: pass\nexcept (Refused, BaseException): pass", "catches BaseException"),
        ("try: pass\nexcept KeyError: pass", "only Refused may be caught"),
    ],
)
def test_walk_finds(tmp_path, line, complaint):
    path = tmp_path / "rule.py"
    path.write_text(line + "\n")
    found = problems_of(path, only_refused=True)
    assert any(complaint in problem for problem in found), found


@pytest.mark.parametrize(
    "line",
    [
        "import hashlib",
        "from collections.abc import Mapping",
        "rate = a // b",
        "for x in sorted({1, 2}): pass",
        "x = sorted(n for n in {1, 2})",
        "x = any(n > 1 for n in set(a))",
        "x = {n for n in set(a)}",
        "x = a in {1, 2}",
        "x = len(set(a))",
        "x = tuple(sorted(set(a)))",
        "for key in {'a': 1}: pass",
        "try: pass\nexcept Refused as refusal: pass",
    ],
)
def test_walk_accepts(tmp_path, line):
    path = tmp_path / "rule.py"
    path.write_text(line + "\n")
    assert problems_of(path, only_refused=True) == []
