"""What the rooms put on the ledger, by the names and fields of their JSON form; the bytes stand in docs/spec/07-rooms.md."""

import importlib
from typing import Any

import msgspec
from msgspec import inspect as types

from fujie.core.json_form import type_name
from fujie.modules import catalog
from tools.reference.markdown import code, page, table
from tools.render_spec import ROOMS, describe, first_sentence, keys_of, of_room


def render() -> str:
    """Return the page."""
    return page(
        "Operations, queries, events, records",
        "Names and fields are those of the JSON form, as `fujie operation submit`, `fujie read` and the HTTP interface take "
        "and give them. Numbers are permanent. The bytes, and the exact bounds of nested records, stand in "
        "[07 Rooms](../spec/07-rooms.md); what each room is for, and its invariants, on the page of the room.",
        *(_room(name) for name in ROOMS),
    )


def _room(name: str) -> str:
    keys = list(keys_of(importlib.import_module(f"fujie.modules.{name}.state_keys")))
    return "\n\n".join(
        [
            f"## {name.capitalize()}",
            f"The rules, in order of precedence: [room {name}](../../src/fujie/modules/{name}/README.md).",
            f"### Operations of {name}",
            *(_kind(cls) for cls in of_room(catalog.OPERATIONS, name)),
            f"### Queries of {name}",
            *(_query(cls) for cls in of_room(catalog.QUERIES, name)),
            f"### Events of {name}",
            *(_kind(cls) for cls in of_room(catalog.EVENTS, name)),
            f"### Records of {name}",
            table(
                ("path", "record", "what it is"),
                ((code(path), key.codec.type.__name__, first_sentence(key.codec.type)) for path, key in keys),
            ),
        ]
    )


def _kind(cls: type[msgspec.Struct]) -> str:
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)
    title = f"#### {type_name(cls)}\n\nNumber {info.tag}. {first_sentence(cls)}"
    if not info.fields:
        return f"{title}\n\nIt has no fields."
    rows = [(code(field.name), describe(field.type)) for field in info.fields]
    return f"{title}\n\n{table(('field', 'form'), rows)}"


def _query(cls: Any) -> str:
    audience = ", ".join(sorted(each.value for each in cls.audience))
    return f"{_kind(cls)}\n\nWho may ask: {audience}."
