"""Paths that a node makes for those who know old validators: across any change, and none where it does not know how."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest

from fujie.core.encoding import encode
from fujie.engine.executor import Head
from fujie.engine.pivots import Paths, changes_before
from fujie.engine.proving import Proven
from fujie.engine.signers import last_of
from fujie.engine.stored_block import light_block_at, pivot_in, put_block
from fujie.proof.changes import verify_changes
from fujie.proof.light import accountable, verify_path
from fujie.proof.light_block import LightBlock, encode_light_block
from fujie.proof.named import is_signed
from fujie.proof.trust import TRUST_PERIOD_MS_DEFAULT
from fujie.proof.validators import validator_set_hash
from fujie.store.base import Store, WriteBatch
from fujie.store.layout import META_HEAD, Table
from tests.light.embedded_chain import CHAIN_ID, make_chain, set_of
from tests.light.tampering import without
from tests.store.kinds import memory_store

ALONE = {1: 10}
FOUR = {11: 10, 12: 10, 13: 10, 14: 10}
FIVE = FOUR | {15: 10}
OTHERS = {12: 10, 13: 10, 21: 10, 22: 10, 23: 10}
HEIGHTS: Sequence[Mapping[int, int]] = [ALONE] * 10 + [FOUR] * 8 + [FIVE] + [OTHERS] * 6 + [FIVE] * 5
DAY_MS = 86_400_000


class Node:
    """The store of a node, as every engine fills it block by block, and what paths are made of."""

    def __init__(self, blocks: Sequence[LightBlock]) -> None:
        self.store: Store = memory_store()
        for block in blocks:
            batch = WriteBatch()
            put_block(batch, block, results_hash=bytes(32), first_index=0, transactions=0)
            header = block.header
            head = Head(header.height, header.time_ms, bytes(32), bytes(32), bytes(32), 0)
            batch.put(Table.META, META_HEAD, encode(head))
            self.store.commit(batch)

    def light_block(self, height: int) -> LightBlock | None:
        return light_block_at(self.store.get, height)

    def pivot(self, validators_hash: bytes) -> int | None:
        return pivot_in(self.store.get, validators_hash)


def of(powers: Mapping[int, int]) -> bytes:
    return validator_set_hash(set_of(powers))


@pytest.fixture(scope="module")
def chain() -> list[LightBlock]:
    return make_chain(HEIGHTS)


@pytest.fixture(scope="module")
def node(chain: list[LightBlock]) -> Node:
    return Node(chain)


def test_leads_from_every_former_set_to_every_later_block(chain: list[LightBlock], node: Node) -> None:
    paths = Paths(node)
    found = 0
    for powers, last in ((ALONE, 10), (FOUR, 18), (OTHERS, 25)):
        for block in chain[last:]:
            path = paths.to(block, of(powers))
            assert path, (powers, block.header.height)
            assert path[0].header.validators_hash == of(powers)
            verify_path([*path, block])
            found += 1
    assert found > 30


def test_a_path_is_empty_where_the_signers_are_those_already(chain: list[LightBlock], node: Node) -> None:
    assert Paths(node).to(chain[-1], of(FIVE)) == []
    assert Paths(node).to(chain[3], of(ALONE)) == []


def test_the_last_and_the_first_lead_across_where_nobody_stayed(chain: list[LightBlock], node: Node) -> None:
    path = Paths(node).to(chain[14], of(ALONE))
    assert path is not None
    assert [block.header.height for block in path] == [10, 11]


def test_nothing_is_made_up_for_whom_the_node_does_not_know(chain: list[LightBlock], node: Node) -> None:
    paths = Paths(node)
    assert paths.to(chain[-1], bytes(32)) is None
    assert paths.to(chain[5], of(FOUR)) is None  # before they signed at all


def test_blocks_that_are_gone_make_no_path(chain: list[LightBlock]) -> None:
    late = Node(chain[14:])  # of a folder that was loaded from a snapshot
    assert Paths(late).to(chain[-1], of(ALONE)) is None
    assert Paths(late).to(chain[-1], of(FOUR))


def test_a_path_is_made_once_while_validators_stay(chain: list[LightBlock], node: Node) -> None:
    asked: list[int] = []

    class Counting(Node):
        def __init__(self) -> None:
            self.store = node.store

        def light_block(self, height: int) -> LightBlock | None:
            asked.append(height)
            return super().light_block(height)

    paths = Paths(Counting())
    first = paths.to(chain[27], of(ALONE))
    count = len(asked)
    assert count
    assert paths.to(chain[28], of(ALONE)) == first
    assert len(asked) == count


def test_signers_on_a_path_could_be_held_to_account_however_long_a_set_stayed() -> None:
    slow = make_chain([FOUR] * 4 + [FIVE] * 4 + [OTHERS] * 3, interval_ms=10 * DAY_MS)
    path = Paths(Node(slow)).to(slow[-1], of(FOUR))
    assert path is not None
    headers = [block.header for block in [*path, slow[-1]]]
    assert all(accountable(a, b, TRUST_PERIOD_MS_DEFAULT) for a, b in pairwise(headers))
    verify_path([*path, slow[-1]])


# --- Blocks of a change for which too few votes count: those of another commit may, but this node has none.


def with_too_few_votes(chain: Sequence[LightBlock], *heights: int) -> list[LightBlock]:
    """The chain as a node stores it whose commits of these blocks have too few votes that count."""
    return [without(block, 0, 1) if block.header.height in heights else block for block in chain]


@pytest.mark.parametrize(
    ("spoilt", "powers", "after"),
    [
        ((18,), FOUR, 19),  # the last one of four
        ((16, 17, 18), FOUR, 19),
        ((26,), OTHERS, 27),  # the first one of five
        ((25, 26), OTHERS, 27),
        ((24, 25, 26, 27), OTHERS, 28),
    ],
)
def test_the_next_signed_ones_lead_across_where_enough_stayed(
    spoilt: tuple[int, ...], powers: Mapping[int, int], after: int, chain: list[LightBlock]
) -> None:
    node = Node(with_too_few_votes(chain, *spoilt))
    path = Paths(node).to(chain[29], of(powers))
    assert path
    assert not {block.header.height for block in path} & set(spoilt)
    verify_path([*path, chain[29]])
    last = last_of_set(node, of(powers), chain)
    assert last is not None
    assert is_signed(CHAIN_ID, last)
    assert last.header.height == max(set(range(1, after)) - set(spoilt) - {19, 26, 27})
    changes = changes_before(node.store, chain[29])
    verify_changes(CHAIN_ID, [*changes, chain[29]])
    assert not {block.header.height for block in changes} & set(spoilt)


@pytest.mark.parametrize("spoilt", [10, 11])
def test_no_path_is_made_up_where_nobody_stayed(spoilt: int, chain: list[LightBlock]) -> None:
    node = Node(with_too_few_votes(chain, spoilt))
    assert Paths(node).to(chain[14], of(ALONE)) is None


def last_of_set(node: Node, validators_hash: bytes, chain: list[LightBlock]) -> LightBlock | None:
    class Served(Node):
        proven = Proven(encode_light_block(chain[29]), Head(29, 1, bytes(32), bytes(32), bytes(32), 0))

        def __init__(self) -> None:
            self.store = node.store

    return last_of(Served(), validators_hash)
