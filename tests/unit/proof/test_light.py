"""Each rule of the light client has a row here that breaks it alone; rows descend the precedence."""

from collections.abc import Callable, Sequence

import pytest

from fujie.core.errors import VerificationError
from fujie.proof.header import NANOSECONDS_PER_MS, header_hash
from fujie.proof.light import (
    Expired,
    NotEnoughTrust,
    Root,
    Terms,
    TrustedHeader,
    TrustLevel,
    shortened,
    verify,
    verify_backwards,
    verify_path,
    verify_root,
)
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from tests.light.embedded_chain import CHAIN_ID, INTERVAL_MS, START_MS, make_chain, set_of
from tests.light.tampering import changed, index_of, renumbered, with_entry, with_odd_signature, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
ONE_NEW = {1: 10, 2: 10, 3: 10, 5: 10}
OTHERS = {6: 10, 7: 10, 8: 10, 9: 10}
PERIOD_MS = 1_000_000
TERMS = Terms(PERIOD_MS)
NOW_MS = START_MS + 100 * INTERVAL_MS


def step_of(trusted: LightBlock, block: LightBlock, now_ms: int = NOW_MS, terms: Terms = TERMS) -> str:
    """The step at which a block is refused, or nothing."""
    try:
        verify(trusted.header, trusted.validators, block, now_ms, terms)
    except VerificationError as error:
        return error.step
    return ""


def at_time(block: LightBlock, time_ms: int) -> LightBlock:
    return changed(block, header=changed(block.header, time_ns=time_ms * NANOSECONDS_PER_MS))


def forged(block: LightBlock) -> LightBlock:
    entries = [changed(entry, signature=bytes(64)) for entry in block.commit.signatures]
    return changed(block, commit=changed(block.commit, signatures=tuple(entries)))


def test_believes_the_next_header_and_one_further_on():
    blocks = make_chain([FOUR] * 9)
    assert [step_of(blocks[0], block) for block in blocks[1:]] == [""] * 8


Change = Callable[[LightBlock], LightBlock]
REFUSED: list[tuple[str, str, Change]] = [
    ("of the same height", "light-height", lambda b: changed(b, header=changed(b.header, height=1))),
    ("of the same time", "light-time", lambda b: at_time(b, START_MS)),
    ("of an earlier time", "light-time", lambda b: at_time(b, START_MS - 1)),
    ("not well formed", "header-form", lambda b: changed(b, header=changed(b.header, app_hash=bytes(65)))),
    ("of another chain", "header-chain", lambda b: changed(b, header=changed(b.header, chain_id="another"))),
    ("with other validators", "validator-set", lambda b: changed(b, validators=set_of(OTHERS))),
    ("with a commit of no form", "commit-form", lambda b: changed(b, commit=changed(b.commit, round=-1))),
    ("with a commit of another height", "commit-height", lambda b: changed(b, commit=changed(b.commit, height=3))),
    ("changed", "header-hash", lambda b: changed(b, header=changed(b.header, app_hash=bytes(32)))),
    ("with a vote too few", "commit-validator", lambda b: changed(b, commit=changed(b.commit, signatures=b.commit.signatures[:3]))),
    ("signed by two of four", "commit-power", lambda b: without(b, 0, 1)),
    ("changed, with its commit", "commit-signature", renumbered),
    ("forged", "commit-signature", forged),
]  # fmt: skip


@pytest.mark.parametrize("place", [1, 4], ids=["next", "further-on"])
@pytest.mark.parametrize(("what", "step", "change"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refuses_a_header_that_is(what: str, step: str, change: Change, place: int):
    blocks = make_chain([FOUR] * 6)
    assert step_of(blocks[0], change(blocks[place])) == step


def test_refuses_validators_that_were_not_announced():
    blocks = make_chain([FOUR, OTHERS], announce=False)
    assert step_of(blocks[0], blocks[1]) == "light-announced"
    announced = make_chain([FOUR, OTHERS])
    assert step_of(announced[0], announced[1]) == ""


def test_refuses_to_skip_by_validators_that_the_believed_header_does_not_name():
    blocks = make_chain([FOUR] * 4)
    with pytest.raises(VerificationError, match="light-validators"):
        verify(blocks[0].header, set_of(OTHERS), blocks[2], NOW_MS, TERMS)


def test_skips_by_the_announced_validators_as_well():
    blocks = make_chain([FOUR, OTHERS, OTHERS, OTHERS])
    with pytest.raises(NotEnoughTrust, match="light-trust"):
        verify(blocks[0].header, set_of(FOUR), blocks[2], NOW_MS, TERMS)
    verify(blocks[0].header, set_of(OTHERS), blocks[2], NOW_MS, TERMS)


def test_a_header_that_vouches_for_nothing_more_is_expired_to_the_millisecond():
    first, second = make_chain([FOUR] * 2)
    assert step_of(first, second, START_MS + PERIOD_MS - 1) == ""
    with pytest.raises(Expired):
        verify(first.header, first.validators, second, START_MS + PERIOD_MS, TERMS)


def test_a_header_may_be_ahead_by_less_than_clocks_differ():
    first, second = make_chain([FOUR] * 2)
    ahead = second.header.time_ms - TERMS.clock_drift_ms
    assert step_of(first, second, ahead + 1) == ""
    assert step_of(first, second, ahead) == "light-future"


def test_more_than_a_third_is_more():
    three = {1: 10, 2: 10, 3: 10}
    blocks = make_chain([three, three, {1: 10, 7: 10}, {1: 10, 7: 10}])
    assert step_of(blocks[0], blocks[3]) == "light-trust"
    heavier = {1: 11, 2: 10, 3: 10}
    blocks = make_chain([heavier, heavier, {1: 10, 7: 10}, {1: 10, 7: 10}])
    assert step_of(blocks[0], blocks[3]) == ""


@pytest.mark.parametrize(
    ("level", "step"), [((1, 3), ""), ((1, 2), ""), ((3, 4), "light-trust"), ((1, 1), "light-trust")]
)
def test_trust_level_says_how_much_of_believed_power_must_have_signed(level: tuple[int, int], step: str):
    blocks = make_chain([FOUR, FOUR, ONE_NEW, ONE_NEW])
    assert step_of(blocks[0], blocks[3], terms=Terms(PERIOD_MS, TrustLevel(*level))) == step


@pytest.mark.parametrize("level", [(1, 4), (0, 1), (33, 100), (4, 3), (1, 0), (0, 0), (-1, -3)])
def test_no_other_trust_level_can_be_made(level: tuple[int, int]):
    with pytest.raises(ValueError, match="not a trust level"):
        TrustLevel(*level)


def test_what_its_own_validators_did_not_sign_is_never_told_to_lack_trust():
    blocks = make_chain([FOUR, OTHERS, OTHERS, OTHERS])
    assert step_of(blocks[0], blocks[3]) == "light-trust"
    assert step_of(blocks[0], without(blocks[3], 0, 1)) == "commit-power"
    assert step_of(blocks[0], forged(blocks[3])) == "commit-signature"


def test_an_odd_signature_of_believed_power_lacks_trust_and_condemns_nothing():
    powers = {1: 10, 6: 30, 7: 30}
    blocks = make_chain([{1: 20, 2: 10}, powers, powers, powers])
    assert step_of(blocks[0], blocks[3]) == ""
    assert step_of(blocks[0], with_odd_signature(blocks[3], 1)) == "light-trust"


def test_backwards_needs_no_signature():
    blocks = make_chain([FOUR] * 3)
    verify_backwards(blocks[2].header, blocks[1])
    verify_backwards(blocks[2].header, forged(blocks[1]))


BACKWARDS: list[tuple[str, str, Callable[[Sequence[LightBlock]], LightBlock]]] = [
    ("not well formed", "header-form", lambda c: changed(c[1], header=changed(c[1].header, app_hash=bytes(65)))),
    ("with no set", "validator-set", lambda c: changed(c[1], validators=changed(c[1].validators, validators=()))),
    ("with other validators", "validator-set", lambda c: changed(c[1], validators=set_of(OTHERS))),
    ("with a commit of no form", "commit-form", lambda c: changed(c[1], commit=changed(c[1].commit, round=-1))),
    ("with the commit of another", "header-hash", lambda c: changed(c[1], commit=c[0].commit)),
    ("of another chain", "header-chain", lambda c: make_chain([FOUR] * 2, chain_id="another")[1]),
    ("two below", "light-height", lambda c: c[0]),
    ("itself", "light-height", lambda c: c[2]),
    ("another one", "light-link", lambda c: make_chain([OTHERS] * 2)[1]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "step", "make"), BACKWARDS, ids=[row[0] for row in BACKWARDS])
def test_refuses_to_go_back_to_a_header_that_is(
    what: str, step: str, make: Callable[[Sequence[LightBlock]], LightBlock]
):
    blocks = make_chain([FOUR] * 3)
    with pytest.raises(VerificationError) as refused:
        verify_backwards(blocks[2].header, make(blocks))
    assert refused.value.step == step


def test_refuses_to_go_back_to_a_later_time():
    blocks = make_chain([FOUR] * 3)
    early = changed(blocks[2].header, time_ns=blocks[1].header.time_ns)
    with pytest.raises(VerificationError, match="light-time"):
        verify_backwards(early, blocks[1])


def test_a_root_vouches_for_its_validators_or_its_header():
    blocks = make_chain([FOUR, FOUR, OTHERS, OTHERS])
    root = TrustRoot(chain_id=CHAIN_ID, validators_hash=validator_set_hash(set_of(FOUR)).hex(), state_tree_depth=4)
    pinned = TrustedHeader(CHAIN_ID, 2, header_hash(blocks[1].header))
    verify_root(root, blocks[0])
    verify_root(root, blocks[1])
    verify_root(pinned, blocks[1])
    refused_by: list[tuple[Root, LightBlock, str]] = [
        (root, blocks[2], "validators"),
        (pinned, blocks[0], "light-root"),
        (pinned._replace(height=3), blocks[1], "light-root"),
        (pinned._replace(chain_id="another"), blocks[1], "chain-id"),
        (pinned, without(blocks[1], 0, 1), "commit-power"),
    ]
    for other, block, step in refused_by:
        with pytest.raises(VerificationError) as refused:
            verify_root(other, block)
        assert refused.value.step == step


def test_a_path_is_shortened_to_what_trust_needs():
    sets = [FOUR] * 5 + [ONE_NEW] * 5 + [{5: 10, 6: 10, 7: 10}] * 5
    blocks = make_chain(sets)
    path = shortened(blocks)
    assert [block.header.height for block in path] == [1, 10, 11, 15]
    assert (path[0], path[-1]) == (blocks[0], blocks[-1])
    verify_path(path)
    assert shortened(blocks[:1]) == blocks[:1]
    with pytest.raises(NotEnoughTrust):
        verify_path([blocks[0], blocks[-1]])
    with pytest.raises(VerificationError):
        shortened([*blocks[:4], changed(blocks[4], header=changed(blocks[4].header, chain_id="another"))])


def test_an_entry_with_a_forged_signature_only_loses_its_own_power():
    blocks = make_chain([FOUR] * 5)
    assert step_of(blocks[0], with_entry(blocks[3], index_of(blocks[3], 2), signature=bytes(64))) == ""
