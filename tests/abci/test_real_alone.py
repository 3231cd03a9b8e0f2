"""A validator that comes back alone: no block is made, and what the newest header proves is served all the same."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.engine.cometbft.consensus import Block, CarriedOut, Consensus
from fujie.engine.link.server import LinkServer
from fujie.engine.proving import Proven
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.records import Balance
from fujie.proof.light_block import decode_light_block
from fujie.reader.replica import Replica
from tests.abci.validators import OTHER, made, vote
from tests.parity.one_node import wait
from tests.world import INSTRUMENT, VALIDATOR, wallet_id

pytestmark = [pytest.mark.go, pytest.mark.slow]

BALANCE = currency_keys.balance(wallet_id(1), INSTRUMENT)


@pytest.fixture
def crash(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Once set, nobody proposes a block after the next one that has transactions: every validator fails there."""
    armed, fallen = threading.Event(), threading.Event()
    commit, propose = Consensus.commit, Consensus.propose

    def committing(self: Consensus, carried_out: CarriedOut) -> None:
        commit(self, carried_out)
        if armed.is_set() and carried_out.block.transactions:
            fallen.set()

    def proposing(self: Consensus, offered: Block, bytes_max: int) -> Any:
        if fallen.is_set():
            raise OperationalError("The power is gone.", "Start again.")
        return propose(self, offered, bytes_max)

    monkeypatch.setattr(Consensus, "commit", committing)
    monkeypatch.setattr(Consensus, "propose", proposing)
    yield armed
    monkeypatch.undo()


def test_serves_the_state_that_the_newest_header_proves(
    crash: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        node, first = stack.enter_context(made("first", VALIDATOR, []))
        other, _ = stack.enter_context(made("other", OTHER, [first]))
        with node.open() as engine:
            vote(node, engine, 4)
            with other.open() as second:
                vote(node, engine, 10)  # from here on neither has two thirds alone
                assert engine.submit([node.pay(0, 1, 5)]).result(300)[0].code == 0
                wait(lambda: engine.proven.head.app_hash == engine.head.app_hash)
                before = engine.read(BALANCE)
                crash.set()
                [outcome] = engine.submit([node.pay(0, 1, 7)]).result(300)
                assert outcome.code == 0
                assert outcome.receipt is not None
                height = outcome.receipt.height
                wait(lambda: second.head.height == height)
        monkeypatch.undo()
        with node.open() as engine:
            assert engine.head.height == height
            assert decode_light_block(engine.proven.light_block).header.height == height
            assert engine.proven.head.height == height - 1
            assert engine.read(BALANCE) == before
            require_served(node.paths.home.parent, engine, before)
            with other.open():
                wait(lambda: engine.proven.head.height >= height)
                now = engine.read(BALANCE)
                assert now is not None
                assert before is not None
                assert isinstance(now.record, Balance)
                assert isinstance(before.record, Balance)
                assert now.record.amount_minor == before.record.amount_minor + 7


def require_served(home: Path, engine: Any, before: Any) -> None:
    """A reader in another process, as it were, answers from the same state, with proof."""
    server = LinkServer(engine, home, "sqlite")
    try:
        replica = Replica(home)
        try:
            assert isinstance(replica.proven, Proven)
            assert replica.proven == engine.proven
            assert replica.read(BALANCE) == before
            assert encode(replica.prove([BALANCE])) == encode(engine.prove([BALANCE]))
        finally:
            replica.close()
    finally:
        server.close()
