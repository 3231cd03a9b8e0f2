"""Validators come and go by vote while a bank works on their chain, and nobody votes who was not voted for."""

from collections.abc import Iterator

import msgspec
import pytest

from fujie.core.reasons import TransactionReason
from fujie.engine.cometbft.home import VALIDATOR_STATE_FILE
from fujie.modules.membership.records import SetValidator, Validators
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.node.state_sync import state_sync_file, wish_state_sync
from fujie.proof.validators import Validator, ValidatorSet, validator_set_hash
from tests.cluster.bank import Bank
from tests.cluster.conftest import tell
from tests.cluster.founding import POWER
from tests.cluster.harness import Cluster
from tests.cluster.ledgers import read, records
from tests.cluster.node import Node

pytestmark = [pytest.mark.go, pytest.mark.slow]

BANK_SEED = 500
SNAPSHOTS_S = 3


@pytest.fixture(scope="module")
def council(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Four validators, and a fifth node that the tests add."""
    with Cluster(tmp_path_factory.mktemp("council"), snapshots_s=SNAPSHOTS_S) as cluster:
        cluster.start()
        yield cluster
        cluster.finish()


def set_hash(*nodes: Node) -> bytes:
    return validator_set_hash(ValidatorSet.of(Validator(node.public_key, POWER) for node in nodes))


def signed_up_to(node: Node) -> int:
    """Return the height of the last vote that a node's key has signed, by the file that keeps it from signing twice."""
    state = msgspec.json.decode((node.folder.cometbft_home / VALIDATOR_STATE_FILE).read_bytes())
    return int(state["height"])


def voters(council: Cluster) -> list[Node]:
    """Return the nodes that have a vote."""
    return [node for node in council.nodes if node.power()]


def change(council: Cluster, node: Node, power: int, before: list[Node], after: list[Node]) -> int:
    """Vote on the power of a node, require that it is in force two blocks later and not before; return that height."""
    height = council.decide(SetValidator(node.public_key, power, "world")) + 2
    while council.height() <= height:
        council.goes_on(*before)
    council.until(lambda: node.power() == power, f"{node.name} votes with {power}")
    blocks = read(council.node(1)).blocks
    assert [blocks[height + place].validators_hash for place in (-1, 0)] == [set_hash(*before), set_hash(*after)]
    return height


def test_validators_come_and_go_by_vote_under_load(request: pytest.FixtureRequest, council: Cluster) -> None:
    first, second, third, fourth = founders = list(council.nodes)
    bank = Bank(council, BANK_SEED)
    with bank.open():
        bank.busy()
        fifth = council.add()
        fifth.start()
        height = council.height()
        council.until(lambda: fifth.height() >= height, "the late one has fetched all blocks")
        assert fifth.power() == 0

        change(council, fifth, POWER, founders, [*founders, fifth])
        third.kill()  # four of five have more than two thirds, and the fifth is one of them
        bank.busy()
        third.start()
        height = council.height()
        council.until(lambda: third.height() >= height, "the one that was away has caught up")

        height = change(council, second, 0, [*founders, fifth], [first, third, fourth, fifth])
        bank.busy()
        council.until(lambda: second.height() >= height + 2, "without a vote it goes on as a replica")
        assert signed_up_to(second) < height
        fourth.kill()  # three of four
        bank.busy()
        fourth.start()
        bank.busy()
    tell(request, f"{request.node.name}: {bank.check(council.agree())}")


def test_a_removed_key_does_not_vote_and_comes_back_for_everybody_to_see(council: Cluster) -> None:
    first, second, *_ = council.nodes
    if second.power():
        before = voters(council)
        change(council, second, 0, before, [node for node in before if node is not second])
    last = signed_up_to(second)
    second.kill()
    second.start()
    council.serving(second)
    council.goes_on(*council.nodes)
    assert (signed_up_to(second), second.power()) == (last, 0)

    others = voters(council)
    with first.client() as client:  # its trust root was pinned when the chain was founded
        without = client.validators().record
        change(council, second, POWER, others, [*others, second])
        council.goes_on(*council.nodes)
        assert signed_up_to(second) > last
        today = client.validators().record
    with first.client(pinned=set_hash(*others)) as client:  # and this one when the key had no vote
        assert client.validators().record == today
    assert isinstance(without, Validators)
    assert isinstance(today, Validators)
    assert {member.public_key for member in without.members} == {node.public_key for node in others}
    assert {member.public_key for member in today.members} == {node.public_key for node in [*others, second]}
    assert today.standing.number == without.standing.number + 1, "every set that ever stood is counted and kept"
    assert [records(node, [VALIDATORS_KEY]) for node in council.nodes] == [[today]] * len(council.nodes)


def test_a_late_node_begins_from_a_proven_state_and_becomes_a_validator(council: Cluster) -> None:
    first, second, *_ = before = voters(council)
    raw = council.payment()
    [paid] = first.submit(raw)
    late = council.add()
    urls = (first.url_among, second.url_among)
    wish_state_sync(late.folder, state_sync_file(urls, None, council.chain_id))

    def are_offered() -> bool:
        council.goes_on(first)
        return all(list(node.folder.home.glob("snapshots/*.contents")) for node in before)

    council.until(are_offered, "every node offers a snapshot")
    late.start()
    council.serving(late)
    council.goes_on(*council.nodes)
    ledgers = council.agree()
    assert min(ledgers[-1].blocks) > 1, "it has carried out no old block"
    assert min(ledgers[0].blocks) == 1

    # It remembers what was carried out before it came, and lets nobody pay twice.
    size = ledgers[0].head.log_size
    [again] = late.submit(raw)
    assert (again.code, again.receipt) in ((0, paid.receipt), (TransactionReason.TRANSACTION_REPEATED, None))
    council.goes_on(late)
    assert [ledger.head.log_size for ledger in council.agree()] == [size + 1] * len(council.nodes)

    change(council, late, POWER, before, [*before, late])
    second.kill()
    council.goes_on(*[node for node in council.nodes if node is not second])
    assert signed_up_to(late) > 0
