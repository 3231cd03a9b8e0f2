"""How old the newest block is: by its own time, and after a halt by the votes for it."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from fujie.api.chain import READY_AGE_MS_MAX, block_age_ms
from fujie.engine.reading import decided_at_ms
from fujie.proof.light_block import LightBlock, encode_light_block
from tests.light.embedded_chain import CHAIN_ID, make_chain
from tests.light.tampering import voted_at

NOW_MS = 1_800_000_000_000


def ledger(block: LightBlock, time_ms: int | None = None) -> Any:
    """As much of an engine as is asked: its head and what is proven."""
    head = SimpleNamespace(time_ms=block.header.time_ms if time_ms is None else time_ms)
    return SimpleNamespace(chain_id=CHAIN_ID, head=head, proven=SimpleNamespace(light_block=encode_light_block(block)))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NOW_MS * 1_000_000)


def test_the_first_block_after_a_halt_is_as_young_as_the_votes_for_it() -> None:
    [halted] = make_chain([{1: 10, 2: 10, 3: 10, 4: 10}])  # of 2023
    assert block_age_ms(ledger(halted)) > READY_AGE_MS_MAX
    voted = voted_at(halted, dict.fromkeys((1, 2, 3), NOW_MS - 70))
    assert block_age_ms(ledger(voted)) == 70
    assert decided_at_ms(ledger(voted)) == NOW_MS - 70, "whoever chooses an expiry goes by this"
    half = voted_at(halted, dict.fromkeys((1, 2), NOW_MS - 70))
    assert block_age_ms(ledger(half)) > READY_AGE_MS_MAX, "two of four alone cannot make it young"


def test_a_block_of_now_is_as_old_as_it_says_and_never_younger_than_now() -> None:
    [block] = make_chain([{1: 10}])
    assert block_age_ms(ledger(block, NOW_MS - 900)) == 900
    assert block_age_ms(ledger(block, NOW_MS + 900)) == 0
