"""One run of the application: all that is gone when its process ends. Spoken to by ABCI messages, in one thread."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from fujie.engine.admission import verdict
from fujie.engine.base import Outcome
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.application import Application
from fujie.engine.cometbft.consensus import Block, CarriedOut, Consensus
from fujie.engine.cometbft.submission import AGAIN_S, Submission
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor
from fujie.engine.intake import Intake
from fujie.engine.proving import Proven, prove_keys, prove_receipt
from fujie.machine.schedule import Schedule
from fujie.modules.currency import state_keys as currency_keys
from fujie.proof.bundle import Bundle
from tests import world
from tests.abci.requests import judging, request_of, timestamp, told
from tests.simulation.agreement import Proposal
from tests.simulation.founding import validator
from tests.simulation.invariants import require
from tests.simulation.mempool import Mempool
from tests.simulation.scheduler import Scheduler
from tests.store.faults import FaultyStore
from tests.world import INSTRUMENT

PATIENCE_MS: Final = 2 * int(AGAIN_S * 1_000)  # CometBFT may not answer in between

Reply = Callable[[Outcome], None]
"""Takes what became of a transaction."""


class Inline(ThreadPoolExecutor):
    """Carries out at once what it is given, in the thread that gives it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Gate(Intake):
    """The way in, without its thread: what was submitted is verified when that is asked for."""

    def verify_now(self) -> None:
        """Verify what was submitted."""
        batch = list(self._submitted)
        self._submitted.clear()
        self._take_verdicts(batch, bytes([verdict(item.raw) for item in batch]))


class Process:
    """The application on an open store, the submission before it, and what CometBFT has in memory beside it."""

    def __init__(
        self,
        store: FaultyStore,
        schedule: Schedule,
        scheduler: Scheduler,
        clock_ms: Callable[[], int],
        hear: Callable[[CarriedOut], None],
        spread: Callable[[bytes], None],
        bad: float,
        first: int,
    ) -> None:
        """``first`` is the height of the first block that CometBFT makes. ``hear`` is told of every block that is
        durable; ``spread`` sends a transaction to all peers; ``bad``: see :class:`Mempool`. Owns the store.
        """
        self.store = store
        self.executor = Executor(store, schedule)
        self.executor.rules.require(self.executor.head.height + 1)
        self.closed = False
        self._scheduler = scheduler
        self._were_parked = False  # behind nothing, at the last turn of the thread that sends
        self.mempool = Mempool(scheduler, bad, self.check, spread, lambda: not self.closed)
        self.answers: list[tuple[Reply, Outcome]] = []  # that are known and not told yet
        self.votes: dict[tuple[int, int], dict[int, None]] = {}  # that were heard, by height and round
        self.early: list[Proposal] = []  # for the height after the one that is not carried out yet
        self.proven: Proven | None = None
        self._verification = Verification(use_worker=False)
        self._intake = Gate(use_worker=False, prepare=self._verification.remember)
        self._submission = Submission(
            self.executor, self._intake, self.mempool, clock_ms, lambda: scheduler.now_ms / 1_000
        )
        self._application = Application(
            Consensus(self.executor, self._verification, self._submission.mempool.note_unfit),
            self._verification,
            initial_height=first,
            on_commit=hear,
            on_refused=self._submission.refuse,
        )
        self._application.ledger = self._application._mempool = Inline()

    def close(self) -> None:
        """End it."""
        self.closed = True
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

    def init_chain(self, first: int, powers: Mapping[int, int]) -> None:
        keys = {number: abci.PublicKey(ed25519=validator(number).public_key) for number in powers}
        self._application.init_chain(
            abci.RequestInitChain(
                time=timestamp(self.executor.head.time_ms + 1),
                chain_id=self.executor.chain_id,
                validators=[
                    abci.ValidatorUpdate(pub_key=keys[number], power=power) for number, power in powers.items()
                ],
                initial_height=first,
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
        answers: Any = self._application.check_tx([abci.RequestCheckTx(tx=raw)])
        [answer] = answers.result() if isinstance(answers, Future) else answers
        return int(answer.code)

    def submit(self, raw: bytes, reply: Reply) -> None:
        """Take a transaction from its sender; what becomes of it comes into ``answers``."""
        future = self._intake.submit([raw])
        # Told later: what a callback of a future raises is lost.
        future.add_done_callback(lambda done: self.answers.append((reply, done.result()[0])))
        self._intake.verify_now()

    def send(self) -> None:
        """Do what the thread that sends does at each of its turns, and see that nobody waits for nothing."""
        self._submission.send_now()
        flights, now_ms = self._submission._flights.values(), self._scheduler.now_ms
        head_ms = self.executor.head.time_ms
        require(
            all(flight.transaction.body.expires_at_ms > head_ms for flight in flights),
            "nobody waits for what has expired",
        )
        require(
            self._submission.mempool.settles
            or all(now_ms - self.mempool.asked.get(flight.transaction.raw, 0) < PATIENCE_MS for flight in flights),
            "what waits for its block is handed over again",
        )
        parked = bool(self._submission._parked) and not flights
        require(not (parked and self._were_parked), "nobody waits for what is not under way any more")
        self._were_parked = parked

    def settle(self, decided: CarriedOut) -> None:
        """Settle what waits for a block, which is durable."""
        receipts = decided.staged.result.receipts
        self._submission.settle_block(decided.staged.head.log_size - len(receipts), receipts)
        self.mempool.committed([each.raw for each in decided.block.transactions], decided.codes)

    def lose_mempool(self) -> None:
        """CometBFT alone is started anew."""
        self.mempool.lose()
        self._submission.send_again()

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
