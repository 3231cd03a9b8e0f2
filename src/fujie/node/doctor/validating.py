"""What only a node among several validators has: the program that orders its blocks, its own votes, its peers."""

import time
from collections.abc import Iterable
from typing import Final

from fujie.core.errors import OperationalError
from fujie.core.wording import count
from fujie.engine.cometbft.binary import VERSION, look
from fujie.node.cometbft_file import read_comet_file
from fujie.node.cometbft_home import require_votes
from fujie.node.doctor.report import Check, Said, fail, failed, ok, skip, warn
from fujie.node.doctor.scene import Scene
from fujie.node.reach import NEEDED, reach_of, too_few
from fujie.node.state_sync import read_progress

CONNECT_S: Final = 10.0  # for the peers of a node that has just begun
POLL_S: Final = 0.5


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
    role = f"votes with power {status.power}" if status.power else "follows without a vote"
    return [ok(f"{count(status.peers, 'peer')} connected; this node {role}")]


CHECKS: Final = (
    Check("cometbft", "the program that orders blocks among several validators", _program),
    Check("votes", "whether it is known what the validator signed last", _votes),
    Check("peers", "whether the other validators are connected", _peers),
)
