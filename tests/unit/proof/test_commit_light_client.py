"""CometBFT's own light client, in Go, verifies chains that Python made, and refuses those that were tampered with."""

from collections.abc import Callable, Sequence

import pytest

from fujie.core.errors import VerificationError
from fujie.proof.commit import verify_commit
from fujie.proof.light_block import LightBlock, encode_light_block
from tests.light import comet_light
from tests.light.embedded_chain import CHAIN_ID, INTERVAL_MS, START_MS, make_chain
from tests.light.tampering import changed, renumbered, with_entry, with_odd_signature, without

pytestmark = pytest.mark.go

ONE = {1: 10}
FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
OTHERS = {5: 30, 6: 20, 7: 10}
TRUSTING_PERIOD_MS = 86_400_000


def verify_by_cometbft(blocks: Sequence[LightBlock], chain_id: str = CHAIN_ID) -> dict[str, int]:
    now_ms = START_MS + len(blocks) * INTERVAL_MS
    encoded = [encode_light_block(block) for block in blocks]
    return comet_light.verify(chain_id, encoded, now_ms=now_ms, trusting_period_ms=TRUSTING_PERIOD_MS)


def verify_here(blocks: Sequence[LightBlock]) -> None:
    """Adjacent verification in Python, which trusts the first validator set."""
    for before, block in zip([None, *blocks], blocks, strict=False):
        if before is not None and before.header.next_validators_hash != block.header.validators_hash:
            raise VerificationError("next-validators", "not the announced set")
        verify_commit(CHAIN_ID, block.validators, block.header, block.commit)


def test_accepts_a_chain_of_one_validator() -> None:
    blocks = make_chain([ONE] * 12)
    verify_here(blocks)
    assert verify_by_cometbft(blocks) == {
        "light_blocks": 12,
        "adjacent": 11,
        "non_adjacent": 55,
        "needs_header_between": 0,
        "sequential_client_height": 12,
        "skipping_client_height": 12,
    }


def test_accepts_validator_sets_that_change_as_announced() -> None:
    blocks = make_chain([ONE] * 4 + [FOUR] * 4 + [OTHERS] * 4)
    verify_here(blocks)
    counts = verify_by_cometbft(blocks)
    assert counts["adjacent"] == 11
    assert counts["non_adjacent"] > 0
    assert counts["needs_header_between"] > 0, "sets without a common validator cannot be skipped over"
    assert counts["sequential_client_height"] == counts["skipping_client_height"] == 12


def test_accepts_absent_validators_up_to_a_third() -> None:
    blocks = [without(block, block.header.height % 4) for block in make_chain([FOUR] * 8)]
    verify_here(blocks)
    assert verify_by_cometbft(blocks)["sequential_client_height"] == 8


def test_cometbft_accepts_an_odd_signature_that_does_not_count_here() -> None:
    blocks = make_chain([FOUR] * 3)
    blocks[2] = with_odd_signature(blocks[2], 3)
    verify_here(blocks)
    verify_by_cometbft(blocks)
    alone = make_chain([ONE] * 3)
    alone[2] = with_odd_signature(alone[2], 1)
    verify_by_cometbft(alone)
    with pytest.raises(VerificationError, match="commit-signature"):
        verify_here(alone)


TAMPERING: dict[str, Callable[[LightBlock], LightBlock]] = {
    "another app hash": lambda b: changed(b, header=changed(b.header, app_hash=bytes(32))),
    "another app hash and block id": renumbered,
    "another time": lambda b: changed(b, header=changed(b.header, time_ns=b.header.time_ns + 1)),
    "another time of a vote": lambda b: with_entry(without(b, 1), 0, time_ns=b.header.time_ns),
    "another round": lambda b: changed(b, commit=changed(b.commit, round=1)),
    "two of four absent": lambda b: without(b, 0, 2),
    "a signature at another place": lambda b: with_entry(without(b, 2), 0, signature=b.commit.signatures[1].signature),
    "entries in another order": lambda b: changed(b, commit=changed(b.commit, signatures=b.commit.signatures[::-1])),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_both_refuse_a_tampered_chain(what: str) -> None:
    blocks = make_chain([FOUR] * 4)
    blocks[2] = TAMPERING[what](blocks[2])
    with pytest.raises(VerificationError):
        verify_here(blocks)
    with pytest.raises(comet_light.RefusedByCometBFT):
        verify_by_cometbft(blocks)


def test_both_refuse_validators_that_were_not_announced() -> None:
    blocks = make_chain([ONE] * 3 + [OTHERS] * 3, announce=False)
    with pytest.raises(VerificationError, match="next-validators"):
        verify_here(blocks)
    with pytest.raises(comet_light.RefusedByCometBFT, match="next validators"):
        verify_by_cometbft(blocks)


def test_both_refuse_another_chain() -> None:
    blocks = make_chain([ONE] * 3, chain_id="another")
    with pytest.raises(VerificationError, match="header-chain"):
        verify_here(blocks)
    with pytest.raises(comet_light.RefusedByCometBFT):
        verify_by_cometbft(blocks)


def test_both_refuse_a_block_with_another_validator_set() -> None:
    blocks = make_chain([FOUR] * 3)
    blocks[1] = changed(blocks[1], validators=make_chain([OTHERS])[0].validators)
    with pytest.raises(VerificationError, match="validator-set"):
        verify_here(blocks)
    with pytest.raises(comet_light.RefusedByCometBFT):
        verify_by_cometbft(blocks)
