"""How a simulated chain begins: founded with its validators, or made by an embedded ledger that hands it over to them."""

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from fujie.engine.cometbft.consensus import Block
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor, found
from fujie.engine.stored_block import light_block_at
from fujie.machine.genesis import Genesis
from fujie.modules.membership.records import SetValidator
from fujie.proof.light_block import LightBlock
from fujie.store.base import WriteBatch
from tests import world
from tests.simulation.disk import in_memory
from tests.simulation.founding import NEWER, POWER, founding, validator
from tests.world import ROOT, WALLETS, Signing, allocate, funded

SECONDS_MAX: Final = 300  # for one transaction of the embedded ledger; nothing is measured by it


class Beginning(NamedTuple):
    """What every replica begins with: ``batches`` on its disk, and the ``blocks`` of an embedded ledger, which they hold."""

    genesis: Genesis
    batches: tuple[WriteBatch, ...]
    blocks: tuple[tuple[Block, LightBlock], ...]


@cache
def founded(validators: int) -> Beginning:
    """A chain that is founded with so many validators."""
    genesis = founding(validators)
    return Beginning(genesis, tuple(_founding(genesis)), ())


@cache
def grown(validators: int) -> Beginning:
    """A chain of an embedded ledger, whose governors have decided on so many validators, and which it has handed over."""
    genesis = funded()
    batches = _founding(genesis)
    engine = world.open_engine(in_memory(batches), NEWER)
    signing = Signing(engine.chain_id)
    for number in range(1, validators):
        for raw in signing.decide(SetValidator(validator(number).public_key, POWER, "world"), number):
            _carry_out(engine, raw)
    for number in range(WALLETS):
        _carry_out(engine, signing.pay(number, (number + 1) % WALLETS, number + 1))
    _carry_out(engine, signing.sign(allocate("BEFORE"), ROOT))
    engine.hand_over()
    return Beginning(genesis, tuple(batches), tuple(_blocks(batches)))


def _founding(genesis: Genesis) -> list[WriteBatch]:
    batches: list[WriteBatch] = []
    store = in_memory(batches)
    found(store, genesis)
    store.close()
    return batches


def _carry_out(engine: EmbeddedEngine, raw: bytes) -> None:
    """Have a block of one transaction made, and the empty one that proves it: the same blocks in every run."""
    [outcome] = engine.submit([raw]).result(SECONDS_MAX)
    assert outcome.code == 0
    assert outcome.log_index is not None, "it was carried out"
    assert engine.wait_proven(outcome.log_index, SECONDS_MAX)


def _blocks(batches: Sequence[WriteBatch]) -> list[tuple[Block, LightBlock]]:
    store = in_memory(list(batches))
    executor = Executor(store, NEWER)
    found = []
    for height in range(1, executor.head.height + 1):
        header, _, stored, _ = world.load_block(executor, height)
        entries = executor.entries(stored.first_index, stored.first_index + stored.transactions)
        light = light_block_at(store.get, height)
        assert light is not None, "every block of an embedded ledger is signed"
        found.append((Block(height, header.time_ms, tuple(entry.transaction for entry in entries)), light))
    store.close()
    return found
