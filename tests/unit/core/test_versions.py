"""The version chain: where the further links lead, and how short every path is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.context import Context
from fujie.core.encoding import encode
from fujie.core.hashing import version_digest
from fujie.core.limits import VERSION_PATH_MAX
from fujie.core.state import BlockOverlay, Overlay
from fujie.core.versions import first, skip_target, succeed
from fujie.modules.membership.records import Organisation, Status
from fujie.modules.membership.state_keys import ORGANISATION
from tests.unit.modules.harness import Bench


def weights(number: int) -> list[int]:
    """``number`` as weights 2^k - 1, largest first: the definition, slowly."""
    found = []
    while number:
        weight = max(2**k - 1 for k in range(1, number.bit_length() + 2) if 2**k - 1 <= number)
        found.append(weight)
        number -= weight
    return found


def links(number: int, target: int) -> int:
    """How many links lead from version ``number`` to ``target``, leaping as far as one may."""
    count = 0
    while number > target:
        number = skip_target(number) if skip_target(number) >= target else number - 1
        count += 1
    return count


@given(st.integers(1, 10**6))
def test_further_link_drops_the_last_weight(number: int) -> None:
    assert skip_target(number) == number - weights(number)[-1]
    assert 0 <= skip_target(number) < number


def test_first_targets_are_those_of_the_specification() -> None:
    assert [skip_target(number) for number in range(1, 17)] == [0, 1, 0, 3, 4, 3, 0, 7, 8, 7, 10, 11, 10, 7, 0, 15]


def test_any_of_ten_thousand_versions_is_near() -> None:
    assert max(links(10_000, target) for target in range(1, 10_001)) <= 31
    assert max(links(number, 1) for number in range(1, 2000)) <= 31


@given(st.integers(1, 2**53), st.data())
def test_paths_grow_with_the_logarithm_and_stay_within_their_bound(number: int, data: st.DataObject) -> None:
    target = data.draw(st.integers(1, number))
    assert links(number, target) <= 3 * math.log2(number + 1) + 3
    assert links(number, target) <= 2 * VERSION_PATH_MAX


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40])
def test_succession_links_to_the_bytes_of_the_versions_before(count: int) -> None:
    block = BlockOverlay(Bench())
    overlay = Overlay(block)
    made: list[Organisation] = []
    for height in range(1, count + 1):
        context = Context("demo", height, height * 1000, bytes(32), bytes(16), frozenset())
        standing = succeed(overlay, context, made[-1], ORGANISATION) if made else first(context)
        made.append(Organisation("city", f"Title {height}", Status.ACTIVE, 1, standing))
    digests = [version_digest(encode(one)) for one in made]
    for index, one in enumerate(made):
        standing = one.standing
        assert standing.number == standing.since_height == index + 1
        assert standing.since_ms == 1000 * (index + 1)
        assert (standing.created_height, standing.created_ms) == (1, 1000)
        assert standing.previous == (digests[index - 1] if index else b"")
        target = skip_target(index + 1)
        assert standing.skip == (digests[target - 1] if target else b"")
    for one, version in zip(made[:-1], digests, strict=False):
        assert overlay.archived(version) == encode(one)
    assert overlay.archived(digests[-1]) is None
