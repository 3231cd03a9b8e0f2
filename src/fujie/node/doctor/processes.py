"""The parts beside the ledger process: the socket that joins them, and the tables that the projector writes."""

import stat
from collections.abc import Iterable
from typing import Final

from fujie.core.wording import count
from fujie.engine.link.address import RUN_NAME, SOCKET_NAME, connect
from fujie.engine.link.messages import LinkError
from fujie.node.doctor.report import Check, Said, fail, ok, skip, warn
from fujie.node.doctor.scene import Scene
from fujie.reader.projection.inspection import inspect
from fujie.reader.projection.schema import FILE_NAME, SCHEMA

LINK_TIMEOUT_S: Final = 2.0
LAG_ENTRIES: Final = 20_000  # two full blocks; beside a store that is read live, a little is always outstanding


def _socket(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    path = scene.folder.home / RUN_NAME / SOCKET_NAME
    if not path.exists():
        if scene.just_started:
            return [ok("none yet: a process has just begun to use the chain")]
        if scene.running:
            return [
                warn(
                    f"A process uses the chain and offers no {scene.within(path)}: it is a library, or a node that starts.",
                    "Commands such as `fujie log level` reach a node of `fujie up` only.",
                )
            ]
        return [ok("none, and no node runs")]
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return [fail(f"{scene.within(path)} is no socket.", f"Remove it: {path}")]
    if not scene.running:
        return [warn(f"{scene.within(path)} was left by a node that was killed.", "The next start replaces it.")]
    try:
        connect(scene.folder.home, LINK_TIMEOUT_S).close()
    except LinkError as error:
        return [fail(f"A node runs and does not answer at {scene.within(path)}: {error.what}", "Start the node again.")]
    return [ok(f"{scene.within(path)} answers")]


def _projection(scene: Scene) -> Iterable[Said]:
    path = scene.folder.home / FILE_NAME
    enabled = scene.config is None or scene.config.projection.enabled
    if not path.exists():
        text = "there is none" if enabled else "there is none, and projection.enabled is false"
        if enabled and scene.just_started:
            return [ok("none yet: a process has just begun to use the chain")]
        if enabled and scene.running:
            return [
                warn(
                    "A node runs and has no projection: there are no lists, search or history.",
                    "See `fujie log show --process projector`.",
                )
            ]
        return [ok(text)]
    rebuild = "Build it anew: `fujie projection rebuild`. Nothing but time is lost."
    found = inspect(path)
    if found is None:
        return [fail(f"{path.name} does not read.", rebuild)]
    if found.schema != SCHEMA:
        return [
            warn(
                f"{path.name} has the tables of another version ({found.schema}, this one has {SCHEMA}).",
                "The node builds it anew at its start.",
            )
        ]
    if scene.trust is not None and found.chain_id != scene.trust.chain_id:
        return [fail(f"{path.name} is of another chain, {found.chain_id}.", rebuild)]
    if scene.description is None or not scene.readable_now:
        return [ok(f"at log entry {found.log_size:,}")]
    behind = scene.stored.head.log_size - found.log_size
    if behind < 0 and scene.running:  # the store was read before the projection, and both move on
        behind = max(scene.read_stored().head.log_size - found.log_size, behind)
    if behind < 0:
        return [
            fail(f"{path.name} is {count(-behind, 'log entry')} ahead of the chain: the chain was set back.", rebuild)
        ]
    if behind > LAG_ENTRIES:
        do = "See `fujie log show --process projector`." if scene.running else "The node catches up when it runs."
        return [warn(f"{path.name} is {count(behind, 'log entry')} behind.", do)]
    return [ok(f"at log entry {found.log_size:,}, {behind:,} behind")]


CHECKS: Final = (
    Check("socket", "the socket between the processes of a node", _socket),
    Check("projection", "the tables for lists and search", _projection),
)
