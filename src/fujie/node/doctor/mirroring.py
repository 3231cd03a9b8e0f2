"""What only a mirror has: where it mirrors from, whether it still follows, and the evidence that it met."""

import contextlib
from collections.abc import Iterable
from typing import Final

from fujie.client.replication import ReplicationSource
from fujie.core.errors import FujieError, OperationalError
from fujie.core.wording import count
from fujie.node.control import node_status
from fujie.node.doctor.report import Check, Said, fail, failed, ok, warn
from fujie.node.doctor.scene import Scene
from fujie.node.mirror_file import read_source

STATUS_TIMEOUT_S: Final = 5.0
BEHIND_BLOCKS: Final = 500  # as many as an answer of the source may have


def _mirror(scene: Scene) -> Iterable[Said]:
    if not scene.mirrors:
        yield ok("this folder is no mirror")
        return
    yield from _evidence(scene)
    try:
        source = read_source(scene.folder)
    except OperationalError as error:
        yield failed(error)
        return
    if scene.url is None:
        yield ok(f"of {source}; it does not run")
        return
    status = node_status(scene.folder, STATUS_TIMEOUT_S)
    if status.failure is not None:
        yield fail(
            f"The mirror has stopped following {source}, and serves what it has verified: {status.failure}",
            "If that is a step of a block, stop relying on the source before its operator has explained it; otherwise mend "
            "what it says. The mirror looks again when it is started again.",
        )
        return
    yield distance(source, status.head.height)


def distance(source: str, height: int) -> Said:
    """Say how far a mirror that follows is behind what its source says of itself."""
    try:
        asked = ReplicationSource(source, plain_http=True, answer_timeout_s=STATUS_TIMEOUT_S)
        with contextlib.closing(asked):
            behind = max(asked.height() - height, 0)
    except FujieError:
        return warn(
            f"The mirror runs, at block {height:,}, and {source} does not answer.",
            "It is asked again; if it stays away, mirror another node of the chain: `fujie mirror URL`.",
        )
    if behind > BEHIND_BLOCKS:
        return warn(
            f"The mirror of {source} runs, at block {height:,}, {behind:,} blocks behind.",
            "It catches up; if the number grows, see `fujie log show --level warning`.",
        )
    return ok(f"of {source}; it runs, {count(behind, 'block')} behind, and has found nothing wrong with the chain")


def _evidence(scene: Scene) -> Iterable[Said]:
    """Say what was met that validators must not sign."""
    if not scene.folder.evidence.is_dir():
        return
    found = sorted(path for path in scene.folder.evidence.iterdir() if path.is_file() and path.name[0] != ".")
    for kind, what in (
        ("fork", "The validators signed two blocks of one height"),
        ("result", "The validators signed another result of a block than it has here"),
    ):
        if files := [path for path in found if path.name.startswith(f"{kind}-")]:
            yield fail(
                f"{what}: {scene.named(files)}.",
                f"Stop relying on this chain, keep the evidence (`fujie verify {files[0]}` checks it), and show it to "
                "its operators and to other mirrors.",
            )


CHECKS: Final = (Check("mirror", "what is mirrored, and whether it is still followed", _mirror),)
