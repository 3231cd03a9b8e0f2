"""A chain that anyone may read, whose first validator has left: the nodes that mirror it, over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fujie.api.serving import Settings
from fujie.machine.genesis import compose
from fujie.modules.membership.records import SetValidator, Visibility
from fujie.node.folder import Folder
from fujie.node.snapshot import save_snapshot
from fujie.proof.trust import TrustRoot
from tests import world
from tests.e2e.http_node import Node, serving
from tests.engine.mirroring import Mirror, mirroring
from tests.engine.several import SeveralChain
from tests.world import VALIDATOR

OTHERS = [world.signer(f"validator {number}") for number in range(4)]
TRUST_PERIOD_MS = 100 * 366 * 86_400_000  # the chain of these tests is of 2025


class Town:
    """A chain that anyone may read, whose first validator has left; a node that mirrors it; its folder and a snapshot."""

    def __init__(self, place: Path) -> None:
        genesis = compose("world", world.START_MS, world.parts(("membership",), visibility=Visibility.PUBLIC))
        self.chain = SeveralChain([VALIDATOR, *OTHERS], genesis=genesis)
        self.chain.vote(*(SetValidator(each.public_key, 10, "world") for each in OTHERS))
        self.chain.vote(SetValidator(VALIDATOR.public_key, 0, "world"))
        self.folder = Folder(place / "node")
        self.folder.home.mkdir()
        self.folder.chain.mkdir()
        self.twin = Mirror(self.chain, "sqlite", self.folder.chain, genesis)
        self.folder.write_description("sqlite", "mirror")
        self.folder.write_trust(self.trust)
        self.twin.catch_up()
        self.snapshot = place / "snapshot"
        save_snapshot(self.folder, self.snapshot)
        self.chain.vote(SetValidator(OTHERS[0].public_key, 0, "world"))
        self.twin.catch_up()

    @property
    def trust(self) -> TrustRoot:
        return msgspec.structs.replace(self.chain.trust(), trust_period_ms=TRUST_PERIOD_MS)


def forked(town: Town, blocks: int) -> SeveralChain:
    """The same chain up to its last ``blocks`` blocks, which its validators have signed otherwise."""
    chain = SeveralChain([VALIDATOR, *OTHERS], genesis=town.chain.genesis)
    for (_, raws, evidence), light in list(zip(town.chain.items, town.chain.lights, strict=True))[:-blocks]:
        chain.make(raws, evidence, time_ns=light.header.time_ns)
    assert chain.items == town.chain.items[:-blocks]
    for _ in range(blocks):
        chain.make(later_ms=7)
    return chain


@contextmanager
def served(chain: SeveralChain) -> Iterator[Node]:
    """A node that mirrors a chain."""
    with mirroring(chain, genesis=chain.genesis) as twin:
        twin.catch_up()
        assert twin.engine.failure is None
        with serving(twin.engine, settings=Settings(mirror_of=chain.url)) as node:  # type: ignore[arg-type]  # any engine will do
            yield node
