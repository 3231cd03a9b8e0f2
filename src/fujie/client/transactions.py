"""Transactions before they leave: signed in several places, put together, and packed into batches."""

from collections.abc import Iterable, Mapping

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.core.signing import Signer
from fujie.core.transaction import SignedTransaction, signing_message, transaction_id
from fujie.modules.catalog import TRANSACTION


def sign_body(body: bytes, signer: Signer) -> bytes:
    """Return the 64-byte signature of ``signer`` under the canonical ``body`` of a transaction."""
    return signer.sign(signing_message(transaction_id(body)))


def assemble(body: bytes, signatures: Mapping[bytes, bytes]) -> bytes:
    """Return the signed transaction of ``body`` and the signatures, by public key, that were collected for it.

    Raises :class:`DecodeError` for bytes that are no body, and :class:`OperationalError` when a signature is missing.
    """
    keys = TRANSACTION.decode(body).public_keys
    missing = [key.hex() for key in keys if key not in signatures]
    if missing:
        raise OperationalError(
            f"The transaction still lacks the signature of {', '.join(missing)}.", "Have the holder of the key sign it."
        )
    return encode(SignedTransaction(body, tuple(signatures[key] for key in keys)))


def batches(transactions: Iterable[bytes], size: int) -> Iterable[list[bytes]]:
    """Yield ``transactions`` in lists of at most ``size`` and ``BLOCK_BYTES_MAX`` bytes."""
    batch: list[bytes] = []
    length = 0
    for transaction in transactions:
        if batch and (len(batch) == size or length + len(transaction) > BLOCK_BYTES_MAX):
            yield batch
            batch, length = [], 0
        batch.append(transaction)
        length += len(transaction)
    if batch:
        yield batch
