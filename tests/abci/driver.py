"""CometBFT played in one process: the call grammar of ABCI 2.0, seeded, with a crash wherever one may come.

    start ─► Info ─┬─ at 0: InitChain
                   └─ below the newest decided block: FinalizeBlock, Commit for each that is missing
    height ─► (CheckTx | Info | PrepareProposal | ProcessProposal)* ─► decided ─► FinalizeBlock ─► Commit

What CometBFT keeps for itself, the decided blocks, outlives a crash; the application's memory does not. Every step is held
against the bare machine, which is given the same decided blocks and never crashes.

Source: CometBFT 0.38 specification, "ABCI 2.0", section "CometBFT's expected behavior".
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.core.misbehaviour import Misbehaviour
from fujie.core.transaction import SIGNED_TRANSACTION, SignedTransaction
from fujie.engine.admission import verdict, verify_transaction
from fujie.engine.cometbft import abci
from fujie.engine.cometbft.consensus import Block
from fujie.engine.executor import found
from fujie.machine.schedule import Schedule
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.membership.records import SetValidator
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.store.opening import open_store
from tests import world
from tests.abci.replica import Acknowledged, Replica
from tests.abci.requests import block_of, judging, request_of, timestamp, told
from tests.engine.bare import BareChain, Result
from tests.engine.failing import failing_schedule
from tests.store.faults import Fault, FaultyStore
from tests.world import INSTRUMENT, ROOT, VALIDATOR, WALLETS, WINDOW_MS, Signing, allocate, funded, holder, pay

Moment = Literal["proposed", "decided", "finalized", "committed"]
"""Where a run ends without warning: blocks were proposed and judged; one is decided; it is carried out; it is durable and
CometBFT does not know."""

POISON_MINOR: Final = 13  # a payment of so much raises what no rule may raise
MISBEHAVED_AT: Final = 5  # every so many blocks tell of misbehaviour
ANSWER_S: Final = 60.0  # after which a test gives up waiting; nothing is measured by it


class CrashError(Exception):
    """The application is gone, as when its process is killed."""


def with_poison() -> Schedule:
    """The rules, with payments that raise."""
    return failing_schedule(lambda _state, operation: operation.amount_minor == POISON_MINOR)


class Driver:
    """One chain, driven from genesis on. ``faults`` are those of the commits of the store, by number, genesis being 0.

    ``snapshots``: where one is kept of every block.
    """

    def __init__(
        self,
        seed: int,
        kind: world.Kind,
        folder: Path,
        faults: dict[int, Fault] | None = None,
        snapshots: Path | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.crashes = 0
        self._kind = kind
        self._folder = folder
        self._snapshots = snapshots
        self._behind = 1  # by so many blocks at most the application is behind CometBFT when it starts
        self._schedule = with_poison()
        self.bare = BareChain(funded(), self._schedule)
        self._signing = Signing(self.bare.chain_id)
        self.decided: list[Block] = []  # what CometBFT has stored
        self.results: list[Result] = []
        self._mempool: list[bytes] = []
        self._votes: list[bytes] = []  # what is still to come of a decision of the governors
        self._commits = 1  # that of genesis
        self._acknowledged: dict[bytes, Acknowledged] = {}
        self._moments: dict[int, Moment] = {}  # height → where the run ends there
        self.replica: Replica
        store = open_store("sqlite" if kind == "sqlite" else "rocks", folder)
        found(store, funded())
        store.close()

    def close(self) -> None:
        """End."""
        self.replica.close()

    def go_on(self, folder: Path, kind: world.Kind, behind: int) -> None:
        """Go on with the same chain in another folder, which lacks that many blocks of it."""
        self.replica.close()
        self._folder, self._kind, self._snapshots, self.faults = folder, kind, None, None
        self._acknowledged.clear()  # receipts that are older than what it began from are not there
        self._behind = behind

    def remembers(self, raw: bytes) -> bool:
        """Tell whether a transaction was carried out and has not expired, as the bare machine knows."""
        transaction = verify_transaction(raw)
        return self.bare.window.remembers(transaction.id, transaction.body.expires_at_ms)

    def decide_again(self, raws: Sequence[bytes]) -> None:
        """Have the application carry out a block of these transactions, whatever it would have said of a proposal."""
        block = Block(len(self.decided) + 1, self.bare.time_ms + 1, tuple(raws))
        self.decided.append(block)
        self.results.append(self.bare.decide(block))
        self._carry_out(block)

    # -- CometBFT's side

    def run(self, heights: int, crash_in: float) -> None:
        """Make ``heights`` blocks; in that part of them, the application is killed at one moment or another."""
        self._open()
        self._handshake()
        while len(self.decided) < heights:
            height = len(self.decided) + 1
            if self.random.random() < crash_in:
                self._moments[height] = self.random.choice(get_args(Moment))
            try:
                self._decide(height)
            except CrashError:
                self._start_again()
        self.check()

    def _start_again(self) -> None:
        """Start after a crash, as often as it takes: a store may fail again at the replay."""
        while True:
            self.crashes += 1
            self._acknowledged |= self.replica.told
            self.replica.close()
            self._open()
            try:
                self._handshake()
            except CrashError:
                continue
            self.check()
            return

    def _open(self) -> None:
        inner = open_store("sqlite" if self._kind == "sqlite" else "rocks", self._folder)
        plan = {number - self._commits: fault for number, fault in (self.faults or {}).items()}
        self.replica = Replica(FaultyStore(inner, plan), self._schedule, self._snapshots)

    def _handshake(self) -> None:
        """Ask where the application stands, and have it catch up. Blocks that it lacks are carried out as they were decided."""
        answer = self.replica.application.info(abci.RequestInfo(version="0.38.25", abci_version="2.0.0"))
        height = answer.last_block_height
        lost = len(self.decided) - height
        assert 0 <= lost <= self._behind, "more than one block was lost, or one was made up"
        if height:
            assert answer.last_block_app_hash == self.results[height - 1].app_hash
        else:
            assert answer.last_block_app_hash == b""
            self._init_chain()
        for block in self.decided[height:]:
            self._carry_out(block)
        self._behind = 1

    def _init_chain(self) -> None:
        genesis = BareChain(funded())
        request = abci.RequestInitChain(
            time=timestamp(genesis.time_ms + 1),
            chain_id=genesis.chain_id,
            validators=[abci.ValidatorUpdate(pub_key=abci.PublicKey(ed25519=VALIDATOR.public_key), power=10)],
            initial_height=1,
        )
        answer = self.replica.application.init_chain(request).result(ANSWER_S)
        assert answer.app_hash == genesis.app_hash
        assert not answer.validators

    def _decide(self, height: int) -> None:
        """Walk through one height: whatever the grammar allows before a decision, and then the decision."""
        time_ms = self.bare.time_ms + self.random.choice((1, 999, 60_000))
        misbehaviour = tuple(self._acts(height))
        proposals = [Block(height, time_ms, (), misbehaviour)]
        before, head = self.replica.image(), self.replica.executor.head
        for _ in range(self.random.randint(1, 6)):
            step = self.random.choice(
                (self._check, self._check, self._prepare, self._prepare, self._process, self._info)
            )
            step(proposals)
            assert self.replica.executor.head == head
            assert self.replica.image() == before, "a speculative call left a trace"
        self._crash(height, "proposed")
        block = self.random.choice(proposals)
        self.decided.append(block)
        self.results.append(self.bare.decide(block))
        self._mempool = [raw for raw in self._mempool if raw not in block.transactions]
        self._crash(height, "decided")
        self._carry_out(block)

    def _carry_out(self, block: Block) -> None:
        application, executor = self.replica.application, self.replica.executor
        request, result = request_of(block), self.results[block.height - 1]
        assert block_of(request) == block
        image, members = self.replica.image(), executor.live.get(VALIDATORS_KEY)
        assert members is not None
        powers = {member.public_key: member.power for member in members.members}
        answer = application.finalize_block(request).result(ANSWER_S)
        if self.random.random() < 0.25:  # once more, where CometBFT was interrupted before the answer
            application.process_proposal(judging(request)).result(ANSWER_S)
            assert application.finalize_block(request).result(ANSWER_S) == answer
        assert answer.app_hash == result.app_hash
        assert [each.code for each in answer.tx_results] == result.codes
        assert self.replica.image() == image, "FinalizeBlock made something durable"
        # The mempool asks meanwhile, of these very transactions; what it is told depends on who comes first.
        asked = [abci.RequestCheckTx(tx=raw) for raw in block.transactions]
        assert len(application.check_tx(asked).result(ANSWER_S)) == len(asked)
        assert application.info(abci.RequestInfo()).last_block_height == block.height - 1
        assert self.replica.image() == image
        self._crash(block.height, "finalized")
        self._commits += 1
        try:
            application.commit(abci.RequestCommit()).result(ANSWER_S)
        except OperationalError as error:
            raise CrashError from error
        for update in answer.validator_updates:
            powers[update.pub_key.ed25519] = update.power
        if block.height == self.bare.height:
            assert {key: power for key, power in powers.items() if power} == self.bare.powers()
        self._crash(block.height, "committed")
        self.check()

    def _crash(self, height: int, moment: Moment) -> None:
        if self._moments.get(height) == moment:
            del self._moments[height]
            raise CrashError

    # -- the calls that leave no trace

    def _info(self, _proposals: list[Block]) -> None:
        executor = self.replica.executor
        answer = self.replica.application.info(abci.RequestInfo())
        assert answer.last_block_height == executor.head.height
        query = self.replica.application.query(abci.RequestQuery(path="/anything", data=b"\xff"))
        assert query.code

    def _check(self, _proposals: list[Block]) -> None:
        """Let newcomers in: CheckTx says of each what can be told without carrying it out."""
        raws = [self._transaction() for _ in range(self.random.randint(1, 8))] + [self._malformed()]
        if self.decided and self.random.random() < 0.5:
            raws += self.random.choice(self.decided).transactions[:2]
        self.replica.refused.clear()
        answers = self.replica.application.check_tx([abci.RequestCheckTx(tx=raw) for raw in raws]).result(ANSWER_S)
        pairs = [(raw, answer.code) for raw, answer in zip(raws, answers, strict=True) if answer.code]
        assert self.replica.refused == [(verify_transaction(raw).id, code) for raw, code in pairs if not verdict(raw)]
        for raw, answer in zip(raws, answers, strict=True):
            code = verdict(raw)
            if code:
                assert answer.code == code
                continue
            transaction = verify_transaction(raw)
            gone = transaction.body.expires_at_ms <= self.replica.executor.head.time_ms or self.bare.window.remembers(
                transaction.id, transaction.body.expires_at_ms
            )
            if gone:
                assert answer.code
            elif answer.code == 0:
                self._mempool.append(raw)
            else:
                assert self._is_poison(raw), "a good transaction is not let in"

    def _prepare(self, proposals: list[Block]) -> None:
        """Propose: what comes back is what was offered, in its order, without what no block may hold."""
        offered = [*self._mempool, self._transaction(), *(self._malformed() for _ in range(2)), *self._mempool[:1]]
        self.random.shuffle(offered)
        block = proposals[0]
        space = self.random.choice((0, 700, BLOCK_BYTES_MAX))
        answer = self.replica.application.prepare_proposal(
            abci.RequestPrepareProposal(
                max_tx_bytes=space,
                txs=offered,
                misbehavior=[told(act) for act in block.misbehaviour],
                height=block.height,
                time=timestamp(block.time_ms),
                proposer_address=bytes(20),
            )
        ).result(ANSWER_S)
        taken = tuple(answer.txs)
        sound = [raw for raw in dict.fromkeys(offered) if not verdict(raw) and not self._is_poison(raw)]
        # Poison that has expired is refused before it raises; it stays out where it raised before.
        poison = [raw for raw in taken if self._is_poison(raw)]
        assert all(verify_transaction(raw).body.expires_at_ms <= block.time_ms for raw in poison)
        assert sum(map(len, taken)) <= space
        if space == BLOCK_BYTES_MAX:
            assert [raw for raw in taken if raw not in poison] == sound
        else:
            assert set(taken) <= {*sound, *poison}
        proposals.append(block._replace(transactions=taken))

    def _process(self, proposals: list[Block]) -> None:
        """Judge the proposal of another: good ones, which may be decided, and each kind of bad one."""
        block = proposals[0]
        fine = [raw for raw in (self._transaction() for _ in range(5)) if not self._is_poison(raw)]
        bad: list[Sequence[bytes]] = [
            [*fine, self._malformed()],
            [*fine, *fine[:1], fine[0]] if fine else [b""],
            [*fine, self._pay(POISON_MINOR)],
        ]
        for raws in [self.random.choice(bad), fine]:
            proposed = block._replace(transactions=tuple(raws))
            answer = self.replica.application.process_proposal(judging(request_of(proposed))).result(ANSWER_S)
            wanted = abci.ResponseProcessProposal.ACCEPT if raws is fine else abci.ResponseProcessProposal.REJECT
            assert answer.status == wanted
        proposals.append(block._replace(transactions=tuple(fine)))

    # -- what is submitted

    def _transaction(self) -> bytes:
        """Something that a sender may send: payments, refusals, votes, expired ones, and now and then one that raises."""
        if self._votes:
            return self._votes.pop(0)
        choice = self.random.random()
        expires_at_ms = self.bare.time_ms + WINDOW_MS // 2
        if choice < 0.6:
            return self._pay(self.random.choice((1, 2, 500, 10**12)))
        if choice < 0.7:
            return self._signing.sign(pay(0, 1), holder(3), expires_at_ms=expires_at_ms)  # not the holder's key
        if choice < 0.8:  # expired, or so in the next block
            return self._signing.sign(pay(0, 1), holder(0), expires_at_ms=self.bare.time_ms + (choice < 0.75))
        if choice < 0.85:
            return self._pay(POISON_MINOR)
        if choice < 0.92:
            return self._signing.sign(allocate(str(self.random.randint(0, 50))), ROOT, expires_at_ms=expires_at_ms)
        key = world.signer(f"validator {self.random.randint(0, 2)}").public_key
        action = SetValidator(key, self.random.randint(0, 3), "world")
        self._votes = self._signing.decide(action, self._signing.number, self.bare.time_ms + WINDOW_MS)
        return self._votes.pop(0)

    def _pay(self, amount_minor: int) -> bytes:
        payer, payee = self.random.sample(range(WALLETS), 2)
        expires_at_ms = self.bare.time_ms + WINDOW_MS // 2
        return self._signing.sign(pay(payer, payee, amount_minor), holder(payer), expires_at_ms=expires_at_ms)

    def _malformed(self) -> bytes:
        raw = self._pay(1)
        signed = SIGNED_TRANSACTION.decode(raw)
        forged = encode(SignedTransaction(signed.body, tuple(bytes(64) for _ in signed.signatures)))
        return self.random.choice((b"", raw[:-1], forged))

    def _is_poison(self, raw: bytes) -> bool:
        operations = verify_transaction(raw).body.operations
        return any(getattr(each, "amount_minor", None) == POISON_MINOR for each in operations)

    def _acts(self, height: int) -> Iterator[Misbehaviour]:
        if height % MISBEHAVED_AT == 0:
            for public_key in (VALIDATOR.public_key, world.signer("validator 0").public_key):
                act = world.misbehaviour(height - 1, public_key)
                yield msgspec.structs.replace(act, kind=self.random.choice((1, 2, 9)))

    # -- what must hold

    def check(self) -> None:
        """Hold what stands in the store against the bare machine, and what callers were told against what stands."""
        executor = self.replica.executor
        height = executor.head.height
        result = self.results[height - 1] if height else None
        assert executor.head.app_hash == (result.app_hash if result else BareChain(funded()).app_hash)
        if result is not None:
            first = executor.head.log_size - len(result.receipts)
            entries = executor.entries(first, executor.head.log_size)
            assert [entry.receipt for entry in entries] == result.receipts
            assert [entry.transaction for entry in entries] == list(self.decided[height - 1].transactions)
        for identifier, known in (self._acknowledged | self.replica.told).items():
            receipt = executor.receipt_of(identifier)
            assert receipt is not None, "what was acknowledged is lost"
            entry = executor.entry(known.log_index)
            assert entry is not None
            assert entry.receipt == known.receipt, "another receipt stands where one was acknowledged"
        balances = (executor.live.get(currency_keys.balance(world.wallet_id(n), INSTRUMENT)) for n in range(WALLETS))
        assert sum(balance.amount_minor for balance in balances if balance) == WALLETS * world.FUNDS_MINOR
        assert world.findings(self.replica.store) == []
