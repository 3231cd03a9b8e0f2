"""The one canonical encoding: MessagePack, array-like structs, smallest integers (docs/spec/02-encoding.md).

A type that is stored, signed or hashed is a subclass of :class:`Record`. Its tag is its first element: the format
version of a record, the permanent kind number of an operation, event or query. A decoder accepts only bytes that encode
back to themselves, so one value has exactly one encoding.
"""

from typing import Any, Generic, TypeVar, dataclass_transform

import msgspec

from fujie.core.errors import DecodeError

T = TypeVar("T")


@dataclass_transform(frozen_default=True)  # msgspec hands "frozen" down to subclasses; a type checker must be told
class Record(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False, tag=1):
    """Base of everything canonical. Immutable; fields in declared order; subclasses set ``tag``.

    Field types do not nest without bound (there is no recursive record), which bounds the depth of a decoder before it
    recurses: bytes that open more levels than the type has are refused at the first level too many.
    """


_encoder = msgspec.msgpack.Encoder()


def encode(value: Any) -> bytes:
    """Return the canonical bytes of ``value``, a :class:`Record`."""
    return _encoder.encode(value)


class Codec(Generic[T]):
    """Encodes and decodes one type. Build it once, at module level: building costs more than decoding."""

    __slots__ = ("_decode", "type")

    def __init__(self, type_: Any) -> None:
        self.type = type_
        self._decode = msgspec.msgpack.Decoder(type_).decode

    def decode(self, data: bytes) -> T:
        """Return the value of canonical bytes.

        Raises :class:`DecodeError` for bytes of another type, values out of bounds, trailing bytes, and for any
        encoding that is not the canonical one.
        """
        try:
            value: T = self._decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError) as error:
            raise DecodeError(str(error)) from None
        if _encoder.encode(value) != data:
            raise DecodeError("not the canonical encoding of this value")
        return value

    def decode_trusted(self, data: bytes) -> T:
        """Return the value of bytes that this process, or the store it owns, encoded itself."""
        value: T = self._decode(data)
        return value
