"""Upgrading at a height with the programs that people run: an older node stops before it, a newer one goes on from there."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import ROOT
from tests.e2e.cli_network import free_ports
from tests.e2e.cli_node import FUJIE, START_S, CliNode

NEWER: Final = (sys.executable, "-m", "tests.newer")
AHEAD: Final = 24  # blocks; those that the vote takes are fewer
COMING: Final = "version 2 of currency, from block"
LACKS: Final = "which this installation of Fujie does not know"
SENTENCE: Final = f"version 2 of the rules of 'currency', {LACKS}. Install a version of Fujie that does"


class Upgraded(CliNode):
    """A node that is run with the older program first. ``governors`` are who votes, ``under`` is where they allocate."""

    def __init__(self, place: Path, home: Path | None, governors: list[str], under: str) -> None:
        super().__init__(place)
        if home is not None:
            self.home = home
            self.environment["FUJIE_HOME"] = str(home)
        self.environment["PYTHONPATH"] = str(ROOT)
        self.governors = governors
        self.under = under
        self.allocated = 0

    @contextlib.contextmanager
    def newer(self) -> Iterator[None]:
        """Run commands with the newer program, as after installing it."""
        self.program = NEWER
        try:
            yield
        finally:
            self.program = (FUJIE,)

    def allocate(self, code: int = 0) -> str:
        """Have one identifier allocated, and return it; the blocks it takes bring the height nearer."""
        self.allocated += 1
        name = f"UP{self.allocated}"
        self.run("id", "allocate", self.under, name, code=code)
        return f"{self.under}.{name}"

    def said_by_status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("status")
        return found


@pytest.fixture(params=["embedded", pytest.param("cometbft", marks=[pytest.mark.go, pytest.mark.slow])])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgraded]:
    if request.param == "embedded":
        made = Upgraded(tmp_path, None, ["owner"], "ZZ.000")
        made.run("init")
    else:
        founder = CliNode(tmp_path / "founder")
        founder.environment["XDG_DATA_HOME"] = str(tmp_path / "user")
        founder.run("network", "create", "one", "--validators", "1", "--port-base", str(free_ports()))
        made = Upgraded(
            tmp_path, founder.home / "networks" / "one" / "node1", ["root-authority", "central-bank"], "ZZ.156"
        )
        made.environment["XDG_DATA_HOME"] = str(tmp_path / "user")
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.stop()


def test_an_older_program_stops_before_the_height_and_a_newer_one_goes_on(node: Upgraded) -> None:
    node.start()
    assert "up to version 1, and not version 2" in node.run(
        "rules", "propose", node.governors[0], "currency", "2", "--ahead", "1000", code=2
    )
    height = vote(node)
    warned_before(node, height)
    known = [node.allocate()]
    while node.process is not None and node.process.poll() is None:
        with contextlib.suppress(AssertionError):  # the node stops while a command waits for it: code 1
            known.append(node.allocate())
    stopped(node, height)

    with node.newer():
        assert node.json("doctor", code=0)["findings"]
        node.start()
        said = node.json("status")
        give_up = time.monotonic() + START_S
        while said["height"] < height:
            assert time.monotonic() < give_up, said
            node.allocate()
            said = node.json("status")
        assert said["coming"] == []
        assert [node.json("resolve", each)["record"]["identifier"] for each in known] == known
        [currency] = [room for room in node.json("rules", "show")["rooms"] if room["room"] == "currency"]
        assert (currency["version"], currency["known"], currency["coming"]) == (2, 2, [])
        assert node.stop() == 0
        assert node.json("check")["findings"] == []


def vote(node: Upgraded) -> int:
    """Have the newer rules decided, with the newer program against the older node; return their height."""
    with node.newer():
        proposed = node.json("rules", "propose", node.governors[0], "currency", "2", "--ahead", str(AHEAD))
    for governor in node.governors:
        node.run("proposal", "vote", governor, proposed["id"])
    height: int = proposed["from_height"]
    return height


def warned_before(node: Upgraded, height: int) -> None:
    """While there is time, everything that people look at says what is coming."""
    shown = node.run("status")
    assert f"{COMING} {height}" in shown
    assert "install a version of Fujie that knows them" in shown
    assert node.json("status")["coming"] == [{"room": "currency", "version": 2, "from_height": height, "known": False}]
    assert LACKS in node.run("rules", "show")
    assert LACKS in node.run("doctor", code=0)
    assert "which the node does not know" in node.run("doctor", "--url", node.json("status")["url"], code=0)
    warned = node.json("log", "show", "--process", "node", "--level", "warning")["records"]
    assert [record for record in warned if LACKS in record["message"]]
    with node.newer():
        assert LACKS not in node.run("rules", "show")
        assert "was started with an older version" in node.run("doctor", code=0)


def stopped(node: Upgraded, height: int) -> None:
    """The older program has ended before ``height``, says why, and does so again, having written nothing."""
    assert node.process is not None
    assert node.process.wait(START_S) == 1
    node.process = None
    shown = node.log.read_text("utf-8")
    assert f"From block {height} on" in shown
    assert SENTENCE in shown.replace("\n", " ")
    assert "Traceback" not in shown
    errors = node.json("log", "show", "--process", "node", "--level", "error")["records"]
    assert [record["message"] for record in errors if SENTENCE in record["message"]]
    assert node.json("check")["height"] == height - 1

    before = written(node)
    process = node.launch()
    assert process.wait(START_S) == 1
    node.process = None
    assert SENTENCE in node.log.read_text("utf-8").replace("\n", " ")
    assert written(node) == before
    assert LACKS in node.run("doctor", code=1)


def written(node: Upgraded) -> dict[str, bytes]:
    """Return what stands in the chain's store, and in the blocks and votes of CometBFT; each start writes its settings."""
    assert json.loads((node.home / "node.json").read_bytes())["store"] == "sqlite"
    places = [node.home / "chain" / "store.sqlite", *sorted((node.home / "cometbft" / "data").rglob("*"))]
    return {
        str(path): path.read_bytes()
        for path in places
        if path.is_file() and not path.is_symlink() and path.name != "lock"
    }
