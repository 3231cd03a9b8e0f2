"""Messages come out of the socket as they went in, however the bytes are cut; what is no message has a name."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.engine.cometbft.framing import (
    FRAME_BYTES_MAX,
    BadLengthError,
    FrameError,
    FrameReader,
    FrameTooLargeError,
    TornFrameError,
    frame,
)
from fujie.proof.wire import encode_varint

MESSAGES = st.lists(st.one_of(st.binary(max_size=5), st.integers(100, 40_000).map(bytes)), max_size=8)


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(MESSAGES, st.lists(st.integers(0, 2**20)))
def test_messages_come_out_however_they_are_cut(messages, cuts):
    reader = FrameReader()
    found = [message for piece in pieces_of(b"".join(map(frame, messages)), cuts) for message in reader.feed(piece)]
    assert found == messages
    reader.finish()


def test_a_long_message_comes_out_byte_by_byte():
    reader = FrameReader()
    whole = frame(bytes(range(256)) * 2) + frame(b"next")
    assert [message for byte in whole for message in reader.feed(bytes([byte]))] == [bytes(range(256)) * 2, b"next"]


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (b"", "00"),
        (b"\x12\x00", "021200"),
        (bytes(127), "7f" + "00" * 127),
        (bytes(128), "8001" + "00" * 128),
        (bytes(300), "ac02" + "00" * 300),
    ],
)
def test_the_length_is_an_unsigned_varint(message, written):
    assert frame(message) == bytes.fromhex(written)
    assert FrameReader().feed(bytes.fromhex(written)) == [message]


def test_a_message_of_the_bound_passes_and_one_byte_more_does_not():
    assert FrameReader(1_000).feed(frame(bytes(1_000))) == [bytes(1_000)]
    assert frame(bytes(1_000), 1_000)
    with pytest.raises(FrameTooLargeError, match="1001 bytes"):
        frame(bytes(1_001), 1_000)
    with pytest.raises(FrameTooLargeError, match="1001 bytes"):
        FrameReader(1_000).feed(frame(bytes(1_001)))


def test_a_length_beyond_the_bound_is_refused_before_its_message_comes():
    with pytest.raises(FrameTooLargeError, match=str(FRAME_BYTES_MAX + 1)):
        FrameReader().feed(encode_varint(FRAME_BYTES_MAX + 1))


@pytest.mark.parametrize("cut", range(5))
def test_what_is_no_length_is_refused_by_name(cut):
    reader = FrameReader()
    assert reader.feed(b"\xff" * cut) == []
    with pytest.raises(BadLengthError):
        reader.feed(b"\xff" * (5 - cut))


@pytest.mark.parametrize("kept", [1, 2, 50, 201])
def test_an_end_within_a_message_is_named(kept):
    reader = FrameReader()
    assert reader.feed(frame(b"whole") + frame(bytes(200))[:kept]) == [b"whole"]
    with pytest.raises(TornFrameError):
        reader.finish()


@given(st.binary(max_size=200), st.lists(st.integers(0, 2**20)))
def test_bytes_of_any_kind_give_messages_or_a_named_error(data, cuts):
    reader = FrameReader(100)
    found: list[bytes] = []
    try:
        for piece in pieces_of(data, cuts):
            found += reader.feed(piece)
        reader.finish()
    except FrameError:
        return
    assert all(len(message) <= 100 for message in found)
