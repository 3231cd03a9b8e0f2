"""What an engine knows of rules that are decided for later: it says what it lacks, and does not begin where it must stop."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from fujie.core.errors import OperationalError
from fujie.engine.embedded import EmbeddedEngine
from fujie.machine.schedule import ComingRules, UnknownRules
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.membership.records import ActivateRules
from tests import world
from tests.e2e.http_node import serving
from tests.engine.mirroring import EngineSource, mirroring
from tests.newer import NEWER
from tests.reader.ledgers import eventually, linked, replicated
from tests.world import ON_DISK, Kind, Signing, running

SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it


def decide(engine: EmbeddedEngine, signing: Signing, version: int, height: int, number: int) -> None:
    for raw in signing.decide(ActivateRules("currency", version, height), number):
        [outcome] = engine.submit([raw]).result(SECONDS_MAX)
        assert outcome.code == 0


def test_says_which_rules_it_lacks_until_they_are_taken_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running("memory", tmp_path) as engine, caplog.at_level(logging.WARNING):
        signing = Signing(engine.chain_id)
        assert list(engine.lacking) == []
        decide(engine, signing, 2, 500, 1)
        assert list(engine.lacking) == [ComingRules("currency", 2, 500)]
        engine.submit([signing.pay(0, 1)]).result(SECONDS_MAX)
        [said] = [record.getMessage() for record in caplog.records if "does not know" in record.getMessage()]
        assert "From block 500 on" in said
        assert "install a version of Fujie that knows them" in said
        decide(engine, signing, 1, 500, 2)
        assert list(engine.lacking) == []


def test_a_program_that_has_the_rules_lacks_nothing(tmp_path: Path) -> None:
    with running("memory", tmp_path, schedule=NEWER) as engine:
        decide(engine, Signing(engine.chain_id), 2, 500, 1)
        assert list(engine.lacking) == []


def test_knows_what_it_lacks_when_it_is_opened_again(tmp_path: Path) -> None:
    with running("sqlite", tmp_path) as engine:
        decide(engine, Signing(engine.chain_id), 2, 500, 1)
    with running("sqlite", tmp_path) as engine:
        assert list(engine.lacking) == [ComingRules("currency", 2, 500)]


@pytest.mark.parametrize("kind", ON_DISK)
def test_does_not_begin_at_a_height_whose_rules_it_lacks(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        height = engine.head.height + 10
        decide(engine, signing, 2, height, 1)
        with contextlib.suppress(OperationalError):
            while True:
                engine.submit([signing.pay(0, 1)]).result(SECONDS_MAX)
        stood = engine.head
        assert stood.height == height - 1
    for _ in range(2):
        with pytest.raises(UnknownRules, match=f"From block {height} on"), running(kind, tmp_path):
            pytest.fail("it was opened")
    with running(kind, tmp_path, schedule=NEWER) as engine:
        assert engine.head.height in (stood.height, stood.height + 1)
        assert engine.head.app_hash == stood.app_hash


def test_a_mirror_stops_before_the_height_and_goes_on_to_answer(tmp_path: Path) -> None:
    with running("memory", tmp_path, schedule=NEWER) as engine, mirroring(EngineSource(engine)) as twin:
        signing = Signing(engine.chain_id)
        height = engine.head.height + 12
        decide(engine, signing, 2, height, 1)
        twin.engine.start()
        twin.wait(lambda each: each.lacking == (ComingRules("currency", 2, height),) or each.failure is not None)
        while engine.head.height < height:
            engine.submit([signing.pay(0, 1, 100)]).result(SECONDS_MAX)
        twin.wait(lambda each: each.failure is not None)
        assert isinstance(twin.engine.failure, UnknownRules)
        assert twin.engine.failure.height == height
        assert twin.engine.head.height < height
        key = currency_keys.balance(world.wallet_id(0), world.INSTRUMENT)
        assert twin.engine.read(key) is not None


def test_readers_say_what_the_ledger_lacks(tmp_path: Path) -> None:
    """Their own program may be a newer one that was installed under a ledger that runs: it is not asked."""
    with linked("sqlite", tmp_path) as (engine, _), replicated(tmp_path) as replica:
        decide(engine, Signing(engine.chain_id), 2, 500, 1)
        eventually(lambda: replica.lacking == (ComingRules("currency", 2, 500),), "being told")
        decide(engine, Signing(engine.chain_id, 5_000), 1, 500, 2)
        eventually(lambda: replica.lacking == (), "being told")


def test_the_interface_says_what_is_coming_and_whether_the_node_has_it(tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine, serving(engine) as node:
        decide(engine, Signing(engine.chain_id), 2, 500, 1)
        decide(engine, Signing(engine.chain_id, 5_000), 0, 400, 2)
        eventually(lambda: coming(node.url), "being proven")
        assert coming(node.url) == [{"room": "currency", "version": 0, "from_height": 400, "known": True}]
        decide(engine, Signing(engine.chain_id, 7_000), 2, 500, 3)
        wanted = [{"room": "currency", "version": 2, "from_height": 500, "known": False}]
        eventually(lambda: coming(node.url) == wanted, "being proven")


def coming(url: str) -> Any:
    return httpx.get(f"{url}/status", timeout=SECONDS_MAX).json()["coming"]
