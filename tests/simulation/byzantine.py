"""A validator that breaks the rules as the proposer, and votes for whatever others propose."""

from typing import Final

from fujie.core.encoding import encode
from fujie.core.limits import BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX
from fujie.core.transaction import SIGNED_TRANSACTION, SignedTransaction
from fujie.engine.cometbft.consensus import Block
from tests import world
from tests.simulation.agreement import Proposal
from tests.simulation.founding import POISON_MINOR
from tests.simulation.node import Node
from tests.world import WINDOW_MS, holder, pay

EVIL: Final = (
    "honest",
    "again",
    "malformed",
    "forged",
    "oversize",
    "many",
    "twice",
    "raising",
    "again",
    "expired",
    "reversed",
)
SLY: Final = ("again", "expired", "reversed", "honest")  # what no honest validator can find fault with


class ByzantineNode(Node):
    """One validator out of several that is not honest, until ``reformed``."""

    reformed = False

    def votes_for_all(self) -> bool:
        return not self.reformed and self._is_minority()

    def _is_minority(self) -> bool:
        """Whether it has less than a third of the power, as consensus assumes of those that are not honest."""
        powers = self.agreement.powers_at(self.agreement.height)
        return 3 * powers.get(self.number, 0) < sum(powers.values())

    def made(self, round_: int, block: Block) -> Proposal:
        kind = "honest" if self.reformed else self.scheduler.random.choice(EVIL)
        transactions = self._evil(kind, block)
        self.note(f"proposes {block.height}/{round_}: {kind}")
        good = True if kind in SLY else None if kind == "raising" else False
        return Proposal(round_, block._replace(transactions=transactions), self.number, good)

    def _evil(self, kind: str, block: Block) -> tuple[bytes, ...]:
        raw, whole = self._payment(1, block.time_ms), block.transactions
        if kind == "malformed":
            return (
                *whole,
                self.scheduler.random.choice((b"", raw[:-1], raw + b"\0", bytes(TRANSACTION_BYTES_MAX + 1))),
            )
        if kind == "forged":
            signed = SIGNED_TRANSACTION.decode(raw)
            return (encode(SignedTransaction(signed.body, (bytes(64),) * len(signed.signatures))), *whole)
        if kind == "oversize":
            return (raw, *(bytes(TRANSACTION_BYTES_MAX) for _ in range(64)))
        if kind == "many":
            return (raw,) * (BLOCK_TRANSACTIONS_MAX + 1)
        if kind == "twice":
            return (raw, *whole, raw)
        if kind == "raising":
            return (*whole, self._payment(POISON_MINOR, block.time_ms))
        if kind == "again":
            earlier = [old for decision in self.stored.values() for old in decision.block.transactions[:1]]
            return tuple(dict.fromkeys((*earlier, *whole)))
        if kind == "expired":
            return (*whole, self._payment(1, block.time_ms - WINDOW_MS))
        return tuple(reversed(whole)) if kind == "reversed" else whole

    def _payment(self, amount_minor: int, time_ms: int) -> bytes:
        payer, payee = self.scheduler.random.sample(range(world.WALLETS), 2)
        number = self.scheduler.random.randint(10**9, 2 * 10**9)
        operation = pay(payer, payee, amount_minor)
        return world.sign(
            self.agreement.bare.chain_id, operation, [holder(payer)], world.nonce(number), time_ms + WINDOW_MS // 2
        )
