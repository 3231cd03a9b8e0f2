"""Rules change by vote at a height, and a program that does not know them stops before it."""

from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.core.reasons import TransactionReason
from fujie.core.room import Handler
from fujie.engine.embedded import EmbeddedEngine
from fujie.machine.genesis import compose
from fujie.machine.schedule import UnknownRules
from fujie.modules.currency.operations import Distribute, Issue, Pay
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.currency.records import LimitEntry
from fujie.modules.currency.transitions import ROOM_V1
from fujie.modules.membership.records import ActivateRules
from tests import world
from tests.newer import CURRENCY_V2, LEAST_MINOR, NEWER
from tests.world import BANK, INSTRUMENT, ON_DISK, START_MS, Kind, MemoryChain, Signing, funded, running


def test_the_newer_schedule_differs_in_one_transition() -> None:
    changed = [kind for kind, handler in CURRENCY_V2.handlers.items() if handler != ROOM_V1.handlers[kind]]
    assert changed == [Pay]
    assert isinstance(CURRENCY_V2.handlers[Pay], Handler)


# By the machine alone.


def test_the_second_version_of_a_rule_holds_from_the_height_that_was_voted_for() -> None:
    chain = MemoryChain(funded(), NEWER)
    height = chain.height + 6
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 2, height), 1))
    while chain.height < height - 1:
        chain.carry_out(chain.signing.pay(0, 1, LEAST_MINOR - 1))
    assert chain.run(chain.signing.pay(0, 1, LEAST_MINOR - 1))[0].code == CurrencyReason.AMOUNT_IS_ZERO
    chain.carry_out(chain.signing.pay(0, 1, LEAST_MINOR))


def test_carries_nothing_out_at_a_height_whose_rules_it_lacks() -> None:
    chain = MemoryChain(funded())
    height = chain.height + 3
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 2, height), 1))
    chain.carry_out(chain.signing.pay(0, 1))
    before = chain.image()
    for block in (chain.block(chain.signing.pay(0, 1)), chain.block()):
        with pytest.raises(UnknownRules, match="Install a version of Fujie"):
            chain.apply(block)
    assert chain.image() == before


def test_runs_on_when_the_decision_is_taken_back_in_time() -> None:
    chain = MemoryChain(funded())
    height = chain.height + 6
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 2, height), 1))
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 1, height), 2))
    while chain.height < height + 2:
        chain.carry_out(chain.signing.pay(0, 1))


@pytest.mark.parametrize("room", ["tenancy", "currency", "membership"])
def test_stops_for_every_room_whose_version_it_lacks(room: str) -> None:
    chain = MemoryChain(funded())
    chain.carry_out(*chain.signing.decide(ActivateRules(room, 7, chain.height + 3), 1))
    chain.carry_out()
    with pytest.raises(UnknownRules) as stopped:
        chain.apply(chain.block())
    assert (stopped.value.room, stopped.value.version, stopped.value.height) == (room, 7, chain.height + 1)
    assert room in str(stopped.value)


def test_a_room_can_be_stopped_and_started_again_by_vote() -> None:
    chain = MemoryChain(funded())
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 0, chain.height + 3), 1))
    chain.carry_out(chain.signing.pay(0, 1))
    assert chain.run(chain.signing.pay(0, 1))[0].code == TransactionReason.ROOM_NOT_ACTIVE
    chain.carry_out(*chain.signing.decide(ActivateRules("currency", 1, chain.height + 3), 2))
    assert chain.run(chain.signing.pay(0, 1))[0].code == TransactionReason.ROOM_NOT_ACTIVE
    chain.carry_out(chain.signing.pay(0, 1))


# A rule with a date.


def test_limits_change_at_their_date_within_one_sequence_of_blocks() -> None:
    turn_ms = START_MS + 60_000
    limits = [LimitEntry(0, None, 100, None, None), LimitEntry(turn_ms, None, 10, None, None)]
    chain = MemoryChain(compose("world", START_MS, world.parts(limits=limits)))
    issue = Issue("institution", INSTRUMENT, 1_000, world.nonce(77))
    chain.carry_out(chain.signing.sign(issue, *BANK[:2]))
    opened = [world.open_wallet(0), world.open_wallet(1)]
    give = Distribute("institution", world.wallet_id(0), INSTRUMENT, 1_000)
    chain.carry_out(chain.signing.sign([*opened, give], world.INSTITUTION))
    for time_ms, amount_minor, code in (
        (turn_ms - 2, 100, 0),
        (turn_ms - 1, 101, CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED),
        (turn_ms, 100, CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED),
        (turn_ms + 1, 10, 0),
        (turn_ms + 2, 11, CurrencyReason.PAYER_PAYMENT_LIMIT_EXCEEDED),
    ):
        assert chain.run(chain.signing.pay(0, 1, amount_minor), time_ms=time_ms)[0].code == code, time_ms


# Through the engine, on a folder.


def settled(engine: EmbeddedEngine, raw: bytes) -> int:
    """Submit one transaction, wait until it is proven, return its code."""
    outcome = engine.submit([raw]).result(300)[0]
    assert outcome.log_index is not None
    engine.wait_proven(outcome.log_index, 30)
    return outcome.code


def decide_activation(engine: EmbeddedEngine, signing: Signing, room: str, version: int, ahead: int) -> int:
    """Let the governors activate a version from ``ahead`` blocks after this one; return that height."""
    height = engine.head.height + ahead
    for raw in signing.decide(ActivateRules(room, version, height), 1):
        assert settled(engine, raw) == 0
    return height


def pay_until_it_stops(engine: EmbeddedEngine, signing: Signing) -> int:
    """Make payments of one penny, each proven before the next, and return how many were acknowledged."""
    paid = 0
    while True:
        try:
            assert settled(engine, signing.pay(0, 1, 1)) == 0
        except OperationalError:
            return paid
        paid += 1


@pytest.mark.parametrize("ahead", [10, 11], ids=["stops before a block of payments", "stops before a proving block"])
@pytest.mark.parametrize("kind", ON_DISK)
def test_an_old_program_stops_before_the_height_and_a_new_one_goes_on(kind: Kind, ahead: int, tmp_path: Path) -> None:
    with running(kind, tmp_path) as old:
        signing = Signing(old.chain_id)
        height = decide_activation(old, signing, "currency", 2, ahead)
        # Payments of one penny: what is acknowledged was carried out under version 1.
        paid = pay_until_it_stops(old, signing)
        assert isinstance(old.failure, UnknownRules)
        assert (old.failure.room, old.failure.version, old.failure.height) == ("currency", 2, height)
        assert "Install a version of Fujie that does" in str(old.failure)
        assert old.head.height == height - 1
        with pytest.raises(OperationalError, match="version 2 of the rules of 'currency'"):
            old.submit([signing.pay(0, 1)])
        last = old.head
    assert paid > 0

    with pytest.raises(UnknownRules, match="Install"), running(kind, tmp_path):
        pytest.fail("it was opened")

    with running(kind, tmp_path, schedule=NEWER) as new:
        assert new.head.height in (last.height, last.height + 1)
        assert new.head.app_hash == last.app_hash, "the old program left something else than it acknowledged"
        assert world.balance_minor(new.executor, 1) == world.FUNDS_MINOR + paid
        while new.head.height < height:
            assert settled(new, signing.pay(0, 1, LEAST_MINOR)) == 0
        assert settled(new, signing.pay(0, 1, LEAST_MINOR - 1)) == CurrencyReason.AMOUNT_IS_ZERO
        assert settled(new, signing.pay(0, 1, LEAST_MINOR)) == 0
        assert world.findings(new.executor.store) == []


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_vote_for_a_room_it_has_never_heard_of_stops_a_program_as_well(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id)
        height = decide_activation(engine, signing, "tenancy", 1, 8)
        pay_until_it_stops(engine, signing)
        assert isinstance(engine.failure, UnknownRules)
        assert (engine.failure.room, engine.failure.version, engine.failure.height) == ("tenancy", 1, height)
        assert engine.head.height == height - 1
