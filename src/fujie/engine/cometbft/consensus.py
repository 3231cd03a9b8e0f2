"""What consensus asks of the ledger, in Fujie's own terms: propose, judge, carry out, commit.

    propose ──┐                                   speculative: carried out on the committed state and kept, not written
    judge ────┴─► stage ─► carry_out ─► commit    the kept result is used again when the very same block is decided

One thread calls all of it, the ledger thread. No rule stands here: the machine has them, and the executor is the one that
the embedded engine has.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from fujie.core.errors import OperationalError, Refused
from fujie.core.limits import BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.transaction import VerifiedBlock, VerifiedTransaction
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor, Head, Staged
from fujie.engine.quarantine import apply_sound
from fujie.machine.transition import BlockResult
from fujie.modules.membership.records import Validators
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.proof.validators import Validator

KEPT_MAX: Final = 4  # speculative results of one height: one for each round, and rounds seldom fail
QUARANTINED_MAX: Final = 10_000


class Block(NamedTuple):
    """A block as consensus names it: what the result depends on, and nothing else."""

    height: int
    time_ms: int
    transactions: tuple[bytes, ...]
    misbehaviour: tuple[Misbehaviour, ...] = ()


class CarriedOut(NamedTuple):
    """What a decided block does, to be committed: one code for each transaction, and what CometBFT is told."""

    block: VerifiedBlock
    staged: Staged
    codes: tuple[int, ...]
    validators: tuple[Validator, ...]  # those whose power changes; 0 removes one


class Consensus:
    """The ledger as consensus drives it."""

    def __init__(
        self, executor: Executor, verification: Verification, on_unfit: Callable[[], None] = lambda: None
    ) -> None:
        """``on_unfit`` is called when a mempool holds what is never proposed."""
        self.executor = executor
        self._on_unfit = on_unfit
        self._verification = verification
        self._kept: dict[Block, tuple[VerifiedBlock, BlockResult]] = {}
        self._staged: tuple[Block, Staged] | None = None  # what is likely to be decided, hashed while others vote on it
        self._quarantined: dict[bytes, None] = {}  # bytes of transactions that raise, oldest first

    @property
    def head(self) -> Head:
        """The last committed block."""
        return self.executor.head

    def quarantined(self, raw: bytes) -> bool:
        """Whether a transaction has raised what it must not, and is proposed by nobody who has seen it."""
        return raw in self._quarantined

    def propose(self, offered: Block, bytes_max: int) -> tuple[bytes, ...]:
        """Return the transactions of ``offered`` that make a block: what fits, in its order, none twice, none that raises.

        What the rules refuse stays in: it gets a receipt that says why, and leaves every queue. What was carried out before does
        not: a mempool that offers that has lost count of it, and would offer it for ever.
        """
        taken: list[VerifiedTransaction] = []
        seen: set[bytes] = set()
        size = 0
        verdicts = self._verification.verdicts(offered.transactions)
        for raw, code in zip(offered.transactions, verdicts, strict=True):
            if code or raw in self._quarantined:
                continue
            transaction = self._verification.transaction(raw)
            if transaction.id in seen:
                continue
            if self.executor.window.remembers(transaction.id, transaction.body.expires_at_ms):
                self._on_unfit()
                continue
            size += len(raw)
            if size > min(bytes_max, BLOCK_BYTES_MAX) or len(taken) == BLOCK_TRANSACTIONS_MAX:
                break
            seen.add(transaction.id)
            taken.append(transaction)
        sound = apply_sound(self.executor, self._block(offered, taken))
        self._quarantine([taken[place].raw for place in sound.faulty])
        proposed = offered._replace(transactions=tuple(transaction.raw for transaction in sound.block.transactions))
        self._keep(proposed, sound.block, sound.result)
        return proposed.transactions

    def judge(self, proposed: Block) -> str | None:
        """Return why a proposed block must not be decided, or None when nothing is wrong with it."""
        if proposed in self._kept:
            return None
        if (
            len(proposed.transactions) > BLOCK_TRANSACTIONS_MAX
            or sum(map(len, proposed.transactions)) > BLOCK_BYTES_MAX
        ):
            return "it is larger than a block may be"
        for place, code in enumerate(self._verification.verdicts(proposed.transactions)):
            if code:
                return f"transaction {place} is refused with reason {code}"
        transactions = [self._verification.transaction(raw) for raw in proposed.transactions]
        if len({transaction.id for transaction in transactions}) < len(transactions):
            return "it has a transaction twice"
        block = self._block(proposed, transactions)
        try:
            result = self.executor.apply(block)
        except (OperationalError, Refused):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, apply_sound finds the transaction and logs it
            faulty = apply_sound(self.executor, block).faulty
            self._quarantine([transactions[place].raw for place in faulty])
            return f"{len(faulty)} of its transactions fail unexpectedly"
        self._keep(proposed, block, result)
        return None

    def stage(self, judged: Block) -> None:
        """Hash what a block would do that :meth:`judge` found nothing wrong with, so that deciding it takes less time.

        Raises as :meth:`Executor.stage`. One that is decided already, or no longer kept, is left alone.
        """
        kept = self._kept.get(judged)
        if kept is not None and (self._staged is None or self._staged[0] != judged):
            self._take_staged(judged)
            self._staged = judged, self.executor.stage(*kept)

    def carry_out(self, decided: Block) -> CarriedOut:
        """Carry out a block that more than two thirds of the power decided; nothing is written before :meth:`commit`.

        Raises ``UnknownRules`` when this installation lacks the rules of its height, :class:`OperationalError` when
        it holds what no honest validator lets pass, and whatever a faulty transaction raises: the node must stop.
        """
        kept = self._kept.get(decided)
        staged = self._take_staged(decided)
        if kept is None:
            kept = self._apply(decided)
        self._kept.clear()
        block, result = kept
        if staged is None:
            staged = self.executor.stage(block, result)
        before = self.executor.live.get(VALIDATORS_KEY)
        changed = result.changes.get(VALIDATORS_KEY.path)
        updates = () if changed is None else _updates(before, changed[1].record)
        return CarriedOut(block, staged, tuple(receipt.code for receipt in result.receipts), updates)

    def commit(self, carried_out: CarriedOut) -> None:
        """Make a block durable and visible. Raises as :meth:`Executor.commit`."""
        self.executor.commit(carried_out.staged)
        self._verification.forget([transaction.raw for transaction in carried_out.block.transactions])

    def discard(self, carried_out: CarriedOut) -> None:
        """Forget a block that was carried out and is not going to be committed."""
        self.executor.discard(carried_out.staged)

    # -- inside

    def _apply(self, decided: Block) -> tuple[VerifiedBlock, BlockResult]:
        for place, code in enumerate(self._verification.verdicts(decided.transactions)):
            if code:
                raise OperationalError(
                    f"Block {decided.height} was decided although its transaction {place} is refused with reason {code}.",
                    "More than two thirds of the validators broke the rules of this chain, or run another version. "
                    "Compare the versions with the other organisations before you start again.",
                )
        block = self._block(decided, [self._verification.transaction(raw) for raw in decided.transactions])
        return block, self.executor.apply(block)

    def _block(self, block: Block, transactions: Sequence[VerifiedTransaction]) -> VerifiedBlock:
        return VerifiedBlock(
            self.executor.chain_id, block.height, block.time_ms, tuple(transactions), block.misbehaviour
        )

    def _take_staged(self, wanted: Block) -> Staged | None:
        """Return what is staged if it is that of ``wanted``; forget that of any other block."""
        if self._staged is None:
            return None
        (block, staged), self._staged = self._staged, None
        if block == wanted:
            return staged
        self.executor.discard(staged)
        return None

    def _keep(self, proposed: Block, block: VerifiedBlock, result: BlockResult) -> None:
        """Keep what a block would do, until one of its height is decided."""
        for other in [other for other in self._kept if other.height != proposed.height]:
            del self._kept[other]
        while len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[proposed] = (block, result)

    def _quarantine(self, raws: Sequence[bytes]) -> None:
        if not raws:
            return
        self._quarantined.update(dict.fromkeys(raws))
        while len(self._quarantined) > QUARANTINED_MAX:
            del self._quarantined[next(iter(self._quarantined))]
        self._on_unfit()


def _updates(before: Validators | None, after: object) -> tuple[Validator, ...]:
    """Return the validators whose power another set changes, by public key ascending; power 0 for those that leave."""
    assert isinstance(after, Validators), "validators stand at the key of the validators"
    old = {} if before is None else {member.public_key: member.power for member in before.members}
    new = {member.public_key: member.power for member in after.members}
    return tuple(
        Validator(key, new.get(key, 0)) for key in sorted(old.keys() | new.keys()) if old.get(key, 0) != new.get(key, 0)
    )
