"""JSON schemas of records in their JSON form (``core.json_form``), from their declarations: operations, queries, policies.

The pages of the interface are plain structs and ``msgspec`` describes them; a record has its own form in JSON (bytes in
hexadecimal, ``type`` where several kinds may stand), so it has its own description as well.
"""

from typing import Any, Final

import msgspec
from msgspec import inspect

from fujie.core.json_form import TYPE, type_name
from fujie.core.query import Query
from fujie.core.room import Event, Operation

Schema = dict[str, Any]

_BASES: Final = (Operation, Event, Query)

REPEATED_MAX: Final = 1_000  # what common engines of regular expressions count up to


def schema_of(kind: Any) -> Schema:
    """Return the JSON schema of what ``core.json_form.from_json`` reads as ``kind``: a record, or a union of some."""
    return _schema(inspect.type_info(kind), named=False)


def _schema(info: inspect.Type, *, named: bool) -> Schema:
    """Return the schema of one place; ``named`` where records of several classes may stand."""
    match info:
        case inspect.Metadata(type=inner):
            return _schema(inner, named=named)
        case inspect.StructType():
            return _struct(info, named)
        case inspect.UnionType():
            return _union(info)
        case inspect.VarTupleType() | inspect.ListType():
            return _array(_schema(info.item_type, named=named), info.min_length, info.max_length)
        case inspect.TupleType(item_types=items):
            parts = [_schema(item, named=False) for item in items]
            return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}
        case inspect.EnumType(cls=cls):
            return {"enum": [member.value for member in cls]}
        case inspect.BytesType():
            return _hexadecimal(info.min_length or 0, info.max_length)
        case inspect.StrType():
            return _text(info)
        case inspect.IntType():
            bounds = {"minimum": info.ge, "maximum": info.le}
            return {"type": "integer", **{name: value for name, value in bounds.items() if value is not None}}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.NoneType():
            return {"type": "null"}
    raise TypeError(f"records hold no {info}")


def _struct(info: inspect.StructType, named: bool) -> Schema:
    cls = info.cls
    properties: Schema = {}
    required = []
    if named or issubclass(getattr(cls, "__origin__", cls), _BASES):  # Transaction[...] has its class there
        properties[TYPE] = {"const": type_name(cls)}
        required.append(TYPE)
    for field in info.fields:
        several = len(_classes(field.type)) > 1
        properties[field.name] = _schema(field.type, named=several)
        if field.required and not _may_be_null(field.type):
            required.append(field.name)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _union(info: inspect.UnionType) -> Schema:
    several = len(_classes(info)) > 1
    parts = [_schema(part, named=several) for part in info.types]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _array(items: Schema, low: int | None, high: int | None) -> Schema:
    bounds = {"minItems": low, "maxItems": high}
    return {"type": "array", "items": items, **{name: value for name, value in bounds.items() if value is not None}}


def _hexadecimal(low: int, high: int | None) -> Schema:
    if high is not None and high > REPEATED_MAX:
        return {"type": "string", "pattern": "^(?:[0-9a-f]{2})*$", "minLength": 2 * low, "maxLength": 2 * high}
    count = f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"
    return {"type": "string", "pattern": f"^(?:[0-9a-f]{{2}}){count}$"}


def _text(info: inspect.StrType) -> Schema:
    schema: Schema = {"type": "string"}
    if info.min_length is not None:
        schema["minLength"] = info.min_length
    if info.max_length is not None:
        schema["maxLength"] = info.max_length
    if info.pattern is not None:
        schema["pattern"] = info.pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return schema


def _classes(info: inspect.Type) -> list[type[msgspec.Struct]]:
    """Return the classes of records that may stand in one place, or in the items of an array there."""
    match info:
        case inspect.StructType(cls=cls):
            return [cls]
        case inspect.UnionType(types=types):
            return [cls for part in types for cls in _classes(part)]
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return _classes(item)
        case inspect.Metadata(type=inner):
            return _classes(inner)
    return []


def _may_be_null(info: inspect.Type) -> bool:
    return isinstance(info, inspect.UnionType) and any(isinstance(part, inspect.NoneType) for part in info.types)
