"""A mirror compares what it has verified with what other nodes, its witnesses, say of the same heights.

A mirror sees the chain that its source shows it. Where validators sign a second one for somebody else, no single node shows both:
a witness of another organisation does. Then the mirror cannot tell which is the true one, keeps the evidence, and stops serving.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from fujie.client.light.client import LightClient
from fujie.client.light.detector import DivergenceError
from fujie.client.light.following import store_in
from fujie.client.light.node import NodeProvider
from fujie.client.light.provider import HeightAbsent
from fujie.core.errors import FujieError
from fujie.engine.mirror import MirrorEngine
from fujie.engine.signers import last_of
from fujie.node.folder import Folder
from fujie.proof.light import Terms
from fujie.proof.light_block import LightBlock, decode_light_block
from fujie.proof.trust import TrustRoot

COMPARE_S: Final = 5.0  # between comparisons, and what a witness may be behind
EVER_MS: Final = 2**53  # what the mirror has verified block by block needs no trust period

log = logging.getLogger(__name__)


class Witnesses:
    """The nodes at ``urls``, compared with what ``engine`` has verified. One thread calls."""

    def __init__(self, engine: MirrorEngine, folder: Folder, trust: TrustRoot, urls: Sequence[str]) -> None:
        """Ask nothing yet. Raises :class:`OperationalError` for a URL that cannot be used, or a damaged folder."""
        self._engine = engine
        self._providers = [NodeProvider(url, plain_http=True) for url in urls]
        self._client = LightClient(
            trust,
            _Own(engine),
            self._providers,
            store=store_in(folder.home, trust),
            terms=Terms(trust_period_ms=EVER_MS),
            evidence=folder.evidence,
        )
        self._height = 0  # what was newest at the last comparison

    def compare(self, *, wait: bool = True) -> None:
        """Compare the newest signed block, or with ``wait`` the one that was newest at the last comparison.

        Raises :class:`DivergenceError` when a witness shows that validators signed two chains; what else is wrong with it is
        logged.
        """
        newest = decode_light_block(self._engine.proven.light_block).header.height
        if newest > self._engine.head.height:  # it is about to be stored; the one that is proves nothing to others
            newest = self._height
        height, self._height = (self._height if wait else newest), newest
        if not height:
            return
        try:
            self._client.at(height)
        except DivergenceError:
            raise
        except FujieError as error:
            log.warning("block %d is not compared with witnesses: %s", height, error)

    def watch(self, stop: threading.Event, diverged: Callable[[DivergenceError], None]) -> None:
        """Compare until ``stop`` is set, or a witness shows two chains, which ``diverged`` is told of."""
        while not stop.wait(COMPARE_S):
            try:
                self.compare()
            except DivergenceError as error:
                diverged(error)
                return
            except Exception:
                if not stop.is_set():  # the store is closed when the mirror ends
                    raise

    def close(self) -> None:
        """Free the connections."""
        for provider in self._providers:
            provider.close()


class _Own:
    """Implements ``LightProvider`` on the mirror's own store."""

    name = "this mirror"

    def __init__(self, engine: MirrorEngine) -> None:
        self._engine = engine

    def light_block(self, height: int | None) -> LightBlock:
        """See ``LightProvider``."""
        found = self._engine.light_block(self._engine.head.height if height is None else height)
        if found is None:
            raise HeightAbsent(self.name, height)
        return found

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        """See ``LightProvider``."""
        return last_of(self._engine, validators_hash)


def what_to_do(error: DivergenceError) -> str:
    """Return what people are told who have to find out which chain is the true one."""
    file = error.path or "the file of evidence"
    return (
        f"The mirror stops serving: {error}. It cannot tell which chain is the true one. Rely on neither before the "
        f"organisations that run validators have told you. Show them {file}: `fujie verify` checks it with the trust root "
        "alone, and `fujie network report-evidence` on a validator records on the chain who signed."
    )
