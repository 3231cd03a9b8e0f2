"""A mirror among witnesses: what they say of the same heights, and what it does when validators signed two chains."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from fujie.client.light.detector import DivergenceError
from fujie.core.errors import OperationalError
from fujie.node.config import load_config
from fujie.node.folder import Folder
from fujie.node.mirror import run_mirror
from fujie.node.mirror_file import read_mirror
from fujie.node.mirror_witness import Witnesses, what_to_do
from fujie.proof.light_attack import Kind, check_evidence
from fujie.proof.validators import validator_address
from tests.e2e.changed_town import OTHERS, Town, forked, served
from tests.e2e.cli_node import FUJIE, free_port
from tests.e2e.http_node import Node
from tests.e2e.lying_server import Answer, truth
from tests.e2e.mirror_node import about_blocks, lying_proxy, opened

NOBODY = "http://127.0.0.1:9"  # the port of discard, which nobody serves


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.twin.engine.close()


@pytest.fixture(scope="module")
def node(town: Town) -> Iterator[Node]:
    with served(town.chain) as node:
        yield node


@pytest.fixture(scope="module")
def other(town: Town) -> Iterator[Node]:
    """A node that follows the other chain that the validators signed."""
    with served(forked(town, 1)) as node:
        yield node


def compare(folder: Path, town: Town, node: Node, *witnesses: str) -> None:
    """Mirror ``node``, and compare with ``witnesses``, whom the folder remembers."""
    for named in (witnesses, None):
        with opened(folder, node.url if named else None, trust=town.trust, witnesses=named) as mirroring:
            mirroring.engine.catch_up(lambda *_: None, lambda: False)
            assert mirroring.engine.failure is None
            assert mirroring.witnesses == witnesses
            compared = Witnesses(mirroring.engine, Folder(folder), town.trust, mirroring.witnesses)
            try:
                compared.compare(wait=False)
            finally:
                compared.close()


def fujie(*arguments: str, code: int = 0) -> str:
    """Run a command; return what it says."""
    done = subprocess.run([FUJIE, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if not code else done.stderr


def test_witnesses_that_agree_or_are_away_change_nothing(town: Town, node: Node, tmp_path: Path) -> None:
    with served(town.chain) as second:
        compare(tmp_path, town, node, second.url, NOBODY)
    assert not list((tmp_path / "evidence").glob("*"))
    assert read_mirror(Folder(tmp_path)).witnesses[1] == NOBODY


def test_a_witness_with_another_signed_chain_leaves_evidence(
    town: Town, node: Node, other: Node, tmp_path: Path
) -> None:
    with pytest.raises(DivergenceError) as diverged:
        compare(tmp_path, town, node, NOBODY, other.url)
    [path] = (tmp_path / "evidence").iterdir()
    assert str(path) in what_to_do(diverged.value)
    attack = check_evidence(path.read_bytes(), town.trust)
    assert attack.kind is Kind.EQUIVOCATION
    assert {each.height for each in attack.headers} == {town.chain.height()}
    assert set(attack.both) <= {validator_address(each.public_key) for each in OTHERS}
    assert attack.both
    said = json.loads(fujie("verify", str(path), "--trust", str(tmp_path / "trust.json"), "--json"))
    assert (said["proves"], said["kind"], said["height"]) == ("attack", "equivocation", town.chain.height())
    assert said["signed"]["both"] == [each.hex() for each in attack.both]
    refused = fujie("--home", str(tmp_path), "network", "report-evidence", str(path), code=1)
    assert "No node runs" in refused


def test_a_witness_that_shows_nothing_for_what_it_says_is_not_believed(
    town: Town, node: Node, other: Node, tmp_path: Path
) -> None:
    """It has the newest block of the other chain, and honest ones below, so that what it says does not follow."""
    height = town.chain.height()
    with lying_proxy(other.url) as proxy:

        def lie(path: str, honest: Answer) -> Answer:
            if path == f"/blocks/{height}":
                return structs.replace(honest, body=honest.body[:-1])
            return honest

        proxy.lie = lie
        compare(tmp_path, town, node, proxy.url)
    assert not list((tmp_path / "evidence").glob("*"))


def test_the_mirror_stops_serving_and_does_not_begin_again(town: Town, node: Node, other: Node, tmp_path: Path) -> None:
    told: list[str] = []
    config = load_config(Folder(tmp_path), {"http.port": free_port()})
    for named in ((other.url,), None):
        with pytest.raises(DivergenceError):
            run_mirror(
                Folder(tmp_path),
                config,
                threading.Event(),
                source=node.url,
                trust=town.trust,
                witnesses=named,
                on_news=told.append,
                on_ready=lambda _: pytest.fail("it serves"),
            )
    assert len(told) == 2
    assert all("Rely on neither" in each for each in told)


def test_a_witness_that_turns_later_is_noticed(town: Town, node: Node, other: Node, tmp_path: Path) -> None:
    """The source and the witness go on from the same block, each to another chain."""
    found: list[DivergenceError] = []
    with (
        lying_proxy(node.url) as source,
        opened(tmp_path, source.url, trust=town.trust, witnesses=[other.url]) as mirroring,
    ):
        before = town.chain.height() - 1
        source.lie = about_blocks(lambda asked, items: items[: max(before - asked + 1, 0)])
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        assert mirroring.engine.head.height == before
        compared = Witnesses(mirroring.engine, Folder(tmp_path), town.trust, mirroring.witnesses)
        compared.compare(wait=False)
        source.lie = truth
        mirroring.engine.catch_up(lambda *_: None, lambda: False)
        assert mirroring.engine.head.height == town.chain.height()
        compared.compare()  # what was newest at the last comparison
        with pytest.raises(DivergenceError) as diverged:
            compared.compare()
        found.append(diverged.value)
        compared.close()
    assert check_evidence(found[0].evidence, town.trust).kind is Kind.EQUIVOCATION


def test_no_password_is_taken_in_the_url_of_a_witness(town: Town, node: Node, tmp_path: Path) -> None:
    with (
        pytest.raises(OperationalError, match="password"),
        opened(tmp_path, node.url, trust=town.trust, witnesses=["http://me:secret@node.example"]),
    ):
        pass
