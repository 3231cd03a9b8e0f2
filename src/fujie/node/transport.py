"""The transport of embedded use: calls the engine in this process, and moves the same bytes as HTTP would."""

from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final

from fujie.client.transport import Status, TransportOutcome
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.engine.base import Outcome, Served
from fujie.engine.reading import answer, decided_at_ms
from fujie.engine.signers import last_of
from fujie.proof.light_block import encode_light_block

SUBMIT_TIMEOUT_S: Final = 120.0  # two full queues take a few seconds; beyond this the ledger hangs


class LocalTransport:
    """Implements ``client.transport.Transport`` over an engine that somebody else owns and closes."""

    def __init__(self, engine: Served) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        """See ``Transport``."""
        return "the ledger in this process"

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        """See ``Transport``."""
        future = self._engine.submit(transactions)
        try:
            return [_outcome(outcome) for outcome in future.result(SUBMIT_TIMEOUT_S)]
        except FutureTimeout:
            raise OperationalError(
                f"The ledger gave no answer within {SUBMIT_TIMEOUT_S:.0f} s.",
                "Submit the same bytes again; nothing is carried out twice.",
            ) from None

    def dry_run(self, transaction: bytes) -> TransportOutcome:
        """See ``Transport``."""
        return _outcome(self._engine.dry_run(transaction))

    def read(self, queries: Sequence[bytes], grant: bytes | None = None, time_ms: int | None = None) -> bytes:
        """See ``Transport``."""
        return encode(answer(self._engine, queries, grant, time_ms))

    def receipt(self, transaction_id: bytes) -> bytes | None:
        """See ``Transport``."""
        bundle = self._engine.prove_receipt(transaction_id)
        return None if bundle is None else encode(bundle)

    def light_block(self, height: int | None) -> bytes | None:
        """See ``Transport``."""
        if height is None:
            return self._engine.proven.light_block
        found = self._engine.light_block(height)
        return None if found is None else encode_light_block(found)

    def last_of(self, validators_hash: bytes) -> bytes | None:
        """See ``Transport``."""
        found = last_of(self._engine, validators_hash)
        return None if found is None else encode_light_block(found)

    def status(self) -> Status:
        """See ``Transport``."""
        head, decided_ms = self._engine.head, decided_at_ms(self._engine)
        return Status(chain_id=self._engine.chain_id, height=head.height, time_ms=head.time_ms, decided_ms=decided_ms)

    def close(self) -> None:
        """Nothing to free: the engine belongs to whoever opened it."""


def _outcome(outcome: Outcome) -> TransportOutcome:
    """Return an engine's outcome in the bytes that travel."""
    receipt = outcome.receipt
    if receipt is None:
        return TransportOutcome(outcome.transaction_id, outcome.code, None, None, None)
    return TransportOutcome(outcome.transaction_id, outcome.code, encode(receipt), receipt.height, outcome.log_index)
