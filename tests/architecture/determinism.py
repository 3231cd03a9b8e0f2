"""What a rule must not do, found in its syntax tree.

Two nodes agree on a block only if the same code on the same bytes does the same thing on both. A clock, a random number,
the environment, a float's rounding, a hash seed or the order of a set each break that on some machine, some day.
"""

import ast
from pathlib import Path

from tests.architecture.source import imported_modules, tree_of

FORBIDDEN_IMPORTS = frozenset(
    {
        "asyncio",
        "calendar",
        "concurrent",
        "ctypes",
        "datetime",
        "decimal",
        "io",
        "locale",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "platform",
        "random",
        "secrets",
        "shutil",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "uuid",
        "zoneinfo",
    }
)
FORBIDDEN_CALLS = frozenset({"eval", "exec", "float", "hash", "id", "input", "open", "print"})
ORDER_FREE = frozenset({"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"})
SET_ATTRIBUTES = frozenset({"signers"})  # Context.signers is a frozenset: ask `in`, never walk it
MERGES = frozenset({"union", "intersection", "difference", "symmetric_difference"})

_CATCH_ALL = frozenset({"Exception", "BaseException"})


def problems_of(path: Path, only_refused: bool = False) -> list[str]:
    """Return every forbidden thing in a file as ``line: what``; ``only_refused`` also limits what may be caught."""
    tree = tree_of(path)
    wrong = [
        (line, f"imports {name}") for line, name in imported_modules(tree) if name.split(".")[0] in FORBIDDEN_IMPORTS
    ]
    catchable = _refusals(tree) if only_refused else None
    for node in ast.walk(tree):
        wrong += _expression_problems(node)
        if isinstance(node, ast.ExceptHandler):
            wrong += _handler_problems(node, catchable)
    wrong += _set_order_problems(tree)
    return [f"{line}: {what}" for line, what in sorted(set(wrong))]


def _expression_problems(node: ast.AST) -> list[tuple[int, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
        return [(node.lineno, f"float literal {node.value}")]
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
        return [(node.lineno, "true division gives a float; use //")]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
        return [(node.lineno, f"calls {node.func.id}()")]
    return []


def _refusals(tree: ast.Module) -> frozenset[str]:
    """Return ``Refused`` and the exceptions that this file derives from it directly."""
    derived = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Refused" for b in node.bases)
    }
    return frozenset(derived | {"Refused"})


def _handler_problems(node: ast.ExceptHandler, catchable: frozenset[str] | None) -> list[tuple[int, str]]:
    if node.type is None:
        return [(node.lineno, "catches everything")]
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    names = [item.attr if isinstance(item, ast.Attribute) else getattr(item, "id", "?") for item in caught]
    wrong = [(node.lineno, f"catches {name}") for name in names if name in _CATCH_ALL]
    if catchable is not None and not wrong:
        strangers = [name for name in names if name not in catchable]
        wrong = [(node.lineno, f"catches {name}; only Refused may be caught here") for name in strangers]
    return wrong


def _set_order_problems(tree: ast.Module) -> list[tuple[int, str]]:
    """Find walks over a set: loops, comprehensions, unpacking and calls that keep the order they are given."""
    wrong = []
    scopes: list[ast.AST] = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]
    for scope in scopes:
        known = _names_of_sets(scope)
        harmless = _order_free_generators(scope)
        walked = [iterated for node in ast.walk(scope) for iterated in _walked(node, harmless)]
        wrong += [(item.lineno, "walks a set; wrap it in sorted()") for item in walked if _is_set(item, known)]
    return wrong


def _names_of_sets(scope: ast.AST) -> frozenset[str]:
    """Return the local names that are given a set somewhere in the scope."""
    names: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and _is_set(node.value, frozenset(names)):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _says_set(node.annotation):
            names.add(node.target.id)
        elif isinstance(node, ast.arg) and _says_set(node.annotation):
            names.add(node.arg)
    return frozenset(names)


def _says_set(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).startswith(("set", "frozenset", "Set[", "AbstractSet"))


def _order_free_generators(scope: ast.AST) -> frozenset[int]:
    """Return the ids of the comprehensions whose order nobody sees: set comprehensions, and arguments of sorted & co."""
    free = {id(node) for node in ast.walk(scope) if isinstance(node, ast.SetComp)}
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ORDER_FREE:
            free |= {id(argument) for argument in node.args if isinstance(argument, (ast.GeneratorExp, ast.ListComp))}
    return frozenset(free)


def _walked(node: ast.AST, harmless: frozenset[int]) -> list[ast.expr]:
    """Return the expressions that ``node`` walks in an order that can be seen afterwards."""
    if isinstance(node, ast.For):
        return [node.iter]
    if isinstance(node, (ast.ListComp, ast.DictComp, ast.GeneratorExp)) and id(node) not in harmless:
        return [generator.iter for generator in node.generators]
    if isinstance(node, ast.Starred):
        return [node.value]
    if isinstance(node, ast.Call):
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called in {
            "dict",
            "enumerate",
            "filter",
            "iter",
            "list",
            "map",
            "next",
            "tuple",
            "zip",
            "join",
            "extend",
            "pop",
        }:
            return list(node.args) + (
                [node.func.value] if called == "pop" and isinstance(node.func, ast.Attribute) else []
            )
    return []


def _is_set(node: ast.expr, known: frozenset[str]) -> bool:
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.Attribute):
        return node.attr in SET_ATTRIBUTES
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitAnd, ast.Sub, ast.BitXor)):
        return _is_set(node.left, known) or _is_set(node.right, known)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name):
            return node.func.id in {"set", "frozenset"}
        return isinstance(node.func, ast.Attribute) and node.func.attr in MERGES and _is_set(node.func.value, known)
    return False
