"""The chain of a cluster: the small world of the tests, with validators whose keys lie in their own folders."""

import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from fujie.core.encoding import encode
from fujie.machine.genesis import Genesis, export
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import Action, SetValidator
from tests import world
from tests.world import BANK, FUNDS_MINOR, ROOT, VALIDATOR, MemoryChain, funded

POWER: Final = 10  # of every validator
WALLETS: Final = 16
SUM_MINOR: Final = WALLETS * FUNDS_MINOR  # what all wallets hold together, always
EXPIRY_MS: Final = 400_000  # of what is submitted: later than any test waits, within the window of the chain


@cache
def _funded() -> Genesis:
    return funded(WALLETS)


def genesis(validators: Sequence[bytes]) -> Genesis:
    """Return the genesis of a chain with these validators, whose wallets hold money, and that begins now."""
    chain = MemoryChain(_funded())
    actions = [SetValidator(key, POWER, "world") for key in validators]
    for number, action in enumerate([*actions, SetValidator(VALIDATOR.public_key, 0, "world")]):
        for raw in chain.signing.decide(action, number):
            chain.carry_out(raw)
    leaves = ((path, leaf.salt, encode(leaf.record)) for path, (_, leaf) in chain.leaves.items())
    return export("cluster", now_ms() - 1_000, leaves, chain.archive.values())


def now_ms() -> int:
    """Return the time of this machine."""
    return time.time_ns() // 1_000_000


class Signing:
    """Signs for one chain. Nonces count up; each signer of a test begins with its own ``first``."""

    def __init__(self, chain_id: str, first: int) -> None:
        self.chain_id = chain_id
        self._number = first * 1_000_000

    def sign(self, operation: Any, *signers: Any, lives_ms: int = EXPIRY_MS) -> bytes:
        """Return the signed transaction of one operation."""
        self._number += 1
        nonce = world.nonce(self._number)
        return world.sign(self.chain_id, operation, signers, nonce, now_ms() + lives_ms)

    def pay(self, payer: int, payee: int, amount_minor: int, lives_ms: int = EXPIRY_MS) -> bytes:
        """Return a payment that the holder of wallet ``payer`` signed."""
        return self.sign(world.pay(payer, payee, amount_minor), world.holder(payer), lives_ms=lives_ms)

    def decide(self, action: Action) -> list[bytes]:
        """Return the transactions by which the two governors carry ``action``: a proposal and two votes."""
        self._number += 1
        proposal = world.nonce(self._number)
        return [
            self.sign(Propose("root", proposal, action, now_ms() + 80_000_000), ROOT),
            self.sign(Vote("root", proposal), ROOT),
            self.sign(Vote("central-bank", proposal), *BANK[:2]),
        ]
