"""The JSON form: every record of every room goes there and back, and what is no form is refused by name and place."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from fujie.core.encoding import Record, encode
from fujie.core.errors import DecodeError
from fujie.core.json_form import TYPE, from_json, to_json, type_name
from fujie.core.policy import KeyPolicy
from fujie.core.transaction import Receipt
from fujie.modules.catalog import EVENTS, OPERATION, OPERATIONS, QUERIES, QUERY, RECEIPT, TRANSACTION
from fujie.modules.currency.operations import OpenWallet, Pay
from fujie.modules.identity.operations import Allocate, NamedItem
from tests.unit.core.records import values_of

EXAMPLES = settings().max_examples  # of the profile in force

PAY = Pay(bytes(16), bytes(range(16)), "CNY", 2**60)
PAY_JSON = {
    "type": "pay",
    "payer": "00" * 16,
    "payee": bytes(range(16)).hex(),
    "instrument": "CNY",
    "amount_minor": str(2**60),
}


def all_records() -> list[type[Record]]:
    found: list[type[Record]] = []
    waiting: list[type[Record]] = [Record]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("fujie."):
                found.append(kind)
    return found


def test_a_payment_reads_as_its_page_says() -> None:
    assert to_json(PAY) == PAY_JSON
    assert from_json(OPERATION.type, PAY_JSON) == PAY


def test_small_integers_are_numbers_and_both_spellings_are_read() -> None:
    small = Pay(PAY.payer, PAY.payee, "CNY", 2**53)
    assert to_json(small)["amount_minor"] == 2**53
    assert from_json(Pay, {**PAY_JSON, "amount_minor": 2**60}) == PAY
    assert from_json(Pay, {**PAY_JSON, "amount_minor": str(2**53)}) == small
    assert from_json(Pay, {**PAY_JSON, "amount_minor": 1250.0}).amount_minor == 1250


def test_records_of_a_choice_are_named() -> None:
    item = NamedItem("1301", "city", "石家庄市", (("a", "b"),), b"", "", None, None)
    form = to_json(Allocate("ZZ.156", item))
    assert form["item"]["type"] == "named_item"
    assert form["item"]["kind"] == "city"
    assert from_json(OPERATION.type, form) == Allocate("ZZ.156", item)


def test_what_may_be_null_may_be_left_out() -> None:
    item = {
        "type": "named_item",
        "node": "1",
        "kind": "city",
        "name": "A",
        "attributes": [],
        "content": "",
        "within": "",
    }
    form = {"type": "allocate", "namespace": "ZZ.156", "item": item}
    assert from_json(OPERATION.type, form).item.controllers is None


def test_no_record_has_a_field_with_the_name_of_the_type_member() -> None:
    for kind in all_records():
        assert TYPE not in kind.__struct_fields__, kind


@pytest.mark.parametrize("family", [OPERATIONS, EVENTS, QUERIES])
def test_names_within_a_family_are_distinct(family: tuple[type, ...]) -> None:
    assert len({type_name(kind) for kind in family}) == len(family)


@pytest.mark.parametrize("kind", [*OPERATIONS, *EVENTS, *QUERIES], ids=lambda kind: kind.__name__)
@settings(max_examples=max(5, EXAMPLES // 25), suppress_health_check=list(HealthCheck))  # 60 classes share the time
@given(data=st.data())
def test_every_record_of_the_catalog_goes_there_and_back(kind: type[Record], data: st.DataObject) -> None:
    value = data.draw(values_of(kind))
    text = json.dumps(to_json(value))
    again = from_json(kind, json.loads(text))
    assert again == value
    assert encode(again) == encode(value)


@settings(max_examples=max(20, EXAMPLES // 10), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whole_transactions_and_receipts_go_there_and_back(data: st.DataObject) -> None:
    for type_ in (TRANSACTION.type, RECEIPT.type):
        value = data.draw(values_of(type_))
        assert encode(from_json(type_, msgspec.json.decode(msgspec.json.encode(to_json(value))))) == encode(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(value=json_values)
def test_any_json_is_read_or_refused_as_decode_error(value: Any) -> None:
    for type_ in (TRANSACTION.type, QUERY.type, OPERATION.type, KeyPolicy):
        with pytest.raises(DecodeError):
            from_json(type_, value)


@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data(), junk=json_values)
def test_one_changed_place_gives_another_record_or_a_decode_error(data: st.DataObject, junk: Any) -> None:
    form = to_json(data.draw(values_of(TRANSACTION.type)))
    place: Any = form
    while True:
        steps = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        step = data.draw(st.sampled_from(steps))
        if isinstance(place[step], (dict, list)) and place[step] and data.draw(st.booleans()):
            place = place[step]
        else:
            place[step] = junk
            break
    try:
        record = from_json(TRANSACTION.type, form)
    except DecodeError:
        return
    # What is read is canonical: it survives the strict decoder, which checks every bound again.
    assert TRANSACTION.decode(encode(record)) == record


@pytest.mark.parametrize(
    ("form", "detail"),
    [
        ({**PAY_JSON, "amount_minor": 1.5}, "$.amount_minor: expected an integer"),
        ({**PAY_JSON, "amount_minor": 2.0**53}, "$.amount_minor: expected an integer"),
        ({**PAY_JSON, "amount_minor": True}, "$.amount_minor: expected an integer"),
        ({**PAY_JSON, "amount_minor": -1}, "$.amount_minor: expected 0 or more"),
        ({**PAY_JSON, "amount_minor": "01"}, "$.amount_minor: expected an integer"),
        ({**PAY_JSON, "amount_minor": str(2**63)}, f"$.amount_minor: expected {2**63 - 1} or less"),
        ({**PAY_JSON, "payer": "AB" * 16}, "$.payer: expected bytes in lower-case hexadecimal"),
        ({**PAY_JSON, "payer": "ab" * 15}, "$.payer: expected 16 bytes or more, there are 15"),
        ({**PAY_JSON, "payer": "a"}, "$.payer: expected bytes"),
        ({**PAY_JSON, "instrument": "cny"}, "$.instrument: expected a string that matches"),
        ({**PAY_JSON, "memo": ""}, "$: pay has no member 'memo'"),
        ({**PAY_JSON, "type": "steal"}, "$.type: expected one of "),
        ({key: PAY_JSON[key] for key in PAY_JSON if key != "payee"}, "$: pay lacks the member 'payee'"),
        ([PAY_JSON], "$: expected an object"),
    ],
)
def test_the_error_names_the_place_and_what_was_expected(form: Any, detail: str) -> None:
    with pytest.raises(DecodeError) as raised:
        from_json(OPERATION.type, form)
    assert raised.value.detail.startswith(detail)


def test_an_unparametrised_receipt_names_its_events() -> None:
    receipt: Receipt[Any] = Receipt(bytes(32), 1, 2, 0, True, 0, (EVENTS[0](*_first_values(EVENTS[0])),))
    form = to_json(receipt)
    assert form["events"][0][TYPE] == type_name(EVENTS[0])
    assert from_json(RECEIPT.type, form) == receipt


def _first_values(kind: type[Record]) -> list[Any]:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return ["a" if isinstance(field.type, inspect.StrType) else 1 for field in info.fields]


def test_an_integer_enumeration_is_not_read_from_true() -> None:
    wallet = OpenWallet("bank", bytes(16), "CNY", 1, next(iter_wallet_kinds()), KeyPolicy(1, (bytes(32),)), bytes(32))
    form = to_json(wallet)
    assert from_json(OPERATION.type, form) == wallet
    form["kind"] = True
    with pytest.raises(DecodeError, match=r"\$\.kind"):
        from_json(OPERATION.type, form)


def iter_wallet_kinds() -> Any:
    from fujie.modules.currency.records import WalletKind

    return iter(WalletKind)
