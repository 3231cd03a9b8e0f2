"""Which header a node believes first that begins from a snapshot: an old one, of the pinned validators, and cheaply."""

from collections.abc import Mapping, Sequence

import pytest

from fujie.core.errors import OperationalError
from fujie.node import light_nodes
from fujie.node.light_nodes import TRUST_PART, LightNode, believe, fetch_changes
from fujie.proof.changes import verify_newest
from fujie.proof.light import Expired
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from tests.light.embedded_chain import CHAIN_ID, INTERVAL_MS, START_MS, make_chain
from tests.light.memory_provider import MemoryProvider
from tests.light.tampering import changed

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
FIVE = {2: 10, 3: 10, 4: 10, 5: 10}
SIX = {3: 10, 4: 10, 5: 10, 6: 10}
PERIOD_MS = 100 * INTERVAL_MS


def node_of(blocks: Sequence[LightBlock]) -> LightNode:
    node = LightNode("http://127.0.0.1:1")
    node.close()
    node._provider = MemoryProvider("memory", blocks, tells=True)  # type: ignore[assignment]
    return node


def asked(node: LightNode) -> int:
    return len(node._provider.asked)  # type: ignore[attr-defined]


def chain_of(powers: Sequence[Mapping[int, int]]) -> tuple[list[LightBlock], int]:
    """A chain, and the time right after its newest block."""
    blocks = make_chain(powers)
    return blocks, START_MS + len(blocks) * INTERVAL_MS


def root_of(block: LightBlock) -> TrustRoot:
    validators = validator_set_hash(block.validators).hex()
    return TrustRoot(chain_id=CHAIN_ID, validators_hash=validators, state_tree_depth=4, trust_period_ms=PERIOD_MS)


def test_believes_an_old_header_of_the_same_validators_with_few_questions() -> None:
    blocks, now_ms = chain_of([FOUR] * 300)
    nodes = [node_of(blocks), node_of(blocks)]
    client, believed = believe(root_of(blocks[0]), nodes, None, lambda: now_ms)
    age_ms = now_ms - believed.header.time_ms
    assert PERIOD_MS * TRUST_PART - 2 * INTERVAL_MS <= age_ms <= PERIOD_MS * TRUST_PART
    before = asked(nodes[0])
    assert before < 20
    for height in (300, 260, 299):
        assert client.at(height) == blocks[height - 1]
    assert asked(nodes[0]) - before < 10, "headers are skipped, not walked"


def test_goes_over_changes_of_validators() -> None:
    blocks, now_ms = chain_of([FOUR] * 60 + [FIVE] * 40)
    client, believed = believe(root_of(blocks[0]), [node_of(blocks), node_of(blocks)], None, lambda: now_ms)
    assert believed.header.height < 60
    assert client.at(100) == blocks[99]


def test_begins_where_the_validators_of_a_newer_root_do() -> None:
    blocks, now_ms = chain_of([FOUR] * 90 + [FIVE] * 10)
    client, believed = believe(root_of(blocks[-1]), [node_of(blocks), node_of(blocks)], None, lambda: now_ms)
    assert believed.header.height > 90
    assert client.at(100) == blocks[99]


def test_begins_where_the_validators_of_a_root_signed_last_that_came_and_went() -> None:
    blocks, now_ms = chain_of([FOUR] * 60 + [FIVE] * 20 + [SIX] * 20)
    client, believed = believe(root_of(blocks[60]), [node_of(blocks), node_of(blocks)], None, lambda: now_ms)
    assert believed == blocks[79]
    assert client.at(100) == blocks[99]


def test_asks_nodes_that_began_from_a_snapshot_themselves() -> None:
    blocks, now_ms = chain_of([FOUR] * 100)
    kept = blocks[70:]
    client, believed = believe(root_of(blocks[0]), [node_of(kept), node_of(kept)], None, lambda: now_ms)
    assert 71 <= believed.header.height <= 100
    assert client.at(100) == blocks[99]


@pytest.mark.parametrize("after", [60, 71, 80, 100], ids=lambda height: f"changed after {height}")
@pytest.mark.parametrize("turned", [False, True])
def test_believes_first_what_all_nodes_have_where_one_has_no_older_blocks(after: int, turned: bool) -> None:
    blocks, now_ms = chain_of([FOUR] * after + [FIVE] * (100 - after))
    kept = {height: blocks[height - 1] for height in (after, after + 1) if height <= 70}  # as every node keeps them
    nodes = [node_of(blocks), node_of([*kept.values(), *blocks[70:]])]
    if turned:
        nodes.reverse()
    client, believed = believe(root_of(blocks[0]), nodes, None, lambda: now_ms)
    assert 71 <= believed.header.height <= 72
    assert [node.light_block(believed.header.height) for node in nodes] == [believed] * 2
    assert client.at(100) == blocks[99]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("others", [1, 2])
def test_a_height_that_one_node_made_up_stops_nobody_and_its_name_is_told(
    place: int, others: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fujie.node.light_nodes.HEIGHT_WAIT_S", 0.1)
    blocks, now_ms = chain_of([FOUR] * 100)
    made_up = changed(blocks[-1], header=changed(blocks[-1].header, height=1_000_000))
    liar = node_of([*blocks, made_up])
    liar._provider.name = "http://liar.example"
    nodes = [node_of(blocks) for _ in range(others)]
    nodes.insert(place, liar)
    client, believed = believe(root_of(blocks[0]), nodes, None, lambda: now_ms)
    assert 25 <= believed.header.height <= 27
    assert client.at(100) == blocks[99]
    assert "http://liar.example begins with block 1000000" in caplog.text


def test_names_the_nodes_that_have_no_block_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fujie.node.light_nodes.HEIGHT_WAIT_S", 0.1)
    blocks, now_ms = chain_of([FOUR] * 100)
    with pytest.raises(OperationalError, match="memory begins with block 71, memory begins with block 26"):
        believe(root_of(blocks[0]), [node_of(blocks[:60]), node_of(blocks[70:])], None, lambda: now_ms)


def test_refuses_a_root_whose_validators_are_gone_for_too_long() -> None:
    blocks, now_ms = chain_of([FOUR] * 10 + [FIVE] * 200)
    with pytest.raises(Expired):
        believe(root_of(blocks[0]), [node_of(blocks), node_of(blocks)], None, lambda: now_ms)


def test_says_so_where_no_node_answers() -> None:
    blocks, now_ms = chain_of([FOUR] * 3)
    nodes = [node_of(blocks), node_of(blocks)]
    for node in nodes:
        node._provider.gone = True  # type: ignore[attr-defined]
    with pytest.raises(OperationalError, match="does not answer"):
        believe(root_of(blocks[0]), nodes, None, lambda: now_ms)


def test_waits_a_moment_for_a_block_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fujie.node.light_nodes.HEIGHT_WAIT_S", 0.3)
    blocks, _ = chain_of([FOUR] * 3)
    node = node_of(blocks[:2])
    assert node.soon(3) is None
    assert node.soon(2) == blocks[1]
    monkeypatch.setattr("fujie.node.light_nodes.time.sleep", lambda _: node._provider.blocks.update({3: blocks[2]}))  # type: ignore[attr-defined]
    assert node.soon(3) == blocks[2]


CHANGING: Sequence[Mapping[int, int]] = [FOUR] * 10 + [FIVE] * 10 + [SIX] * 10


def test_fetches_the_blocks_at_which_validators_changed_from_the_first_node_that_shows_them() -> None:
    blocks = make_chain(CHANGING)
    false = make_chain([FOUR] * 10 + [{77: 10}] * 10 + [SIX] * 10)
    late = node_of(blocks[24:])
    dumb = node_of(blocks)
    dumb._provider.tells = False  # type: ignore[attr-defined]
    since = blocks[0].header.validators_hash
    nodes = [late, dumb, node_of([*blocks[:9], *false[9:12], *blocks[12:]]), node_of(blocks)]
    found = fetch_changes(nodes, since, blocks[27])
    assert [block.header.height for block in found] == [10, 11, 20, 21]
    verify_newest(root_of(blocks[0]), [*found, blocks[27]])
    assert fetch_changes(nodes[:3], since, blocks[27]) == []


def test_where_validators_are_the_same_or_newer_than_the_believed_block_there_is_nothing_to_fetch() -> None:
    blocks = make_chain(CHANGING)
    node = node_of(blocks)
    assert fetch_changes([node], blocks[0].header.validators_hash, blocks[5]) == []
    assert fetch_changes([node], blocks[29].header.validators_hash, blocks[15]) == []
    at_the_change = fetch_changes([node], blocks[0].header.validators_hash, blocks[10])
    assert at_the_change == [blocks[9]]


def test_takes_no_more_changes_than_a_node_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = make_chain(CHANGING)
    monkeypatch.setattr(light_nodes, "SNAPSHOT_PATH_MAX", 3)
    assert fetch_changes([node_of(blocks)], blocks[0].header.validators_hash, blocks[27]) == []
