"""Blocks of a real CometBFT whose votes count for it alone: the node goes on, and it and its readers prove nothing with them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fujie.core.errors import VerificationError
from fujie.engine.cometbft import headers
from fujie.engine.cometbft.engine import CometEngine
from fujie.engine.link.server import LinkServer
from fujie.proof.commit import verify_commit
from fujie.proof.header import Header
from fujie.proof.light_block import decode_light_block
from fujie.reader.replica import Replica
from tests.parity.one_node import SECONDS_MAX, one_node, wait

pytestmark = [pytest.mark.go, pytest.mark.slow]

ODD = {3, 5, 6}


@contextmanager
def linked(engine: CometEngine, place: Path) -> Iterator[Replica]:
    """A reader of the engine whose data folder is ``place``."""
    with closing(LinkServer(engine, place, "sqlite")), closing(Replica(place)) as replica:
        yield replica


def test_a_node_goes_on_after_blocks_whose_votes_count_for_cometbft_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(chain_id: str, validators: Any, header: Header, commit: Any) -> None:
        verify_commit(chain_id, validators, header, commit)
        if header.height in odd:
            raise VerificationError("commit-signature", "it is odd")

    odd = set(ODD)
    monkeypatch.setattr(headers, "verify_commit", verify)
    proven: list[int] = []
    read: list[int] = []
    with one_node() as node:
        place = node.paths.home.parent
        with node.open() as engine, linked(engine, place) as replica:
            engine.subscribe(lambda: proven.append(decode_light_block(engine.proven.light_block).header.height))
            replica.subscribe(lambda: read.append(decode_light_block(replica.proven.light_block).header.height))
            while engine.head.height <= max(ODD):
                [outcome] = engine.submit([node.pay(0, 1)]).result(SECONDS_MAX)
                assert outcome.code == 0
            wait(lambda: max(proven, default=0) > max(ODD))
            wait(lambda: max(read, default=0) > max(ODD))
            assert ODD.isdisjoint(proven)
            assert ODD.isdisjoint(read)
            for height in range(1, max(proven) + 1):
                block = engine.light_block(height)
                assert block is not None
                assert block.header.height == height
            last = engine.head.height + 1
            odd.add(last)
            assert engine.submit([node.pay(0, 1)]).result(SECONDS_MAX)[0].code == 0
        with node.open() as engine:
            assert engine.submit([node.pay(0, 1)]).result(SECONDS_MAX)[0].code == 0
            wait(lambda: decode_light_block(engine.proven.light_block).header.height > last)
            assert engine.light_block(last) is not None
