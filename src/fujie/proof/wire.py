"""The few protobuf primitives that headers and commits need, with a decoder that accepts one encoding only.

CometBFT hashes and signs protobuf bytes, so the verifier must produce them exactly; it needs varints, fixed 64-bit
integers, byte strings and nested messages, and no generated code. Encoding follows proto3 as CometBFT writes it: fields
by ascending number, zero values left out, except messages that CometBFT always writes (`encode_message`).

The reader takes fields in the same order, each at most once unless it is repeated, and refuses everything else: unknown,
duplicate or misplaced fields, wrong wire types, written zeros, over-long varints, trailing bytes.

Source: Protocol Buffers encoding specification; the ``.proto`` files of CometBFT 0.38.
"""

from typing import Final

from fujie.core.errors import DecodeError

INT64_MAX: Final = 2**63 - 1
INT32_MAX: Final = 2**31 - 1
UINT32_MAX: Final = 2**32 - 1
UINT64_MAX: Final = 2**64 - 1
VARINT_BYTES_MAX: Final = 10

NANOSECONDS: Final = 1_000_000_000
TIME_NS_MIN: Final = -62_135_596_800 * NANOSECONDS  # 0001-01-01T00:00:00Z, Go's zero time and protobuf's earliest
TIME_NS_MAX: Final = 253_402_300_800 * NANOSECONDS - 1  # 9999-12-31T23:59:59.999999999Z

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2

_ONE_BYTE: Final = tuple(bytes((value,)) for value in range(128))


def encode_varint(value: int) -> bytes:
    """Return the shortest varint of ``value``: 1 to 10 bytes. A negative int64 takes ten, as two's complement."""
    if 0 <= value < 128:
        return _ONE_BYTE[value]
    value &= UINT64_MAX
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode_integer(number: int, value: int) -> bytes:
    """Return field ``number`` (1 to 15) holding an integer of at most 64 bits, or nothing when it is zero."""
    return _ONE_BYTE[number << 3 | _VARINT] + encode_varint(value) if value else b""


def encode_sfixed64(number: int, value: int) -> bytes:
    """Return field ``number`` (1 to 15) holding an int64 in 8 bytes, little endian, or nothing when it is zero."""
    return _ONE_BYTE[number << 3 | _FIXED64] + value.to_bytes(8, "little", signed=True) if value else b""


def encode_bytes(number: int, value: bytes) -> bytes:
    """Return field ``number`` (1 to 15) holding a byte string, or nothing when it is empty."""
    return _ONE_BYTE[number << 3 | _BYTES] + encode_varint(len(value)) + value if value else b""


def encode_message(number: int, value: bytes) -> bytes:
    """Return field ``number`` (1 to 15) holding an encoded message, written even when it is empty."""
    return _ONE_BYTE[number << 3 | _BYTES] + encode_varint(len(value)) + value


def encode_time(time_ns: int) -> bytes:
    """Return ``google.protobuf.Timestamp`` of nanoseconds since 1970. Before 1970 the seconds are negative."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    return encode_integer(1, seconds) + encode_integer(2, nanoseconds)


def decode_time(reader: "Reader") -> int:
    """Return nanoseconds since 1970 of a ``google.protobuf.Timestamp``, within the years 1 to 9999."""
    time_ns = reader.int64(1) * NANOSECONDS + reader.unsigned(2, NANOSECONDS - 1)
    reader.finish()
    if not TIME_NS_MIN <= time_ns <= TIME_NS_MAX:
        raise DecodeError("time outside the years 1 to 9999")
    return time_ns


class Reader:
    """Reads the fields of one message by ascending number. Ask for every field, then :meth:`finish`.

    A field that is absent reads as zero, empty or ``None``. Every method raises :class:`DecodeError`, nothing else.
    """

    __slots__ = ("_data", "_name", "_position")

    def __init__(self, data: bytes, name: str) -> None:
        """``name`` is the name of the message, for errors."""
        self._data = data
        self._name = name
        self._position = 0

    def unsigned(self, number: int, maximum: int) -> int:
        """Return an integer field of 0 to ``maximum``."""
        if not self._opens(number, _VARINT):
            return 0
        value = self._varint()
        if value == 0:
            raise self._error(number, "zero is not written")
        if value > maximum:
            raise self._error(number, f"{value} is more than {maximum}")
        return value

    def int64(self, number: int) -> int:
        """Return an int64 field, which may be negative."""
        value = self.unsigned(number, UINT64_MAX)
        return value if value <= INT64_MAX else value - 2**64

    def byte_string(self, number: int, maximum: int) -> bytes:
        """Return a byte string field of 0 to ``maximum`` bytes."""
        if not self._opens(number, _BYTES):
            return b""
        value = self._counted(number)
        if not value:
            raise self._error(number, "an empty byte string is not written")
        if len(value) > maximum:
            raise self._error(number, f"{len(value)} bytes are more than {maximum}")
        return value

    def text(self, number: int, maximum: int) -> str:
        """Return a string field of 0 to ``maximum`` bytes of UTF-8."""
        try:
            return self.byte_string(number, maximum).decode()
        except UnicodeDecodeError:
            raise self._error(number, "not UTF-8") from None

    def message(self, number: int) -> bytes | None:
        """Return the bytes of a nested message, or None when it is absent."""
        return self._counted(number) if self._opens(number, _BYTES) else None

    def required(self, number: int, name: str) -> "Reader":
        """Return a reader over a nested message that must be written."""
        value = self.message(number)
        if value is None:
            raise self._error(number, f"{name} is missing")
        return Reader(value, name)

    def repeated(self, number: int, maximum: int) -> list[bytes]:
        """Return the bytes of every nested message of a repeated field, at most ``maximum`` of them."""
        values: list[bytes] = []
        while self._opens(number, _BYTES):
            if len(values) == maximum:
                raise self._error(number, f"more than {maximum} elements")
            values.append(self._counted(number))
        return values

    def finish(self) -> None:
        """Refuse anything that is left: a field unknown, twice, out of order, or of another wire type."""
        if self._position != len(self._data):
            number = self._data[self._position] >> 3
            raise self._error(number, f"unexpected at byte {self._position}")

    def _opens(self, number: int, wire_type: int) -> bool:
        position = self._position
        if position < len(self._data) and self._data[position] == number << 3 | wire_type:
            self._position = position + 1
            return True
        return False

    def _varint(self) -> int:
        data = self._data
        start = position = self._position
        value = 0
        while True:
            if position == len(data):
                raise DecodeError(f"{self._name}: ends within a varint")
            byte = data[position]
            value |= (byte & 127) << 7 * (position - start)
            position += 1
            if byte < 128:
                break
            if position - start == VARINT_BYTES_MAX:
                raise DecodeError(f"{self._name}: varint longer than {VARINT_BYTES_MAX} bytes")
        if value > UINT64_MAX or (byte == 0 and position - start > 1):
            raise DecodeError(f"{self._name}: varint is not the shortest of a 64-bit integer")
        self._position = position
        return value

    def _counted(self, number: int) -> bytes:
        length = self._varint()
        start = self._position
        end = start + length
        if end > len(self._data):
            raise self._error(number, f"{length} bytes announced, {len(self._data) - start} left")
        self._position = end
        return self._data[start:end]

    def _error(self, number: int, detail: str) -> DecodeError:
        return DecodeError(f"{self._name}, field {number}: {detail}")
