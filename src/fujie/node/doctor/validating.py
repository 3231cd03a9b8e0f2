"""What only a node among several validators has: the program that orders its blocks, its own votes, its peers."""

import time
from collections.abc import Iterable
from typing import Final

from fujie.core.errors import FujieError, OperationalError
from fujie.core.wording import count
from fujie.engine.cometbft.binary import VERSION, look
from fujie.node.cometbft_file import read_comet_file
from fujie.node.cometbft_home import require_votes
from fujie.node.doctor.report import Check, Said, fail, failed, ok, skip, warn
from fujie.node.doctor.scene import Scene
from fujie.node.light_nodes import problems_of
from fujie.node.reach import NEEDED, grew_earlier, lacks_first_block, reach_of, too_few
from fujie.node.state_sync import SERVERS_MIN, read_progress

CONNECT_S: Final = 10.0  # for the peers of a node that has just begun
POLL_S: Final = 0.5
DO_SOURCES: Final = (
    "See whether it runs; `fujie network recover --above HEIGHT --state-sync URL --state-sync URL` names others."
)


def _program(_scene: Scene) -> Iterable[Said]:
    found = look()
    used = next((each for each in found if each.fits), None)
    if used is not None:
        return [ok(f"{used.path} is version {used.version}")]
    others = f"; {found[0].path} is {found[0].version or 'none that starts'}" if found else ""
    return [fail(f"There is no cometbft {VERSION} or newer of its line here{others}.", "Run `fujie engine install`.")]


def _votes(scene: Scene) -> Iterable[Said]:
    try:
        file = read_comet_file(scene.folder)
        height = scene.stored.head.height if scene.readable_now else 0
        require_votes(scene.folder, height, file.initial_height)
    except OperationalError as error:
        return [failed(error)]
    return [ok("what this validator signed last is known, so it signs no height twice")]


def _sources(scene: Scene) -> Iterable[Said]:
    try:
        wanted = read_comet_file(scene.folder).state_sync
        if wanted is None:
            return [ok("the node does not begin from a snapshot of others")]
        chain_id = (wanted.trust or scene.folder.trust()).chain_id
    except FujieError as error:
        return [failed(error)]
    problems = problems_of(wanted.servers, chain_id)
    said = [f"{url}: {problem}" for url, problem in problems.items()]
    if len(wanted.servers) - len(problems) >= SERVERS_MIN:
        return [
            *(warn(f"A node that was named with --state-sync does not serve: {each}", DO_SOURCES) for each in said),
            ok(f"{count(len(wanted.servers) - len(problems), 'node')} can be asked for headers"),
        ]
    return [fail(f"A node that was named with --state-sync does not serve: {each}", DO_SOURCES) for each in said]


def _peers(scene: Scene) -> Iterable[Said]:
    if not scene.running:
        return [ok("no node runs")]
    fetching = read_progress(scene.folder)
    if fetching:
        return [
            warn(
                f"The node does not serve yet: it {fetching}.", "Wait until it is done; `fujie up` says how far it is."
            )
        ]
    if lacks_first_block(scene.folder):
        return [failed(grew_earlier(scene.folder))]
    try:
        reach = reach_of(scene.folder)
        give_up_s = time.monotonic() + CONNECT_S
        while scene.just_started and reach.lacks_peers and time.monotonic() < give_up_s:
            time.sleep(POLL_S)
            reach = reach_of(scene.folder)
    except OperationalError as error:
        return [skip("a node has just begun")] if scene.just_started else [failed(error)]
    status = reach.status
    if reach.known and not status.peers:
        return [
            fail(
                f"A node runs, and none of its {count(reach.known, 'peer')} is connected.",
                "Check that they run, their addresses in cometbft.json, and that the network lets both ways through.",
            )
        ]
    if status.catching_up:
        return [
            warn(f"The node fetches older blocks from its peers, at block {status.height:,}.", "Wait until it is done.")
        ]
    if lacking := too_few(reach):
        return [warn(lacking, f"See whether the others run and reach this node: {NEEDED}.")]
    if status.peers < reach.known:
        return [warn(f"{status.peers} of {count(reach.known, 'peer')} are connected.", "See whether the others run.")]
    return [ok(f"{count(status.peers, 'peer')} connected; power of this node's votes: {reach.role()}")]


CHECKS: Final = (
    Check("cometbft", "the program that orders blocks among several validators", _program),
    Check("votes", "whether it is known what the validator signed last", _votes),
    Check(
        "state sync", "whether the nodes serve that are asked for headers at the beginning from a snapshot", _sources
    ),
    Check("peers", "whether the other validators are connected", _peers),
)
