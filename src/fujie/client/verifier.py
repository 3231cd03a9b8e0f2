"""The check that stands between a server's answer and a client's belief.

``proof.bundle.verify`` proves that a bundle is true under the trust root; of an answer that comes now, the validators who
are believed by now have signed it (``client.light.believed``). What is left is checked here: that the answer is about what
was asked (the verifier derives the state key itself from the query), that it is fresh, that the chain did not go back, and
that a receipt is of the very transaction that was submitted.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from fujie.client.heads import HeadMemory, SeenHead
from fujie.client.light.believed import Believed
from fujie.client.light.store import LightStore
from fujie.core.encoding import Codec, Record
from fujie.core.errors import DecodeError, VerificationError
from fujie.core.query import Query
from fujie.core.state import Key
from fujie.core.transaction import SIGNED_TRANSACTION, Receipt, Transaction, check_signatures, transaction_id
from fujie.core.wording import span
from fujie.modules.catalog import RECEIPT, TRANSACTION, codec_of
from fujie.proof import bundle as bundles
from fujie.proof.bundle import Absent, Logged, Present, Verified
from fujie.proof.commit import decided_ms
from fujie.proof.header import Header
from fujie.proof.light_block import LightBlock
from fujie.proof.past import in_force
from fujie.proof.trust import CLOCK_DRIFT_MS, FRESHNESS_MS_DEFAULT, TrustRoot

R = TypeVar("R", bound=Record)

SUBJECT_FIELDS: Final = ("identifier", "prefix", "scheme", "code", "edition")
"""Fields by which records with a history say what they are about, which no version of a record may change."""


class _UnderHeader:
    """What both kinds of verified answers say of the header that proves them.

    Of a file, ``validators_path`` says how its validators came after those of the trust root, and ``within_period``
    whether they all could be held to account (``path`` and so of ``proof.bundle.Verified``). An answer that came now is
    signed by those who are believed now, and has no path.
    """

    __slots__ = ()
    header: Header
    validators_path: tuple[Header, ...]
    within_period: bool

    @property
    def height(self) -> int:
        """Height of the header that proves the answer."""
        return self.header.height

    @property
    def time_ms(self) -> int:
        """Time of the header that proves the answer."""
        return self.header.time_ms


@dataclass(frozen=True, slots=True)
class VerifiedRecord(_UnderHeader, Generic[R]):
    """What provably stands at a state key, or that nothing does (``record`` None).

    ``time_ms`` and ``height`` are those of the signed header that proves it; the state is that after the block before.
    With ``at_ms`` the record is the version that was in force then, and ``current`` the one that stands today.
    ``bundle`` is the whole proof, fit to be kept as a ``.fujie`` file.
    """

    path: str
    record: R | None
    current: R | None
    at_ms: int | None
    header: Header
    header_hash: bytes
    bundle: bytes
    validators_path: tuple[Header, ...] = ()
    within_period: bool = True


@dataclass(frozen=True, slots=True)
class VerifiedReceipt(_UnderHeader):
    """What the ledger provably did with a transaction, and the transaction itself. ``receipt.code`` 0 is success.

    ``height`` and ``time_ms`` are those of the header; the transaction itself stands in an earlier block.
    """

    transaction_id: bytes
    transaction: Transaction[Any]
    receipt: Receipt[Any]
    log_index: int
    header: Header
    header_hash: bytes
    bundle: bytes
    validators_path: tuple[Header, ...] = ()
    within_period: bool = True


VerifiedItem = VerifiedRecord[Any] | VerifiedReceipt


def system_clock_ms() -> int:
    """Return the time of this machine in ms."""
    return time.time_ns() // 1_000_000


class Verifier:
    """Checks answers against one trust root. Any thread may call any method.

    ``clock`` gives the time in ms, ``freshness_ms`` how old the header of a current answer may be (never more than the
    trust root's ``trust_period_ms``), ``memory`` what was seen before, ``store`` which validators came after those of the
    trust root (both in memory only where none is given). It asks nobody: where validators are unknown, ``believed`` is to
    learn them, from ``client.light.following``.
    """

    def __init__(
        self,
        trust: TrustRoot,
        clock: Callable[[], int] = system_clock_ms,
        *,
        freshness_ms: int = FRESHNESS_MS_DEFAULT,
        memory: HeadMemory | None = None,
        store: LightStore | None = None,
    ) -> None:
        """Raises :class:`OperationalError` for a store that was filled for another root."""
        self.trust = trust
        self.believed = Believed(trust, clock, store)
        self._clock = clock
        self._freshness_ms = min(freshness_ms, trust.trust_period_ms)
        self._memory = memory if memory is not None else HeadMemory()

    def seen(self) -> SeenHead | None:
        """Return the newest header seen of the chain: take it before asking, and hand it to the check of the answer."""
        return self._memory.seen(self.trust.chain_id)

    def check_record(
        self, query: Query, data: bytes, *, at_ms: int | None = None, floor: SeenHead | None = None
    ) -> VerifiedRecord[Any]:
        """Return what the bundle ``data`` proves about the one ``query``. See :meth:`check_records`."""
        return self.check_records([query], data, at_ms=at_ms, floor=floor)[0]

    def check_records(
        self, queries: Sequence[Query], data: bytes, *, at_ms: int | None = None, floor: SeenHead | None = None
    ) -> list[VerifiedRecord[Any]]:
        """Return what the bundle ``data`` proves about each of ``queries``, in order; with ``at_ms`` what was true then.

        Steps, each of which raises :class:`VerificationError` under its name:

        1. ``decode``, ``chain-id``; those of ``Believed.require``; ``app-hash``, ``state-…``, ``log-…``;
        2. ``answer-count``, ``answer-kind``, ``answer-path``: one record or absence for each query, at the key that
           follows from the query itself;
        3. ``freshness``: the header, or else the votes for it, are not older than allowed, and it is not ahead of the clock;
        4. ``fork``, ``stale-head``: it does not contradict, or fall behind, what was seen of the chain (``floor``, or
           all that was seen so far);
        5. ``answer-record``: the record is one of its kind; ``answer-versions``: old versions only where asked for;
        6. with ``at_ms``, ``answer-time``: it lies before the header; and the steps of ``proof.past.in_force``.
        """
        floor = floor or self.seen()
        opened, verified = self._proven(data)
        if len(verified.items) != len(queries):
            raise VerificationError(
                "answer-count", f"{len(queries)} questions were asked, {len(verified.items)} are answered"
            )
        keys = [query.key() for query in queries]
        answers = [(key, _about(key, item)) for key, item in zip(keys, verified.items, strict=True)]
        self._check_freshness(opened.block)
        kept = self._observe(opened, verified, floor, data)
        return [_opened(key, item, verified, at_ms, kept) for key, item in answers]

    def check_receipt(self, transaction: bytes, data: bytes, *, floor: SeenHead | None = None) -> VerifiedReceipt:
        """Return the receipt that the bundle ``data`` proves for the canonical signed ``transaction``.

        Steps: 1 of :meth:`check_records`; ``answer-count``, ``answer-kind``; ``answer-transaction`` (it is about
        these very bytes, up to their signatures, which the id does not cover); ``freshness``, ``fork``, ``stale-head``;
        ``answer-receipt`` (the receipt is canonical and names the transaction and an earlier block);
        ``transaction-keys``, ``transaction-signature`` (everyone whom the transaction names has signed it).
        """
        floor = floor or self.seen()
        wanted = SIGNED_TRANSACTION.decode(transaction)
        opened, verified = self._proven(data)
        item = _only_logged(verified)
        if SIGNED_TRANSACTION.decode(item.transaction).body != wanted.body:
            raise VerificationError(
                "answer-transaction",
                f"submitted was {transaction_id(wanted.body).hex()}, the receipt is of {bundles.logged_id(item).hex()}",
            )
        self._check_freshness(opened.block)
        return _receipt_of(item, verified, self._observe(opened, verified, floor, data))

    def check_receipt_of(self, identifier: bytes, data: bytes, *, floor: SeenHead | None = None) -> VerifiedReceipt:
        """As :meth:`check_receipt`, for a transaction of which only the 32-byte id is known."""
        floor = floor or self.seen()
        opened, verified = self._proven(data)
        item = _only_logged(verified)
        if bundles.logged_id(item) != identifier:
            raise VerificationError(
                "answer-transaction",
                f"asked was {identifier.hex()}, the receipt is of {bundles.logged_id(item).hex()}",
            )
        self._check_freshness(opened.block)
        return _receipt_of(item, verified, self._observe(opened, verified, floor, data))

    def _proven(self, data: bytes) -> tuple[bundles.Opened, Verified]:
        """Return what an answer proves under a header of validators who are believed now. Its own path is not looked at."""
        opened = bundles.open_bundle(data)
        bundles.require_chain(opened, self.trust)
        self.believed.require(opened.block)
        return opened, bundles.verify_contents(opened, self.trust)

    def _check_freshness(self, block: LightBlock) -> None:
        """Raise ``freshness`` for a verified header that is too old to speak of now, or from the future."""
        now_ms = self._clock()
        age_ms = now_ms - block.header.time_ms
        if age_ms > self._freshness_ms:
            # The first block after a halt has the time of the halt; the votes for it say when it was made.
            age_ms = min(age_ms, now_ms - decided_ms(self.trust.chain_id, block.validators, block.commit))
        if age_ms > self._freshness_ms:
            raise VerificationError(
                "freshness", f"the newest header is {span(age_ms)} old, at most {span(self._freshness_ms)} are accepted"
            )
        if age_ms < -CLOCK_DRIFT_MS:
            raise VerificationError(
                "freshness",
                f"the header is {span(-age_ms)} ahead of this clock, at most {span(CLOCK_DRIFT_MS)} are accepted",
            )

    def _observe(self, opened: bundles.Opened, verified: Verified, floor: SeenHead | None, data: bytes) -> bytes:
        """Remember the header of an answer; return the answer as a file keeps it. Raises ``fork``, ``stale-head``."""
        header = verified.header
        head = SeenHead(header.height, verified.header_hash.hex(), header.time_ms)
        self._memory.observe(self.trust.chain_id, head, floor, data)
        self.believed.observe(opened.block)
        return self.believed.file_of(opened, data)


def verify_file(data: bytes, trust: TrustRoot) -> list[VerifiedItem]:
    """Return everything that the content of a ``.fujie`` file proves under ``trust``, in its order, offline.

    Steps: those of ``proof.bundle.verify``, then ``answer-record`` for a record; ``answer-receipt``, ``transaction-keys``
    and ``transaction-signature`` for a receipt, as in :class:`Verifier`. There is no freshness: the answer was true at the
    time of its header, and the caller says how old that may be. Records come in the version that stood under the header;
    older versions in the file are for :func:`verify_file_at`. Where other validators signed it than those of ``trust``,
    ``validators_path`` says how they came to be, and the caller says so where ``within_period`` is false.
    """
    verified = bundles.verify(data, trust)
    return [_any_item(item, verified, None, data) for item in verified.items]


def verify_file_at(data: bytes, trust: TrustRoot, at_ms: int) -> list[VerifiedItem]:
    """As :func:`verify_file`, with every record in the version that was in force at ``at_ms``.

    Also raises ``answer-time`` and the steps of ``proof.past.in_force``.
    """
    verified = bundles.verify(data, trust)
    return [_any_item(item, verified, at_ms, data) for item in verified.items]


def _any_item(item: bundles.Item, verified: Verified, at_ms: int | None, data: bytes) -> VerifiedItem:
    if isinstance(item, Logged):
        return _receipt_of(item, verified, data)
    try:
        key: Key[Any] = Key(item.path, codec_of(item.path))
    except DecodeError as error:
        raise VerificationError("answer-record", error.detail) from None
    return _opened(key, item, verified, at_ms, data, versions_allowed=True)


def _opened(
    key: Key[R],
    item: Present | Absent,
    verified: Verified,
    at_ms: int | None,
    data: bytes,
    *,
    versions_allowed: bool = False,
) -> VerifiedRecord[R]:
    """Return what a proven item says about ``key``, now or at ``at_ms``."""
    if at_ms is not None and at_ms >= verified.time_ms:
        # The block of the header itself, and all later ones, may have changed the record at that time or after.
        raise VerificationError("answer-time", f"the proof knows the time before {verified.time_ms}, not {at_ms}")
    if isinstance(item, Absent):
        return _record(key, None, None, at_ms, verified, data)
    current = _decode(key.codec, item.record)
    record: R | None = current
    if at_ms is not None:
        if not hasattr(current, "standing"):
            raise VerificationError("answer-time", f"records such as {key.path!r} have no history")
        record = in_force(current, item.versions, at_ms, key.codec, _subject)
    elif item.versions and not versions_allowed:
        raise VerificationError("answer-versions", "old versions were not asked for")
    return _record(key, record, current, at_ms, verified, data)


def _record(
    key: Key[R], record: R | None, current: R | None, at_ms: int | None, verified: Verified, data: bytes
) -> VerifiedRecord[R]:
    header, digest, _, path, within = verified
    return VerifiedRecord(key.path, record, current, at_ms, header, digest, data, path, within)


def _decode(codec: Codec[R], record: bytes) -> R:
    try:
        return codec.decode(record)
    except DecodeError as error:
        raise VerificationError("answer-record", error.detail) from None


def _subject(record: Record) -> tuple[Any, ...]:
    """Return what a record is about, which none of its versions may change."""
    # The name of an account or organisation is what it is about; that of an identifier is what its record says of it.
    own_name = None if hasattr(record, "identifier") else getattr(record, "name", None)
    return own_name, *(getattr(record, field, None) for field in SUBJECT_FIELDS)


def _about(key: Key[Any], item: bundles.Item) -> Present | Absent:
    """Return ``item`` as an answer about ``key``. Raises ``answer-kind``, ``answer-path``."""
    if isinstance(item, Logged):
        raise VerificationError("answer-kind", "a receipt is no answer to a query of the state")
    if item.path != key.path:
        raise VerificationError("answer-path", f"asked was {key.path!r}, the answer is about {item.path!r}")
    return item


def _only_logged(verified: Verified) -> Logged:
    """Return the one receipt of a bundle. Raises ``answer-count``, ``answer-kind``."""
    if len(verified.items) != 1:
        raise VerificationError("answer-count", f"one receipt was asked for, {len(verified.items)} items came")
    item = verified.items[0]
    if not isinstance(item, Logged):
        raise VerificationError("answer-kind", "a record of the state is no receipt")
    return item


def _receipt_of(item: Logged, verified: Verified, data: bytes) -> VerifiedReceipt:
    """Return the proven receipt of a logged item.

    Raises ``answer-receipt``, ``transaction-keys``, ``transaction-signature``. The log holds no signatures: without the
    last two steps they could be anything.
    """
    signed = SIGNED_TRANSACTION.decode(item.transaction)
    identifier = transaction_id(signed.body)
    try:
        receipt = RECEIPT.decode(item.receipt)
        transaction = TRANSACTION.decode(signed.body)
    except DecodeError as error:
        raise VerificationError("answer-receipt", error.detail) from None
    if receipt.transaction_id != identifier or receipt.height >= verified.header.height:
        raise VerificationError("answer-receipt", "the receipt names another transaction, or a later block")
    check_signatures(identifier, transaction.public_keys, signed.signatures)
    header, digest, _, path, within = verified
    return VerifiedReceipt(identifier, transaction, receipt, item.proof.index, header, digest, data, path, within)
