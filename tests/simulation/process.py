"""One run of the application: all that is gone when its process ends. Spoken to by ABCI messages, in one thread."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fujie.core.transaction import Receipt, VerifiedBlock
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.application import Application
from fujie.engine.cometbft.consensus import Block, CarriedOut, Consensus
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor
from fujie.engine.proving import Proven, prove_keys, prove_receipt
from fujie.machine.schedule import Schedule
from fujie.modules.currency import state_keys as currency_keys
from fujie.proof.bundle import Bundle
from tests import world
from tests.abci.requests import judging, request_of, timestamp, told
from tests.simulation.agreement import Proposal
from tests.simulation.founding import validator
from tests.store.faults import FaultyStore
from tests.world import INSTRUMENT

Reply = Callable[[int, Receipt[Any] | None, int | None], None]
"""Takes a code, and receipt and place in the log where there is one."""


class Inline(ThreadPoolExecutor):
    """Carries out at once what it is given, in the thread that gives it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Process:
    """The application on an open store, and what CometBFT has in memory beside it."""

    def __init__(
        self, store: FaultyStore, schedule: Schedule, clock_ms: Callable[[], int], hear: Callable[[CarriedOut], None]
    ) -> None:
        """``hear`` is told of every block that is durable. Owns the store."""
        self.store = store
        self.executor = Executor(store, schedule)
        self.mempool: dict[bytes, None] = {}
        self.waiting: dict[bytes, list[Reply]] = {}  # by id
        self.votes: dict[tuple[int, int], dict[int, None]] = {}  # that were heard, by height and round
        self.early: list[Proposal] = []  # for the height after the one that is not carried out yet
        self.proven: Proven | None = None
        self._clock_ms = clock_ms
        self._verification = Verification(use_worker=False)
        self._application = Application(
            Consensus(self.executor, self._verification),
            self._verification,
            initial_height=1,
            clock_ms=clock_ms,
            on_commit=hear,
        )
        self._application.ledger = self._application._mempool = Inline()

    def close(self) -> None:
        """End it."""
        self._application.close()
        self._verification.close()
        self.store.close()

    @property
    def height(self) -> int:
        """The height of the last committed block."""
        return self.executor.head.height

    # -- consensus

    def info(self) -> abci.ResponseInfo:
        return self._application.info(abci.RequestInfo(version="0.38.25", abci_version="2.0.0"))

    def init_chain(self, powers: Mapping[int, int]) -> None:
        keys = {number: abci.PublicKey(ed25519=validator(number).public_key) for number in powers}
        self._application.init_chain(
            abci.RequestInitChain(
                time=timestamp(self.executor.head.time_ms + 1),
                chain_id=self.executor.chain_id,
                validators=[
                    abci.ValidatorUpdate(pub_key=keys[number], power=power) for number, power in powers.items()
                ],
                initial_height=1,
            )
        ).result()

    def prepare(self, offered: Block, space: int) -> tuple[bytes, ...]:
        """Return what is proposed of ``offered``, in so many bytes."""
        answer = self._application.prepare_proposal(
            abci.RequestPrepareProposal(
                max_tx_bytes=space,
                txs=offered.transactions,
                misbehavior=[told(act) for act in offered.misbehaviour],
                height=offered.height,
                time=timestamp(offered.time_ms),
                proposer_address=bytes(20),
            )
        ).result()
        return tuple(answer.txs)

    def accepts(self, proposed: Block) -> bool:
        answer = self._application.process_proposal(judging(request_of(proposed))).result()
        return answer.status == abci.ResponseProcessProposal.ACCEPT

    def finalize(self, decided: Block) -> abci.ResponseFinalizeBlock:
        return self._application.finalize_block(request_of(decided)).result()

    def commit(self) -> None:
        self._application.commit(abci.RequestCommit()).result()

    # -- callers

    def check(self, raw: bytes) -> int:
        """Return the code of CheckTx."""
        (answer,) = self._application.check_tx([abci.RequestCheckTx(tx=raw)]).result()
        return answer.code

    def id_of(self, raw: bytes) -> bytes:
        """Return the id of a transaction that :meth:`check` knows to be well signed."""
        return self._verification.transaction(raw).id

    def entitled(self, raw: bytes) -> int:
        """Return 0, or why the sender of a checked transaction is not entitled to it now."""
        head = self.executor.head
        time_ms = max(self._clock_ms(), head.time_ms + 1)
        block = VerifiedBlock(self.executor.chain_id, head.height + 1, time_ms, (self._verification.transaction(raw),))
        return self.executor.entitled(block)[0]

    def outcome_of(self, transaction_id: bytes) -> tuple[Receipt[Any], int] | None:
        """Return receipt and place of a transaction that was carried out, or None."""
        receipt, index = self.executor.receipt_of(transaction_id), self.executor.index_of(transaction_id)
        return (receipt, index) if receipt is not None and receipt.authorised and index is not None else None

    def prove_balance(self, wallet: int) -> Iterable[Bundle]:
        """Yield the proof of what a wallet holds, if there is one yet."""
        if (proven := self.proven) is not None:
            key = currency_keys.balance(world.wallet_id(wallet), INSTRUMENT)
            yield prove_keys(self.executor, lambda: proven, [key])

    def prove_receipt(self, transaction_id: bytes) -> Iterable[Bundle]:
        """Yield the proof of a receipt, if there is one yet."""
        index = self.executor.index_of(transaction_id)
        if self.proven is not None and index is not None and index < self.proven.head.log_size:
            yield prove_receipt(self.executor, self.proven, index)
