"""Four validators on which nothing happens for minutes; then they change the rules, and one has not been updated."""

from itertools import pairwise

import pytest

from fujie.core.limits import HEARTBEAT_MS
from fujie.modules.currency.reasons import CurrencyReason
from fujie.modules.membership.records import ActivateRules
from tests.cluster.harness import Cluster
from tests.cluster.ledgers import read
from tests.cluster.node import NEWER
from tests.newer import LEAST_MINOR

pytestmark = [pytest.mark.go, pytest.mark.slow]

LEAD = 12  # heights between the vote and the change: a vote is three transactions, with a block that proves each
TWO_HEARTBEATS = 3  # blocks: that which proves the last payment carries its time, and the next that of this one


def test_an_idle_chain_makes_a_block_at_every_heartbeat_and_none_between(quiet: Cluster) -> None:
    node = quiet.node(1)
    last = max(height for height, block in read(node).blocks.items() if block.transactions)
    quiet.until(lambda: node.height() >= last + TWO_HEARTBEATS, "the heart beats")
    blocks = read(node).blocks
    idle = [block for height, block in sorted(blocks.items()) if height > last]
    assert [block.transactions for block in idle] == [0] * len(idle)
    # The time of a block is when the one before it was voted for.
    gaps_ms = [later.time_ms - earlier.time_ms for earlier, later in pairwise(idle[1:])]
    assert gaps_ms
    assert min(gaps_ms) > 0.9 * HEARTBEAT_MS


def test_a_validator_without_the_new_rules_stops_before_them_and_catches_up_with_them(quiet: Cluster) -> None:
    *newer, older = quiet.nodes
    height = quiet.height() + LEAD
    assert quiet.decide(ActivateRules("currency", 2, height)) + 2 <= height
    small = quiet.signing.pay(0, 1, LEAST_MINOR - 1)
    assert newer[0].submit(small)[0].code == 0
    while quiet.height() <= height:
        quiet.goes_on(*newer)

    assert older.ended() == 1
    said = older.said()
    assert f"From block {height} on this chain runs version 2 of the rules of 'currency'" in said
    assert "Install a version of Fujie that does and start again" in said
    assert read(older).head.height == height - 1
    older.start()
    assert older.ended() == 1, "it does not go on by being started again"
    assert read(older).head.height == height - 1

    refused = quiet.signing.pay(0, 1, LEAST_MINOR - 1)
    assert newer[1].submit(refused)[0].code == CurrencyReason.AMOUNT_IS_ZERO
    quiet.goes_on(*newer)
    quiet.compare()

    older.program = NEWER
    older.start()
    quiet.goes_on(*quiet.nodes)
    assert older.power() == newer[0].power()
    quiet.agree()
