"""CometBFT's JSON of headers, commits and validators: read exactly, or refused as ``decode``."""

import datetime
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.errors import DecodeError
from fujie.proof.comet_json import (
    SignedHeaderJson,
    ValidatorJson,
    decode_json,
    read_commit,
    read_header,
    read_time,
    read_validators,
)
from fujie.proof.light_block import LightBlock
from fujie.proof.wire import NANOSECONDS, TIME_NS_MAX, TIME_NS_MIN
from tests.light.comet_answers import rfc3339, signed_header, validators
from tests.light.embedded_chain import make_chain
from tests.light.tampering import without

BLOCK = without(make_chain([{1: 10, 2: 20, 3: 30}] * 3)[2], 1)


def read(told: Any) -> LightBlock:
    signed = decode_json(json.dumps(told[0]).encode(), SignedHeaderJson)
    members = decode_json(json.dumps(told[1]).encode(), list[ValidatorJson])
    return LightBlock(read_header(signed.header), read_commit(signed.commit), read_validators(members))


def test_reads_what_cometbft_tells():
    assert read((signed_header(BLOCK), validators(BLOCK.validators))) == BLOCK


Edit = Callable[[Any, Any], object]
REFUSED: list[tuple[str, Edit]] = [
    ("a field more", lambda h, v: h["header"].update(more="1")),
    ("a field less", lambda h, v: h["header"].pop("height")),
    ("a number as a number", lambda h, v: h["header"].update(height=3)),
    ("a number with a zero before", lambda h, v: h["header"].update(height="03")),
    ("a number with a plus", lambda h, v: h["header"].update(height="+3")),
    ("a number with a space", lambda h, v: h["header"].update(height=" 3")),
    ("a number in other digits", lambda h, v: h["header"].update(height="３")),
    ("a negative height", lambda h, v: h["header"].update(height="-3")),
    ("a height of more than 64 bits", lambda h, v: h["header"].update(height=str(2**63))),
    ("hexadecimal in lower case", lambda h, v: h["header"].update(app_hash="ab" * 32)),
    ("half a byte", lambda h, v: h["header"].update(app_hash="A")),
    ("a hash too short", lambda h, v: h["header"].update(data_hash="AB")),
    ("no validators hash", lambda h, v: h["header"].update(validators_hash=None)),
    ("another protocol", lambda h, v: h["header"]["version"].update(block="10")),
    ("a block id that is half", lambda h, v: h["header"]["last_block_id"].update(hash="")),
    ("an unknown flag", lambda h, v: h["commit"]["signatures"][0].update(block_id_flag=4)),
    ("an absent vote with a signature", lambda h, v: h["commit"]["signatures"][1].update(signature="AAAA")),
    ("a signature too long", lambda h, v: h["commit"]["signatures"][0].update(signature="A" * 88)),
    ("no base64", lambda h, v: h["commit"]["signatures"][0].update(signature="AA=A")),
    ("base64 with bits to spare", lambda h, v: h["commit"]["signatures"][0].update(signature="*" * 8)),
    ("no signatures", lambda h, v: h["commit"].update(signatures=[])),
    ("another kind of key", lambda h, v: v[0]["pub_key"].update(type="tendermint/PubKeySecp256k1")),
    ("an address of another key", lambda h, v: v[0].update(address=v[1]["address"])),
    ("a validator twice", lambda h, v: v.insert(0, v[0])),
    ("another order", lambda h, v: v.reverse()),
    ("no power", lambda h, v: v[2].update(voting_power="0")),
    ("nobody", lambda h, v: v.clear()),
]


@pytest.mark.parametrize(("what", "edit"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refuses(what: str, edit: Edit):
    told = signed_header(BLOCK), validators(BLOCK.validators)
    edit(*told)
    with pytest.raises(DecodeError):
        read(told)


@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"null", b"[" * 100_000])
def test_refuses_what_is_no_answer(data: bytes):
    with pytest.raises(DecodeError, match="not what CometBFT answers"):
        decode_json(data, SignedHeaderJson)


@given(st.integers(TIME_NS_MIN, TIME_NS_MAX))
def test_reads_every_time_that_a_header_can_have(time_ns: int):
    assert read_time(rfc3339(time_ns)) == time_ns


@given(st.datetimes(timezones=st.timezones()))
def test_reads_times_of_every_zone(moment: datetime.datetime):
    offset = moment.utcoffset() or datetime.timedelta()
    if offset % datetime.timedelta(minutes=1):
        return  # RFC 3339 cannot write it
    since = moment.astimezone(datetime.UTC) if datetime.MINYEAR < moment.year < datetime.MAXYEAR else None
    if since is not None:
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        microseconds = (since - epoch) // datetime.timedelta(microseconds=1)
        text = moment.isoformat(timespec="microseconds")
        assert read_time(text) == microseconds * (NANOSECONDS // 1_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22 10:00:00Z",
        "2026-11-22t10:00:00z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00.0123456789Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+0100",
        "٢٠٢٦-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
    ],
)
def test_refuses_a_time(text: str):
    with pytest.raises(DecodeError):
        read_time(text)


def test_leap_days_are_days():
    assert read_time("2000-02-29T00:00:00Z") + 86_400 * NANOSECONDS == read_time("2000-03-01T00:00:00Z")
    assert read_time("2024-02-29T12:00:00+02:00") == read_time("2024-02-29T10:00:00Z")


@given(st.data())
def test_whatever_is_answered_a_block_or_a_named_error_comes_out(data: st.DataObject):
    text = bytearray(json.dumps([signed_header(BLOCK), validators(BLOCK.validators)]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from(b'0123456789ABCDEFabc"[]{},:+-/= \xff'))
    try:
        told = json.loads(text)
    except ValueError:
        return  # no JSON any more: another test
    if isinstance(told, list) and len(told) == 2:
        with suppress(DecodeError):
            read(told)
