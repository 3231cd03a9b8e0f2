"""The JSON form of records, for people (docs/spec/02-encoding.md, "JSON"). It is never signed, hashed or stored.

* A record is an object of its fields, by name. Operations, events, queries, and whatever stands where records of several
  classes may stand, have their class name in snake case as ``type``: ``{"type": "open_wallet", ...}``.
* Bytes are lower-case hexadecimal. Tuples are arrays. An enumeration is its value.
* An integer beyond 2^53 is a string, because readers of JSON lose digits there; both spellings are read,
  and so is ``5.0``, which is an integer of JSON Schema.

Works on every ``msgspec.Struct`` by its declaration, so a new operation needs nothing here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from fujie.core.errors import DecodeError
from fujie.core.query import Query
from fujie.core.room import Event, Operation
from fujie.core.wording import nearest, quoted

TYPE: Final = "type"
"""Name of the member that names a record's class. No record has a field of this name; a test watches over it."""

INTEGER_EXACT_MAX: Final = 2**53
"""Largest magnitude written as a JSON number: every reader that computes in doubles still has it exactly."""

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,39})")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")


# --- Writing --------------------------------------------------------------------------------------------------------


def to_json(value: Any, named: bool = False) -> Any:
    """Return ``value``, a record or what a field of one may hold, as objects that any JSON encoder takes.

    ``named`` writes the ``type`` also where the class alone would not ask for it.
    """
    if isinstance(value, msgspec.Struct):
        kind = type(value)
        form: dict[str, Any] = {TYPE: type_name(kind)} if named or issubclass(kind, (Operation, Event, Query)) else {}
        for field, is_named in _named_fields(kind).items():
            form[field] = to_json(getattr(value, field), is_named)
        return form
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int) and abs(value) > INTEGER_EXACT_MAX:
        return str(value)
    if isinstance(value, (tuple, list)):
        return [to_json(item, named) for item in value]
    assert value is None or isinstance(value, (str, int)), f"{type(value)} stands in no record"
    return value


@cache
def type_name(kind: type) -> str:
    """Return the name of a class in JSON: ``OpenWallet`` is ``open_wallet``."""
    name = getattr(kind, "__name__", "").partition("[")[0]  # Transaction[...] is a transaction
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@cache
def _named_fields(kind: type[msgspec.Struct]) -> Mapping[str, bool]:
    """Return field → whether records of several classes may stand there."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return {field.name: len(_structs_in(field.type)) > 1 for field in info.fields}


def _structs_in(info: inspect.Type) -> list[inspect.StructType]:
    """Return the classes of records that may stand in one place, or in the items of an array there."""
    if isinstance(info, inspect.StructType):
        return [info]
    if isinstance(info, inspect.UnionType):
        return [struct for part in info.types for struct in _structs_in(part)]
    if isinstance(info, (inspect.VarTupleType, inspect.ListType)):
        return _structs_in(info.item_type)
    return []


# --- Reading --------------------------------------------------------------------------------------------------------

_Reader = Callable[[Any, str], Any]


def from_json(type_: Any, value: Any) -> Any:
    """Return the value of ``type_`` (a record class, or a union of some) whose JSON form, already parsed, is ``value``.

    A member that may be null may be left out. Raises :class:`DecodeError` whose detail begins with the path of the
    place at fault, such as ``$.operations[0].amount_minor``.
    """
    return _reader_of(type_)(value, "$")


@cache
def _reader_of(type_: Any) -> _Reader:
    return _compile(inspect.type_info(type_))


def _compile(info: inspect.Type) -> _Reader:
    """Return the function that reads what ``info`` describes."""
    match info:
        case inspect.Metadata(type=inner):
            return _compile(inner)
        case inspect.StructType():
            return _compile_struct(info)
        case inspect.UnionType():
            return _compile_union(info)
        case inspect.VarTupleType() | inspect.ListType():
            return _compile_array(info)
        case inspect.TupleType(item_types=items):
            return _compile_pair([_compile(item) for item in items])
        case inspect.EnumType(cls=cls):
            return _compile_enum(cls)
        case inspect.BytesType():
            return _compile_bytes(info)
        case inspect.StrType():
            return _compile_text(info)
        case inspect.IntType():
            return _compile_integer(info)
        case inspect.BoolType():
            return _read_flag
        case inspect.NoneType():
            return _read_nothing
    raise TypeError(f"records hold no {info}")


def _compile_struct(info: inspect.StructType) -> _Reader:
    cls = info.cls
    fields = [(field, _compile(field.type), _may_be_null(field.type)) for field in info.fields]
    known = {field.name for field in info.fields} | {TYPE}
    name = type_name(cls)

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise _fault(path, f"expected an object, {name}")
        for member in value:
            if member not in known:
                raise _fault(path, f"{name} has no member {_quoted(member)}{_meant(member, known)}")
        if value.get(TYPE, name) != name:
            raise _fault(f"{path}.{TYPE}", f"expected {_quoted(name)}")
        values = {}
        for field, reader, optional in fields:
            if field.name in value:
                values[field.name] = reader(value[field.name], f"{path}.{field.name}")
            elif optional:
                values[field.name] = None
            elif field.required:
                raise _fault(path, f"{name} lacks the member {_quoted(field.name)}")
        return cls(**values)

    return read


def _compile_union(info: inspect.UnionType) -> _Reader:
    structs = {type_name(part.cls): _compile(part) for part in info.types if isinstance(part, inspect.StructType)}
    others = [part for part in info.types if not isinstance(part, (inspect.StructType, inspect.NoneType))]
    null = any(isinstance(part, inspect.NoneType) for part in info.types)
    assert len(others) <= 1, "a place in a record holds null, one plain type, or records"
    assert not (others and structs), "a place in a record holds null, one plain type, or records"
    plain = _compile(others[0]) if others else None

    def read(value: Any, path: str) -> Any:
        if value is None and null:
            return None
        if plain is not None:
            return plain(value, path)
        if not isinstance(value, dict):
            raise _fault(path, "expected an object" + (" or null" if null else ""))
        if TYPE not in value and len(structs) == 1:
            return next(iter(structs.values()))(value, path)
        name = value.get(TYPE)
        reader = structs.get(name) if isinstance(name, str) else None
        if reader is None:
            raise _fault(f"{path}.{TYPE}", f"expected one of {_some(sorted(structs))}{_meant(name, structs)}")
        return reader(value, path)

    return read


def _compile_array(info: inspect.VarTupleType | inspect.ListType) -> _Reader:
    item = _compile(info.item_type)
    low, high = info.min_length or 0, info.max_length
    make: Callable[[Any], Any] = tuple if isinstance(info, inspect.VarTupleType) else list

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise _fault(path, "expected an array")
        _check_length(len(value), low, high, "items", path)
        return make([item(each, f"{path}[{number}]") for number, each in enumerate(value)])

    return read


def _compile_pair(readers: Sequence[_Reader]) -> _Reader:
    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list) or len(value) != len(readers):
            raise _fault(path, f"expected an array of {len(readers)} items")
        pairs = enumerate(zip(readers, value, strict=True))
        return tuple([reader(each, f"{path}[{number}]") for number, (reader, each) in pairs])

    return read


def _compile_enum(cls: type[Enum]) -> _Reader:
    members = {member.value: member for member in cls}

    def read(value: Any, path: str) -> Any:
        # True equals 1 and 1.0 equals 1: neither is the number.
        if type(value) in (str, int) and value in members:
            return members[value]
        raise _fault(path, f"expected one of {_some([str(member) for member in members])}")

    return read


def _compile_bytes(info: inspect.BytesType) -> _Reader:
    low, high = info.min_length or 0, info.max_length

    def read(value: Any, path: str) -> bytes:
        if not isinstance(value, str) or _HEX.fullmatch(value) is None:
            raise _fault(path, "expected bytes in lower-case hexadecimal")
        _check_length(len(value) // 2, low, high, "bytes", path)
        return bytes.fromhex(value)

    return read


def _compile_text(info: inspect.StrType) -> _Reader:
    low, high = info.min_length or 0, info.max_length
    pattern = re.compile(info.pattern) if info.pattern else None

    def read(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise _fault(path, "expected a string")
        _check_length(len(value), low, high, "characters", path)
        if pattern is not None and pattern.search(value) is None:
            raise _fault(path, f"expected a string that matches {info.pattern}")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _fault(path, "a lone surrogate stands for no character") from None
        return value

    return read


def _compile_integer(info: inspect.IntType) -> _Reader:
    low, high = info.ge, info.le

    def read(value: Any, path: str) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if type(value) is float and value.is_integer() and abs(value) < INTEGER_EXACT_MAX:
            value = int(value)  # 5.0 is an integer of JSON Schema; from the bound on, digits may have been lost
        if type(value) is not int:
            raise _fault(path, "expected an integer, as a number or as a string of digits")
        if low is not None and value < low:
            raise _fault(path, f"expected {low} or more")
        if high is not None and value > high:
            raise _fault(path, f"expected {high} or less")
        return value

    return read


def _read_flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _fault(path, "expected true or false")
    return value


def _read_nothing(value: Any, path: str) -> None:
    if value is not None:
        raise _fault(path, "expected null")


def _may_be_null(info: inspect.Type) -> bool:
    return isinstance(info, inspect.UnionType) and any(isinstance(part, inspect.NoneType) for part in info.types)


def _check_length(length: int, low: int, high: int | None, unit: str, path: str) -> None:
    if length < low:
        raise _fault(path, f"expected {low} {unit} or more, there are {length}")
    if high is not None and length > high:
        raise _fault(path, f"expected {high} {unit} or fewer, there are {length}")


def _fault(path: str, problem: str) -> DecodeError:
    """Return the error for ``problem`` at a JSON path."""
    return DecodeError(f"{path}: {problem}")


def _quoted(text: object) -> str:
    """Return what was sent, short and escaped, so that it can stand in a message."""
    return quoted(str(text), 40)


def _meant(text: object, known: Iterable[str]) -> str:
    """Return the end of a sentence, and another one that offers what was probably meant; nothing where nothing is like it."""
    offered = nearest(text, sorted(known)) if isinstance(text, str) else ""
    return f".{offered}" if offered else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:40]) + (", …" if len(names) > 40 else "")
