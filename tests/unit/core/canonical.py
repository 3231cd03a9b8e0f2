"""Values of every canonical type, made from the types themselves, and bytes that are almost canonical."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from msgspec import inspect as types

from fujie.core.codebook import ENTRY_CODEC
from fujie.core.encoding import Codec, encode
from fujie.core.errors import DecodeError
from fujie.core.grant import GRANT, SIGNED_GRANT
from fujie.core.meter import Meter
from fujie.core.policy import KeyPolicy
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.core.versions import Standing
from fujie.engine.executor import HEAD, LOG_ENTRY
from fujie.machine.genesis import GENESIS
from fujie.modules import catalog
from fujie.modules.currency.genesis import CurrencyGenesis
from fujie.modules.membership.genesis import MembershipGenesis
from fujie.proof.bundle import BUNDLE
from fujie.proof.merkle_log import log_consistency_proof_codec, log_proof_codec
from fujie.proof.merkle_state import state_proof_codec

ENVELOPES: Final[Mapping[str, Codec[Any]]] = {
    "Transaction": catalog.TRANSACTION,
    "SignedTransaction": SIGNED_TRANSACTION,
    "Receipt": catalog.RECEIPT,
    "Operation": catalog.OPERATION,
    "Query": catalog.QUERY,
    "Grant": GRANT,
    "SignedGrant": SIGNED_GRANT,
    "Bundle": BUNDLE,
    "StateProof": state_proof_codec,
    "LogProof": log_proof_codec,
    "LogConsistencyProof": log_consistency_proof_codec,
    "Genesis": GENESIS,
    "MembershipGenesis": Codec(MembershipGenesis),
    "CurrencyGenesis": Codec(CurrencyGenesis),
    "Head": HEAD,
    "LogEntry": LOG_ENTRY,
    "KeyPolicy": Codec(KeyPolicy),
    "Meter": Codec(Meter),
    "Standing": Codec(Standing),
    "CodebookEntry": ENTRY_CODEC,
}
"""What travels or is stored as a whole."""

CODECS: Final[Mapping[str, Codec[Any]]] = {
    **ENVELOPES,
    **{f"operation {cls.__name__}": Codec(cls) for cls in catalog.OPERATIONS},
    **{f"event {cls.__name__}": Codec(cls) for cls in catalog.EVENTS},
    **{f"query {cls.__name__}": Codec(cls) for cls in catalog.QUERIES},
    **{f"record {codec.type.__name__} at {path}": codec for path, codec in catalog._PATHS.items()},
}
"""Every canonical type that the catalog knows, by a name for people."""


@cache
def values(codec: Codec[Any]) -> st.SearchStrategy[Any]:
    """Values of the type of ``codec``, at and between the bounds of every field."""
    return _of(types.type_info(codec.type))


def encodings(codec: Codec[Any]) -> st.SearchStrategy[bytes]:
    """Canonical bytes of such values."""
    return values(codec).map(encode)


@st.composite
def mutated(draw: st.DrawFn, data: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of ``data`` with one to three places changed, removed, added or repeated."""
    changed = bytearray(draw(data))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(changed)))
        match draw(st.sampled_from(("set", "flip", "insert", "delete", "cut", "repeat"))):
            case "set":
                changed[at : at + 1] = bytes((draw(st.integers(0, 255)),))
            case "flip":
                changed[at : at + 1] = bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in changed[at : at + 1])
            case "insert":
                changed[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "delete":
                del changed[at : at + draw(st.integers(1, 8))]
            case "cut":
                del changed[at:]
            case "repeat":
                changed[at:at] = changed[at : at + draw(st.integers(1, 40))]
    return bytes(changed)


BOMBS: Final[tuple[bytes, ...]] = (
    b"\x91" * 100_000,
    b"\x98" * 100_000,
    b"\xdc\xff\xff" * 30_000,
    b"\x81" * 100_000,
    b"\xdd\xff\xff\xff\xff",
    b"\xdd\x7f\xff\xff\xff" * 1000,
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x00",
)
"""Bytes that announce more depth or length than there is."""


def _of(kind: types.Type) -> st.SearchStrategy[Any]:
    match kind:
        case types.IntType():
            assert isinstance(kind.ge, int)
            assert isinstance(kind.le, int)
            bounds = st.sampled_from((kind.ge, kind.le, min(kind.le, max(kind.ge, 128)), min(kind.le, 2**32)))
            return bounds | st.integers(kind.ge, kind.le)
        case types.BytesType():
            low, high = kind.min_length or 0, kind.max_length
            return st.binary(min_size=low, max_size=low + 40 if high is None else min(high, low + 40))
        case types.StrType():
            return _text(kind)
        case types.BoolType():
            return st.booleans()
        case types.NoneType():
            return st.none()
        case types.EnumType():
            return st.sampled_from(list(kind.cls))
        case types.VarTupleType():
            low = kind.min_length or 0
            high = low + 3 if kind.max_length is None else min(kind.max_length, low + 3)
            return st.lists(_of(kind.item_type), min_size=low, max_size=high).map(tuple)
        case types.TupleType():
            return st.tuples(*map(_of, kind.item_types))
        case types.UnionType():
            return st.one_of(*map(_of, kind.types))
        case types.StructType():
            return _struct(kind.cls)
    raise AssertionError(f"no values are known of {kind}")


@cache
def _struct(cls: Any) -> st.SearchStrategy[Any]:
    """One strategy for each record: building them is what would take the time."""
    kind = types.type_info(cls)
    assert isinstance(kind, types.StructType)
    return st.builds(cls, *(_of(field.type) for field in kind.fields))


def _text(kind: types.StrType) -> st.SearchStrategy[str]:
    low, high = kind.min_length or 0, kind.max_length if kind.max_length is not None else 64
    if kind.pattern is None:
        return st.text(min_size=low, max_size=min(high, low + 20))
    return st.sampled_from(_matching(kind.pattern, low, high))


@cache
def _matching(pattern: str, low: int, high: int) -> list[str]:
    """Return samples that match; generating from a regular expression takes a hundred times as long."""
    found = [text for text in _SAMPLES if low <= len(text) <= high and re.search(pattern, text)]
    assert found, f"no sample matches {pattern}"
    return found


_SAMPLES: Final = (
    *("", "0", "7", "a", "A", "Z9", "aa", "ZZ", "156", "AB1", "CNY", "CNY-V1", "130000", "130100", "659012"),
    *("central-bank", "a-0-z", "membership", "gas-pipe", "GBT2260", "gbt2260-2026-09-16", "91130100X/1.2~"),
    *("ZZ.156", "ZZ.156.13", "ZZ.156.1301.11", "ZZ.156" + ".A" * 10, "ZZ.156." + "9" * 32),
    *("x" * 17, "x" * 32, "x" * 64, "X" * 20, "X" * 24, "9" * 32, "!" * 100),
)


def accepts(codec: Codec[Any], data: bytes) -> bool:
    """Whether ``codec`` accepts ``data``; then it must be the one encoding of its value."""
    try:
        value = codec.decode(data)
    except DecodeError:
        return False
    assert encode(value) == data
    return True
