"""``kill -9`` in a loop, under load, on both stores: no acknowledged payment is lost and no money appears."""

import multiprocessing
import random
import threading
from pathlib import Path

import pytest

from fujie.core.encoding import encode
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.base import Outcome
from fujie.machine.genesis import chain_id
from tests import world
from tests.engine.killed import ACKNOWLEDGEMENT, READY, live
from tests.world import FUNDS_MINOR, ON_DISK, WALLETS, Kind, Signing, funded, running

KILLS = 50  # on each store
KILLS_PER_FOLDER = 10  # a folder is killed again and again; a new one now and then keeps its log short
PAYMENTS = 150  # in each life, more than it lives to carry out
SECONDS_MAX = 300  # after which a test gives up waiting; nothing is measured by it
SEED = 20_250_615

# Every process is forked from one that has imported everything and started nothing.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.engine.killed"])


class Life:
    """One process, from its start to its death, and what it acknowledged."""

    def __init__(self, kind: Kind, folder: Path, raws: list[bytes]) -> None:
        self._news, theirs = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(target=live, args=(kind, folder, raws, theirs))
        self._process.start()
        theirs.close()
        self.acknowledged: dict[int, tuple[int, int, int]] = {}

    def listen(self, acknowledgements: int) -> None:
        """Wait until the ledger is open and has acknowledged so many payments."""
        assert self._news.poll(SECONDS_MAX)
        assert self._news.recv_bytes() == READY
        for _ in range(acknowledgements):
            assert self._news.poll(SECONDS_MAX)
            self._hear(self._news.recv_bytes())

    def kill(self) -> None:
        """Send SIGKILL, and hear what was said before it."""
        self._process.kill()
        self._process.join(SECONDS_MAX)
        assert self._process.exitcode == -9, "it died of something else"
        try:
            while True:
                message = self._news.recv_bytes()
                if message != READY:
                    self._hear(message)
        except EOFError:
            self._news.close()

    def _hear(self, message: bytes) -> None:
        number, *rest = ACKNOWLEDGEMENT.unpack(message)
        self.acknowledged[number] = (rest[0], rest[1], rest[2])


def payments(chance: random.Random) -> list[tuple[int, int, int]]:
    """Draw payer, payee and amount of the payments of one life."""
    drawn = []
    for _ in range(PAYMENTS):
        payer, payee = chance.sample(range(WALLETS), 2)
        drawn.append((payer, payee, chance.randrange(1, 100)))
    return drawn


def check(kind: Kind, folder: Path, raws: list[bytes], life: Life, carried_before: int) -> int:
    """Open the folder that a killed process left; return how many of its payments had been carried out."""
    ids = [transaction_id(SIGNED_TRANSACTION.decode(raw).body) for raw in raws]
    with running(kind, folder) as engine:
        executor = engine.executor
        # Every acknowledged payment has its receipt, where it was said to be.
        for number, (code, height, index) in life.acknowledged.items():
            receipt = executor.receipt_of(ids[number])
            assert receipt is not None, f"payment {number} was acknowledged and is lost"
            assert (receipt.code, receipt.height, executor.index_of(ids[number])) == (code, height, index)
        # What else is in the log is of this life, in the order of submission and each once.
        entries = [executor.entry(index) for index in range(carried_before, executor.head.log_size)]
        assert [entry.transaction for entry in entries if entry] == raws[: len(entries)]
        assert world.findings(executor.store) == [], "money came or went"
        # The same bytes again: what was carried out is answered, the rest is carried out now.
        receipts = [executor.receipt_of(identifier) for identifier in ids]
        outcomes: list[Outcome] = engine.submit(raws).result(SECONDS_MAX)
        for receipt, outcome in zip(receipts, outcomes, strict=True):
            assert outcome.code == 0
            assert outcome.receipt is not None
            assert receipt is None or encode(receipt) == encode(outcome.receipt)
        assert engine.submit(raws).result(SECONDS_MAX) == outcomes
        assert executor.head.log_size == carried_before + len(raws)
        assert world.findings(executor.store) == []
    return len(entries)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ON_DISK)
def test_kill_9_under_load_loses_no_acknowledged_payment_and_makes_no_money(kind: Kind, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {kind}")
    print(f"seed {SEED}")
    acknowledged = interrupted = 0
    signing = Signing(chain_id(funded()))
    folder, held, carried = tmp_path, [0] * WALLETS, 0
    for kill in range(KILLS):
        if kill % KILLS_PER_FOLDER == 0:
            folder, held, carried = tmp_path / str(kill), [FUNDS_MINOR] * WALLETS, 0
            folder.mkdir()
        drawn = payments(chance)
        raws = [signing.pay(*payment) for payment in drawn]
        life = Life(kind, folder, raws)
        if kill % 5 != 4:
            life.listen(chance.randrange(40))
        # Otherwise it may die before the ledger is open: while it founds the chain, or repairs what the last one left.
        threading.Event().wait(chance.random() * (0.004 if kill % 5 != 4 else 0.08))
        life.kill()
        done = check(kind, folder, raws, life, carried)
        acknowledged += len(life.acknowledged)
        interrupted += done < len(raws)
        carried += len(raws)
        for payer, payee, amount_minor in drawn:
            held[payer] -= amount_minor
            held[payee] += amount_minor
        with running(kind, folder) as engine:
            assert [world.balance_minor(engine.executor, number) for number in range(WALLETS)] == held
    assert acknowledged > KILLS, "the processes were killed before they did anything"
    assert interrupted > KILLS // 2, "the processes were killed after they had done everything"
