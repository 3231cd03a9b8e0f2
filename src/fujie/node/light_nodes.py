"""Nodes of Fujie as a new node asks them for headers, and the header that it believes first."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fujie.client.light.client import Clock, LightClient, system_ms
from fujie.client.light.node import NodeProvider
from fujie.client.light.provider import HeightAbsent, LightProvider
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.limits import SNAPSHOT_PATH_BYTES_MAX, SNAPSHOT_PATH_MAX
from fujie.proof.changes import verify_changes
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.trust import TrustRoot

TRUST_PART: Final = 0.75  # of the trust period: so old is the header that is believed first; snapshots lie above it
HEIGHT_WAIT_S: Final = 5.0  # for a block that a node is about to have
POLL_S: Final = 0.2


log = logging.getLogger(__name__)


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

    def last_of(self, validators_hash: bytes) -> LightBlock | None:
        """See ``LightProvider``; it may lie above ``newest``."""
        return self._provider.last_of(validators_hash)

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


def check_nodes(urls: Sequence[str], chain_id: str) -> None:
    """Ask each node once whether it serves the chain and has a header. Raises :class:`OperationalError` that says of each what not.

    Nothing is believed for that: a node that begins from a snapshot verifies what it is told.
    """
    if problems := problems_of(urls, chain_id):
        raise OperationalError(
            "A node that begins from a snapshot asks these for headers, and not all of them serve:\n  "
            + "\n  ".join(f"{url}: {problem}" for url, problem in problems.items()),
            "Name nodes of this chain that run: the address of their HTTP interface, as `fujie status` shows it there.",
        )


def problems_of(urls: Sequence[str], chain_id: str) -> dict[str, str]:
    """Return, of each node that does not serve the chain, why not. Nothing is believed for that."""
    return {url: problem for url in urls if (problem := _problem_of(url, chain_id))}


def _problem_of(url: str, chain_id: str) -> str:
    node = LightNode(url)
    try:
        found = node.light_block(None).header.chain_id
    except HeightAbsent:
        return "it has no block yet"
    except OperationalError as error:
        return error.what
    except VerificationError as error:
        return f"what it answers is no header ({error.detail})"
    finally:
        node.close()
    return "" if found == chain_id else f"it serves another chain, {found}, not {chain_id}"


def fetch_changes(nodes: Sequence[LightProvider], since: bytes, newest: LightBlock) -> list[LightBlock]:
    """Return the light blocks at which validators changed, from those with hash ``since`` up to ``newest``, which is believed.

    They are verified. The first node is asked that has them; empty, and a word in the log, where none does: then the chain lacks
    nothing, but leads nobody who knows those validators alone.
    """
    chain_id = newest.header.chain_id
    for node in nodes:
        try:
            blocks = _changes_of(node, since, newest)
            verify_changes(chain_id, [*blocks, newest])
        except (OperationalError, VerificationError) as error:
            log.warning("%s does not show how validators changed up to now: %s", node.name, error)
        else:
            return blocks
    return []


def _changes_of(node: LightProvider, since: bytes, newest: LightBlock) -> list[LightBlock]:
    """Return what a node answers. Raises as ``LightProvider``, and :class:`OperationalError` where it leads nowhere."""
    found: dict[int, LightBlock] = {}
    size = 0
    at = since
    while at != newest.header.validators_hash:
        last = node.last_of(at)
        if (
            last is None
            or last.header.validators_hash != at
            or not max(found, default=0) <= last.header.height < newest.header.height
        ):
            raise OperationalError(f"It does not know what came after the validators {at.hex()}.", "Ask another node.")
        height = last.header.height + 1
        first = newest if height == newest.header.height else node.light_block(height)
        found |= {last.header.height: last, height: first}
        size += len(encode_light_block(last)) + len(encode_light_block(first))
        if len(found) > SNAPSHOT_PATH_MAX or size > SNAPSHOT_PATH_BYTES_MAX:
            raise OperationalError("It shows more changes than a node takes along.", "Ask another node.")
        at = first.header.validators_hash
    found.pop(newest.header.height, None)
    return [found[height] for height in sorted(found)]


def believe(
    root: TrustRoot, nodes: list[LightNode], evidence: Path | None, clock: Clock = system_ms
) -> tuple[LightClient, LightBlock]:
    """Return a light client, and the header that it believed first: old enough for snapshots to lie above it.

    All nodes have it, also one that has no older blocks: CometBFT's light client does not begin where one of them lacks it.
    From there on headers are skipped, while one would walk down to older ones step by step. Raises as ``LightClient.newest``, and
    :class:`OperationalError` where the nodes have no block in common.
    """
    since = _common(nodes, clock() - int(root.trust_period_ms * TRUST_PART))
    client = LightClient(root, nodes[0], nodes[1:], clock=clock, evidence=evidence)
    for node in nodes:
        node.newest = since
    believed = client.newest()  # or, where the root is of newer validators, the last that they signed
    for node in nodes:
        node.newest = None
    return client, believed


def _common(nodes: Sequence[LightNode], oldest_ms: int) -> int:
    """Return the greatest of the heights that ``since`` gives of each node, but for one that no other node has: it is made up.

    Raises :class:`OperationalError` that names the nodes where nothing else is left.
    """
    said = sorted(((node.since(oldest_ms), node) for node in nodes), key=lambda each: each[0], reverse=True)
    for height, node in said:
        others = [other for other in nodes if other is not node]
        if not others or any(other.soon(height) is not None for other in others):
            return height
        log.warning("%s begins with block %d, as it says, which no other node has: it is not heeded", node.name, height)
    raise OperationalError(
        "The nodes that are asked for headers have no block in common that is young enough: "
        + ", ".join(f"{node.name} begins with block {height}" for height, node in said)
        + ".",
        "Name others: nodes of this chain that run, and are not behind (`fujie network recover --above HEIGHT --state-sync URL "
        "--state-sync URL`).",
    )
