"""What a mirror keeps of a deviation for others, who have the trust root alone (``proof.evidence``)."""

import logging
from collections.abc import Callable

from fujie.core.errors import VerificationError
from fujie.engine.mirror_blocks import Arrived, Deviation
from fujie.engine.mirror_path import StoredPath
from fujie.proof.evidence import EvidenceFile, ResultStep, fork_file, result_file
from fujie.proof.light_block import LightBlock
from fujie.proof.named import is_signed

log = logging.getLogger(__name__)


class MirrorEvidence:
    """Makes files of evidence and hands them on; none where a block in it has too few votes that count, and so shows nothing."""

    def __init__(self, path: StoredPath, keep: Callable[[EvidenceFile], None]) -> None:
        self._path = path
        self._keep = keep

    def fork(self, ours: LightBlock, theirs: LightBlock) -> None:
        """Keep two blocks of one height."""
        self._make(lambda: fork_file(ours, theirs, self._path.to(ours)), ours, theirs)

    def result(self, found: Deviation, last: LightBlock, held: Arrived | None, following: LightBlock) -> None:
        """Keep what ``following`` signs of the block before it, ``last``, whose transactions and evidence ``held`` has."""
        step: ResultStep = "app-hash" if found.step == "app-hash" else "results-hash"
        raws = [each.raw for each in held.transactions] if held else []
        acts = held.evidence if held else ()

        def make() -> EvidenceFile:
            return result_file(step, found.ours, last, raws, following, self._path.to(last), acts)

        self._make(make, last, following)

    def _make(self, make: Callable[[], EvidenceFile], *blocks: LightBlock) -> None:
        try:
            file = make() if all(is_signed(block.header.chain_id, block) for block in blocks) else None
        except VerificationError as error:  # of a block on the way from the trust root
            log.warning("no evidence can be made: %s", error)
            return
        if file is None:
            log.warning("no evidence can be made: too few votes for block %d count", blocks[0].header.height)
        else:
            self._keep(file)
