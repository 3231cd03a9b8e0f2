"""The canonical encoding: every value has one, and nothing else is read."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fujie.core.encoding import Codec, encode
from fujie.core.errors import DecodeError
from fujie.core.meter import Meter
from fujie.modules import catalog
from tests.unit.core.canonical import BOMBS, CODECS, accepts, encodings, mutated, values

# Some hundred types: a twentieth of the profile's examples for each, so that together they have more than any other test.
PART = settings(max_examples=max(10, settings.default.max_examples // 20))  # type: ignore[union-attr]  # a profile is loaded
TYPES = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
METER: Codec[Meter] = Codec(Meter)


@TYPES
@PART
@given(data=st.data())
def test_every_value_decodes_from_its_encoding(codec: Codec[Any], data: st.DataObject) -> None:
    value = data.draw(values(codec))
    encoded = encode(value)
    assert codec.decode(encoded) == value
    assert type(codec.decode(encoded)) is type(value)
    assert codec.decode_trusted(encoded) == value


@TYPES
@PART
@given(data=st.data())
def test_mutated_bytes_are_refused_or_are_another_value_in_its_one_encoding(
    codec: Codec[Any], data: st.DataObject
) -> None:
    accepts(codec, data.draw(mutated(encodings(codec))))


@TYPES
@PART
@given(data=st.data())
def test_nothing_may_follow_or_be_missing(codec: Codec[Any], data: st.DataObject) -> None:
    encoded = data.draw(encodings(codec))
    for wrong in (encoded + b"\x00", encoded + encoded, encoded[:-1], encoded[: len(encoded) // 2], b""):
        assert not accepts(codec, wrong)


@TYPES
@PART
@given(data=st.data())
def test_longer_spellings_are_refused(codec: Codec[Any], data: st.DataObject) -> None:
    elements = msgspec.msgpack.decode(data.draw(encodings(codec)))
    tail = b"".join(encode(element) for element in elements[1:])
    head = encode([0] * len(elements))[: -len(elements)]
    tag = elements[0]
    assert accepts(codec, head + encode(tag) + tail)
    for wide in (b"\xce" + tag.to_bytes(4, "big"), b"\xcf" + tag.to_bytes(8, "big"), b"\xd2" + tag.to_bytes(4, "big")):
        assert not accepts(codec, head + wide + tail)
    assert not accepts(codec, b"\xdd" + len(elements).to_bytes(4, "big") + encode(tag) + tail)
    assert not accepts(codec, encode([*elements, None]))
    assert not accepts(codec, encode({"type": tag}))
    assert not accepts(codec, encode([float(tag), *elements[1:]]))
    assert not accepts(codec, encode([tag + 50_000, *elements[1:]]))


@TYPES
@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: f"{bomb[:6].hex()} and so on, {len(bomb)} bytes")
def test_depth_and_length_bombs_are_refused(codec: Codec[Any], bomb: bytes) -> None:
    assert not accepts(codec, bomb)
    assert not accepts(codec, b"\x96\x01" + bomb)


@pytest.mark.parametrize(
    "element",
    [
        b"\xcb\x7f\xf8" + bytes(6),  # not a number
        b"\xcb\x7f\xf0" + bytes(6),  # infinity
        b"\xcb\x3f\xf0" + bytes(6),  # 1.0
        b"\xcb\x80" + bytes(7),  # minus zero
        b"\xca\x3f\x80\x00\x00",  # 1.0 in 32 bits
        b"\xd4\x01\x00",  # extension
        b"\xd6\xff\x00\x00\x00\x01",  # timestamp
        b"\xc7\x00\x05",  # empty extension
        b"\xc1",
        b"\xc0",
        b"\xc2",
        b"\xc3",
        b"\x80",
        b"\x90",
        b"\xa11",
        b"\xc4\x011",
        b"\xff",
        b"\xd3" + b"\xff" * 8,
        b"\xcf" + b"\xff" * 8,
        b"\xcf\x00\x20\x00\x00\x00\x00\x00\x01",  # 2^53 + 1
    ],
    ids=bytes.hex,
)
def test_an_integer_is_nothing_but_an_integer_within_its_bounds(element: bytes) -> None:
    assert accepts(METER, b"\x93\x01\x01\x01")
    assert not accepts(METER, b"\x93\x01" + element + b"\x01")
    assert not accepts(METER, b"\x93\x01\x01" + element)


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xed\xa0\x80", b"\xc1\x81", b"\xe2\x82", b"\xf4\x90\x80\x80"], ids=bytes.hex
)
def test_text_is_utf_8(text: bytes) -> None:
    query = b"\x92\xcd\x03\xe9"
    assert accepts(catalog.QUERY, query + b"\xa4bank")
    assert not accepts(catalog.QUERY, query + bytes((0xA0 + len(text),)) + text)


@given(st.binary(max_size=300))
def test_random_bytes_do_not_decode_by_accident(data: bytes) -> None:
    for codec in (catalog.TRANSACTION, catalog.RECEIPT, METER):
        accepts(codec, data)


def test_a_name_may_not_end_with_a_line_feed() -> None:
    with pytest.raises(DecodeError):
        catalog.QUERY.decode(b"\x92\xcd\x03\xe9\xa5bank\n")


def test_every_field_of_every_type_is_bounded() -> None:
    """Strategies assert that integers are bounded; lists without a bound are those that the block bounds."""
    for codec in CODECS.values():
        values(codec)


def test_kind_numbers_are_unique_within_their_family() -> None:
    for family in (catalog.OPERATIONS, catalog.EVENTS, catalog.QUERIES):
        tags = [msgspec.inspect.type_info(cls).tag for cls in family]  # type: ignore[attr-defined]  # all are structs
        assert len(tags) == len(set(tags))
