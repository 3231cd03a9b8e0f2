"""Headers of decided blocks, from a CometBFT that counts votes which do not count here."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.cometbft.headers import REFUSED_MIN, Decided, Headers
from fujie.engine.cometbft.rpc import Rpc, Unanswered
from fujie.proof.header import Header
from fujie.proof.light_block import LightBlock
from fujie.proof.validators import ValidatorSet
from fujie.proof.vote import Commit
from tests.light.embedded_chain import CHAIN_ID, make_chain
from tests.light.tampering import changed, index_of, with_odd_signature, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
GIVE_UP_S = 60.0


class Told:
    """What CometBFT tells of blocks by height; ``on_asked`` gets each height before it is answered."""

    def __init__(self, blocks: Sequence[LightBlock]) -> None:
        self.blocks = {block.header.height: block for block in blocks}
        self.asked: list[int] = []
        self.on_asked: Any = lambda height: None

    def signed_header(self, height: int) -> tuple[Header, Commit]:
        self.asked.append(height)
        self.on_asked(height)
        if height not in self.blocks:
            raise Unanswered("commit", "it is not there")
        return self.blocks[height].header, self.blocks[height].commit

    def validators(self, height: int) -> ValidatorSet:
        return self.blocks[height].validators


def odd(block: LightBlock) -> LightBlock:
    """Three of four voted, and one signature counts for CometBFT alone: as a proposer may choose among the votes."""
    return without(with_odd_signature(block, 1), (index_of(block, 1) + 1) % 4)


def fetched(told: Told, wanted: Sequence[int]) -> list[Decided]:
    """What arrives for these heights. Raises what ends the fetching."""
    arrived: list[Decided] = []

    def take(decided: Decided) -> None:
        arrived.append(decided)
        if len(arrived) == len(wanted):
            headers.close()

    headers = Headers(CHAIN_ID, cast(Rpc, told), take)
    for height in wanted:
        headers.want(height)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            headers.fetch_all()
        except OperationalError as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(GIVE_UP_S)
    headers.close()
    assert not thread.is_alive(), "it is asked for ever"
    if failed:
        raise failed[0]
    return arrived


def test_blocks_that_verify_are_signed() -> None:
    blocks = make_chain([FOUR] * 3)
    assert fetched(Told(blocks), [1, 3]) == [Decided(blocks[0], ()), Decided(blocks[2], ())]


@pytest.mark.parametrize("spoil", [odd, lambda block: without(block, 0, 1)])
@pytest.mark.parametrize("places", [[2], [2, 3], [2, 3, 4, 5]])
def test_blocks_whose_votes_count_for_cometbft_alone_are_believed_by_the_next_one_and_prove_nothing(
    places: list[int], spoil: Callable[[LightBlock], LightBlock]
) -> None:
    blocks = [spoil(block) if block.header.height in places else block for block in make_chain([FOUR] * 6)]
    found = fetched(Told(blocks), [1, 2, 3, 4, 5, 6])
    assert [each.block for each in found] == blocks
    assert [each.block.header.height for each in found if not each.signed] == places


def test_another_commit_is_taken_where_it_comes_in_time() -> None:
    blocks = make_chain([FOUR] * 2)
    told = Told([blocks[0], odd(blocks[1])])

    def answer(height: int) -> None:
        if told.asked.count(height) == REFUSED_MIN - 1:
            told.blocks[2] = blocks[1]

    told.on_asked = answer
    assert fetched(told, [2]) == [Decided(blocks[1], ())]
    assert told.asked == [2] * (REFUSED_MIN - 1), "the block after it was not needed"


def test_waits_for_the_block_after_it() -> None:
    blocks = make_chain([FOUR] * 3)
    told = Told([blocks[0], odd(blocks[1])])

    def answer(height: int) -> None:
        if height == 3 and told.asked.count(3) == 2:
            told.blocks[3] = blocks[2]

    told.on_asked = answer
    assert fetched(told, [2]) == [Decided(odd(blocks[1]), (), signed=False)]
    assert told.asked.count(3) == 2


def test_a_block_that_the_next_one_does_not_name_ends_it() -> None:
    blocks = make_chain([FOUR] * 3)
    other = make_chain([FOUR] * 3, app_hash=bytes(32))
    with pytest.raises(OperationalError, match="light-link"):
        fetched(Told([blocks[0], odd(other[1]), blocks[2]]), [2])


def test_a_damaged_block_ends_it() -> None:
    blocks = make_chain([FOUR] * 2)
    with pytest.raises(OperationalError, match="header-hash"):
        fetched(Told([changed(blocks[0], header=changed(blocks[0].header, data_hash=bytes(32)))]), [1])
