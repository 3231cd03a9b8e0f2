"""Building, signing, submitting and reading: what every verb of the client is made of."""

import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Final

from fujie.client.light.following import Following, TransportProvider
from fujie.client.light.provider import LightProvider
from fujie.client.outcomes import Outcome, outcome_of, refusal_of
from fujie.client.pending import Pending, PendingFolder, pending_of
from fujie.client.reasons import SAME_AGAIN, NotSubmittedError, reason_of
from fujie.client.transactions import batches
from fujie.client.transport import Status, Transport
from fujie.client.verifier import VerifiedReceipt, VerifiedRecord, Verifier, system_clock_ms
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.grant import Grant, sign_grant
from fujie.core.limits import BULK_ITEMS_MAX, HEARTBEAT_MS, SUBMIT_BATCH_MAX
from fujie.core.query import Query
from fujie.core.reasons import TransactionReason
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.transaction import Transaction, sign_transaction
from fujie.modules.catalog import TRANSACTION
from fujie.modules.membership.queries import ParametersQuery
from fujie.modules.membership.records import Parameters
from fujie.proof.trust import TrustRoot

__all__ = ["Outcome", "Progress", "Session", "Signers", "reason_of"]

NONCE_BYTES: Final = 16
STATUS_AGE_S_MAX: Final = 10.0  # how long a node's clock is carried on by ours before it is asked again
GRANT_MS: Final = 300_000  # of the grants that the client makes for one read
BATCH_DEFAULT: Final = 1_000  # transactions in one call: about 0.1 s of work for the node, so that progress is seen
QUEUE_FULL_WAITS_MAX: Final = 60  # times that a batch waits for a full queue, half a second each
CATCH_UP_S: Final = 3.0  # how long a read waits for the block that proves what this client has just written
_CATCH_UP_STEP_S: Final = 0.02

Signers = Sequence[Signer]
Progress = Callable[[int, int], None]
"""Called with how many of how many transactions have an outcome."""


class Session:
    """Talks to one node about one chain. Any thread may call any method.

    ``signers`` sign what a verb is not given other signers for. Every answer is verified against ``trust`` before it is
    returned; where the validators have changed since, the node has to show how, and ``witnesses``, other nodes of the
    chain, are asked whether they saw the same. With ``pending`` what is submitted alone is on disk until its outcome is
    known; what :meth:`submit_many` submits never is. Errors are ``Refused`` (a rule said no), :class:`VerificationError` (the
    node's answer does not hold) and :class:`OperationalError` (the node cannot be reached, or is too slow).
    """

    def __init__(
        self,
        transport: Transport,
        trust: TrustRoot,
        signers: Signers = (),
        *,
        verifier: Verifier | None = None,
        witnesses: Sequence[LightProvider] = (),
        pending: PendingFolder | None = None,
        clock: Callable[[], int] = system_clock_ms,
        catch_up_s: float = CATCH_UP_S,
    ) -> None:
        self.transport = transport
        self.trust = trust
        self.signers = tuple(signers)
        self.verifier = verifier if verifier is not None else Verifier(trust, clock)
        self._following = Following(self.verifier.believed, TransportProvider(transport), witnesses, clock)
        self._pending = pending
        self._clock = clock
        self._catch_up_s = catch_up_s
        self._lock = threading.Lock()
        self._status: tuple[float, Status] | None = None  # monotonic seconds when it was asked, and the answer
        self._window_ms: int | None = None
        self._written_height = 0  # of the newest block in which something of this client stands

    @property
    def chain_id(self) -> str:
        """The chain of the trust root."""
        return self.trust.chain_id

    def close(self) -> None:
        """Close the transport. Idempotent."""
        self.transport.close()

    # -- building

    def status(self) -> Status:
        """Return where the node says it stands; not proven. Raises ``chain-id`` for a node of another chain."""
        status = self.transport.status()
        if status.chain_id != self.chain_id:
            raise VerificationError(
                "chain-id", f"the node serves chain {status.chain_id!r}, the trust root is of {self.chain_id!r}"
            )
        with self._lock:
            self._status = (time.monotonic(), status)
        return status

    def expiry_ms(self) -> int:
        """Return a good expiry for a transaction built now: half the chain's window after the block time to expect.

        Block time follows the node's clock but may lag behind it by one heartbeat on an idle chain, and the next block has about
        the time at which the newest one was decided. This machine's clock is believed within that span and not beyond, so that
        neither clock needs to be right.
        """
        with self._lock:
            known = self._status
        if known is None or time.monotonic() - known[0] > STATUS_AGE_S_MAX:
            status = self.status()
            asked = time.monotonic()
        else:
            asked, status = known
        earliest = max(status.time_ms, status.decided_ms) + int((time.monotonic() - asked) * 1000)
        expected = min(max(self._clock(), earliest), earliest + HEARTBEAT_MS)
        return expected + self._transaction_window_ms() // 2

    def body(
        self, operations: Sequence[Operation], public_keys: Collection[bytes], *, expires_at_ms: int | None = None
    ) -> bytes:
        """Return the canonical body of a new transaction that ``public_keys`` are to sign: for signing in several places.

        ``operations`` (1 to 64) succeed or fail together.
        """
        expires_at_ms = self.expiry_ms() if expires_at_ms is None else expires_at_ms
        nonce = secrets.token_bytes(NONCE_BYTES)
        return encode(
            Transaction(self.chain_id, nonce, expires_at_ms, tuple(operations), tuple(sorted(set(public_keys))))
        )

    def build(
        self, operations: Sequence[Operation], signers: Signers | None = None, *, expires_at_ms: int | None = None
    ) -> bytes:
        """Return a canonical signed transaction. Raises :class:`OperationalError` without a signer."""
        by_key = {signer.public_key: signer for signer in (self.signers if signers is None else signers)}
        if not by_key:
            raise OperationalError("A transaction needs a signature.", "Unlock a key and hand it to the client.")
        body = TRANSACTION.decode_trusted(self.body(operations, by_key, expires_at_ms=expires_at_ms))
        return sign_transaction(body, list(by_key.values()))

    # -- submitting

    def submit(self, *operations: Operation, signers: Signers | None = None, prove: bool = True) -> Outcome:
        """Build, sign and submit one transaction; return its outcome, proven unless ``prove`` is off.

        Repeat-safe: the very bytes are submitted again after a lost answer. Raises :class:`RefusedTransaction`; its
        ``outcome.transaction`` can be submitted again with :meth:`submit_signed`.
        """
        return self.submit_signed(self.build(operations, signers), prove=prove)

    def submit_signed(self, transaction: bytes, *, prove: bool = True) -> Outcome:
        """Submit one canonical signed transaction. See :meth:`submit`.

        Raises :class:`OutcomePendingError` when it is not known what became of it: the same bytes, which are in that error,
        may be submitted again, and a new transaction in their place may be carried out besides. So also where the node says that
        it has expired and no proven block shows that, or where its log does not go back far enough to say so.
        :class:`NotSubmittedError` says that it has not reached the ledger, for certain.
        """
        if self._pending is None:
            return self._submit_one(pending_of(transaction), prove)
        with self._pending.keeping(transaction) as kept:
            return self._submit_one(kept, prove)

    def resend(self, identifier: bytes) -> Outcome:
        """Submit the kept bytes of the transaction with this id (32 bytes) again; return its proven outcome, whenever it came.

        Raises as :meth:`submit_signed`, and :class:`OperationalError` where nothing of it is kept.
        """
        assert self._pending is not None, "who keeps nothing resends nothing"
        with self._pending.found(identifier) as kept:
            if kept.body.chain_id != self.chain_id:
                raise OperationalError(
                    f"Transaction {identifier.hex()} is of chain {kept.body.chain_id}, and this is {self.chain_id}.",
                    "Name a node and the trust root of its chain: --url, --trust.",
                )
            return self._submit_one(kept, True)

    def submit_many(
        self,
        transactions: Iterable[bytes],
        *,
        progress: Progress | None = None,
        total: int | None = None,
        batch_size: int = BATCH_DEFAULT,
        prove: bool = False,
    ) -> list[Outcome]:
        """Submit many signed transactions in batches, one after the other; return every outcome, in order.

        Refusals are returned, not raised. A full queue is waited for. Batches hold at most ``batch_size`` transactions
        (1 to ``SUBMIT_BATCH_MAX``) and ``BLOCK_BYTES_MAX`` bytes. ``progress`` is called after each batch with how many
        are done, of ``total`` (their number, where ``transactions`` has one).

        Nothing of them is kept on disk, with ``pending`` neither, and a lost answer raises :class:`OperationalError` without
        the outcomes that were known: whoever needs them keeps the bytes, and submits the very same again.
        """
        if not 1 <= batch_size <= SUBMIT_BATCH_MAX:
            raise ValueError(f"a batch holds 1 to {SUBMIT_BATCH_MAX} transactions")
        if total is None:
            total = len(transactions) if isinstance(transactions, Sequence) else 0
        outcomes: list[Outcome] = []
        for batch in batches(transactions, batch_size):
            answered = self._submit_batch(batch, begun=bool(outcomes))
            if prove:
                answered = [self._proven(outcome) if outcome.receipt else outcome for outcome in answered]
            outcomes.extend(answered)
            if progress is not None:
                progress(len(outcomes), max(total, len(outcomes)))
        return outcomes

    def dry_run(self, *operations: Operation, signers: Signers | None = None) -> Outcome:
        """Have a transaction carried out and forgotten. The outcome is the node's word, and only a forecast."""
        transaction = self.build(operations, signers)
        return outcome_of(transaction, self.transport.dry_run(transaction))

    # -- reading

    def read(self, query: Query, *, grant: bytes | None = None, at_ms: int | None = None) -> VerifiedRecord[Any]:
        """Return what provably answers ``query``, now or at ``at_ms``. ``grant`` where not everyone may read."""
        return self.read_many([query], grant=grant, at_ms=at_ms)[0]

    def read_many(
        self, queries: Sequence[Query], *, grant: bytes | None = None, at_ms: int | None = None
    ) -> list[VerifiedRecord[Any]]:
        """Return what provably answers each of ``queries`` (1 to ``BULK_ITEMS_MAX``), all under one header.

        An answer that does not show yet what this client has written before is asked for again, for
        ``catch_up_s`` seconds; then raises ``stale-head``.
        """
        if not 1 <= len(queries) <= BULK_ITEMS_MAX:
            raise ValueError(f"one read has 1 to {BULK_ITEMS_MAX} queries")
        asked = [encode(query) for query in queries]
        give_up = time.monotonic() + self._catch_up_s
        while True:
            floor = self.verifier.seen()
            written = self._written_height
            try:
                data = self.transport.read(asked, grant, at_ms)
                found = self._following.checked(
                    partial(self.verifier.check_records, queries, data, at_ms=at_ms, floor=floor)
                )
                if found[0].height > written:
                    return found
                error = VerificationError(
                    "stale-head", f"the answer stands at height {found[0].height}, this client wrote at {written}"
                )
            except VerificationError as failed:
                if failed.step != "stale-head":
                    raise
                error = failed
            if time.monotonic() > give_up:
                raise error
            time.sleep(_CATCH_UP_STEP_S)

    def grant(self, reader: str, signers: Signers | None = None, *, duration_ms: int = GRANT_MS) -> bytes:
        """Return a signed read grant for ``account/<name>``, ``wallet/<hex>`` or ``id/<identifier>``."""
        signers = self.signers if signers is None else signers
        if not signers:
            raise OperationalError(
                f"Only {reader} and those entitled to may read this.", "Unlock a key of the reader and hand it over."
            )
        keys = tuple(sorted({signer.public_key for signer in signers}))
        expires = self.expiry_ms() - self._transaction_window_ms() // 2 + duration_ms
        body = Grant(self.chain_id, reader, expires, secrets.token_bytes(NONCE_BYTES), keys)
        return sign_grant(body, list(signers))

    # -- receipts

    def receipt(self, transaction_id: bytes) -> VerifiedReceipt | None:
        """Return the proven receipt of a transaction by its 32-byte id; None if the node knows none (unproven)."""
        floor = self.verifier.seen()
        data = self.transport.receipt(transaction_id)
        if data is None:
            return None
        return self._following.checked(partial(self.verifier.check_receipt_of, transaction_id, data, floor=floor))

    def receipt_bundle(self, transaction_id: bytes) -> bytes:
        """Return the verified bundle of a receipt, as a ``.fujie`` file holds it.

        Raises :class:`OperationalError` when the node knows no such transaction.
        """
        found = self.receipt(transaction_id)
        if found is None:
            raise OperationalError(
                f"The node knows no transaction {transaction_id.hex()}.",
                "Check the id. One that was submitted may still come: until it expires, the same bytes may be submitted again.",
            )
        return found.bundle

    # -- inside

    def _submit_one(self, sent: Pending, prove: bool) -> Outcome:
        """Submit one transaction, and forget what is kept of it when its outcome is known: proven, where that is asked for."""
        command = None if self._pending is None else self._pending.command
        try:
            with sent.in_doubt(command):
                [outcome] = self._submit_batch([sent.transaction])
                if prove and outcome.receipt is not None:
                    outcome = self._proven(outcome)
                doubt = self._doubt(outcome, sent)
        except NotSubmittedError:
            if not sent.sent_before:
                self._forget(sent)
            raise
        if doubt:
            raise sent.unknown(doubt, command)
        self._forget(sent)
        if outcome.code:
            raise refusal_of(outcome)
        return outcome

    def _doubt(self, outcome: Outcome, sent: Pending) -> str:
        """Return why an outcome leaves open what becomes of a transaction; empty where it does not."""
        if not outcome.code or outcome.receipt is not None:
            return ""
        if outcome.code == TransactionReason.OUTCOME_NOT_KEPT:
            return f"This node cannot tell: {refusal_of(outcome)} Ask a node that has the whole log."
        if outcome.code == TransactionReason.TRANSACTION_EXPIRED:
            # The word of a node; that nothing can come any more is seen in a block.
            if self.read(ParametersQuery()).time_ms >= sent.body.expires_at_ms:
                return ""
            return "The node says that it has expired, and no proven block is as late as that."
        # Where the queue is full now, an earlier try may have found room; what an unknown reason means, a newer program knows.
        open_still = outcome.code == TransactionReason.ADMISSION_QUEUE_FULL or outcome.reason is None
        if sent.sent_before or open_still:
            return f"The node does not take it now: {refusal_of(outcome)}"
        return ""

    def _forget(self, sent: Pending) -> None:
        if self._pending is not None:
            self._pending.forget(sent.id)

    def _submit_batch(self, batch: Sequence[bytes], *, begun: bool = False) -> list[Outcome]:
        """Submit and decode; those turned away by a full queue are submitted again, in order, after a pause.

        Raises :class:`NotSubmittedError` only of the first try, and not where others have ``begun`` before it.
        """
        outcomes: list[Outcome | None] = [None] * len(batch)
        waiting = list(range(len(batch)))
        for attempt in range(QUEUE_FULL_WAITS_MAX + 1):
            try:
                answers = self.transport.submit([batch[place] for place in waiting])
            except NotSubmittedError as error:
                if not attempt and not begun:
                    raise
                raise OperationalError(error.what, SAME_AGAIN) from error
            if len(answers) != len(waiting):
                raise VerificationError(
                    "answer-count", f"{len(waiting)} transactions were submitted, {len(answers)} are answered"
                )
            for place, answer in zip(waiting, answers, strict=True):
                outcomes[place] = outcome_of(batch[place], answer)
            full = int(TransactionReason.ADMISSION_QUEUE_FULL)
            waiting = [place for place in waiting if (known := outcomes[place]) is not None and known.code == full]
            if not waiting or attempt == QUEUE_FULL_WAITS_MAX:
                break
            time.sleep(0.5)
        done = [outcome for outcome in outcomes if outcome is not None]
        written = max((outcome.receipt.height for outcome in done if outcome.receipt is not None), default=0)
        with self._lock:
            self._written_height = max(self._written_height, written)
        return done

    def _proven(self, outcome: Outcome) -> Outcome:
        """Return ``outcome`` with the proof of its receipt. What is proven replaces what the node said."""
        floor = self.verifier.seen()
        data = self.transport.receipt(outcome.transaction_id)
        if data is None:
            raise VerificationError("answer-receipt", "the node answered with a receipt that it cannot prove")
        verified = self._following.checked(partial(self.verifier.check_receipt, outcome.transaction, data, floor=floor))
        return Outcome(
            outcome.transaction_id,
            verified.receipt.code,
            verified.receipt,
            verified.log_index,
            outcome.transaction,
            verified,
        )

    def _transaction_window_ms(self) -> int:
        """Return how far ahead a transaction may expire, as proven once."""
        if self._window_ms is None:
            found: Parameters | None = self.read(ParametersQuery()).record
            if found is None:
                raise VerificationError("answer-record", "a chain without parameters cannot be")
            self._window_ms = found.transaction_window_ms
        return self._window_ms
