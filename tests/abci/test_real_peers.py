"""Who knows a chain and reaches a real validator's port is no peer by that: it gets no block before the validator knows it."""

from contextlib import ExitStack

import pytest

from fujie.engine.cometbft.engine import CometEngine
from tests.abci.validators import OTHER, made
from tests.parity.one_node import OneNode, wait
from tests.world import VALIDATOR

pytestmark = [pytest.mark.go, pytest.mark.slow]


def is_cut_off(node: OneNode) -> bool:
    """Tell whether a node has refused a peer."""
    return "Not among `peers`" in node.paths.log.read_text("utf-8", "replace")


def peers(node: OneNode) -> int:
    return int(node.ask("net_info")["n_peers"])


def pay(node: OneNode, engine: CometEngine) -> None:
    assert engine.submit([node.pay(0, 1)]).result(300)[0].code == 0


def test_a_stranger_is_cut_off_and_gets_every_block_once_it_is_known() -> None:
    known: set[str] = set()
    with ExitStack() as stack:
        node, first = stack.enter_context(made("first", VALIDATOR, []))
        other, stranger = stack.enter_context(made("stranger", OTHER, [first]))
        engine = stack.enter_context(node.open(is_peer=known.__contains__))
        pay(node, engine)
        with other.open(stopped=lambda: is_cut_off(node)) as late:
            pay(node, engine)
            assert is_cut_off(node)
            assert peers(node) == 0
            assert late.head.height == 0
            assert int(other.ask("status")["sync_info"]["latest_block_height"]) == 0

        known.add(stranger.node_id)  # while the validator runs
        with other.open(wait_s=300) as late:
            wait(lambda: late.head.height == engine.head.height > 0)
            assert peers(node) == 1
