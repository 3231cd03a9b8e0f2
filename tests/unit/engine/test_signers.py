"""Where a set of validators signed last, by the store of a node."""

from collections.abc import Mapping, Sequence

import pytest

from fujie.engine.executor import Head
from fujie.engine.proving import Proven
from fujie.engine.signers import last_of
from fujie.proof.light_block import LightBlock, encode_light_block
from tests.light.embedded_chain import make_chain
from tests.unit.engine.test_pivots import ALONE, FIVE, FOUR, HEIGHTS, OTHERS, Node, of


class Serving(Node):
    """A node whose newest block proves something."""

    def __init__(self, blocks: Sequence[LightBlock]) -> None:
        super().__init__(blocks)
        header = blocks[-1].header
        head = Head(header.height, header.time_ms, bytes(32), bytes(32), bytes(32), 0)
        self.proven = Proven(encode_light_block(blocks[-1]), head)


@pytest.fixture(scope="module")
def chain() -> list[LightBlock]:
    return make_chain(HEIGHTS)


@pytest.mark.parametrize(("powers", "height"), [(ALONE, 10), (FOUR, 18), (FIVE, 30), (OTHERS, 25)])
def test_finds_the_last_block_of_every_set(chain: list[LightBlock], powers: Mapping[int, int], height: int) -> None:
    assert last_of(Serving(chain), of(powers)) == chain[height - 1]


def test_finds_the_newest_block_of_those_who_sign_again(chain: list[LightBlock]) -> None:
    assert last_of(Serving(chain[:22]), of(FIVE)) == chain[18]
    assert last_of(Serving(chain[:27]), of(FIVE)) == chain[26]


def test_finds_nothing_of_strangers_or_from_before_the_first_block(chain: list[LightBlock]) -> None:
    assert last_of(Serving(chain), bytes(32)) is None
    assert last_of(Serving(chain[:10]), of(FOUR)) is None, "announced, and they have signed nothing yet"
    late = Serving(chain[20:])
    assert last_of(late, of(FOUR)) is None
    assert last_of(late, of(OTHERS)) == chain[24]
