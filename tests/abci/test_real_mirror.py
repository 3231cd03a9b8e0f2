"""Mirrors of a real CometBFT: through validators that come and go, restarts, and from nothing but the old trust root."""

from pathlib import Path

import pytest

from tests.abci.validators import newest, vote
from tests.engine.mirroring import EngineSource, mirroring, rows
from tests.parity.one_node import one_node, wait
from tests.world import VALIDATOR

pytestmark = [pytest.mark.go, pytest.mark.slow]


def test_keeps_up_while_validators_come_and_go(tmp_path: Path) -> None:
    with one_node() as node, node.open() as engine:
        source = EngineSource(engine)
        with mirroring(source, "sqlite", tmp_path) as twin:
            twin.catch_up()
            twin.engine.start()
            for power in (4, 0, 2):
                vote(node, engine, power)
                twin.wait_height(engine.head.height - 1)
            assert VALIDATOR.public_key in {each.public_key for each in newest(engine)}
        vote(node, engine, 0)
        with mirroring(source, "sqlite", tmp_path) as twin:
            twin.catch_up()
            assert twin.engine.failure is None
            twin.engine.start()
            vote(node, engine, 3)
            wait(lambda: engine.proven.head.app_hash == engine.head.app_hash)
            twin.wait_height(engine.head.height)
            assert twin.engine.head == engine.head
            assert rows(twin.engine) == rows(engine)
        with mirroring(source) as fresh:
            fresh.catch_up()
            assert fresh.engine.failure is None
            assert fresh.engine.head == engine.head
            assert fresh.evidence == []
