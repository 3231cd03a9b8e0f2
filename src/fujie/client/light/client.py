"""The light client: which headers of a chain to believe, from nodes that are not trusted, for the sake of a pinned root.

One node, the primary, is asked for headers; they are verified by the rules of ``proof.light`` and compared with what the
witnesses say (``client.light.detector``). Only then are they believed, and kept.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from fujie.client.light.detector import Detector, Word, block_hash, block_of, compare_first
from fujie.client.light.provider import HeightAbsent, LightProvider, TooFar
from fujie.client.light.store import LightStore
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.header import NANOSECONDS_PER_MS
from fujie.proof.light import (
    Expired,
    NotEnoughTrust,
    Root,
    Terms,
    expired,
    verify,
    verify_backwards,
    verify_root,
)
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot

log = logging.getLogger(__name__)

T = TypeVar("T")
Clock = Callable[[], int]  # milliseconds since 1970

FETCHES_MAX: Final = 1_000  # light blocks asked for between a believed one and the target; bisection needs a few dozen


class _Failing(Exception):
    """What the primary answers, or that it does not, is of no use; ``silent`` when it may be asked again another time."""

    def __init__(self, error: OperationalError | VerificationError) -> None:
        super().__init__(error)
        self.error = error
        self.silent = isinstance(error, OperationalError)


def system_ms() -> int:
    """Return the time of the machine's clock, in milliseconds since 1970."""
    return time.time_ns() // NANOSECONDS_PER_MS


class LightClient:
    """Believes headers for the sake of ``root``: a trust root (its validators), or one header by height and hash.

    ``primary`` is asked, ``witnesses`` are compared with; one that contradicts with nothing to show is not asked again,
    and a primary that fails is replaced by the first witness (one that is only silent becomes the last witness). Without
    witnesses nothing is compared. Headers are skipped as ``terms`` allow, or none with ``sequential``. ``evidence`` is the
    folder for proof of attacks, that of the store by default. Any thread may call; one call runs at a time.

    Every method raises: :class:`DivergenceError` where validators signed two chains; ``Expired`` where what is believed is
    older than the trust period, and a newer root must be pinned; :class:`VerificationError` where no node answers what
    holds, of the last node asked; :class:`TooFar`; :class:`HeightAbsent` for a height that the primary does not have;
    :class:`OperationalError` where no node answers or the store cannot be used.
    """

    def __init__(
        self,
        root: Root,
        primary: LightProvider,
        witnesses: Sequence[LightProvider] = (),
        *,
        store: LightStore | None = None,
        clock: Clock = system_ms,
        terms: Terms | None = None,
        sequential: bool = False,
        fetches_max: int = FETCHES_MAX,
        evidence: Path | None = None,
    ) -> None:
        """Ask nothing yet. The trust period is that of ``root``, unless ``terms`` are given."""
        self._root = root
        self._primary = primary
        self._witnesses = list(witnesses)
        self._store = LightStore() if store is None else store
        self._clock = clock
        self._terms = Terms(root.trust_period_ms) if terms is None else terms
        self._trace = self._walk if sequential else self._skip
        self._fetches_max = fetches_max
        self._evidence = self._store.folder if evidence is None else evidence
        self._lock = threading.Lock()
        self._store.open(root)

    @property
    def primary(self) -> LightProvider:
        """The node that is asked."""
        return self._primary

    @property
    def witnesses(self) -> tuple[LightProvider, ...]:
        """The nodes that are compared with."""
        return tuple(self._witnesses)

    def newest(self) -> LightBlock:
        """Return the newest light block that the primary has, verified; or a believed one, if that is newer."""
        return self._asking(self._reach_newest)

    def at(self, height: int) -> LightBlock:
        """Return the light block at ``height`` (from 1), verified.

        Below what is believed it is found by the hash in the block after it; then its header and validators are certain,
        and the signatures beside them were not needed.
        """
        return self._asking(lambda: self._reach(height))

    # -- asking the primary, or the next one

    def _asking(self, attempt: Callable[[], T]) -> T:
        """Return what ``attempt`` does, with one primary after another until one serves."""
        with self._lock:
            for others in range(len(self._witnesses), -1, -1):
                try:
                    self._begin()
                    return attempt()
                except _Failing as failing:
                    if not others or not self._witnesses:
                        raise failing.error from None
                    self._replace_primary(failing)
        raise AssertionError("the last attempt returns or raises")

    def _replace_primary(self, failing: _Failing) -> None:
        log.warning("%s is replaced by %s: %s", self._primary.name, self._witnesses[0].name, failing.error)
        if failing.silent:
            self._witnesses.append(self._primary)
        self._primary = self._witnesses.pop(0)

    def _fetch(self, height: int | None) -> LightBlock:
        try:
            return block_of(self._primary, height)
        except HeightAbsent:
            raise
        except (OperationalError, VerificationError) as error:
            raise _Failing(error) from None

    # -- the first block

    def _begin(self) -> None:
        """Make sure that something is believed: what the store holds, or a block for which the root vouches."""
        if self._store.heights():
            return
        root = self._root
        block = self._first_of_root(root) if isinstance(root, TrustRoot) else self._fetch(root.height)
        try:
            verify_root(root, block)
            if block.header.time_ns >= (self._clock() + self._terms.clock_drift_ms) * NANOSECONDS_PER_MS:
                raise VerificationError("light-future", f"the header is of {block.header.time_ms} ms, that is to come")
        except VerificationError as error:
            raise _Failing(error) from None
        if isinstance(root, TrustRoot):
            self._witnesses = [
                each for each in self._witnesses if compare_first(block, root, each, self._evidence) is not Word.FAULTY
            ]
        self._store.begin(root, block)

    def _first_of_root(self, root: TrustRoot) -> LightBlock:
        """Return the newest block of the root's validators that the primary has, or one that is not theirs.

        A primary that cannot say which one that is has it found by halving. So it is where they signed the newest block,
        or the oldest one that the primary has and those after it until they were replaced.
        """
        found = self._fetch(None)
        if found.header.validators_hash.hex() == root.validators_hash:
            return found
        return self._told_last(root) or self._halved_last(root, found)

    def _told_last(self, root: TrustRoot) -> LightBlock | None:
        try:
            return self._primary.last_of(bytes.fromhex(root.validators_hash))
        except (OperationalError, VerificationError) as error:
            raise _Failing(error) from None

    def _halved_last(self, root: TrustRoot, newest: LightBlock) -> LightBlock:
        high = newest.header.height
        found = self._oldest(newest)
        low = found.header.height
        if found.header.validators_hash.hex() != root.validators_hash:
            if low == 1:
                return found  # which is then refused
            raise OperationalError(
                f"{self._primary.name} begins with block {low}, which others signed than the validators of the trust root.",
                "Pin a newer trust root, or a header by height and hash, or ask a node that has older blocks.",
            )
        while high - low > 1:
            middle = self._fetch((low + high) // 2)
            if middle.header.validators_hash.hex() == root.validators_hash:
                found, low = middle, middle.header.height
            else:
                high = middle.header.height
        return found

    def _oldest(self, newest: LightBlock) -> LightBlock:
        """Return the oldest block that the primary has: one that began with a snapshot has none from before."""
        with contextlib.suppress(HeightAbsent):
            return self._fetch(1)
        found, low, high = newest, 1, newest.header.height
        while high - low > 1:
            middle = (low + high) // 2
            try:
                found, high = self._fetch(middle), middle
            except HeightAbsent:
                low = middle
        return found

    # -- from what is believed to what is asked for

    def _reach_newest(self) -> LightBlock:
        found, believed = self._fetch(None), self._believed()
        if found.header.height > believed.header.height:
            return self._forward(believed, found)
        known = self._store.at(found.header.height)
        if known is not None and block_hash(known) != block_hash(found):
            self._contradicted(known)
        return believed

    def _reach(self, height: int) -> LightBlock:
        known = self._store.at(height)
        if known is not None:
            return known
        below, above = self._store.below(height), self._store.above(height)
        if below is not None and (above is None or not expired(below.header, self._clock(), self._terms)):
            return self._forward(below, self._fetch(height))
        if above is None:
            raise HeightAbsent(self._primary.name, height)
        return self._backward(above, height)

    def _believed(self) -> LightBlock:
        believed = self._store.newest()
        if believed is None:
            raise AssertionError("something is believed from the beginning on")
        return believed

    def _forward(self, believed: LightBlock, target: LightBlock) -> LightBlock:
        """Verify ``target`` for the sake of ``believed``, ask the witnesses, and keep what was verified."""
        try:
            trace = self._trace(believed, target, self._primary)
        except (Expired, TooFar):
            raise
        except OperationalError as error:  # it has the target, and not what leads there
            raise _Failing(error) from None
        except VerificationError as error:
            if error.step != "commit-signature":
                raise _Failing(error) from None
            return self._around(believed, target, error)
        self._compare_and_save(trace)
        return trace[-1]

    def _around(self, believed: LightBlock, target: LightBlock, problem: VerificationError) -> LightBlock:
        """Verify the block after ``target``, and ``target`` by its hash: some signatures of it count for CometBFT alone."""
        height = target.header.height
        try:
            trace = self._trace(believed, block_of(self._primary, height + 1), self._primary)
            verify_backwards(trace[-1].header, target)
        except (Expired, TooFar):
            raise
        except (OperationalError, VerificationError):
            raise _Failing(problem) from None
        self._compare_and_save(trace)
        return target

    def _backward(self, above: LightBlock, height: int) -> LightBlock:
        """Go down by hashes from ``above`` to ``height``."""
        if above.header.height - height > self._fetches_max:
            raise TooFar(height, above.header.height, self._fetches_max)
        block = above
        while block.header.height > height:
            before = self._fetch(block.header.height - 1)
            try:
                verify_backwards(block.header, before)
            except VerificationError as error:
                raise _Failing(error) from None
            block = before
        self._store.save(block)
        return block

    # -- traces

    def _skip(self, believed: LightBlock, target: LightBlock, source: LightProvider) -> list[LightBlock]:
        """Return blocks from ``believed`` to ``target``, halving the way where too little trust reaches so far."""
        trace, ahead, fetched = [believed], [target], 0
        while ahead:
            try:
                block = self._verified(trace[-1], ahead[-1])
            except VerificationError as error:
                _nearer(trace[-1], ahead, error, source)
                fetched += 1
                if fetched > self._fetches_max:
                    raise TooFar(trace[-1].header.height, target.header.height, self._fetches_max) from None
                continue
            trace.append(block)
            ahead.pop()
        return trace

    def _walk(self, believed: LightBlock, target: LightBlock, source: LightProvider) -> list[LightBlock]:
        """Return all blocks from ``believed`` to ``target``, each verified for the sake of the one before."""
        low, high = believed.header.height, target.header.height
        if high - low - 1 > self._fetches_max:
            raise TooFar(low, high, self._fetches_max)
        trace = [believed]
        for height in range(low + 1, high):
            trace.append(self._verified(trace[-1], block_of(source, height)))
        trace.append(self._verified(trace[-1], target))
        return trace

    def _verified(self, believed: LightBlock, block: LightBlock) -> LightBlock:
        """Return ``block`` once it is verified, or the same header with a commit of another node that is."""
        now_ms = self._clock()
        try:
            verify(believed.header, believed.validators, block, now_ms, self._terms)
        except VerificationError as error:
            if error.step != "commit-signature":
                raise
            for other in (self._primary, *self._witnesses):
                try:
                    candidate = block_of(other, block.header.height)
                    if candidate.header == block.header and candidate.commit != block.commit:
                        verify(believed.header, believed.validators, candidate, now_ms, self._terms)
                        return candidate
                except (OperationalError, VerificationError):
                    continue
            raise
        return block

    # -- witnesses

    def _compare_and_save(self, trace: Sequence[LightBlock]) -> None:
        """Ask the witnesses about a trace, then keep it.

        Raises :class:`DivergenceError`, and :class:`VerificationError` (``light-conflict``) where a witness has another
        signed header and it stays open which of the two follows on what is believed.
        """
        detector = self._detector(trace)
        said = [(each, detector.ask(each)) for each in self._witnesses]
        self._witnesses = [each for each, word in said if word is not Word.FAULTY]
        conflicting = [each.name for each, word in said if word is Word.CONFLICTS]
        if conflicting:
            raise VerificationError(
                "light-conflict",
                f"{', '.join(conflicting)} shows another signed header at or below height {trace[-1].header.height} and "
                "not what leads to it: ask a node that has older blocks as well, or pin a newer header",
            )
        for block in trace[1:]:
            self._store.save(block)

    def _contradicted(self, known: LightBlock) -> None:
        """Ask the primary why it denies a believed block. Raises :class:`DivergenceError`, or it fails."""
        if (before := self._store.below(known.header.height - 1)) is not None:
            self._detector([before, known]).ask(self._primary)
        raise _Failing(VerificationError("light-conflict", f"height {known.header.height} is believed to be another"))

    def _detector(self, trace: Sequence[LightBlock]) -> Detector:
        return Detector(
            lambda: self._path(trace[0].header.height), trace, self._trace, self._terms.level, self._evidence
        )

    def _path(self, height: int) -> list[LightBlock]:
        """Return the believed blocks up to ``height``."""
        blocks = (self._store.at(each) for each in self._store.heights() if each <= height)
        return [block for block in blocks if block is not None]


def _nearer(believed: LightBlock, ahead: list[LightBlock], error: VerificationError, source: LightProvider) -> None:
    """Change the way ahead, whose next block, the last of ``ahead``, is not verified for the sake of the believed one.

    For want of trust, a block between the two comes first; one in the middle with votes that do not count here is replaced
    by the block after it, which serves as well. Raises ``error`` where there is no other way.
    """
    after = ahead[-1].header.height + 1
    if isinstance(error, NotEnoughTrust):
        ahead.append(_between(believed, ahead[-1], source))
    elif error.step == "commit-signature" and len(ahead) > 1 and after < ahead[-2].header.height:
        ahead[-1] = block_of(source, after)
    else:
        raise error


def _between(believed: LightBlock, ahead: LightBlock, source: LightProvider) -> LightBlock:
    """Return a block between two that are no neighbours: of the middle, where the source has that.

    One that began with a snapshot may lack it, and have the last block of the validators who are believed, and the first
    of those who came after them. Raises as ``LightProvider.light_block``.
    """
    low, high = believed.header.height, ahead.header.height
    try:
        return block_of(source, (low + high) // 2)
    except HeightAbsent:
        last = source.last_of(believed.header.validators_hash)
        if last is not None and low < last.header.height < high:
            return last
        return block_of(source, low + 1)
