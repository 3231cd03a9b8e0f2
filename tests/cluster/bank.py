"""A bank under load: clients pay at once, at all nodes, through whatever happens; afterwards every word is held against the log.

Each client has a wallet. It pays others, asks a node for the outcome, and asks another with the same bytes where it gets none.
Some give the same bytes to two nodes at once, and some sign two payments that contradict each other. Now and then they read
what they hold, with proof. Nobody stops before each of its payments has an outcome.
"""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from math import inf
from random import Random
from time import monotonic, sleep
from typing import Final, NamedTuple

from fujie.client.client import Client
from fujie.client.heads import HeadMemory
from fujie.client.http import HttpTransport
from fujie.client.transport import TransportOutcome
from fujie.core.errors import FujieError, VerificationError
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.modules.currency import state_keys
from fujie.modules.currency.events import Paid
from tests import world
from tests.cluster.founding import SUM_MINOR, WALLETS, Signing
from tests.cluster.harness import Cluster
from tests.cluster.ledgers import Ledger, records
from tests.cluster.node import GIVE_UP_S
from tests.world import FUNDS_MINOR, INSTRUMENT

CLIENTS: Final = 6
READ_EVERY: Final = 5  # payments
PAUSE_S: Final = 0.1  # before another node is asked
PROVEN_MAX: Final = 60  # receipts that are proven again at the end; all of them are looked up
LAGS_BEHIND: Final = ("stale-head", "freshness")  # why a client may refuse a proof that an honest node gives
NOT_DECIDED: Final = (TransactionReason.ADMISSION_QUEUE_FULL,)  # to be submitted again


class Told(NamedTuple):
    """What a client was told of a payment, by the number of the node that said so."""

    outcome: TransportOutcome
    node: int


class Seen(NamedTuple):
    """What a client was shown of its wallet, with proof, under the header of a height."""

    height: int
    amount_minor: int


class Teller:
    """One client. Its thread runs :meth:`work`."""

    def __init__(self, bank: "Bank", number: int) -> None:
        self.number = number
        self.submitted: dict[bytes, bytes] = {}  # transaction id → bytes
        self.told: dict[bytes, list[Told]] = {}
        self.seen: list[Seen] = []
        self.failures = 0  # requests without an outcome
        self._cluster = bank.cluster
        self._closing = bank.closing
        self._random = Random(bank.seed * 1_000 + number)
        self._signing = Signing(bank.cluster.chain_id, bank.seed * 100 + number + 1)
        self._memory = HeadMemory()
        self._lock = threading.Lock()  # two of its requests may be under way
        self._transports: dict[int, HttpTransport] = {}
        self._readers: dict[int, Client] = {}
        self._written = 0  # the height of the newest receipt that it was given

    def work(self) -> None:
        """Pay until the bank closes, and then until everything has an outcome."""
        count = 0
        while not self._closing.is_set():
            count += 1
            payee = self._random.choice([wallet for wallet in range(WALLETS) if wallet != self.number])
            kind = self._random.random()
            if kind < 0.15:  # most of what it began with, twice: seldom can both be carried out
                raws = [self._signing.pay(self.number, payee, FUNDS_MINOR * 3 // 4) for _ in range(2)]
            else:
                raws = [self._signing.pay(self.number, payee, self._random.randint(1, 500))]
                if kind < 0.3:
                    raws *= 2  # the same bytes at two nodes at once
            self._carry_out(raws)
            if count % READ_EVERY == 0:
                self._read()

    def close(self) -> None:
        """Close its connections."""
        for transport in self._transports.values():
            transport.close()
        for reader in self._readers.values():
            reader.close()

    # -- inside

    def _carry_out(self, raws: Sequence[bytes]) -> None:
        """Have each decided, at nodes of our choice; several go at once."""
        first = self._random.randrange(len(self._cluster.nodes))
        for raw in raws:
            identifier = transaction_id(SIGNED_TRANSACTION.decode(raw).body)
            self.submitted[identifier] = raw
            self.told.setdefault(identifier, [])
        with ThreadPoolExecutor(len(raws)) as pool:
            for done in [pool.submit(self._insist, raw, first + place) for place, raw in enumerate(raws)]:
                done.result()

    def _insist(self, raw: bytes, place: int) -> None:
        """Ask one node after the other until one knows the outcome."""
        identifier = transaction_id(SIGNED_TRANSACTION.decode(raw).body)
        give_up = inf
        while True:
            if self._closing.is_set():
                give_up = min(give_up, monotonic() + GIVE_UP_S)
            assert monotonic() < give_up, f"{identifier.hex()} gets no outcome"
            node = self._cluster.nodes[place % len(self._cluster.nodes)]
            place += 1
            if node.process is None:
                sleep(PAUSE_S)
                continue
            with self._lock:
                if node.number not in self._transports:
                    self._transports[node.number] = node.transport()
            try:
                [outcome] = self._transports[node.number].submit([raw])
            except FujieError:
                self.failures += 1
                sleep(PAUSE_S)
                continue
            if outcome.code in NOT_DECIDED:
                continue
            self.told[identifier].append(Told(outcome, node.number))
            self._written = max(self._written, outcome.height or 0)
            return

    def _read(self) -> None:
        """Read at a node of our choice. One that lags behind what we know is refused by the client, and asked later."""
        node = self._random.choice(self._cluster.nodes)
        written = self._written
        try:
            reader = self._readers.get(node.number)
            if reader is None:
                reader = node.client(world.holder(self.number), memory=self._memory)
                self._readers[node.number] = reader
            found = reader.balance(world.wallet_id(self.number), INSTRUMENT)
        except VerificationError as error:
            if error.step not in LAGS_BEHIND:
                raise
            return
        except FujieError:
            return  # it does not run, or cannot answer now
        assert found.record is not None
        if found.height > written:
            self.seen.append(Seen(found.height, found.record.amount_minor))


class Bank:
    """All clients, and what must be true of what they were told."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster = cluster
        self.seed = seed
        self.closing = threading.Event()
        self.tellers = [Teller(self, number) for number in range(CLIENTS)]
        self._working: list[Future[None]] = []

    @contextmanager
    def open(self) -> Iterator["Bank"]:
        """Let the clients work; at the end wait until everything that they submitted has an outcome."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            self._working = [pool.submit(teller.work) for teller in self.tellers]
            try:
                self.busy(1)
                yield self
            finally:
                self.closing.set()
                wait(self._working)
                for teller in self.tellers:
                    teller.close()
        for done in self._working:
            done.result()

    def busy(self, count: int = 20) -> None:
        """Wait until so many more payments were acknowledged."""
        wanted = self.paid() + count

        def is_paid() -> bool:
            for working in self._working:
                if working.done():
                    working.result()  # a client that ends while the bank is open has failed, and says why
            return self.paid() >= wanted

        self.cluster.until(is_paid, f"{count} more payments are acknowledged")

    def paid(self) -> int:
        """Return how many payments were acknowledged as carried out."""
        return sum(
            any(each.outcome.code == 0 for each in list(told))
            for teller in self.tellers
            for told in list(teller.told.values())
        )

    def check(self, ledgers: Sequence[Ledger]) -> str:
        """Hold all that was said against the ledgers, which are equal; return what happened, in numbers."""
        acknowledged = {identifier: told for teller in self.tellers for identifier, told in teller.told.items()}
        places = self._all_acknowledged_is_there(ledgers, acknowledged)
        self._nothing_else_happened(ledgers[0])
        self._balances_follow_from_receipts(ledgers)
        self._receipts_are_proven(places)
        paid = sum(told[0].outcome.code == 0 for told in acknowledged.values())
        failures = sum(teller.failures for teller in self.tellers)
        reads = sum(len(teller.seen) for teller in self.tellers)
        return f"{paid} paid, {len(acknowledged) - paid} refused, {failures} requests without outcome, {reads} reads"

    def _all_acknowledged_is_there(
        self, ledgers: Sequence[Ledger], acknowledged: dict[bytes, list[Told]]
    ) -> dict[bytes, int]:
        """Every answer is the same to everybody, and stands in every log at the place that was told; return the places."""
        places: dict[bytes, int] = {}
        for identifier, told in acknowledged.items():
            assert told, "everything has an outcome"
            durable = {(each.outcome.receipt, each.outcome.log_index) for each in told if each.outcome.receipt}
            assert len(durable) <= 1, f"two outcomes of {identifier.hex()}: {told}"
            for receipt, place in durable:
                assert place is not None
                for ledger in ledgers:
                    assert place in ledger.entries, f"{ledger.name} lacks {identifier.hex()}"
                    assert ledger.entries[place][1] == receipt, f"{ledger.name} tells of {identifier.hex()} otherwise"
                    assert ledger.places[identifier] == place, f"{ledger.name} finds {identifier.hex()} elsewhere"
                places[identifier] = place
        return places

    def _nothing_else_happened(self, ledger: Ledger) -> None:
        """Nothing is carried out twice, and of our wallets nothing that nobody submitted or of which somebody was told no."""
        carried_out = Counter(receipt.transaction_id for receipt in ledger.receipts() if receipt.authorised)
        assert max(carried_out.values()) == 1, "a payment was carried out twice"
        done = {receipt.transaction_id for receipt in ledger.receipts() if receipt.code == 0}
        for teller in self.tellers:
            for identifier, told in teller.told.items():
                codes = {each.outcome.code for each in told}
                assert (identifier in done) == (0 in codes), f"{identifier.hex()} was told as {codes}"

    def _balances_follow_from_receipts(self, ledgers: Sequence[Ledger]) -> None:
        """What the wallets hold, at every node, follows from the receipts; so does every balance that was read."""
        balances = {world.wallet_id(number): FUNDS_MINOR for number in range(WALLETS)}
        after: dict[int, dict[bytes, int]] = {0: dict(balances)}
        for receipt in ledgers[0].receipts():
            for event in receipt.events:
                if isinstance(event, Paid):
                    balances[event.payer] -= event.amount_minor
                    balances[event.payee] += event.amount_minor
            after[receipt.height] = dict(balances)
        assert sum(balances.values()) == SUM_MINOR
        keys = [state_keys.balance(wallet, INSTRUMENT) for wallet in balances]
        for node in self.cluster.nodes:
            held = [balance.amount_minor for balance in records(node, keys)]
            assert held == list(balances.values()), f"wallets at {node.name}"
        heights = list(after)
        for teller in self.tellers:
            assert [seen.height for seen in teller.seen] == sorted(seen.height for seen in teller.seen)
            for seen in teller.seen:
                height = heights[bisect_left(heights, seen.height) - 1]  # a header proves the state before its block
                held_minor = after[height][world.wallet_id(teller.number)]
                assert seen.amount_minor == held_minor, f"wallet {teller.number} was shown as {seen}"

    def _receipts_are_proven(self, places: dict[bytes, int]) -> None:
        """Nodes in turn prove receipts to a client who believes nothing else."""
        chosen = sorted(places)[:: max(1, len(places) // PROVEN_MAX)]
        with ExitStack() as open_clients:
            clients = [open_clients.enter_context(node.client()) for node in self.cluster.running]
            for number, identifier in enumerate(chosen):
                found = clients[number % len(clients)].receipt(identifier)
                assert found is not None
                assert found.log_index == places[identifier]
