"""Write what of ``docs/spec`` follows from the code: ``07-rooms.md`` whole, and the marked parts of the other pages.

    python tools/render_spec.py            # write
    python tools/render_spec.py --check    # say what differs, change nothing

A marked part begins with a comment such as ``<!-- types: fujie.core.meter:Meter -->``, ``<!-- tags -->`` or
``<!-- example: payment -->`` on a line of its own and ends with ``<!-- end -->``; what stands between is replaced.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import msgspec
from msgspec import inspect as types

ROOT: Final = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script, the folder of the script is on the path and not the checkout
    sys.path.insert(0, str(ROOT))

from fujie.core import hashing  # noqa: E402 - needs the path above
from fujie.core.errors import Reason  # noqa: E402 - as above
from fujie.core.reasons import ReadReason, TransactionReason  # noqa: E402 - as above
from fujie.core.state import Key  # noqa: E402 - as above
from fujie.modules import catalog  # noqa: E402 - as above
from tools.generated import write_or_check  # noqa: E402 - as above
from tools.vector_sets import examples  # noqa: E402 - as above

SPEC: Final = ROOT / "docs" / "spec"
ROOMS: Final = ("membership", "identity", "currency")
PART: Final = re.compile(r"^<!-- (types|tags|example)(?:: ([^>]*?))? -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)
MAX_53: Final = 2**53


# --- One type -------------------------------------------------------------------------------------------------------


def describe(kind: types.Type) -> str:
    """Return what a value of this type may be, in words of docs/spec/02-encoding.md."""
    match kind:
        case types.IntType():
            return f"int {_number(kind.ge)} to {_number(kind.le)}"
        case types.BytesType():
            return f"bin {_range(kind.min_length, kind.max_length, 'bytes')}"
        case types.StrType():
            text = f"str {_range(kind.min_length, kind.max_length, 'characters')}"
            return text + (f", `{_pattern(kind.pattern)}`" if kind.pattern else "")
        case types.BoolType():
            return "bool"
        case types.NoneType():
            return "nil"
        case types.EnumType():
            return _enum(kind.cls)
        case types.VarTupleType():
            return f"array {_range(kind.min_length, kind.max_length, 'items')} of ({describe(kind.item_type)})"
        case types.TupleType():
            return "array of exactly (" + ", ".join(describe(item) for item in kind.item_types) + ")"
        case types.StructType():
            return kind.cls.__name__
        case types.UnionType():
            return _union(kind)
    raise AssertionError(f"no canonical record has a field of {kind}")


def _union(kind: types.UnionType) -> str:
    classes = tuple(one.cls for one in kind.types if isinstance(one, types.StructType))
    for family, word in ((catalog.OPERATIONS, "an operation"), (catalog.EVENTS, "an event")):
        if set(classes) == set(family):
            return f"{word} of any room (07-rooms.md)"
    return " or ".join(describe(one) for one in kind.types)


def _enum(cls: type[Enum]) -> str:
    values = [member.value for member in cls]
    if isinstance(values[0], str):
        return "str, one of " + ", ".join(f"`{value}`" for value in values)
    return "int, one of " + ", ".join(f"{member.value} ({member.name.lower()})" for member in cls)


def _number(value: int | float | None) -> str:
    assert value is not None, "every integer of a canonical record is bounded on both sides"
    number = int(value)
    for power in (53, 63):
        for offset, shown in ((0, f"2^{power}"), (-1, f"2^{power} - 1")):
            if number == 2**power + offset:
                return shown
    return f"{number:,}"


def _range(low: int | None, high: int | None, unit: str) -> str:
    if high is None:
        return f"of {low} or more {unit}" if low else f"of any number of {unit}"
    if low == high:
        return f"of {low:,} {unit}"
    return f"of {low or 0} to {high:,} {unit}"


def _pattern(pattern: str) -> str:
    return pattern.removeprefix(r"\A").removesuffix(r"\Z")


def table(cls: type[msgspec.Struct]) -> str:
    """Return heading, sentence and field table of one record."""
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)
    assert info.array_like
    lines = [
        f"**{cls.__name__}**: array of {len(info.fields) + 1}. {first_sentence(cls)}",
        "",
        "| # | field | type |",
        "|---|---|---|",
        f"| 0 | tag | int {info.tag} |",
    ]
    lines += [
        f"| {number} | {field.name} | {describe(field.type).replace('|', chr(92) + '|')} |"
        for number, field in enumerate(info.fields, 1)
    ]
    return "\n".join(lines)


def first_sentence(cls: type) -> str:
    """Return the first paragraph of a docstring on one line, in plain Markdown."""
    text = " ".join((inspect.getdoc(getattr(cls, "__origin__", cls)) or "").split("\n\n")[0].split())
    text = re.sub(r":class:`~?([\w.]+)`", r"\1", text)
    return text.replace("``", "`")


# --- Marked parts ---------------------------------------------------------------------------------------------------


def _types_part(names: str) -> str:
    return "\n\n".join(table(_resolve(name)) for name in names.split())


def _resolve(name: str) -> type[msgspec.Struct]:
    module, _, attribute = name.partition(":")
    found: Any = getattr(importlib.import_module(module), attribute)
    return getattr(found, "type", found)  # type: ignore[no-any-return]  # a struct, or the codec that closes a generic one


def _tags_part(_: str) -> str:
    """Return the table of domain tags, from the constants of core/hashing.py and the comments behind them."""
    lines = ["| tag | name | what follows the tag |", "|---|---|---|"]
    for name, value, comment in declared_tags():
        lines.append(f"| `{value.hex()}` | {name} | {comment.removeprefix('|| ').replace('||', '‖')} |")
    return "\n".join(lines)


def declared_tags() -> Iterator[tuple[str, bytes, str]]:
    """Yield (name, byte, comment) of every tag in core/hashing.py, in its order."""
    for match in re.finditer(r"^TAG_(\w+): Final = .*?# (.*)$", inspect.getsource(hashing), re.MULTILINE):
        yield match[1], getattr(hashing, f"TAG_{match[1]}"), match[2]


def _example_part(name: str) -> str:
    return "```text\n" + examples.EXAMPLES[name]() + "\n```"


PARTS: Final[dict[str, Callable[[str], str]]] = {"types": _types_part, "tags": _tags_part, "example": _example_part}


def fill(text: str) -> str:
    """Return a page with its marked parts replaced."""

    def replace(match: re.Match[str]) -> str:
        opening = match[0].split("\n", 1)[0]
        return f"{opening}\n{PARTS[match[1]](match[2] or '')}\n<!-- end -->"

    return PART.sub(replace, text)


# --- 07-rooms.md ----------------------------------------------------------------------------------------------------

_INTRODUCTION: Final = """# 07 Rooms

Everything that the rooms put on the ledger: operations, events, queries, records in state, reasons. This page is made by
`tools/render_spec.py` from the types themselves. A test compares the two.

Every table is one array (02-encoding.md). Element 0 is the tag; the others follow in this order. Bounds are inclusive.
Lengths of `str` count Unicode code points, those of `bin` count bytes. A pattern must match the whole string. Kind numbers
and reason numbers are permanent and never used twice; the kind numbers of operations, events and queries are counted
apart.
"""


def render_rooms() -> str:
    """Return the whole page."""
    sections = [_INTRODUCTION]
    rooms = {name: _room(name) for name in ROOMS}
    common = [cls for name in ROOMS for cls in rooms[name][1] if not cls.__module__.startswith("fujie.modules.")]
    sections.append("## Records that all rooms use\n")
    sections += [table(cls) + "\n" for cls in dict.fromkeys(common)]
    sections.append("## Reasons that belong to no room\n\n" + _reasons(TransactionReason) + "\n")
    sections.append("Reads have reasons of their own and leave no receipt:\n\n" + _reasons(ReadReason) + "\n")
    sections += [rooms[name][0] for name in ROOMS]
    return "\n".join(sections)


def _room(name: str) -> tuple[str, list[type[msgspec.Struct]]]:
    """Return the section of a room, and every record that its tables mention."""
    modules = {part: importlib.import_module(f"fujie.modules.{name}.{part}") for part in ("reasons", "state_keys")}
    operations = of_room(catalog.OPERATIONS, name)
    events = of_room(catalog.EVENTS, name)
    queries = of_room(catalog.QUERIES, name)
    keys = list(keys_of(modules["state_keys"]))
    standing_types = [key.codec.type for _, key in keys]
    mentioned = list(_mentioned([*operations, *events, *queries, *standing_types]))
    own = [cls for cls in mentioned if cls.__module__.startswith(f"fujie.modules.{name}.")]
    nested = [cls for cls in own if cls not in (*operations, *events, *queries, *standing_types)]
    paths = ["| path | record | leaf |", "|---|---|---|"]
    paths += [
        f"| `{path}` | {key.codec.type.__name__} | {'salted' if key.salted else 'not salted'} |" for path, key in keys
    ]
    parts = [
        f"## Room `{name}`\n",
        "### State\n",
        "\n".join(paths) + "\n",
        *(table(cls) + "\n" for cls in dict.fromkeys(standing_types) if cls in own),
        "### Parts of the above and of operations\n" if nested else "",
        *(table(cls) + "\n" for cls in nested),
        *(_founding(name, own) if name != "membership" else ()),
        "### Operations\n",
        *(table(cls) + "\n" for cls in operations),
        "### Events\n",
        *(table(cls) + "\n" for cls in events),
        "### Queries\n",
        *(_query(cls) + "\n" for cls in queries),
        "### Reasons\n",
        *(_reasons(family) + "\n" for family in _reason_families(modules["reasons"])),
    ]
    return "\n".join(part for part in parts if part), mentioned


def _founding(name: str, known: Iterable[type[msgspec.Struct]]) -> Iterator[str]:
    """Yield the section of what a vote founds a room with: the record, and those in it that no other table has."""
    part = importlib.import_module(f"fujie.modules.{name}.genesis").GENESIS.type
    yield f"### What `{name}` begins with\n"
    yield (
        "The canonical bytes of the first record are `part` in a FoundRoom of this room, and a genesis is composed from it.\n"
        "What it writes, and why it is refused, is the same in both.\n"
    )
    for cls in _mentioned([part]):
        if cls.__module__.startswith(f"fujie.modules.{name}.") and cls not in known:
            yield table(cls) + "\n"


def of_room(family: Iterable[type[Any]], name: str) -> list[type[Any]]:
    """Return those of a family that the room ``name`` declares, in their order."""
    return [cls for cls in family if cls.__module__.startswith(f"fujie.modules.{name}.")]


def _reason_families(module: ModuleType) -> Iterator[type[Reason]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Reason) and value.__module__ == module.__name__:
            yield value


def _reasons(family: type[Reason]) -> str:
    lines = ["| number | reason | sentence |", "|---|---|---|"]
    return "\n".join(lines + [f"| {reason.value} | `{reason.name}` | {reason.sentence} |" for reason in family])


def _mentioned(classes: Iterable[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """Yield every record that stands in fields of ``classes`` or is one of them, each once."""
    seen: dict[type[msgspec.Struct], None] = {}
    waiting = list(classes)
    while waiting:
        cls = waiting.pop(0)
        if cls not in seen:
            seen[cls] = None
            info = types.type_info(cls)
            assert isinstance(info, types.StructType)
            waiting += [one for field in info.fields for one in _structs(field.type)]
    yield from seen


def _structs(kind: types.Type) -> Iterator[type[msgspec.Struct]]:
    match kind:
        case types.StructType():
            yield kind.cls
        case types.UnionType():
            for one in kind.types:
                yield from _structs(one)
        case types.VarTupleType():
            yield from _structs(kind.item_type)
        case types.TupleType():
            for one in kind.item_types:
                yield from _structs(one)


def keys_of(module: ModuleType) -> Iterator[tuple[str, Key[Any]]]:
    """Yield (path with placeholders, key) of every function of ``state_keys`` that returns a key."""
    for name, function in vars(module).items():
        if name.startswith("_") or not callable(function) or getattr(function, "__module__", "") != module.__name__:
            continue
        parameters = inspect.signature(function).parameters
        samples = [_sample(parameter, annotation.annotation) for parameter, annotation in parameters.items()]
        key = function(*samples)
        if isinstance(key, Key):
            yield _with_placeholders(key.path, parameters), key


def _query(cls: type[Any]) -> str:
    """Return the table of a query, its audience and the one path that it leads to."""
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)
    annotations = {types.BytesType: bytes, types.IntType: int}
    samples = [_sample(field.name, annotations.get(type(field.type), str)) for field in info.fields]
    path = _with_placeholders(cls(*samples).key().path, [field.name for field in info.fields])
    audience = ", ".join(sorted(one.value for one in cls.audience))
    return f"{table(cls)}\n\nReads `{path}`. Audience: {audience}."


_BYTES_SAMPLE: Final = bytes(range(0xA0, 0xB0))
_NUMBER_SAMPLE: Final = 77
_DIGITS: Final = {"address": 40}  # of byte strings in a path that have not 16 bytes


def _sample(name: str, annotation: Any) -> Any:
    """Return an argument that can be found again in a path."""
    if annotation is bytes:
        return _BYTES_SAMPLE
    return _NUMBER_SAMPLE if annotation is int else f"<{name}>"


def _with_placeholders(path: str, names: Iterable[str]) -> str:
    first = next(iter(names), "")
    path = path.replace(_BYTES_SAMPLE.hex(), f"<{first} in {_DIGITS.get(first, 32)} hexadecimal digits>")
    return path.replace(str(_NUMBER_SAMPLE), "<wallet_class in two digits>")


# --- All pages ------------------------------------------------------------------------------------------------------


def render() -> dict[Path, str]:
    """Return the text of every page that has generated parts."""
    pages = {path: fill(path.read_text("utf-8")) for path in sorted(SPEC.glob("*.md")) if path.name != "07-rooms.md"}
    return {**pages, SPEC / "07-rooms.md": render_rooms()}


def main() -> int:
    """Write or check every page. Returns the exit code."""
    return write_or_check("Write the generated parts of docs/spec, or check them.", render())


if __name__ == "__main__":
    sys.exit(main())
