"""Which headers may be believed at once, without asking anybody: of the pinned validators, and of those who came after.

A header is judged by the newest one that is believed at its height or below. Where the validators are the same, more than
two thirds of them vouch for it; the pinned ones do so at any time, later ones within the trust period. Where they are
others, a light client has to find out (``client.light.following``). Once validators have changed, the pinned ones vouch
for nothing above: keys that were replaced, and given away later, deceive nobody who has seen the change.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from fujie.client.light.store import LightStore
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.bundle import BundleWithPath, Opened, with_path
from fujie.proof.commit import verify_commit
from fujie.proof.light import Expired, Terms, expired, shortened, verify_root
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash

log = logging.getLogger(__name__)

KEPT_ANEW_PARTS: Final = 8  # the newest header is written again when it is older than this part of the trust period
PIN_ANEW: Final = (
    "Get the chain's present trust root from whoever runs it, by a channel that you trust, and pin that file instead."
)


class UnknownValidators(VerificationError):
    """A header is of other validators than those believed at its height. Its step is ``validators``."""

    def __init__(self, height: int, signers: bytes) -> None:
        super().__init__(
            "validators", f"height {height} has other validators ({signers.hex()}) than those that are trusted"
        )
        self.height = height


class Believed:
    """What is believed of one chain for the sake of ``root``. Any thread may call any method; nothing is asked.

    ``store`` keeps what a light client has found, and is empty until validators change. ``clock`` gives the time in ms.
    """

    def __init__(self, root: TrustRoot, clock: Callable[[], int], store: LightStore | None = None) -> None:
        """Raises :class:`OperationalError` for a store that was filled for another root."""
        self.root = root
        self.store = LightStore() if store is None else store
        self.store.open(root)
        self._clock = clock
        self._terms = Terms(root.trust_period_ms)
        self._lock = threading.Lock()
        self._newest: LightBlock | None = None
        self._lead: tuple[tuple[int, ...], list[LightBlock]] = ((), [])  # heights of the store, and a path through them

    def require(self, block: LightBlock) -> None:
        """Check that ``block`` may be believed now.

        In order, each with the name that the raised :class:`VerificationError` carries:

        1. ``chain-id``: it is of the chain of the root.
        2. ``light-order``: its time lies between those of the believed headers below and above.
        3. ``validators`` (:class:`UnknownValidators`): its validators are those believed at its height.
        4. ``light-expired`` (``light.Expired``): these are the pinned ones, or believed within the trust period.
        5. ``header-…``, ``validator-set``, ``commit-…``: more than two thirds of them signed it.
        6. ``light-conflict``: a light client has found no other header of its height.
        """
        header = block.header
        if header.chain_id != self.root.chain_id:
            raise VerificationError(
                "chain-id", f"the answer is of chain {header.chain_id!r}, the trust root of {self.root.chain_id!r}"
            )
        below, above = self._below(header.height), self.store.above(header.height)
        if (below is not None and below.header.height < header.height and below.header.time_ns >= header.time_ns) or (
            above is not None and above.header.time_ns <= header.time_ns
        ):
            raise VerificationError(
                "light-order", f"height {header.height} is of another time than its place among believed headers"
            )
        signers = validator_set_hash(block.validators)
        if signers != (self._pinned if below is None else below.header.validators_hash):
            raise UnknownValidators(header.height, signers)
        if signers == self._pinned:
            verify_root(self.root, block)
        else:
            assert below is not None, "other validators than the pinned ones are those of a block below"
            if expired(below.header, self._clock(), self._terms):
                raise Expired(f"what is believed ends at height {below.header.height}, of too long ago. {PIN_ANEW}")
            verify_commit(self.root.chain_id, block.validators, header, block.commit)
        found = self.store.at(header.height)
        if found is not None and found.header != header:
            raise VerificationError("light-conflict", f"height {header.height} is believed to be another header")

    def observe(self, block: LightBlock) -> None:
        """Take a block that was believed as the newest, if it is."""
        with self._lock:
            if self._newest is not None and block.header.height <= self._newest.header.height:
                return
            self._newest = block
        if block.header.validators_hash == self._pinned:
            return  # they vouch for themselves at any time
        kept = self.store.newest()
        step_ms = self.root.trust_period_ms // KEPT_ANEW_PARTS
        if kept is not None and kept.header.time_ms + step_ms < block.header.time_ms:
            self.keep_newest()

    def keep_newest(self) -> None:
        """Keep the newest block, so that a light client goes on from there; not of pinned validators, who need not be."""
        with self._lock:
            newest = self._newest
        if newest is None or newest.header.validators_hash == self._pinned or not self.store.heights():
            return
        try:
            self.store.save(newest)
        except OperationalError as error:  # takes nothing from an answer that verified
            log.warning("what is believed of the chain is not kept for the next time: %s", error)

    def knows_pinned_alone(self) -> bool:
        """Tell whether no other validators than the pinned ones are believed by now."""
        newest = self.store.newest()
        return newest is None or newest.header.validators_hash == self._pinned

    def take(self, found: LightStore) -> None:
        """Keep what a light client has found elsewhere for the sake of the same root. Raises :class:`OperationalError`."""
        for height in found.heights():
            block = found.at(height)
            if block is not None:
                self.store.save(block)

    def file_of(self, opened: Opened, data: bytes) -> bytes:
        """Return the bundle ``data``, whose header is believed, as whoever has only the root can verify it.

        Where other validators signed it, the path from those of the root is added; ``data`` as it is where no such path
        is known, which is when a trust root was pinned that is newer than the answer, or the path is too long.
        """
        bundle, block = opened.bundle, opened.block
        if block.header.validators_hash == self._pinned:
            plain = with_path(bundle, ()) if isinstance(bundle, BundleWithPath) else None
            return data if plain is None else encode(plain)
        try:
            path = self._path(block)
            made = None if path is None else with_path(bundle, path)
            if path is not None and made is None:  # too long where everybody shall be accountable
                made = with_path(bundle, shortened([*path, block])[:-1])
        except VerificationError as error:  # takes nothing from an answer that verified
            log.warning("no path to the validators of height %d is known: %s", block.header.height, error)
            return data
        return data if made is None else encode(made)

    # -- inside

    @property
    def _pinned(self) -> bytes:
        return bytes.fromhex(self.root.validators_hash)

    def _below(self, height: int) -> LightBlock | None:
        """Return the highest believed block at or below a height."""
        kept = self.store.below(height)
        with self._lock:
            newest = self._newest
        if newest is None or newest.header.height > height:
            return kept
        return newest if kept is None or newest.header.height > kept.header.height else kept

    def _path(self, block: LightBlock) -> list[LightBlock] | None:
        """Return a path from the pinned validators to those of ``block``, which is not in it; None where none is known."""
        heights = tuple(height for height in self.store.heights() if height < block.header.height)
        with self._lock:
            known, lead = self._lead
        if known != heights:
            blocks = [kept for height in heights if (kept := self.store.at(height)) is not None]
            while len(blocks) > 1 and any(each.header.validators_hash == self._pinned for each in blocks[1:]):
                blocks.pop(0)
            if not blocks or blocks[0].header.validators_hash != self._pinned:
                return None
            lead = shortened(blocks, self._terms.level, self.root.trust_period_ms)
            with self._lock:
                self._lead = heights, lead
        if lead[-1].header.validators_hash == block.header.validators_hash:
            return lead
        # The block itself is the first that a light client found of its validators.
        return shortened([*lead, block], self._terms.level, self.root.trust_period_ms)[:-1]
