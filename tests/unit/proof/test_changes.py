"""The blocks at which validators changed: what they prove of the newest block and of one another, and each refusal."""

from collections.abc import Callable, Mapping, Sequence

import pytest
from msgspec.structs import replace

from fujie.core.errors import VerificationError
from fujie.proof.changes import changes_in, verify_changes, verify_newest
from fujie.proof.header import NIL_BLOCK_ID
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from tests.light.embedded_chain import CHAIN_ID, make_chain, set_of, sign_anew

ALONE = {1: 10}
FOUR = {11: 10, 12: 10, 13: 10, 14: 10}
FIVE = FOUR | {15: 10}
OTHERS = {21: 10, 22: 10, 23: 10}
HEIGHTS: Sequence[Mapping[int, int]] = [ALONE] * 10 + [FOUR] * 8 + [FIVE] + [OTHERS] * 6 + [FIVE] * 5
CHANGES = (10, 11, 18, 19, 20, 25, 26)


@pytest.fixture(scope="module")
def chain() -> list[LightBlock]:
    return make_chain(HEIGHTS)


@pytest.fixture(scope="module")
def blocks(chain: list[LightBlock]) -> list[LightBlock]:
    return [*(chain[height - 1] for height in CHANGES), chain[-1]]


def root_of(powers: Mapping[int, int], chain_id: str = CHAIN_ID) -> TrustRoot:
    return TrustRoot(chain_id=chain_id, validators_hash=validator_set_hash(set_of(powers)).hex(), state_tree_depth=4)


def step_of(refused: Callable[[], object]) -> str:
    with pytest.raises(VerificationError) as caught:
        refused()
    return caught.value.step


@pytest.mark.parametrize("powers", [ALONE, FOUR, FIVE, OTHERS])
def test_every_set_that_ever_signed_vouches_for_the_newest_block(
    blocks: list[LightBlock], powers: Mapping[int, int]
) -> None:
    verify_newest(root_of(powers), blocks)


def test_no_change_is_a_path_as_well(chain: list[LightBlock]) -> None:
    verify_newest(root_of(ALONE), chain[4:5])
    assert step_of(lambda: verify_newest(root_of(FOUR), chain[4:5])) == "validators"


def test_the_newest_block_may_be_the_first_of_its_validators(chain: list[LightBlock]) -> None:
    verify_newest(root_of(ALONE), [chain[9], chain[10]])


def test_refuses_a_root_whose_validators_never_signed_or_whose_chain_is_another(blocks: list[LightBlock]) -> None:
    assert step_of(lambda: verify_newest(root_of({99: 1}), blocks)) == "validators"
    assert step_of(lambda: verify_newest(root_of(ALONE, "another"), blocks)) == "header-chain"


@pytest.mark.parametrize("missing", [10, 11, 18, 19, 25, 26])  # 19 does without 20: FIVE sign again at the end
def test_refuses_a_gap(blocks: list[LightBlock], missing: int) -> None:
    gapped = [block for block in blocks if block.header.height != missing]
    assert step_of(lambda: verify_changes(CHAIN_ID, gapped)) == "snapshot-path"


def test_refuses_blocks_out_of_order_or_that_no_change_needs(chain: list[LightBlock], blocks: list[LightBlock]) -> None:
    assert step_of(lambda: verify_changes(CHAIN_ID, [blocks[0], blocks[0], *blocks[1:]])) == "snapshot-path"
    assert step_of(lambda: verify_changes(CHAIN_ID, [*blocks[:-1], chain[0]])) == "snapshot-path"
    assert step_of(lambda: verify_changes(CHAIN_ID, [chain[4], *blocks])) == "snapshot-path"


def test_refuses_a_change_that_leads_to_nobody_who_signed_later(chain: list[LightBlock]) -> None:
    assert step_of(lambda: verify_changes(CHAIN_ID, [chain[9], chain[10], chain[-1]])) == "snapshot-path"


@pytest.mark.parametrize("place", range(len(CHANGES)))
def test_refuses_a_block_that_too_few_signed(blocks: list[LightBlock], place: int) -> None:
    forged = list(blocks)
    forged[place] = replace(forged[place], commit=blocks[-1].commit)
    assert step_of(lambda: verify_changes(CHAIN_ID, forged)).startswith(("commit-", "header-"))


def test_refuses_a_past_that_validators_made_up_who_are_not_named_in_it(blocks: list[LightBlock]) -> None:
    """Keys of its own make a chain that leads to the real one, up to the block that names the one before it by its hash."""
    false = make_chain([{77: 10}] * 10 + [FOUR])
    assert step_of(lambda: verify_changes(CHAIN_ID, [false[9], *blocks[1:]])) == "light-link"


def test_the_first_block_of_cometbft_names_none_before_it_and_the_same_state() -> None:
    chain = make_chain([ALONE] * 3 + [FOUR] * 2, app_hash=bytes(32))
    last, first = chain[2], chain[3]
    begun = sign_anew(replace(first.header, last_block_id=NIL_BLOCK_ID), FOUR)
    assert list(changes_in([last, begun])) == [last.header.validators_hash]
    verify_newest(root_of(ALONE), [last, begun])
    other = sign_anew(replace(begun.header, app_hash=bytes(31) + b"\x01"), FOUR)
    assert step_of(lambda: verify_newest(root_of(ALONE), [last, other])) == "light-link"
