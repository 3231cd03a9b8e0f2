"""A small real chain for the client's tests: the embedded engine in a folder, two identifiers, two wallets, a payment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import fujie
from fujie.client.client import Outcome, named
from fujie.core.signing import Signer, new_seed
from fujie.node.ledger import Ledger

MONEY = "XTS"
ALPHA = "ZZ.000.ALPHA"
BETA = "ZZ.000.BETA"
NOWHERE = "ZZ.000.NOWHERE"


class Town(NamedTuple):
    """An open ledger, what stands on it, and who holds the wallets."""

    ledger: Ledger
    payer: Signer
    payee: Signer
    payer_wallet: bytes
    payee_wallet: bytes
    before_rename_ms: int
    payment: Outcome
    other_payment: Outcome


@contextmanager
def open_town(folder: Path) -> Iterator[Town]:
    """Found a town in an empty folder."""
    with fujie.open(folder) as ledger:
        ledger.allocate_many("ZZ.000", [named("ALPHA", "city", "Alpha"), named("BETA", "city", "Beta")])
        before_rename_ms = ledger.resolve(ALPHA).time_ms - 1
        ledger.update(ALPHA, name="Alpha the Second")
        payer, payee = Signer(new_seed()), Signer(new_seed())
        payer_wallet = ledger.open_wallet("owner", MONEY, payer.public_key, wallet_class=1)
        payee_wallet = ledger.open_wallet("owner", MONEY, payee.public_key, wallet_class=1)
        ledger.issue("owner", MONEY, 100_000)
        ledger.distribute("owner", payer_wallet, MONEY, 50_000)
        first = ledger.pay(payer_wallet, payee_wallet, MONEY, 1_250, signers=[payer])
        second = ledger.pay(payer_wallet, payee_wallet, MONEY, 1, signers=[payer])
        yield Town(ledger, payer, payee, payer_wallet, payee_wallet, before_rename_ms, first, second)
