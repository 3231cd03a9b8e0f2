"""Key policies: who satisfies one, and which may be registered."""

from itertools import combinations

import pytest

from fujie.core.policy import KeyPolicy, single, threshold
from fujie.core.signing import Signer

KEYS = sorted(Signer(bytes((number,)) * 32).public_key for number in range(1, 6))
IDENTITY = b"\x01" + bytes(31)


@pytest.mark.parametrize("needed", range(1, 6))
def test_as_many_keys_as_the_threshold_satisfy_and_fewer_do_not(needed: int) -> None:
    policy = threshold(needed, KEYS)
    for count in range(6):
        for signers in combinations(KEYS, count):
            assert policy.satisfied_by(frozenset(signers)) == (count >= needed)


def test_keys_of_strangers_do_not_count() -> None:
    policy = threshold(2, KEYS[:2])
    assert not policy.satisfied_by(frozenset(KEYS[1:]))
    assert not single(KEYS[0]).satisfied_by(frozenset(KEYS[1:]))
    assert single(KEYS[0]).satisfied_by(frozenset(KEYS))
    assert not single(KEYS[0]).satisfied_by(frozenset())


def test_helpers_make_sound_policies_with_keys_in_order() -> None:
    assert threshold(3, KEYS[::-1]) == KeyPolicy(3, tuple(KEYS))
    assert threshold(3, KEYS).is_sound()
    assert single(KEYS[0]).is_sound()


@pytest.mark.parametrize(
    "policy",
    [
        KeyPolicy(2, (KEYS[0],)),
        KeyPolicy(1, (KEYS[1], KEYS[0])),
        KeyPolicy(1, (KEYS[0], KEYS[0])),
        KeyPolicy(1, (IDENTITY,)),
        KeyPolicy(1, (KEYS[0], b"\xff" * 32)),
    ],
    ids=["threshold above keys", "descending", "twice", "small order", "not on the curve"],
)
def test_unsound_policy_is_told(policy: KeyPolicy) -> None:
    assert not policy.is_sound()


def test_signing_twice_does_not_count_twice() -> None:
    assert not threshold(2, KEYS).satisfied_by([KEYS[0], KEYS[0]])
