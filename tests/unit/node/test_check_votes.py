"""`fujie check` of blocks whose votes count for CometBFT alone: certain where a later block that is signed names them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fujie.engine.executor import Head
from fujie.engine.stored_block import put_block, put_promise
from fujie.node.check.chain import ChainCheck, Origin
from fujie.node.check.report import Report
from fujie.proof.block import results_hash
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_set_hash
from fujie.store.base import WriteBatch
from tests import world
from tests.light.embedded_chain import CHAIN_ID, make_chain, set_of, sign_anew
from tests.light.tampering import changed, index_of, renumbered, with_entry, with_odd_signature, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
STRANGERS = {11: 10, 12: 10, 13: 10}
Change = Callable[[LightBlock], LightBlock]

TRUST = TrustRoot(
    chain_id=CHAIN_ID, validators_hash=validator_set_hash(set_of(FOUR)).hex(), state_tree_depth=world.DEPTH
)


def odd(block: LightBlock) -> LightBlock:
    return without(with_odd_signature(block, 1), (index_of(block, 1) + 1) % 4)


def found_in(folder: Path, blocks: Sequence[LightBlock], promised: Sequence[LightBlock] = ()) -> Report:
    """What the check finds in these blocks, and those that a mirror has seen after them."""
    store = world.open_kind("sqlite", folder)
    rows = WriteBatch()
    for block in blocks:
        put_block(rows, block, results_hash=results_hash([]), first_index=0, transactions=0)
    put_promise(rows, promised)
    store.commit(rows)
    report = Report()
    head = Head(len(blocks), blocks[-1].header.time_ms, bytes(32), bytes(32), bytes(32), 0)
    ChainCheck(store, TRUST, head, Origin(1, 0, b""), report).run()
    store.close()
    return report


def unsigned_in(folder: Path, blocks: Sequence[LightBlock], promised: Sequence[LightBlock] = ()) -> list[str]:
    """Where the check finds blocks that are not signed."""
    report = found_in(folder, blocks, promised)
    return [finding.path for finding in report.findings if finding.invariant == "block-is-signed"]


@pytest.mark.parametrize("places", [[], [3], [2, 3], [1, 3]])
def test_blocks_that_the_next_signed_one_names_are_signed(places: list[int], tmp_path: Path) -> None:
    blocks = make_chain([FOUR] * 4)
    assert unsigned_in(tmp_path, [odd(each) if each.header.height in places else each for each in blocks]) == []


def test_blocks_that_none_names_are_not(tmp_path: Path) -> None:
    first, second, third, fourth = make_chain([FOUR] * 4)
    assert unsigned_in(tmp_path, [first, renumbered(second), odd(third), odd(fourth)]) == [
        "blocks/2",
        "blocks/3",
        "blocks/4",
    ]


def unsigned(block: LightBlock) -> LightBlock:
    """The block with every signature spoilt."""
    for name in range(len(block.commit.signatures)):
        block = with_entry(block, name, signature=bytes(64))
    return block


def test_strangers_whom_an_unsigned_block_announces_sign_nothing(tmp_path: Path) -> None:
    blocks = make_chain([FOUR] * 3 + [STRANGERS] * 2)
    (tmp_path / "signed").mkdir()
    (tmp_path / "announced").mkdir()
    (tmp_path / "promised").mkdir()
    assert unsigned_in(tmp_path / "signed", blocks) == []
    announced = [*blocks[:2], unsigned(blocks[2]), *blocks[3:]]
    assert unsigned_in(tmp_path / "announced", announced) == ["blocks/3"]
    assert unsigned_in(tmp_path / "promised", announced[:3], announced[3:]) == ["blocks/3"]


@pytest.mark.parametrize(
    ("ends", "promised", "found"),
    [
        ([odd], [lambda block: block], []),
        ([odd], [odd, lambda block: block], []),
        ([odd, odd], [odd, odd, lambda block: block], []),
        ([odd], [], ["blocks/3"]),
        ([odd], [odd], ["blocks/3"]),
        ([odd], [unsigned], ["blocks/3"]),
        ([odd], [renumbered, lambda block: block], ["blocks/3"]),
        ([odd, odd], [odd, odd], ["blocks/3", "blocks/4"]),
    ],
)
def test_what_a_mirror_has_seen_after_its_newest_block_names_it_where_it_is_signed(
    ends: list[Change], promised: list[Change], found: list[str], tmp_path: Path
) -> None:
    blocks = make_chain([FOUR] * (2 + len(ends) + len(promised)))
    seen = [change(block) for change, block in zip([*ends, *promised], blocks[2:], strict=True)]
    assert unsigned_in(tmp_path, [*blocks[:2], *seen[: len(ends)]], seen[len(ends) :]) == found


def test_a_promise_of_strangers_names_nothing(tmp_path: Path) -> None:
    blocks = make_chain([FOUR] * 4)
    header = changed(blocks[3].header, validators_hash=validator_set_hash(set_of(STRANGERS)))
    assert unsigned_in(tmp_path, [*blocks[:2], odd(blocks[2])], [sign_anew(header, STRANGERS)]) == ["blocks/3"]


def test_blocks_of_others_than_were_announced_are_found_though_they_are_signed(tmp_path: Path) -> None:
    strange = make_chain([FOUR] * 3 + [STRANGERS] * 2, announce=False)
    report = found_in(tmp_path, strange)
    places = [finding.path for finding in report.findings if "other validators" in finding.detail]
    assert places == ["blocks/4"]


def test_block_1_is_of_the_validators_of_the_trust_root(tmp_path: Path) -> None:
    report = found_in(tmp_path, make_chain([STRANGERS] * 3))
    assert [finding.path for finding in report.findings if "other validators" in finding.detail] == ["blocks/1"]
