"""A strategy for the values of any record, drawn from the bounds that its fields declare."""

from functools import cache
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

ITEMS_DRAWN_MAX = 3  # of an array: more says nothing new
CHARACTERS_DRAWN_MAX = 12


@cache
def values_of(type_: Any) -> st.SearchStrategy[Any]:
    """Values of a record class, or of a union of some."""
    return _strategy(inspect.type_info(type_))


def _strategy(info: inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901 - one case for each kind of type
    match info:
        case inspect.Metadata(type=inner):
            return _strategy(inner)
        case inspect.StructType(cls=cls, fields=fields):
            return st.builds(cls, **{field.name: _strategy(field.type) for field in fields})
        case inspect.UnionType(types=types):
            return st.one_of([_strategy(part) for part in types])
        case inspect.VarTupleType(item_type=item, min_length=low, max_length=high):
            size = low or 0
            largest = max(size, ITEMS_DRAWN_MAX if high is None else min(high, ITEMS_DRAWN_MAX))
            return st.lists(_strategy(item), min_size=size, max_size=largest).map(tuple)
        case inspect.TupleType(item_types=items):
            return st.tuples(*[_strategy(item) for item in items])
        case inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case inspect.BytesType(min_length=low, max_length=high):
            size = low or 0
            return st.binary(min_size=size, max_size=max(size, min(high or 64, 64)))
        case inspect.StrType(pattern=pattern, min_length=low, max_length=high):
            if pattern:
                text = st.from_regex(pattern).map(lambda found: found.removesuffix("\n"))
                return text.filter(lambda found: (low or 0) <= len(found) <= (high or 10_000))
            size = low or 0
            largest = max(size, min(high or CHARACTERS_DRAWN_MAX, CHARACTERS_DRAWN_MAX))
            return st.text(st.characters(codec="utf-8"), min_size=size, max_size=largest)
        case inspect.IntType(ge=low, le=high):
            return st.integers(low if low is not None else -(2**63), high if high is not None else 2**63 - 1)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
    raise TypeError(f"records hold no {info}")
