"""Commits: what verifies, what is refused and by which step."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from fujie.core.errors import VerificationError
from fujie.core.signing import public_key, sign
from fujie.proof.commit import decided_ms, sign_commit, verify_commit, verify_commit_trusting
from fujie.proof.light_block import LightBlock
from fujie.proof.simple_merkle import EMPTY_ROOT, merkle_root
from fujie.proof.validators import Validator, ValidatorSet
from fujie.proof.vote import ABSENT, BlockIDFlag, VoteTemplate
from tests.light.embedded_chain import CHAIN_ID, make_chain, seed_of, set_of
from tests.light.tampering import changed, index_of, renumbered, voted_at, with_entry, with_odd_signature, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}


def check(block: LightBlock, chain_id: str = CHAIN_ID) -> None:
    verify_commit(chain_id, block.validators, block.header, block.commit)


@pytest.fixture(scope="module")
def block() -> LightBlock:
    return make_chain([FOUR, FOUR])[1]


@pytest.mark.parametrize("powers", [{1: 1}, FOUR, {1: 70, 2: 20, 3: 10}, {name: name for name in range(1, 12)}])
def test_accepts_what_its_validators_signed(powers: dict[int, int]) -> None:
    for made in make_chain([powers] * 3):
        check(made)


REFUSALS: list[tuple[str, Callable[[LightBlock], LightBlock]]] = [
    ("header-form", lambda b: changed(b, header=changed(b.header, block_protocol=10))),
    ("header-form", lambda b: changed(b, header=changed(b.header, height=2**63))),
    ("header-form", lambda b: changed(b, header=changed(b.header, time_ns=2**90))),
    ("header-form", lambda b: changed(b, header=changed(b.header, app_version=-1))),
    ("header-form", lambda b: changed(b, header=changed(b.header, data_hash=b"short"))),
    ("header-form", lambda b: changed(b, header=changed(b.header, next_validators_hash=b""))),
    ("header-form", lambda b: changed(b, header=changed(b.header, app_hash=bytes(65)))),
    ("header-form", lambda b: changed(b, header=changed(b.header, proposer_address=b""))),
    ("header-form", lambda b: changed(b, header=changed(b.header, chain_id="\ud800"))),
    ("header-form", lambda b: changed(b, header=changed(b.header, chain_id="x" * 51))),
    ("header-chain", lambda b: changed(b, header=changed(b.header, chain_id="another"))),
    ("validator-set", lambda b: changed(b, validators=ValidatorSet(()))),
    ("validator-set", lambda b: changed(b, validators=ValidatorSet(b.validators.validators[:1] * 4))),
    ("validator-set", lambda b: changed(b, validators=ValidatorSet(b.validators.validators[::-1]))),
    ("validator-set", lambda b: changed(b, validators=ValidatorSet((Validator(bytes(32), 2**62),)))),
    ("validator-set", lambda b: changed(b, validators=ValidatorSet((Validator(bytes(32), 0),)))),
    ("validator-set", lambda b: changed(b, validators=set_of({1: 10, 2: 10, 3: 10, 5: 10}))),
    ("validator-set", lambda b: changed(b, validators=set_of({1: 11, 2: 10, 3: 10, 4: 10}))),
    ("commit-form", lambda b: changed(b, commit=changed(b.commit, signatures=()))),
    ("commit-form", lambda b: changed(b, commit=changed(b.commit, round=-1))),
    ("commit-form", lambda b: with_entry(b, 0, flag=9)),
    ("commit-form", lambda b: with_entry(b, 0, flag=BlockIDFlag.ABSENT)),
    ("commit-form", lambda b: with_entry(b, 0, signature=b"")),
    ("commit-form", lambda b: with_entry(b, 0, time_ns=2**80)),
    ("commit-height", lambda b: changed(b, commit=changed(b.commit, height=3))),
    ("header-hash", lambda b: changed(b, header=changed(b.header, app_hash=bytes(32)))),
    ("header-hash", lambda b: changed(b, header=changed(b.header, time_ns=b.header.time_ns + 1))),
    ("commit-validator", lambda b: changed(b, commit=changed(b.commit, signatures=b.commit.signatures[:3]))),
    ("commit-validator", lambda b: changed(b, commit=changed(b.commit, signatures=b.commit.signatures[:1] * 4))),
    ("commit-validator", lambda b: changed(b, commit=changed(b.commit, signatures=b.commit.signatures[::-1]))),
    ("commit-validator", lambda b: with_entry(b, 2, validator_address=bytes(20))),
    ("commit-power", lambda b: without(b, 0, 1)),
    ("commit-power", lambda b: without(b, 0, 1, 2, 3)),
    ("commit-power", lambda b: with_entry(with_entry(b, 0, flag=BlockIDFlag.NIL), 1, flag=BlockIDFlag.NIL)),
    ("commit-signature", renumbered),
    ("commit-signature", lambda b: changed(b, commit=changed(b.commit, round=1))),
    ("commit-signature", lambda b: with_entry(without(b, 0), 1, signature=bytes(64))),
    ("commit-signature", lambda b: with_entry(without(b, 0), 1, time_ns=5)),
    ("commit-signature", lambda b: with_odd_signature(with_odd_signature(b, 1), 2)),
]


@pytest.mark.parametrize(("step", "spoil"), REFUSALS)
def test_refuses_and_names_the_step(block: LightBlock, step: str, spoil: Callable[[LightBlock], LightBlock]) -> None:
    with pytest.raises(VerificationError) as refusal:
        check(spoil(block))
    assert refusal.value.step == step


def test_refuses_another_chain(block: LightBlock) -> None:
    with pytest.raises(VerificationError, match="header-chain"):
        check(block, "another")


def test_two_thirds_are_not_more_than_two_thirds() -> None:
    made = make_chain([{1: 20, 2: 10}])[0]
    check(made)
    with pytest.raises(VerificationError, match="commit-power"):
        check(without(made, index_of(made, 2)))
    check(without(make_chain([{1: 21, 2: 10}])[0], 1))


@pytest.mark.parametrize("name", FOUR)
def test_one_odd_signature_does_not_count_and_does_no_harm(block: LightBlock, name: int) -> None:
    check(with_odd_signature(block, name))
    check(with_entry(block, index_of(block, name), signature=b"\x01"))
    with pytest.raises(VerificationError, match="commit-signature"):
        check(without(with_odd_signature(block, name), (index_of(block, name) + 1) % 4))


def test_an_odd_signature_of_a_single_validator_is_refused() -> None:
    with pytest.raises(VerificationError, match="commit-signature"):
        check(with_odd_signature(make_chain([{1: 1}])[0], 1))


def test_a_vote_for_nil_does_not_count_and_does_no_harm(block: LightBlock) -> None:
    check(with_entry(block, 3, flag=BlockIDFlag.NIL))


def test_a_signature_over_the_wrong_chain_is_refused(block: LightBlock) -> None:
    message = VoteTemplate("another", 2, 0, block.commit.block_id).sign_bytes(block.commit.signatures[0].time_ns)
    spoiled = with_entry(without(block, 3), 0, signature=sign(seed_of(1), message))
    with pytest.raises(VerificationError, match="commit-signature"):
        check(spoiled)


def test_an_older_set_of_which_a_third_signed_is_enough_to_skip(block: LightBlock) -> None:
    verify_commit_trusting(CHAIN_ID, set_of({1: 10, 2: 10, 8: 10, 9: 10}), block.commit)
    with pytest.raises(VerificationError, match="commit-power"):
        verify_commit_trusting(CHAIN_ID, set_of({1: 10, 8: 10, 9: 10}), block.commit)
    with pytest.raises(VerificationError, match="commit-power"):
        verify_commit_trusting(CHAIN_ID, set_of({1: 10, 2: 10, 8: 10}), block.commit, 2, 3)
    with pytest.raises(VerificationError, match="commit-signature"):
        verify_commit_trusting("another", set_of(FOUR), block.commit)
    with pytest.raises(VerificationError, match="commit-form"):
        verify_commit_trusting(CHAIN_ID, set_of(FOUR), changed(block.commit, height=-1))


def test_skipping_refuses_a_validator_who_stands_in_the_commit_twice(block: LightBlock) -> None:
    twice = changed(block.commit, signatures=block.commit.signatures[:1] * 4)
    with pytest.raises(VerificationError, match="commit-validator"):
        verify_commit_trusting(CHAIN_ID, set_of(FOUR), twice)


def test_signs_for_its_own_validators_and_header_only(block: LightBlock) -> None:
    header, block_id = block.header, block.commit.block_id
    partly = sign_commit(CHAIN_ID, header, block_id, block.validators, [seed_of(2)], header.time_ms)
    assert [entry.flag for entry in partly.signatures].count(BlockIDFlag.ABSENT) == 3
    assert {entry.time_ms for entry in partly.signatures if entry != ABSENT} == {header.time_ms}
    with pytest.raises(ValueError, match="not of this validator set"):
        sign_commit(CHAIN_ID, header, block_id, block.validators, [seed_of(7)], header.time_ms)
    with pytest.raises(ValueError, match="not of this header"):
        sign_commit(CHAIN_ID, header, changed(block_id, hash=bytes(32)), block.validators, [], header.time_ms)


def test_a_validator_set_is_ordered_by_power_and_then_address() -> None:
    made = set_of({1: 5, 2: 7, 3: 5, 4: 9})
    assert [validator.voting_power for validator in made.validators] == [9, 7, 5, 5]
    assert made.addresses[2] < made.addresses[3]
    with pytest.raises(ValueError, match="twice"):
        ValidatorSet.of([Validator(public_key(seed_of(1)), 1), Validator(public_key(seed_of(1)), 2)])


def test_the_tree_splits_at_the_largest_power_of_two() -> None:
    def recursive(leaves: list[bytes]) -> bytes:
        if len(leaves) < 2:
            return merkle_root(leaves)
        split = 1 << (len(leaves) - 1).bit_length() - 1
        left, right = recursive(leaves[:split]), recursive(leaves[split:])
        return sha256(b"\x01" + left + right).digest()

    assert merkle_root([]) == EMPTY_ROOT
    for size in range(1, 70):
        leaves = [bytes([number]) * number for number in range(size)]
        assert merkle_root(leaves) == recursive(leaves)


# --- When a block was decided on.


def decided(block: LightBlock) -> int:
    check(block)
    return decided_ms(CHAIN_ID, block.validators, block.commit)


@pytest.mark.parametrize(
    ("powers", "times_ms", "median_ms"),
    [
        ({1: 1}, {1: 5_000}, 5_000),
        (FOUR, {1: 1_000, 2: 2_000, 3: 3_000, 4: 4_000}, 2_000),
        ({1: 70, 2: 20, 3: 10}, {1: 9_000, 2: 1_000, 3: 2_000}, 9_000),
        ({1: 10, 2: 10, 3: 10}, {1: 7_000, 2: 1_000, 3: 9_000}, 7_000),
        ({1: 1, 2: 2, 3: 3, 4: 4}, {1: 1_000, 2: 2_000, 3: 3_000, 4: 4_000}, 3_000),
    ],
)
def test_a_block_was_decided_at_the_weighted_median_of_its_votes(
    powers: dict[int, int], times_ms: dict[int, int], median_ms: int
) -> None:
    [block] = make_chain([powers])
    assert decided(voted_at(block, times_ms)) == median_ms


def test_fewer_than_a_third_cannot_move_the_time_beyond_that_of_the_others(block: LightBlock) -> None:
    honest = {1: 1_000, 2: 1_100, 3: 1_200}
    for lie_ms in (1, 10**12):
        assert decided(voted_at(block, honest | {4: lie_ms})) in honest.values()
        most = voted_at(block, honest | {4: lie_ms})
        assert decided(without(most, index_of(most, 1))) in honest.values()


def test_votes_that_nobody_signed_do_not_count_for_the_time(block: LightBlock) -> None:
    late = voted_at(block, dict.fromkeys(FOUR, 1_000))
    assert decided(with_entry(late, index_of(late, 4), time_ns=10**18)) == 1_000
