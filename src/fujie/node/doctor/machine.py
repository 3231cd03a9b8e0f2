"""The machine and the installation: versions, file system, limits, the port."""

import errno
import platform
import re
import resource
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fujie import __version__
from fujie.engine.ports import bind_error, port_taken
from fujie.node.doctor.report import Check, Said, fail, ok, skip, warn
from fujie.node.doctor.scene import Scene, process_name
from fujie.node.open_files import wanted_files

NETWORK_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "sshfs", "fuse.sshfs"}
)
MEMORY_SYSTEMS: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
MOUNTS: Final = Path("/proc/self/mountinfo")

_PIN: Final = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^;\s]+)\s*(?:;(?P<marker>.*))?")
_LISTEN: Final = "0A"  # the state of a listening socket in /proc/net/tcp


def _versions(_scene: Scene) -> Iterable[Said]:
    python = platform.python_version()
    wrong = list(package_findings(requires("fujie") or [], _installed))
    if wrong:
        return wrong
    return [ok(f"fujie {__version__} on Python {python}; every package has the version it was tested with")]


def package_findings(requirements: Iterable[str], installed: Callable[[str], str | None]) -> Iterable[Said]:
    """Yield what is missing, or has another version than its pin in ``requirements``; extras and other systems aside."""
    for requirement in requirements:
        match = _PIN.fullmatch(requirement.strip())
        if match is None or "extra" in (match["marker"] or ""):
            continue
        found = installed(match["name"])
        if found is None:
            yield fail(f"The package {match['name']} is not installed.", "Install Fujie again: `make up`.")
        elif found != match["version"]:
            yield warn(
                f"{match['name']} {found} is installed; Fujie was tested with {match['version']}.",
                "Install what requirements/runtime.txt names.",
            )


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _file_system(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    if not MOUNTS.exists():
        return [skip("this system does not say")]
    kind = file_system_of(scene.folder.home, MOUNTS.read_text("utf-8", "replace"))
    if kind in MEMORY_SYSTEMS:
        return [warn(f"The folder lies in memory ({kind}): it is gone when the machine stops.", "Move it to a disk.")]
    if kind in NETWORK_SYSTEMS or kind.startswith("fuse"):
        return [
            warn(
                f"The folder lies on {kind}: its locks may not hold between machines, and what is synced may not be on a disk.",
                "Move it to a local disk.",
            )
        ]
    return [ok(f"{kind or 'unknown'}, a local one")]


def file_system_of(path: Path, mounts: str) -> str:
    """Return the kind of the file system that ``path`` lies on, by the text of /proc/self/mountinfo; empty if unknown."""
    place = path.resolve()
    best, kind = Path(), ""
    for line in mounts.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        if place.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, after.split(" ")[0]  # of two on one point, the later one covers the earlier
    return kind


def _open_files(scene: Scene) -> Iterable[Said]:
    if scene.config is None:
        return [skip("the configuration does not read")]
    wanted = wanted_files(scene.config)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return [
            warn(
                f"A process may have {hard:,} files open; a reader with {scene.config.streams.connections_max:,} event streams needs {wanted:,}.",
                "Raise the limit (ulimit -Hn, LimitNOFILE of systemd), or lower streams.connections_max.",
            )
        ]
    return [ok(f"{soft:,}, and the node may raise it to the {wanted:,} that it needs")]


def _port(scene: Scene) -> Iterable[Said]:
    if scene.url is not None:
        return _own_port(scene.url)
    if scene.config is None:
        return [skip("the configuration does not read")]
    host, port = scene.config.http.host, scene.config.http.port
    if (obstacle := no_listening(host, port)) is not None and not scene.running:
        return [obstacle]
    taken = port_taken(host, port)
    who = f" by {found}" if taken and (found := listener_of(port)) else ""
    if scene.running:
        if scene.just_started:
            return [ok("a process has just begun to use the chain, and is still to say where it answers")]
        told = f"{host}:{port} is in use{who}, which is not it" if taken else f"nothing listens at {host}:{port}"
        return [
            warn(
                f"A process uses the chain and does not say where it answers; {told}.",
                "A library answers nowhere; a node says it once it serves: `fujie log show`.",
            )
        ]
    if taken:
        return [
            fail(
                f"{host}:{port} is in use{who}, and no node of this folder runs.",
                "Stop what uses it, or choose another port: FUJIE_PORT, or http.port in fujie.toml.",
            )
        ]
    return [ok(f"{host}:{port} is free")]


def _own_port(url: str) -> Iterable[Said]:
    """Say who listens where the node of the folder says that it answers."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0
    if not port_taken(host, port):
        return [fail(f"The node says that it answers at {url}, and nothing listens there.", "Start the node again.")]
    who = listener_of(port)
    return [ok(f"{url} is the node's{f' ({who})' if who else ''}")]


def no_listening(host: str, port: int) -> Said | None:
    """Return why nobody could listen at ``port`` of ``host``, free or not; None where a node may."""
    error = bind_error(host, port)
    if error in (None, errno.EADDRINUSE):
        return None
    if error in (errno.EACCES, errno.EPERM):
        do = "Choose a port from 1024 on (FUJIE_PORT, http.port), with a proxy before it where a low one is wanted."
        return fail(f"This user may not listen at port {port}.", do)
    return fail(f"{host} is no address of this machine.", "Write 127.0.0.1, or one of its own, in http.host.")


def listener_of(port: int) -> str:
    """Return who listens at a TCP port of this machine: number and name of the process; empty where nobody may know."""
    sockets = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    if not sockets:
        return ""
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if any(_points_at(link, sockets) for link in _inside(folder)):
            process = int(folder.parent.name)
            return f"process {process} ({process_name(process)})"
    return "a process of another user"


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # it ended, or is another user's
        return []


def _points_at(link: Path, targets: set[str]) -> bool:
    try:
        return str(link.readlink()) in targets
    except OSError:  # closed in the meantime
        return False


CHECKS: Final = (
    Check("versions", "Python and packages", _versions),
    Check("file system", "whether what is synced stays", _file_system),
    Check("open files", "the limit of open files", _open_files),
    Check("port", "whether the port is free, or the node's", _port),
)
