"""What only a mirror has: where it mirrors from, whether it still follows, and the forks that it met."""

from collections.abc import Iterable
from typing import Final

from fujie.core.errors import OperationalError
from fujie.node.control import node_status
from fujie.node.doctor.report import Check, Said, fail, failed, ok
from fujie.node.doctor.scene import Scene
from fujie.node.mirror_file import read_source

STATUS_TIMEOUT_S: Final = 5.0
NAMED_MAX: Final = 5


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
    failure = node_status(scene.folder, STATUS_TIMEOUT_S).failure
    if failure is None:
        yield ok(f"of {source}; it runs and has found nothing wrong with the chain")
        return
    yield fail(
        f"The mirror has stopped following {source}, and serves what it has verified: {failure}",
        "Stop relying on the source before its operator has explained it. The mirror looks again when it is started again.",
    )


def _evidence(scene: Scene) -> Iterable[Said]:
    """Say which forks were met: two blocks of one height, both signed."""
    if not scene.folder.evidence.is_dir():
        return
    found = sorted(path for path in scene.folder.evidence.iterdir() if path.is_file() and path.name[0] != ".")
    if found:
        names = ", ".join(scene.within(path) for path in found[:NAMED_MAX])
        more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
        yield fail(
            f"The validators signed two blocks of one height: {names}{more}.",
            "Stop relying on this chain, keep these files, and show them to its operators and to other mirrors.",
        )


CHECKS: Final = (Check("mirror", "what is mirrored, and whether it is still followed", _mirror),)
