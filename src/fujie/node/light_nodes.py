"""Nodes of Fujie as a new node asks them for headers, and the header that it believes first."""

import time
from pathlib import Path
from typing import Final

from fujie.client.light.client import Clock, LightClient, system_ms
from fujie.client.light.node import NodeProvider
from fujie.client.light.provider import HeightAbsent, LightProvider
from fujie.core.errors import VerificationError
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot

TRUST_PART: Final = 0.75  # of the trust period: so old is the header that is believed first; snapshots lie above it
HEIGHT_WAIT_S: Final = 5.0  # for a block that a node is about to have
POLL_S: Final = 0.2


class LightNode(LightProvider):
    """A node that is asked for headers. Its newest one is at most that of height ``newest``, where that is given."""

    def __init__(self, url: str) -> None:
        # Nothing secret is asked or told, and all that is told is verified: plain HTTP does.
        self._provider = NodeProvider(url, plain_http=True)
        self.newest: int | None = None

    @property
    def name(self) -> str:
        """See ``LightProvider``."""
        return self._provider.name

    def light_block(self, height: int | None) -> LightBlock:
        """See ``LightProvider``."""
        return self._provider.light_block(self.newest if height is None else height)

    def soon(self, height: int | None) -> LightBlock | None:
        """Return a light block, waiting a moment for one that the node is about to have; or None."""
        give_up_s = time.monotonic() + HEIGHT_WAIT_S
        while True:
            try:
                return self.light_block(height)
            except HeightAbsent:
                if time.monotonic() > give_up_s:
                    return None
                time.sleep(POLL_S)

    def since(self, time_ms: int) -> int:
        """Return the height of the first block that is not older, or of the newest one; what it is told is not verified."""
        high = self.light_block(None).header.height
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            try:
                old = self.light_block(middle).header.time_ms < time_ms
            except HeightAbsent:
                old = True
            low, high = (middle, high) if old else (low, middle)
        return high

    def close(self) -> None:
        """Free the connection."""
        self._provider.close()


def believe(
    root: TrustRoot, nodes: list[LightNode], evidence: Path | None, clock: Clock = system_ms
) -> tuple[LightClient, LightBlock]:
    """Return a light client, and the header that it believed first: old enough for snapshots to lie above it.

    From there on headers are skipped, while one would walk down to older ones step by step. Raises as ``LightClient.newest``.
    """
    since = nodes[0].since(clock() - int(root.trust_period_ms * TRUST_PART))
    client = LightClient(root, nodes[0], nodes[1:], clock=clock, evidence=evidence)
    try:
        for node in nodes:
            node.newest = since
        believed = client.newest()
    except VerificationError as error:
        if error.step != "validators":
            raise
        # The root is of newer validators than that header's: what they signed is where it begins.
        for node in nodes:
            node.newest = None
        client = LightClient(root, nodes[0], nodes[1:], clock=clock, evidence=evidence)
        believed = client.newest()
    for node in nodes:
        node.newest = None
    return client, believed
