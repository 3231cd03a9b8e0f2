"""A data folder with very many wallets, and payments between them that nobody may lose, whichever node takes them."""

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import world
from fujie.client.http import HttpTransport
from fujie.core.errors import OperationalError
from fujie.core.signing import Signer
from fujie.core.transaction import SIGNED_TRANSACTION, transaction_id
from fujie.engine.executor import LOG_ENTRY
from fujie.machine.genesis import compose
from fujie.modules.catalog import RECEIPT, TRANSACTION
from fujie.modules.currency.operations import Pay
from fujie.modules.currency.state_keys import balance
from fujie.node.folder import Folder
from fujie.node.founding import found_from, open_engine
from fujie.node.keyring import ensure_key, validator_signer
from fujie.store.layout import Table
from fujie.store.reading import open_for_reading
from fujie.store.state_tree import unpack_leaf

NAME = "bench"
CHUNK = 16_000  # wallets opened at a time
BATCH = 100  # payments in one request
AGAIN_S = 0.25


def found(home: Path, wallets: int) -> Folder:
    """Found a chain whose wallets are open and hold ``FUNDS_MINOR`` each; the key of its one governor lies in the folder."""
    folder = Folder(home)
    ensure_key(folder.validator_key, "validator", world.VALIDATOR.seed)
    ensure_key(folder.key_folders[0] / "central-bank.key", "central-bank", world.BANK.seed)
    found_from(
        folder, "sqlite", "plain", compose(NAME, world.now_ms() - 1, world.genesis_parts([world.VALIDATOR.public_key]))
    )
    engine = open_engine(folder, validator_signer(folder))
    try:

        def submit(parts: Sequence[Any], signer: Signer) -> None:
            outcomes = engine.submit([world.sign(engine.chain_id, part, signer) for part in parts]).result()
            assert [outcome for outcome in outcomes if outcome.code] == []

        submit([world.issue(wallets)], world.BANK)
        for first in range(0, wallets, CHUNK):
            numbers = range(first, min(first + CHUNK, wallets))
            submit(list(world.openings(numbers)), world.INSTITUTION)
            submit(list(world.fundings(numbers)), world.INSTITUTION)
    finally:
        engine.close()
    return folder


class Load:
    """Pays between random wallets until told to stop; what gets no answer is submitted again, with the same bytes, elsewhere."""

    def __init__(self, chain_id: str, wallets: int, url: str) -> None:
        self.acknowledged: dict[bytes, int] = {}  # transaction id → height
        self._chain_id = chain_id
        self._wallets = wallets
        self._urls = [url]
        self._transports: dict[str, HttpTransport] = {}
        self._stop = threading.Event()
        self._abandoned = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._guard, name="load")
        self._thread.start()

    def also(self, urls: Sequence[str]) -> None:
        """Use these nodes, too."""
        self._urls = [*self._urls, *urls]

    def reach(self, count: int, seconds_max: float) -> None:
        """Wait until so many more are acknowledged."""
        wanted, give_up = len(self.acknowledged) + count, time.monotonic() + seconds_max
        while len(self.acknowledged) < wanted:
            assert self._thread.is_alive(), self._failure
            assert time.monotonic() < give_up, f"{len(self.acknowledged)} of {wanted} payments acknowledged"
            time.sleep(AGAIN_S)

    def stop(self, seconds_max: float) -> None:
        """Stop, when what is under way is acknowledged."""
        self._stop.set()
        self._thread.join(seconds_max)
        assert self._failure is None, self._failure
        assert not self._thread.is_alive(), "payments are not acknowledged"

    def abandon(self) -> None:
        """Stop at once."""
        self._abandoned = True
        self._stop.set()
        self._thread.join()

    def _guard(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - shown by whoever waits
            self._failure = error
        finally:
            for transport in self._transports.values():
                transport.close()

    def _run(self) -> None:
        dice, turns = random.Random(11), itertools.count()
        while not self._stop.is_set():
            raws = []
            for _ in range(BATCH):
                payer, payee = dice.sample(range(self._wallets), 2)
                payment = Pay(world.wallet_id(payer), world.wallet_id(payee), world.INSTRUMENT, dice.randrange(1, 100))
                raws.append(world.sign(self._chain_id, [payment], world.wallet_signer(payer)))
            while raws and not self._abandoned:
                raws = self._submit(raws, self._urls[next(turns) % len(self._urls)])

    def _submit(self, raws: list[bytes], url: str) -> list[bytes]:
        """Submit payments and return those without an answer."""
        transport = self._transports.get(url) or self._transports.setdefault(
            url, HttpTransport(url, plain_http=True, tries=1)
        )
        try:
            outcomes = transport.submit(raws)
        except OperationalError:
            time.sleep(AGAIN_S)
            return raws
        left = []
        for raw, outcome in zip(raws, outcomes, strict=True):
            if outcome.receipt is None:
                left.append(raw)  # turned away: the queue was full
                continue
            assert outcome.code == 0, outcome
            self.acknowledged[outcome.transaction_id] = RECEIPT.decode(outcome.receipt).height
        if left:
            time.sleep(AGAIN_S)
        return left


def require_every_payment_once(folder: Folder, load: Load, wallets: int) -> None:
    """Check on the disk of a node that every acknowledged payment stands in the log once, and every wallet holds what follows."""
    store = open_for_reading("sqlite", folder.chain)
    try:
        holds: Counter[bytes] = Counter({world.wallet_id(number): world.FUNDS_MINOR for number in range(wallets)})
        carried_out: Counter[bytes] = Counter()
        for _, row in store.scan(Table.LOG_ENTRIES):
            entry = LOG_ENTRY.decode_trusted(row)
            body = SIGNED_TRANSACTION.decode_trusted(entry.transaction).body
            operation = TRANSACTION.decode_trusted(body).operations[0]
            if not isinstance(operation, Pay) or RECEIPT.decode_trusted(entry.receipt).code:
                continue
            carried_out[transaction_id(body)] += 1
            holds[operation.payer] -= operation.amount_minor
            holds[operation.payee] += operation.amount_minor
        assert set(carried_out.values()) == {1}
        assert load.acknowledged.keys() <= carried_out.keys()
        for wallet, amount_minor in holds.items():
            key = balance(wallet, world.INSTRUMENT)
            stored = store.get(Table.STATE, key.hash)
            assert stored is not None
            assert key.codec.decode_trusted(unpack_leaf(stored)[2]).amount_minor == amount_minor
        assert holds.total() == wallets * world.FUNDS_MINOR
    finally:
        store.close()
