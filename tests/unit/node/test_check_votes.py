"""`fujie check` of blocks whose votes count for CometBFT alone: certain where a later block that is signed names them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from fujie.engine.executor import Head
from fujie.engine.stored_block import put_block
from fujie.node.check.chain import ChainCheck, Origin
from fujie.node.check.report import Report
from fujie.proof.block import results_hash
from fujie.proof.light_block import LightBlock
from fujie.store.base import WriteBatch
from tests import world
from tests.light.embedded_chain import CHAIN_ID, make_chain
from tests.light.tampering import index_of, renumbered, with_odd_signature, without

FOUR = {1: 10, 2: 10, 3: 10, 4: 10}


def odd(block: LightBlock) -> LightBlock:
    return without(with_odd_signature(block, 1), (index_of(block, 1) + 1) % 4)


def unsigned_in(folder: Path, blocks: Sequence[LightBlock]) -> list[str]:
    """Where the check finds blocks that are not signed."""
    store = world.open_kind("sqlite", folder)
    rows = WriteBatch()
    for block in blocks:
        put_block(rows, block, results_hash=results_hash([]), first_index=0, transactions=0)
    store.commit(rows)
    report = Report()
    head = Head(len(blocks), blocks[-1].header.time_ms, bytes(32), bytes(32), bytes(32), 0)
    ChainCheck(store, CHAIN_ID, head, Origin(1, 0, b""), report).run()
    store.close()
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
