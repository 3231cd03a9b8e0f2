"""Callers: they submit to several nodes, retry until they hear something, contradict themselves, and read back with proof."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fujie.core.encoding import encode
from fujie.core.reasons import TransactionReason
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.transaction import SIGNED_TRANSACTION, SignedTransaction
from fujie.engine.base import Outcome
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import Action, ActivateRules, SetValidator
from fujie.proof.bundle import Bundle
from tests import world
from tests.simulation.founding import OUTDATED_MINOR, POISON_MINOR, POWER, validator
from tests.simulation.invariants import require
from tests.simulation.node import Node, Surroundings
from tests.world import BANK, FUNDS_MINOR, ROOT, WALLETS, WINDOW_MS, allocate, holder, pay

PAUSE_MS: Final = 250  # on average between two acts
PATIENCE_MS: Final = 1_500  # after which a caller who has heard nothing submits again
POISON_LIVES_MS: Final = 6_000  # at most, of what no block ever carries out
LEAD_HEIGHTS: Final = 4  # from a proposal to change rules to the height of the change
RULE_PROPOSALS: Final = 2  # of one change: the first may be lost


class Client:
    """One caller. ``votes``: the governors' voice, which also decides on validators and rules."""

    def __init__(self, number: int, around: Surroundings, nodes: Sequence[Node], votes: bool, rules: bool) -> None:
        self.name = f"c{number}"
        self.resting = False
        self.outcomes = 0
        self.proofs = 0
        self._scheduler, self._network, self._agreement, self._invariants = around
        self._nodes = nodes
        self._votes = votes
        self._rule_proposals = RULE_PROPOSALS if rules else 0
        self._nonce = 10_000_000 * (number + 1)
        self._chain_id = self._agreement.bare.chain_id
        self.waiting: dict[bytes, int] = {}  # transaction → when it was last submitted
        self._said: list[bytes] = []
        self._known: list[tuple[bytes, int]] = []  # id and place in the log of what was carried out

    def act(self) -> None:
        """Do something, and plan the next act."""
        random = self._scheduler.random
        if not self.resting:
            for raw in self._transactions():
                self._said.append(raw)
                for node in random.sample(self._nodes, min(len(self._nodes), random.choice((1, 1, 2, 4)))):
                    self._submit(raw, node)
        for raw, since_ms in list(self.waiting.items()):
            if self._scheduler.now_ms - since_ms >= PATIENCE_MS:
                self._submit(raw, random.choice(self._nodes))
        if random.random() < 0.5:
            self._read(random.choice(self._nodes))
        self._scheduler.after(random.randint(1, 2 * PAUSE_MS), self.act)

    # -- inside

    def _submit(self, raw: bytes, node: Node) -> None:
        self.waiting[raw] = self._scheduler.now_ms

        def reply(outcome: Outcome) -> None:
            self._network.send(node.name, self.name, lambda: self._hear(raw, outcome))

        self._network.send(self.name, node.name, lambda: node.submit(raw, reply))

    def _hear(self, raw: bytes, outcome: Outcome) -> None:
        self.waiting.pop(raw, None)
        self._scheduler.note(f"{self.name} hears {outcome.code} at {outcome.log_index}")
        require(outcome.code != TransactionReason.TRANSACTION_REPEATED, "who asks again hears the first outcome")
        if outcome.code == TransactionReason.TRANSACTION_EXPIRED:
            self._invariants.expired(outcome.transaction_id)
        if outcome.receipt is not None:
            self.outcomes += 1
            if outcome.receipt.authorised and outcome.log_index is not None:
                self._known.append((outcome.transaction_id, outcome.log_index))

    def _read(self, node: Node) -> None:
        """Ask a node for something with proof, a balance or a receipt, and verify what comes."""
        random, invariants = self._scheduler.random, self._invariants
        if random.random() < 0.5 and self._known:
            identifier, index = random.choice(self._known)
            self._ask(node, lambda: node.read_receipt(identifier), lambda bundle: invariants.receipt(bundle, index))
        else:
            wallet = random.randrange(WALLETS)
            self._ask(node, lambda: node.read(wallet), lambda bundle: invariants.balance(bundle, wallet))

    def _ask(self, node: Node, question: Callable[[], Iterable[Bundle]], verify: Callable[[Bundle], None]) -> None:
        def answer() -> None:
            for bundle in question():
                self.proofs += 1
                verify(bundle)

        self._network.send(self.name, node.name, answer)

    # -- what is submitted

    def _transactions(self) -> list[bytes]:
        random = self._scheduler.random
        choice = random.random()
        payer, payee, other = random.sample(range(WALLETS), 3)
        if self._votes and (choice < 0.3 or self._rule_proposals):
            return self._decision()
        if choice < 0.42:
            return [self._pay(payer, payee, random.choice((1, OUTDATED_MINOR, 250)))]
        if choice < 0.5:  # the same payment, signed twice
            return [self._pay(payer, payee, 11), self._pay(payer, payee, 11)]
        if choice < 0.6:  # everything, to two payees
            amount_minor = FUNDS_MINOR * 3 // 5
            return [self._pay(payer, payee, amount_minor), self._pay(payer, other, amount_minor)]
        if choice < 0.68:  # two transactions under one nonce
            nonce = self._next_nonce()
            return [self._sign(pay(payer, to, 7), holder(payer), nonce=nonce) for to in (payee, other)]
        if choice < 0.76 and self._said:
            return [random.choice(self._said)]
        if choice < 0.82:  # identifiers that others want as well
            return [self._sign(allocate(str(random.randint(0, 9))), ROOT)]
        return [self._odd(payer, payee)]

    def _odd(self, payer: int, payee: int) -> bytes:
        """A transaction that is refused somewhere, by some rules, or raises."""
        random = self._scheduler.random
        kind = random.randrange(6)
        if kind == 0:
            # CometBFT may have it anywhere by then: nobody hears of it before it has expired.
            return self._pay(payer, payee, POISON_MINOR, random.randint(1_000, POISON_LIVES_MS))
        if kind == 1:
            return self._pay(payer, payee, 10**12)
        if kind == 2:
            return self._sign(pay(payer, payee, 3), holder(payee))
        if kind == 3:  # lives for about two blocks
            return self._sign(pay(payer, payee, 2), holder(payer), lives_ms=random.randint(1, 1_500))
        if kind == 4:
            return self._sign(pay(payer, payee, 2), holder(payer), lives_ms=3 * WINDOW_MS)
        raw = self._pay(payer, payee, 5)
        signed = SIGNED_TRANSACTION.decode(raw)
        return encode(SignedTransaction(signed.body, (bytes(64),) * len(signed.signatures)))

    def _decision(self) -> list[bytes]:
        """Propose something, and vote for it: whether it is carried depends on what arrives, and in which order."""
        random = self._scheduler.random
        action: Action
        if self._rule_proposals:
            self._rule_proposals -= 1
            action = ActivateRules("currency", 2, self._agreement.height + LEAD_HEIGHTS)
        else:
            number = random.randrange(len(self._nodes))
            action = SetValidator(validator(number).public_key, random.choice((0, 1, POWER, 2 * POWER)), "world")
        proposal = self._next_nonce()
        deadline_ms = self._agreement.bare.time_ms + WINDOW_MS
        return [
            self._sign(Propose("root", proposal, action, deadline_ms), ROOT),
            self._sign(Vote("root", proposal), ROOT),
            self._sign(Vote("central-bank", proposal), *BANK[:2]),
        ]

    def _pay(self, payer: int, payee: int, amount_minor: int, lives_ms: int = WINDOW_MS // 2) -> bytes:
        return self._sign(pay(payer, payee, amount_minor), holder(payer), lives_ms=lives_ms)

    def _sign(
        self, operation: Operation, *signers: Signer, lives_ms: int = WINDOW_MS // 2, nonce: bytes | None = None
    ) -> bytes:
        expires_at_ms = self._scheduler.now_ms + lives_ms
        return world.sign(self._chain_id, operation, signers, nonce or self._next_nonce(), expires_at_ms)

    def _next_nonce(self) -> bytes:
        self._nonce += 1
        return world.nonce(self._nonce)
