"""CometBFT's own light client, in Go, accepts what the embedded engine makes of real payments, and nothing else."""

from pathlib import Path

import pytest

from fujie.core.errors import VerificationError
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.proving import Proven
from fujie.proof.commit import verify_commit
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from tests.light import comet_light
from tests.light.tampering import changed, renumbered, with_entry, without
from tests.world import KINDS, ON_DISK, ROOT, Kind, Signing, allocate, load_block, running

pytestmark = pytest.mark.go

BLOCKS = 14
TRUSTING_PERIOD_MS = 86_400_000


def make_chain(engine: EmbeddedEngine) -> list[LightBlock]:
    """Carry out payments and allocations one block at a time, also refused ones, and return every block."""
    signing = Signing(engine.chain_id)
    number = 0
    while engine.head.height < BLOCKS:
        number += 1
        raws = [signing.pay(n % 4, (n + 1) % 4, n) for n in range(number)]
        raws.append(signing.sign(allocate(str(1_000 + number)), ROOT))
        raws.append(signing.pay(0, 1, 10**12))  # refused, and in the results hash
        outcomes = engine.submit(raws).result(300)
        assert [outcome.code == 0 for outcome in outcomes] == [n != 0 for n in range(number)] + [True, False]
        engine.wait_proven(outcomes[-1].log_index or 0, 30)
    return [light_block(engine, height) for height in range(1, engine.head.height + 1)]


def light_block(engine: EmbeddedEngine, height: int) -> LightBlock:
    header, commit, *_ = load_block(engine.executor, height)
    return LightBlock(header, commit, newest(engine.proven).validators)


def newest(proven: Proven) -> LightBlock:
    return decode_light_block(proven.light_block)


def verify_by_cometbft(chain_id: str, blocks: list[LightBlock]) -> dict[str, int]:
    now_ms = blocks[-1].header.time_ms + 1_000
    encoded = [encode_light_block(block) for block in blocks]
    return comet_light.verify(chain_id, encoded, now_ms=now_ms, trusting_period_ms=TRUSTING_PERIOD_MS)


@pytest.mark.parametrize("kind", KINDS)
def test_accepts_a_chain_of_payments_adjacent_and_skipping(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        blocks = make_chain(engine)
        chain_id = engine.chain_id
        assert newest(engine.proven) == blocks[-1]
    count = len(blocks)
    assert verify_by_cometbft(chain_id, blocks) == {
        "light_blocks": count,
        "adjacent": count - 1,
        "non_adjacent": (count - 1) * (count - 2) // 2,
        "needs_header_between": 0,
        "sequential_client_height": count,
        "skipping_client_height": count,
    }


@pytest.mark.parametrize("kind", ON_DISK)
def test_accepts_a_chain_that_went_on_after_a_restart(kind: Kind, tmp_path: Path) -> None:
    with running(kind, tmp_path) as engine:
        before = make_chain(engine)
    with running(kind, tmp_path) as engine:
        signing = Signing(engine.chain_id, first_nonce=9_000)
        for _ in range(3):
            assert engine.submit([signing.pay(0, 1)]).result(300)[0].code == 0
        blocks = [light_block(engine, height) for height in range(1, engine.head.height + 1)]
        chain_id = engine.chain_id
    assert blocks[: len(before)] == before
    assert verify_by_cometbft(chain_id, blocks)["sequential_client_height"] == len(blocks)


TAMPERING = {
    "another app hash": lambda b: changed(b, header=changed(b.header, app_hash=bytes(32))),
    "another app hash and block id": renumbered,
    "another time": lambda b: changed(b, header=changed(b.header, time_ns=b.header.time_ns + 1)),
    "other transactions": lambda b: changed(b, header=changed(b.header, data_hash=bytes(32))),
    "other results": lambda b: changed(b, header=changed(b.header, last_results_hash=bytes(32))),
    "another block before": lambda b: changed(b, header=changed(b.header, last_commit_hash=bytes(32))),
    "another time of the vote": lambda b: with_entry(b, 0, time_ns=b.header.time_ns + 1_000_000),
    "another round": lambda b: changed(b, commit=changed(b.commit, round=1)),
    "no signature": lambda b: without(b, 0),
    "a bit of the signature turned": lambda b: with_entry(
        b, 0, signature=bytes((b.commit.signatures[0].signature[0] ^ 1,)) + b.commit.signatures[0].signature[1:]
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_both_refuse_a_chain_in_which_one_block_has(what: str, tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine:
        blocks = make_chain(engine)[:6]
        chain_id = engine.chain_id
    verify_commit(chain_id, blocks[3].validators, blocks[3].header, blocks[3].commit)
    blocks[3] = TAMPERING[what](blocks[3])
    with pytest.raises(VerificationError):
        verify_commit(chain_id, blocks[3].validators, blocks[3].header, blocks[3].commit)
    with pytest.raises(comet_light.RefusedByCometBFT):
        verify_by_cometbft(chain_id, blocks)


def test_refuses_the_chain_under_another_chain_id(tmp_path: Path) -> None:
    with running("memory", tmp_path) as engine:
        blocks = make_chain(engine)[:4]
    with pytest.raises(comet_light.RefusedByCometBFT):
        verify_by_cometbft("another-chain", blocks)
