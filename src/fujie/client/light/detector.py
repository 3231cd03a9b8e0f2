"""Comparing what one node made a light client believe with what other nodes, the witnesses, say.

A witness that is silent or behind proves nothing. One that contradicts a believed header has either nothing to show for
it, and is not asked again, or shows headers that hold as well: then validators signed two truths, the light client stops,
and a file says so to everybody. One whose header is signed and that lacks what would lead to it, as a node that began with
a snapshot may, shows neither: what it contradicts is not believed.

Source: CometBFT 0.38 specification, "Light client", "Detection" ([LCD-FUNC-DETECTOR.2]).
"""

import logging
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path

from fujie.client.files import write_atomically
from fujie.client.light.provider import HeightAbsent, LightProvider
from fujie.core.errors import OperationalError, VerificationError
from fujie.proof.commit import verify_commit
from fujie.proof.header import header_hash
from fujie.proof.light import TrustLevel, shortened, verify_root
from fujie.proof.light_attack import Attack, blame, contradict, encode_attack
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot

log = logging.getLogger(__name__)

# (believed block, target, source) -> blocks from the first to the target, each of which follows on the one before
Tracing = Callable[[LightBlock, LightBlock, LightProvider], list[LightBlock]]


class DivergenceError(VerificationError):
    """Two headers that contradict each other both hold: validators attack. Its step is ``light-divergence``.

    ``evidence`` is the text that proves it (``proof.light_attack.check_evidence``), ``path`` the file that keeps it, if
    it could be written. Nothing of it is believed; people have to find out which chain is the true one.
    """

    def __init__(self, attack: Attack, evidence: bytes, path: Path | None, witness: str) -> None:
        ours, theirs = attack.headers
        super().__init__(
            "light-divergence",
            f"validators signed two chains ({attack.kind}): {header_hash(ours).hex()} at height {ours.height}, and "
            f"{header_hash(theirs).hex()} at height {theirs.height}, which {witness} shows"
            + (f"; evidence in {path}" if path else ""),
        )
        self.attack = attack
        self.evidence = evidence
        self.path = path


class Word(Enum):
    """What a witness says of a believed header."""

    AGREES = "agrees"
    SILENT = "silent"  # it does not answer, or is behind
    CONFLICTS = "conflicts"  # it contradicts with a signed header, and does not show all that leads there
    FAULTY = "faulty"  # it contradicts without anything to show, or answers what cannot be read


class Detector:
    """Asks witnesses about ``trace``: blocks that were believed one for the sake of the other, the first of them before.

    ``path`` returns what leads from where the client began to the first of the trace, ``follow`` finds a trace with a witness as the
    source, ``folder`` takes the evidence.
    """

    def __init__(
        self,
        path: Callable[[], Sequence[LightBlock]],
        trace: Sequence[LightBlock],
        follow: Tracing,
        level: TrustLevel,
        folder: Path | None,
    ) -> None:
        self._path = path
        self._trace = trace
        self._follow = follow
        self._level = level
        self._folder = folder

    def ask(self, witness: LightProvider) -> Word:
        """Return what a witness says. Raises :class:`DivergenceError` when it can show what it says instead."""
        try:
            theirs = self._at_same_height(witness)
            if theirs is None:
                return Word.SILENT
            if not contradict(theirs.header, self._trace[-1].header):
                return Word.AGREES
        except OperationalError as error:
            log.info("a witness is silent: %s", error)
            return Word.SILENT
        except VerificationError as error:
            log.warning("%s answers what cannot be read: %s", witness.name, error)
            return Word.FAULTY
        try:
            verify_commit(self._trace[0].header.chain_id, theirs.validators, theirs.header, theirs.commit)
            self._examine(witness, theirs)
        except OperationalError as error:
            log.warning("%s contradicts what others say and does not show why: %s", witness.name, error)
            return Word.CONFLICTS
        except DivergenceError:
            raise
        except VerificationError as error:
            log.warning("%s contradicts what others say and cannot show why: %s", witness.name, error)
        return Word.FAULTY

    def _at_same_height(self, witness: LightProvider) -> LightBlock | None:
        """Return what the witness has at the height of the newest block of the trace.

        Where that lies ahead of it, its newest block counts if it claims a later time; else it is behind (None).
        """
        target = self._trace[-1].header
        try:
            return block_of(witness, target.height)
        except HeightAbsent:
            newest = block_of(witness, None)
        if newest.header.height < target.height and newest.header.time_ns >= target.time_ns:
            return newest
        return None

    def _examine(self, witness: LightProvider, theirs: LightBlock) -> None:
        """Find where the two chains part. Raises :class:`DivergenceError`, :class:`VerificationError` of the witness, or
        :class:`OperationalError` where it does not show, or lacks, what leads to what it has.
        """
        agreed, place, theirs = self._parting(witness, theirs)
        common, ours = self._trace[agreed], self._trace[agreed + 1 : place + 1]
        shown = self._follow(common, theirs, witness)
        attack = blame(common, ours[-1], shown[-1])
        path = shortened([*self._path(), *self._trace[1 : agreed + 1]], self._level)
        evidence = encode_attack(path, ours, shortened(shown, self._level)[1:])
        raise DivergenceError(attack, evidence, _keep(attack, evidence, self._folder), witness.name)

    def _parting(self, witness: LightProvider, newest: LightBlock) -> tuple[int, int, LightBlock]:
        """Return the places in the trace of the last block that the witness does not contradict and of the first that it
        does, and what it has instead of that.

        ``newest`` is what contradicts the last of the trace, at its height or, with a later time, below. Blocks that the
        witness lacks are passed over; the first of the trace is believed, and what follows on it counts, in any case.
        """
        agreed = 0
        if newest.header.height < self._trace[0].header.height:
            raise HeightAbsent(witness.name, self._trace[0].header.height)
        for place, block in enumerate(self._trace):
            if block.header.height > newest.header.height:
                return (
                    agreed,
                    place,
                    newest,
                )  # its time lies after that of the last of the trace, and so after this one's
            try:
                theirs = block_of(witness, block.header.height)
            except HeightAbsent:
                continue
            if block_hash(theirs) == block_hash(block):
                agreed = place
            elif place:
                return agreed, place, theirs
            else:
                raise VerificationError("light-witness", "the witness denies the header from which both should follow")
        raise VerificationError("light-witness", "the witness no longer says what it said")


def compare_first(block: LightBlock, root: TrustRoot, witness: LightProvider, folder: Path | None) -> Word:
    """Return what a witness says of the first block, for which only the validators of ``root`` vouch.

    Raises :class:`DivergenceError` when they signed what the witness has instead as well.
    """
    try:
        theirs = block_of(witness, block.header.height)
        if block_hash(theirs) == block_hash(block):
            return Word.AGREES
        verify_root(root, theirs)
    except OperationalError as error:
        log.info("a witness is silent: %s", error)
        return Word.SILENT
    except VerificationError as error:
        log.warning("%s contradicts what others say and cannot show why: %s", witness.name, error)
        return Word.FAULTY
    attack, evidence = blame(None, block, theirs), encode_attack([], [block], [theirs])
    raise DivergenceError(attack, evidence, _keep(attack, evidence, folder), witness.name)


def _keep(attack: Attack, evidence: bytes, folder: Path | None) -> Path | None:
    """Write the evidence and return where, or None when that fails: the error that tells of it must not be lost."""
    if folder is None:
        return None
    theirs = attack.headers[1]
    path = folder / f"attack-{theirs.chain_id}-{theirs.height}-{header_hash(theirs).hex()[:16]}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, evidence)
    except (OperationalError, OSError) as error:
        log.warning("evidence of an attack is not kept: %s", error)
        return None
    return path


def block_of(provider: LightProvider, height: int | None) -> LightBlock:
    """Return what a provider has at a height. Raises as ``LightProvider``, and for a block of another height."""
    block = provider.light_block(height)
    if height is not None and block.header.height != height:
        raise VerificationError(
            "light-answer", f"{provider.name} answers with height {block.header.height} for height {height}"
        )
    return block


def block_hash(block: LightBlock) -> bytes:
    """Return the 32-byte hash of a block's header."""
    return header_hash(block.header)
