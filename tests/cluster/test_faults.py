"""Four validators whose machines, processes and lines fail, while a bank works on their chain."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from fujie.client.reasons import OutcomePendingError
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from tests.cluster.bank import Bank
from tests.cluster.conftest import tell
from tests.cluster.harness import Cluster
from tests.cluster.node import Node

pytestmark = [pytest.mark.go, pytest.mark.slow]

BRIEF_MS = 5_000  # until a payment expires: less than a node waits for a block
STALLED_ANSWER_S = 40.0  # longer than a node waits for a block before it says that there is none


@pytest.fixture
def bank(request: pytest.FixtureRequest, town: Cluster) -> Iterator[Bank]:
    """A bank that is open during the test; at its end every word that it was told is held against the ledgers."""
    seed = 1 + [item.nodeid for item in request.session.items].index(request.node.nodeid)
    opened = Bank(town, seed)
    with opened.open():
        yield opened
        town.recover()
        opened.busy()
    tell(request, f"{request.node.name}: {opened.check(town.agree())}")


def pending(node: Node, raw: bytes) -> None:
    """Require that a node says that no block is made, and not what becomes of a payment."""
    client = node.client(answer_s=STALLED_ANSWER_S)
    with pytest.raises(OutcomePendingError, match=r"makes no block now.*Submit the same bytes again.*fujie receipt"):
        client.submit_signed(raw)
    client.close()


def halted(town: Cluster, nodes: list[Node]) -> None:
    """Require that these nodes make no block, and say so to who submits; what was submitted is carried out later."""
    heights = [node.height() for node in nodes]
    raw = town.payment()
    pending(nodes[0], raw)
    assert max(each.height() for each in nodes) <= max(heights) + 1, "a block that was under way, and none after it"
    town.promised.append(raw)


def kept(town: Cluster) -> None:
    """Require that what was submitted to a halted chain is carried out, now that it goes on."""
    for raw in town.promised:
        [outcome] = town.node(1).submit(raw)
        assert outcome.code == 0
    town.promised.clear()


def agreed(town: Cluster, raws: list[bytes]) -> None:
    """Require that all nodes tell one and the same of payments that have expired, and the ledger too."""
    [ledger, *_] = town.agree()
    paid = {receipt.transaction_id for receipt in ledger.receipts() if receipt.code == 0}
    for raw in raws:
        identifier = transaction_id(SIGNED_TRANSACTION.decode(raw).body)
        code = 0 if identifier in paid else TransactionReason.TRANSACTION_EXPIRED
        assert [node.submit(raw)[0].code for node in town.nodes] == [code] * len(town.nodes)


def test_the_chain_goes_on_without_one_of_four_which_catches_up(town: Cluster, bank: Bank) -> None:
    two = town.node(2)
    two.kill_ledger()
    bank.busy()
    height = town.height()
    two.start()
    town.until(lambda: two.height() >= height, "it has what was made without it")
    bank.busy()


def test_nothing_acknowledged_is_lost_when_all_lose_their_power(
    request: pytest.FixtureRequest, town: Cluster, bank: Bank
) -> None:
    for _ in range(2):
        bank.busy()
        for node in town.nodes:
            node.kill()
        height = max(ledger.head.height for ledger in town.compare())
        began = monotonic()
        for node in town.nodes:
            node.start()
        town.until(lambda: town.height() > height, "the chain goes on")  # noqa: B023 - it is called here only
        tell(request, f"all four killed and started: a new block after {monotonic() - began:.1f} s")


def test_two_of_four_that_hang_halt_the_chain_until_they_go_on(town: Cluster) -> None:
    one, two, three, four = town.nodes
    for node in (three, four):
        node.freeze()
    brief = [town.payment(BRIEF_MS) for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(pending, one, raw) for raw in brief]
        halted(town, [one, two])
        for each in asked:
            each.result()
    # They have expired by every clock, and the first block may carry them out all the same: nobody is told otherwise.
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda raw: pending(two, raw), brief))
    for node in (three, four):
        node.thaw()
    town.goes_on(*town.nodes)
    kept(town)
    agreed(town, brief)


def test_two_of_four_that_are_killed_halt_the_chain_until_one_is_back(town: Cluster) -> None:
    one, two, three, four = town.nodes
    for node in (one, four):
        node.kill()
    halted(town, [two, three])
    four.start()
    town.goes_on(two, three, four)
    assert one.process is None
    town.start()
    kept(town)


def test_a_part_with_more_than_two_thirds_goes_on_and_the_other_waits(town: Cluster, bank: Bank) -> None:
    *most, four = town.nodes
    town.part(most, [four])
    town.goes_on(*most)
    height = four.height()
    town.goes_on(*most)
    assert four.height() <= height + 1
    assert town.height() > height + 1
    town.compare()
    town.heal()
    town.goes_on(*town.nodes)


def test_two_halves_make_no_block_each_and_one_chain_again(town: Cluster) -> None:
    one, two, three, four = town.nodes
    town.part([one, two], [three, four])
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda half: halted(town, half), ([one, two], [three, four])))
    town.compare()
    town.heal()
    town.goes_on(*town.nodes)
    kept(town)


def test_a_validator_that_hears_nobody_and_is_heard_falls_behind_and_catches_up(town: Cluster, bank: Bank) -> None:
    *most, four = town.nodes
    for node in most:
        town.silence(node, four)
    town.goes_on(*most)
    height = four.height()
    town.goes_on(*most)
    assert four.height() <= height + 1
    assert town.height() > height + 1
    town.heal()
    town.goes_on(*town.nodes)


def test_a_slow_network_makes_blocks_later_and_the_same_ones(town: Cluster, bank: Bank) -> None:
    town.restart(delay_s=0.06)
    bank.busy()
    town.restart(delay_s=0.0)
