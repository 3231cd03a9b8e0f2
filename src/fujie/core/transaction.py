"""Transactions and receipts (docs/spec/02-encoding.md, "Transaction" and "Receipt").

A transaction on the wire is its body, as bytes, and the signatures. The id is the hash of the body and so covers
everything but the signatures: two equal payments differ by their nonce, and bytes that were signed are never re-encoded.
The types are generic in the operations and events, because the rooms that define those stand above this layer;
``modules.catalog`` closes them.
"""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from fujie.core.encoding import Codec, Record, encode
from fujie.core.errors import VerificationError
from fujie.core.hashing import TAG_SIGNED_TRANSACTION, TAG_TRANSACTION_ID
from fujie.core.limits import CHAIN_ID_BYTES_MAX, KEYS_MAX, OPERATIONS_MAX, TRANSACTION_BYTES_MAX
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.room import Event, Operation
from fujie.core.signing import Signer, verify
from fujie.core.units import Count, Digest, Height, Nonce, PublicKey, Signature, TimeMs

Op = TypeVar("Op", bound=Operation)
Ev = TypeVar("Ev", bound=Event)

ChainId = Annotated[str, Meta(min_length=1, max_length=CHAIN_ID_BYTES_MAX)]


class Transaction(Record, Generic[Op], tag=1):
    """What is signed. ``operations`` succeed or fail together; ``public_keys`` ascend and are distinct."""

    chain_id: ChainId
    nonce: Nonce
    expires_at_ms: TimeMs
    operations: Annotated[tuple[Op, ...], Meta(min_length=1, max_length=OPERATIONS_MAX)]
    public_keys: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=KEYS_MAX)]


class SignedTransaction(Record, tag=1):
    """What travels: the canonical body, and one signature for each of its public keys, in the same order."""

    body: Annotated[bytes, Meta(max_length=TRANSACTION_BYTES_MAX)]
    signatures: Annotated[tuple[Signature, ...], Meta(min_length=1, max_length=KEYS_MAX)]


class Receipt(Record, Generic[Ev], tag=1):
    """What the ledger did with a transaction. ``code`` 0 is success and anything else the number of a reason.

    ``authorised`` tells whether its sender was entitled to it: only then was the id remembered and quota charged.
    ``operation`` is the position of the operation that was refused (0 when none was); ``events`` has one event per
    operation on success and is empty otherwise.
    """

    transaction_id: Digest
    height: Height
    time_ms: TimeMs
    code: Count
    authorised: bool
    operation: Count
    events: tuple[Ev, ...]


class VerifiedTransaction(msgspec.Struct, frozen=True, gc=False):
    """A transaction whose form and signatures were checked (``engine.admission``); the machine trusts no other."""

    id: bytes
    raw: bytes  # SignedTransaction
    body: Transaction  # type: ignore[type-arg]  # operations of any room


class VerifiedBlock(NamedTuple):
    """Order, time and transactions as consensus, or the embedded engine, decided them."""

    chain_id: str
    height: int
    time_ms: int
    transactions: tuple[VerifiedTransaction, ...]
    misbehaviour: tuple[Misbehaviour, ...] = ()  # of validators, as told and proven in this block


SIGNED_TRANSACTION: Codec[SignedTransaction] = Codec(SignedTransaction)


def transaction_id(body: bytes) -> bytes:
    """Return the 32-byte id of a transaction with this canonical body."""
    return sha256(TAG_TRANSACTION_ID + body).digest()


def signing_message(identifier: bytes) -> bytes:
    """Return the 33 bytes that each signer of the transaction signs."""
    return TAG_SIGNED_TRANSACTION + identifier


def check_signatures(identifier: bytes, public_keys: Sequence[bytes], signatures: Sequence[bytes]) -> None:
    """Raise unless the transaction ``identifier`` is signed by all ``public_keys`` of its body, in that order.

    Steps: ``transaction-keys`` (the keys ascend, with one signature for each), ``transaction-signature``.
    """
    if any(one >= other for one, other in pairwise(public_keys)):
        raise VerificationError("transaction-keys", "the public keys of the transaction do not ascend")
    if len(signatures) != len(public_keys):
        raise VerificationError("transaction-keys", f"{len(signatures)} signatures of {len(public_keys)} keys")
    message = signing_message(identifier)
    for key, signature in zip(public_keys, signatures, strict=True):
        if not verify(key, message, signature):
            raise VerificationError("transaction-signature", f"the signature under key {key.hex()} is not valid")


def sign_transaction(body: Transaction, signers: list[Signer]) -> bytes:  # type: ignore[type-arg]  # any room
    """Return the canonical signed transaction. ``signers`` must match ``body.public_keys``, in any order."""
    by_key = {signer.public_key: signer for signer in signers}
    assert tuple(sorted(by_key)) == body.public_keys, "signers and public keys of the body differ"
    data = encode(body)
    message = signing_message(transaction_id(data))
    return encode(SignedTransaction(data, tuple(by_key[key].sign(message) for key in body.public_keys)))
