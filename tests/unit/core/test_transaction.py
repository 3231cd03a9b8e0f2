"""Transactions: what the id covers, what is signed, and what makes two equal payments differ."""

from typing import Any

import msgspec
import pytest

from fujie.core.encoding import encode
from fujie.core.hashing import digest
from fujie.core.signing import Signer, verify
from fujie.core.transaction import (
    SIGNED_TRANSACTION,
    Transaction,
    sign_transaction,
    signing_message,
    transaction_id,
)
from fujie.engine.admission import verify_transaction
from fujie.modules.catalog import TRANSACTION
from fujie.modules.currency.operations import Pay

SIGNERS = [Signer(bytes((number,)) * 32) for number in range(1, 4)]


def payment(signers: list[Signer], **changes: Any) -> Transaction:  # type: ignore[type-arg]  # operations of any room
    body = Transaction(
        "demo", bytes(16), 1000, (Pay(b"a" * 16, b"b" * 16, "CNY", 5),), tuple(sorted(s.public_key for s in signers))
    )
    return msgspec.structs.replace(body, **changes)


def test_id_is_the_tagged_hash_of_the_body() -> None:
    body = encode(payment(SIGNERS[:1]))
    assert transaction_id(body) == digest(b"\x10", body)
    assert signing_message(transaction_id(body)) == b"\x11" + transaction_id(body)


def test_signatures_stand_in_the_order_of_keys_whatever_the_order_of_signers() -> None:
    body = payment(SIGNERS)
    raw = sign_transaction(body, SIGNERS)
    assert raw == sign_transaction(body, SIGNERS[::-1])
    signed = SIGNED_TRANSACTION.decode(raw)
    message = signing_message(transaction_id(signed.body))
    assert TRANSACTION.decode(signed.body) == body
    for key, signature in zip(body.public_keys, signed.signatures, strict=True):
        assert verify(key, message, signature)


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": b"\x01" * 16},
        {"chain_id": "other"},
        {"expires_at_ms": 1001},
        {"operations": (Pay(b"a" * 16, b"b" * 16, "CNY", 6),)},
        {"operations": (Pay(b"a" * 16, b"b" * 16, "CNY", 5),) * 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_id_covers_everything_but_the_signatures(change: dict[str, Any]) -> None:
    body, other = payment(SIGNERS[:1]), payment(SIGNERS[:1], **change)
    assert transaction_id(encode(body)) != transaction_id(encode(other))


def test_id_covers_who_signs() -> None:
    assert transaction_id(encode(payment(SIGNERS[:1]))) != transaction_id(encode(payment(SIGNERS[1:2])))


def test_id_of_what_was_admitted_is_that_of_the_bytes_that_travelled() -> None:
    raw = sign_transaction(payment(SIGNERS[:2]), SIGNERS[:2])
    admitted = verify_transaction(raw)
    assert admitted.id == transaction_id(SIGNED_TRANSACTION.decode(raw).body)
    assert admitted.raw == raw
    assert admitted.body == payment(SIGNERS[:2])


def test_signers_other_than_the_keys_of_the_body_are_a_mistake_of_the_program() -> None:
    with pytest.raises(AssertionError):
        sign_transaction(payment(SIGNERS[:1]), SIGNERS[:2])
