"""Admission: what a transaction must satisfy before it may wait for a block, as far as that needs no state.

Form, size, key order and signatures are checked here, in batches, in a process of their own: verification costs half
of a payment and shares nothing with the state. The worker gets bytes and answers with one reason number for each.
"""

import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing.connection import Connection, Pipe
from typing import Final

from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, Refused
from fujie.core.limits import TRANSACTION_BYTES_MAX
from fujie.core.reasons import TransactionReason
from fujie.core.signing import verify
from fujie.core.transaction import SIGNED_TRANSACTION, VerifiedTransaction, signing_message, transaction_id
from fujie.modules.catalog import TRANSACTION

ACCEPTED: Final = 0

_PROGRAM: Final = """
import sys
sys.path[:] = sys.argv[2:]
from fujie.engine.admission import serve
serve(int(sys.argv[1]))
"""


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
        # Neither of multiprocessing's ways will do: fork copies the locks of a running node, and spawn runs the main
        # program again, which need not be made for that when the ledger is embedded in it.
        self.results, theirs = Pipe()
        descriptor = theirs.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(descriptor), *sys.path],
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

    @property
    def pid(self) -> int:
        """The number of the worker process."""
        return self._process.pid

    def send(self, batch: Sequence[bytes]) -> None:
        """Send a batch; blocks while the worker is busy with as much as the pipe holds."""
        self.results.send_bytes(encode(list(batch)))

    def receive(self) -> bytes:
        """Return one verdict a byte for the oldest batch that is not answered. Raises EOFError when the worker died."""
        return self.results.recv_bytes()

    def close(self) -> None:
        """Stop the worker."""
        self.results.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(descriptor: int) -> None:
    """Verify batches that come in over the socket ``descriptor`` until its other end closes. The worker's main program."""
    import signal

    import msgspec

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the whole group; the node ends us
    connection: Connection = Connection(descriptor)
    decoder = msgspec.msgpack.Decoder(list[bytes])
    while True:
        try:
            batch = decoder.decode(connection.recv_bytes())
            connection.send_bytes(bytes([verdict(raw) for raw in batch]))
        except (EOFError, OSError):
            return
