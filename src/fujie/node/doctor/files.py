"""The folder itself: is it there, whose is it, who may read its secrets, is there room, what was left behind."""

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from fujie.core.wording import count
from fujie.node.config_file import CONFIG_NAME
from fujie.node.doctor.report import Check, Said, fail, failed, ok, skip, warn
from fujie.node.doctor.scene import NAMED_MAX, Scene

INODES_LEAST: Final = 1_000
FREE_COMFORTABLE: Final = 16  # times what is needed least; below it, a word of warning
LOGS_BYTES_MAX: Final = 1_073_741_824  # twenty processes of a node write 600 MiB at most
LEFTOVER_AGE_S: Final = 600  # younger ones may be writes in hand
SNAPSHOT_MAGIC: Final = b"fujie-snapshot-1\n"
SNAPSHOT_OLD_DAYS: Final = 30
FILES_MAX: Final = 10_000  # looked at in one folder

# What write_atomically, write_private and the loading of a snapshot leave when they are cut off.
_LEFTOVER: Final = re.compile(r"\..+\.[0-9a-f]{16}|\.chain\.[0-9a-f]{8}")

SECRETS: Final = ("keys/*.key", "demo/keys/*.key", "demo/seed", "access/**/*.json", "cometbft/config/node_key.json")
PRIVATE: Final = ("wallets/*.json", "demo/wallets/*.json")
PRIVATE_FOLDERS: Final = (
    "keys",
    "wallets",
    "demo",
    "demo/keys",
    "demo/wallets",
    "access",
    "access/keys",
    "run",
    "cometbft",
)


def _folder(scene: Scene) -> Iterable[Said]:
    home = scene.folder.home
    try:
        home.stat()
    except PermissionError:
        yield fail(f"{home} may not be read by this user: a folder above it is closed.", "Ask as its owner.")
        return
    except OSError:
        pass  # said below
    if not home.exists():
        yield fail(
            f"There is no folder {home}.", "Start a node with `fujie up`, or name the folder: --home, FUJIE_HOME."
        )
    elif not home.is_dir():
        yield fail(f"{home} is a file, not a folder.", "Name the data folder: --home, FUJIE_HOME.")
    elif not scene.exists:
        yield fail(f"{home} may not be read by this user.", f"Ask as its owner: {_owner(home)}.")
    elif not os.access(home, os.W_OK):
        yield warn(f"{home} may not be written by this user.", f"A node has to run as its owner: {_owner(home)}.")
    else:
        mode = home.stat().st_mode
        if mode & 0o022:
            yield fail(
                f"Others may write to {home} ({stat.filemode(mode)}): they could replace any file in it.",
                f"chmod go-w {home}",
            )
        else:
            yield ok(f"{home.resolve()} can be read and written")


def _ownership(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    owner = scene.folder.home.stat().st_uid
    strange = [path for path in _all_below(scene.folder.home) if path.lstat().st_uid != owner]
    if strange:
        return [
            fail(
                f"The folder belongs to {_owner(scene.folder.home)}, but {scene.named(strange)} does not.",
                f"chown -R {owner} {scene.folder.home}",
            )
        ]
    return [ok(f"everything belongs to {_owner(scene.folder.home)}")]


def _secrets(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    said = []
    files = _matching(scene, SECRETS)
    open_files = [path for path in files if path.is_file() and path.stat().st_mode & 0o077]
    if open_files:
        do = f"chmod 600 {' '.join(str(path) for path in open_files[:NAMED_MAX])}; if others use this machine, rotate these keys"
        said.append(fail(f"Others may read secrets: {scene.named(open_files)}.", do))
    open_private = [path for path in _matching(scene, PRIVATE) if path.stat().st_mode & 0o077]
    if open_private:
        said.append(
            warn(
                f"Others may read whom one deals with: {scene.named(open_private)}.",
                f"chmod 600 {' '.join(str(path) for path in open_private[:NAMED_MAX])}",
            )
        )
    folders = [scene.folder.home / name for name in PRIVATE_FOLDERS]
    open_folders = [path for path in folders if path.is_dir() and path.stat().st_mode & 0o077]
    if open_folders:
        names = " ".join(str(path) for path in open_folders)
        said.append(warn(f"Others may look into {scene.named(open_folders)}.", f"chmod 700 {names}"))
    home = scene.folder.home
    if scene.restricted and home.stat().st_mode & 0o077:
        said.append(
            warn(
                f"Others may look into {home}, and the chain in it is not public: the store holds every record of it.",
                f"chmod 700 {home}; new folders are made so",
            )
        )
    return said or [ok(f"{count(len(files), 'file')} with secrets: closed to others")]


def _configuration(scene: Scene) -> Iterable[Said]:
    from fujie.node.config import ConfigError, resolve_config

    try:
        resolved = resolve_config(scene.folder)
    except ConfigError as error:
        return [failed(fault) for fault in error.faults]
    path = scene.folder.home / CONFIG_NAME
    changed = sum(value.source != "default" for value in resolved.values.values())
    if resolved.config.exposed:
        host = resolved.config.http.host
        return [
            warn(
                f"The node listens on {host}, which the network reaches, and speaks no TLS.",
                "Put a proxy with TLS before it, or listen on 127.0.0.1 (http.host).",
            )
        ]
    return [ok(f"{path.name if path.exists() else 'no fujie.toml'}; {changed} of {len(resolved.values)} keys are set")]


def _space(scene: Scene) -> Iterable[Said]:
    place = scene.folder.home if scene.exists else Path()
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    text = f"{_size(free)} are free"
    if free < scene.free_bytes_least:
        yield fail(f"{text}; the node stops when the disk is full.", "Make room, or move the folder to a larger disk.")
    elif free < FREE_COMFORTABLE * scene.free_bytes_least:
        yield warn(f"{text}.", "Make room before the ledger grows into it.")
    else:
        yield ok(text)
    if found.f_files and found.f_favail < INODES_LEAST:
        yield fail(
            f"Only {count(found.f_favail, 'file')} can be made on this disk (inodes).",
            "Remove small files, or move the folder.",
        )


def _leftovers(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    now = time.time()
    left = [
        path
        for path in _all_below(scene.folder.home)
        if _LEFTOVER.fullmatch(path.name) and now - path.lstat().st_mtime > LEFTOVER_AGE_S
    ]
    if left:
        return [
            warn(
                f"Writes that were cut off left {scene.named(left)}; nothing reads them.",
                f"Stop the node and remove them: {' '.join(str(path) for path in left[:NAMED_MAX])}",
            )
        ]
    return [ok("no file was left half written")]


def _logs(scene: Scene) -> Iterable[Said]:
    folder = scene.folder.log.parent
    if not folder.is_dir():
        return [skip("no node has written a log here yet")]
    files = [path for path in folder.iterdir() if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    if size > LOGS_BYTES_MAX:
        return [
            warn(
                f"{folder} holds {_size(size)}; the node's own logs are bounded.", "Remove what does not belong there."
            )
        ]
    if not os.access(folder, os.W_OK):
        return [
            fail(f"{folder} may not be written by this user; the node does not start.", "Check its owner and rights.")
        ]
    return [ok(f"{count(len(files), 'file')}, {_size(size)}; `fujie log show` reads them")]


def _snapshots(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    found = [path for path in scene.folder.home.iterdir() if path.is_file() and _is_snapshot(path)]
    if not found:
        return [ok("none is kept in the folder; `fujie snapshot save FILE` makes one, better on another disk")]
    newest = max(found, key=lambda path: path.stat().st_mtime)
    days = int((time.time() - newest.stat().st_mtime) // 86_400)
    text = f"{newest.name} is {days} days old"
    if days > SNAPSHOT_OLD_DAYS:
        return [warn(f"{text}.", "Save a new one: `fujie snapshot save FILE`.")]
    return [ok(text)]


CHECKS: Final = (
    Check("folder", "the data folder, and whether it can be used", _folder),
    Check("ownership", "whose the files are", _ownership),
    Check("secrets", "who may read keys, wallet files and what is not public", _secrets),
    Check("configuration", "fujie.toml and the environment", _configuration),
    Check("space", "free disk space and inodes", _space),
    Check("leftovers", "files of interrupted writes", _leftovers),
    Check("logs", "size of the log folder", _logs),
    Check("snapshots", "age of a snapshot in the folder", _snapshots),
)


def _all_below(home: Path) -> Iterator[Path]:
    """Yield what lies in the folder, without the inside of the store, which is the database's own."""
    count = 0
    for place, folders, names in os.walk(home):
        folders[:] = [name for name in folders if not name.endswith(".rocks")]
        for name in (*folders, *names):
            count += 1
            if count > FILES_MAX:
                return
            yield Path(place) / name


def _is_snapshot(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SNAPSHOT_MAGIC)) == SNAPSHOT_MAGIC
    except OSError:
        return False


def _matching(scene: Scene, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in scene.folder.home.glob(pattern)})


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:  # a number without a name, as in a container
        return f"user {path.stat().st_uid}"


def _size(number: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return count(number, "byte")
