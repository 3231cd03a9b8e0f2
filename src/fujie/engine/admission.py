"""Admission: what a transaction must satisfy before it may wait for a block, as far as that needs no state.

Form, size, key order and signatures are checked here, in batches, in a process of their own: verification costs half
of a payment and shares nothing with the state. The worker gets bytes and answers with one reason number for each.
"""

import multiprocessing
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any, Final

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, Refused
from fujie.core.limits import TRANSACTION_BYTES_MAX
from fujie.core.reasons import TransactionReason
from fujie.core.signing import verify
from fujie.core.transaction import SIGNED_TRANSACTION, VerifiedTransaction, signing_message, transaction_id
from fujie.modules.catalog import TRANSACTION

ACCEPTED: Final = 0


def verify_transaction(raw: bytes) -> VerifiedTransaction:
    """Return the transaction in ``raw`` with its form and every signature checked.

    Refuses, in order: TRANSACTION_MALFORMED (size, encoding, keys not ascending, not one signature per key, and for
    what the client must have meant differently), SIGNATURE_INVALID.
    """
    if len(raw) > TRANSACTION_BYTES_MAX:
        raise Refused(TransactionReason.TRANSACTION_MALFORMED)
    try:
        signed = SIGNED_TRANSACTION.decode(raw)
        body = TRANSACTION.decode(signed.body)
    except DecodeError:
        raise Refused(TransactionReason.TRANSACTION_MALFORMED) from None
    keys = body.public_keys
    if len(keys) != len(signed.signatures) or any(a >= b for a, b in pairwise(keys)):
        raise Refused(TransactionReason.TRANSACTION_MALFORMED)
    identifier = transaction_id(signed.body)
    message = signing_message(identifier)
    for key, signature in zip(keys, signed.signatures, strict=True):
        if not verify(key, message, signature):
            raise Refused(TransactionReason.SIGNATURE_INVALID)
    return VerifiedTransaction(identifier, raw, body)


def decode_verified(raw: bytes) -> VerifiedTransaction:
    """Return the transaction in bytes that :func:`verify_transaction` accepted, in this process or the worker."""
    body = SIGNED_TRANSACTION.decode_trusted(raw).body
    return VerifiedTransaction(transaction_id(body), raw, TRANSACTION.decode_trusted(body))


def verdict(raw: bytes) -> int:
    """Return 0 when :func:`verify_transaction` accepts ``raw``, else the number of its reason (below 256)."""
    try:
        verify_transaction(raw)
    except Refused as refused:
        return int(refused.reason)
    return ACCEPTED


class VerifierProcess:
    """A worker process that verifies batches in the order in which they were sent."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # fork would copy the threads' locks of a running node
        self.results, theirs = context.Pipe()
        self._process: Any = context.Process(target=_serve, args=(theirs,), name="fujie-verifier", daemon=True)
        self._process.start()
        theirs.close()

    def send(self, batch: Sequence[bytes]) -> None:
        """Send a batch; blocks while the worker is busy with as much as the pipe holds."""
        self.results.send_bytes(encode(list(batch)))

    def receive(self) -> bytes:
        """Return one verdict a byte for the oldest batch that is not answered. Raises EOFError when the worker died."""
        return self.results.recv_bytes()

    def close(self) -> None:
        """Stop the worker."""
        self.results.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.kill()


def _serve(connection: Connection) -> None:
    """Verify batches until the other end closes."""
    import signal

    import msgspec

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the whole group; the node ends us
    decoder = msgspec.msgpack.Decoder(list[bytes])
    while True:
        try:
            batch = decoder.decode(connection.recv_bytes())
            connection.send_bytes(bytes([verdict(raw) for raw in batch]))
        except (EOFError, OSError):
            return
