"""Blocks from a source that is not trusted: fetched beside the thread that carries them out, and checked one by one.

    fetch      decode, height, commit by its own validators, data hash, every signature      (needs no state)
               where too few of its votes count: a later block that is signed names it       (Successors)
    next       validators, form, parent, time: whether a block follows the one before        (needs the block before)
    results    app hash, results hash, announced validators of the next header against ours  (engine.mirror)

Whatever does not hold is a :class:`Deviation`: it names the step, the height, and both values.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from fujie.core.errors import DecodeError, OperationalError, VerificationError
from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.transaction import VerifiedTransaction
from fujie.engine.admission import ACCEPTED, VerifierProcess, decode_verified, verdict
from fujie.engine.intake import VERIFY_BATCH_MAX, VERIFY_INLINE_MAX
from fujie.modules.catalog import reason
from fujie.proof.block import data_hash
from fujie.proof.block_evidence import evidence_hash, misbehaviour_in
from fujie.proof.block_link import Link
from fujie.proof.commit import verify_commit
from fujie.proof.header import consensus_params_hash, header_hash
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.named import NAMED_MAX, has_too_few_votes, is_signed, verify_named

T = TypeVar("T")
Item = tuple[bytes, list[bytes], list[bytes]]
"""A block as a source sends it: light block, signed transactions, evidence of misbehaviour (``proof.block_evidence``)."""

STEPS: Final = (
    "decode",
    "block-height",
    "block-evidence",
    "block-data",
    "block-transaction",
    "fork",
    "block-validators",
    "block-form",
    "block-parent",
    "block-time",
    "app-hash",
    "results-hash",
    "validators-change",
)
"""The names of the steps at which a mirror stops, besides those of ``verify_commit`` and ``proof.named.verify_named``."""

STRANGERS: Final = "it is signed by other validators than those who were announced for it"
APP_VERSION: Final = 0  # as the embedded engine writes it
CONSENSUS_HASH: Final = consensus_params_hash(BLOCK_BYTES_MAX, -1)


class Source(Protocol):
    """The node that is mirrored. It may lose, repeat and lie; every method raises :class:`OperationalError` where it cannot
    be asked, and :class:`VerificationError` for an answer that is none. Methods may be called from any one thread.
    """

    url: str

    def blocks(self, height: int, wait_ms: int, limit: int) -> list[Item]:
        """Return up to ``limit`` blocks from ``height`` on.

        Waits so long for the first of them.
        """
        ...

    def height(self) -> int:
        """Return the height of the newest block, as the source says."""
        ...

    def close(self) -> None:
        """Free what is held."""
        ...


class Deviation(VerificationError):
    """What the source says is not what it must be. ``ours`` and ``theirs`` are the two values, where there are two."""

    def __init__(self, step: str, height: int, what: str, ours: bytes = b"", theirs: bytes = b"") -> None:
        values = f": ours {ours.hex()}, theirs {theirs.hex()}" if ours or theirs else ""
        super().__init__(step, f"block {height}: {what}{values}")
        self.height = height
        self.ours = ours
        self.theirs = theirs


class SourceTrouble(OperationalError):
    """The source cannot be asked now, or is behind. Nothing is wrong with what it said; it is asked again."""


class Arrived(NamedTuple):
    """A block whose own content holds together: certain, with the transactions and evidence that its header commits to."""

    block: LightBlock
    hash: bytes  # of the header
    transactions: tuple[VerifiedTransaction, ...]
    evidence: tuple[bytes, ...]
    misbehaviour: tuple[Misbehaviour, ...]  # what the evidence tells
    naming: tuple[LightBlock, ...] = ()  # where too few signed it: those after it up to one that is signed and names it

    @property
    def signed(self) -> bool:
        """Whether it is signed; else a later block that is names it, and it proves nothing by itself (``proof.named``)."""
        return not self.naming

    @property
    def height(self) -> int:
        """Height of the block."""
        return self.block.header.height


def link_of(block: LightBlock) -> Link:
    """Return what the block after ``block`` must name."""
    return Link.of(block.header, block.commit, len(block.validators.validators))


def check_next(link: Link, block: LightBlock) -> None:
    """Raise :class:`Deviation` unless ``block`` is the one after that of ``link``.

    Steps, in order: ``block-height``, ``block-validators`` (whatever strangers sign says nothing), ``block-form``
    (versions and consensus parameters are those that every block has), ``block-parent``, ``block-time``.
    """
    header = block.header
    height = header.height
    if height != link.height + 1:
        raise Deviation("block-height", height, f"the next block has height {link.height + 1}")
    if header.validators_hash != link.next_validators_hash:
        raise Deviation("block-validators", height, STRANGERS, link.next_validators_hash, header.validators_hash)
    if header.app_version != APP_VERSION:
        raise Deviation("block-form", height, f"its application has version {header.app_version}")
    if header.consensus_hash != CONSENSUS_HASH:
        what = "it has other consensus parameters than every block of this version"
        raise Deviation("block-form", height, what, CONSENSUS_HASH, header.consensus_hash)
    if not link.precedes(header):
        theirs = header.last_block_id.hash
        if theirs == link.block_id.hash:
            raise Deviation("block-parent", height, "it names another commit of the block before")
        raise Deviation("block-parent", height, "it follows another block", link.block_id.hash, theirs)
    if header.time_ns <= link.time_ns:
        raise Deviation("block-time", height, "it is not later than the block before")


def arrived(
    chain_id: str,
    height: int,
    light_block: bytes,
    raws: Sequence[bytes],
    evidence: Sequence[bytes],
    verify: "Verifier",
    successors: "Successors | None" = None,
) -> Arrived:
    """Return the block in what the source sent for ``height``; without ``successors`` it must be signed itself.

    Raises :class:`Deviation`, in order: ``decode``, ``block-height``, the steps of ``verify_commit`` and of
    ``Successors.naming``, ``block-evidence``, ``block-data``, ``block-transaction``.
    """
    block = _light_block(height, light_block)
    naming: tuple[LightBlock, ...] = ()
    try:
        verify_commit(chain_id, block.validators, block.header, block.commit)
    except VerificationError as error:
        if successors is None or not has_too_few_votes(error):
            raise Deviation(error.step, height, error.detail) from None
        naming = successors.naming(block, error)
    header = block.header
    misbehaviour = _told(height, evidence, header.evidence_hash)
    if (found := data_hash(raws)) != header.data_hash:
        raise Deviation("block-data", height, "the transactions are not those of the header", found, header.data_hash)
    transactions = tuple(verify(height, raws))
    return Arrived(block, header_hash(header), transactions, tuple(evidence), misbehaviour, naming)


def _light_block(height: int, data: bytes) -> LightBlock:
    """Return the light block that the source sent for ``height``. Raises :class:`Deviation`."""
    try:
        block = decode_light_block(data)
    except DecodeError as error:
        raise Deviation("decode", height, error.detail) from None
    if block.header.height != height:
        raise Deviation("block-height", height, f"the source sent block {block.header.height} instead")
    return block


def _told(height: int, evidence: Sequence[bytes], expected: bytes) -> tuple[Misbehaviour, ...]:
    """Return what the evidence in a block tells. Raises :class:`Deviation` (``block-evidence``)."""
    try:
        found = evidence_hash(evidence)
        if found != expected:
            raise Deviation("block-evidence", height, "the evidence is not that of the header", found, expected)
        return misbehaviour_in(evidence)
    except DecodeError as error:
        raise Deviation("block-evidence", height, error.detail) from None


class Successors:
    """Finds the blocks after one whose votes count for CometBFT alone: in what the source has sent, or by asking it."""

    def __init__(self, chain_id: str, source: Source, height: int, items: Sequence[Item]) -> None:
        """``items`` are the blocks that the source sent from ``height`` on."""
        self._chain_id = chain_id
        self._source = source
        self._sent = {height + number: item[0] for number, item in enumerate(items)}
        self._named: dict[bytes, tuple[LightBlock, ...]] = {}  # by hash of the header

    def naming(self, block: LightBlock, problem: VerificationError) -> tuple[LightBlock, ...]:
        """Return the blocks after ``block`` up to one that is signed and names it; whose turn it was is for :func:`check_next`.

        Raises :class:`Deviation`: as ``problem`` where the source has no such block after it, or not among the next 64; the
        steps of :func:`arrived` for those, and of ``proof.named.verify_named``; what ``Source.blocks`` raises.
        """
        known = self._named.get(header_hash(block.header))
        if known is not None:
            return known
        height = block.header.height
        row = [block]
        try:
            while (following := self._after(row)) is not None:
                row.append(following)
                if is_signed(self._chain_id, following):
                    verify_named(self._chain_id, row)
                    if not all(link_of(before).precedes(after.header) for before, after in pairwise(row)):
                        break  # the one validator that there is signed otherwise than the source says
                    after = tuple(row[1:])
                    self._named |= {header_hash(each.header): after[place:] for place, each in enumerate(row[:-1])}
                    return after
        except Deviation:
            raise
        except DecodeError as error:
            raise Deviation("decode", height + len(row), error.detail) from None
        except VerificationError as error:
            raise Deviation(error.step, height, f"of it and those after it: {error.detail}") from None
        raise Deviation(problem.step, height, f"{problem.detail}, and no later block that is signed names it")

    def _after(self, row: Sequence[LightBlock]) -> LightBlock | None:
        """Return the block after ``row``; None where the source has none, or too many were looked at."""
        height = row[-1].header.height + 1
        if len(row) > NAMED_MAX:
            return None
        if height not in self._sent:
            items = self._source.blocks(height, 0, NAMED_MAX + 1 - len(row))
            self._sent |= {height + number: item[0] for number, item in enumerate(items)}
        data = self._sent.get(height)
        return None if data is None else _light_block(height, data)


class Verifier:
    """Verifies the signatures of a block: a few in this process, many in the worker process of admission."""

    def __init__(self, use_worker: bool) -> None:
        self._use_worker = use_worker
        self._worker: VerifierProcess | None = None

    def __call__(self, height: int, raws: Sequence[bytes]) -> list[VerifiedTransaction]:
        """Return the transactions of block ``height``. Raises :class:`Deviation`, step ``block-transaction``."""
        for position, code in enumerate(self._verdicts(raws)):
            if code != ACCEPTED:
                known = reason(code)
                raise Deviation("block-transaction", height, f"transaction {position}: {known and known.sentence}")
        return [decode_verified(raw) for raw in raws]

    def close(self) -> None:
        """Stop the worker."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _verdicts(self, raws: Sequence[bytes]) -> bytes:
        if len(raws) <= VERIFY_INLINE_MAX or not self._use_worker:
            return bytes([verdict(raw) for raw in raws])
        found = b""
        try:
            if self._worker is None:
                self._worker = VerifierProcess()
            for start in range(0, len(raws), VERIFY_BATCH_MAX):
                self._worker.send(raws[start : start + VERIFY_BATCH_MAX])
                found += self._worker.receive()
        except (EOFError, OSError):  # the worker was killed: what it had not answered is verified here
            self.close()
            found += bytes([verdict(raw) for raw in raws[len(found) :]])
        return found


class Fetcher:
    """Asks the source in a thread of its own, so that the next blocks arrive while these are carried out.

    The thread is a daemon: a request that still waits for an answer holds nobody up when the mirror stops.
    """

    def __init__(self, chain_id: str, source: Source, *, use_worker: bool, notify: Callable[[], None]) -> None:
        """``notify`` is called, in that thread, whenever an answer is there."""
        self._chain_id = chain_id
        self._source = source
        self._verify = Verifier(use_worker)
        self._notify = notify
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="fujie-mirror-source", daemon=True).start()

    def blocks(self, height: int, wait_ms: int, limit: int) -> "Future[list[Arrived | Deviation]]":
        """Ask for blocks from ``height`` on. The future raises :class:`SourceTrouble` or :class:`Deviation`.

        A block that does not hold by itself is the last of its list, as what is wrong with it.
        """

        def ask() -> list[Arrived | Deviation]:
            try:
                items = self._source.blocks(height, wait_ms, limit)
            except DecodeError as error:
                raise Deviation("decode", height, error.detail) from None
            if len(items) > limit:
                raise Deviation("decode", height, f"{limit} blocks were asked for, {len(items)} came")
            found: list[Arrived | Deviation] = []
            successors = Successors(self._chain_id, self._source, height, items)
            for number, item in enumerate(items):
                try:
                    found.append(arrived(self._chain_id, height + number, *item, self._verify, successors))
                except Deviation as error:
                    found.append(error)
                    break
            return found

        return self._call(ask)

    def height(self) -> "Future[int]":
        """Ask for the height of the newest block."""
        return self._call(self._source.height)

    def close(self) -> None:
        """End the thread when it has its answer, and free the source."""
        self._calls.put(None)

    def _call(self, ask: Callable[[], T]) -> "Future[T]":
        future: Future[T] = Future()
        self._calls.put((future, ask))
        return future

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            future, ask = call
            try:
                future.set_result(ask())
            except OperationalError as error:
                future.set_exception(SourceTrouble(error.what, error.do))
            except BaseException as error:  # noqa: BLE001 - whatever it is, who asked is told
                future.set_exception(error)
            self._notify()
        self._verify.close()
        self._source.close()
