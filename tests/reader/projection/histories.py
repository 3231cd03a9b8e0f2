"""Ledgers with a history of everything, made from a seed; and what a naive reading of all their entries gives."""

import random
from collections.abc import Callable
from typing import Any

from fujie.core.identifiers import parent
from fujie.core.json_form import to_json
from fujie.core.policy import single
from fujie.core.room import Operation
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.engine.embedded import EmbeddedEngine
from fujie.modules.catalog import RECEIPT, TRANSACTION, record_at
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.events import postings
from fujie.modules.currency.operations import (
    CloseWallet,
    Distribute,
    FreezeWallet,
    Pay,
    Return,
    UnfreezeWallet,
    UpgradeWallet,
)
from fujie.modules.currency.records import FreezeScope
from fujie.modules.identity import state_keys as identity_keys
from fujie.modules.identity.operations import (
    AllocateMany,
    BindAlias,
    NamedItem,
    ReleaseAlias,
    Restore,
    Retire,
    Suspend,
    UpdateRecord,
)
from fujie.modules.membership.operations import OpenAccount, Propose, Withdraw
from fujie.modules.membership.records import AdmitOrganisation, GrantRole, Role, SuspendAccount
from fujie.reader.parties import parties_of
from tests import world

NAMES = (
    "石家庄市",
    "上海",
    "Gas works",
    "Market Hall",
    "长安区",
    "市场",
    "Ünïcode straße",
    "100% _pure_",
    'the "Quoted"',
)
KINDS = ("city", "market", "department")
SECONDS_MAX = 60  # after which a test gives up waiting; nothing is measured by it


class History:
    """Asks the engine for one random thing after the other; most succeed."""

    def __init__(self, engine: EmbeddedEngine, seed: int) -> None:
        self.engine = engine
        self.random = random.Random(seed)
        self.signing = world.Signing(engine.chain_id, 10_000_000 + seed * 100_000)
        self.identifiers: list[str] = []
        self.aliases: list[tuple[str, str, str]] = []
        self.wallets = world.WALLETS
        self.accounts: list[str] = []
        self.number = 0

    def run(self, transactions: int) -> None:
        """Make so many moves, in blocks of one to twenty, and wait for the block that proves the last: nothing follows."""
        while transactions > 0:
            count = min(transactions, self.random.randint(1, 20))
            raws = [raw for _ in range(count) for raw in self.next()]
            self.engine.submit(raws).result()
            transactions -= count
        assert self.engine.wait_proven(self.engine.head.log_size - 1, SECONDS_MAX)

    def next(self) -> list[bytes]:
        """Return the transactions of the next move."""
        moves = [self.pay] * 6 + [self.pay_too_much, self.allocate, self.update, self.life, self.alias, self.wallet]
        return self.random.choice([*moves, self.freeze, self.account, self.decide, self.several])()

    def pay(self) -> list[bytes]:
        payer, payee = self.random.sample(range(self.wallets), 2)
        return [self.signing.pay(payer, payee, self.random.randint(1, 90))]

    def pay_too_much(self) -> list[bytes]:
        payer = self.random.randrange(self.wallets)
        unknown = world.wallet_id(5_000 + self.random.randrange(5))
        pay = Pay(world.wallet_id(payer), unknown, world.INSTRUMENT, 5)
        return [self.signing.sign(pay, world.holder(payer)), self.signing.pay(payer, (payer + 1) % 2, 10**12)]

    def several(self) -> list[bytes]:
        payer = self.random.randrange(self.wallets)
        back = Return(world.wallet_id(payer), world.INSTRUMENT, 1)
        operations: list[Operation] = [world.pay(payer, (payer + 1) % self.wallets), back]
        return [self.signing.sign(operations, world.holder(payer))]

    def allocate(self) -> list[bytes]:
        self.number += 1
        names = [f"N{self.number}{letter}" for letter in "ABC"[: self.random.randint(1, 3)]]
        within = self.random.choice(["", world.CITY, *self.identifiers[:3]])
        items = tuple(
            NamedItem(node, self.random.choice(KINDS), self.random.choice(NAMES), (), b"", within, None, None)
            for node in names
        )
        self.identifiers += [f"{world.CITY}.{node}" for node in names]
        return [self.signing.sign(AllocateMany(world.CITY, items), world.ROOT)]

    def update(self) -> list[bytes]:
        if not self.identifiers:
            return self.allocate()
        identifier = self.random.choice(self.identifiers)
        leaf = self.engine.executor.live.peek(identity_keys.identity(identifier))
        record: Any = None if leaf is None else leaf.record
        number = 1 if record is None else record.standing.number
        within = self.random.choice(["", self.random.choice(self.identifiers)])
        change = UpdateRecord(identifier, number, f"{self.random.choice(NAMES)} {self.number}", (), b"", within)
        return [self.signing.sign(change, world.ROOT)]

    def life(self) -> list[bytes]:
        if not self.identifiers:
            return self.allocate()
        subject = self.random.choice(self.identifiers)
        operation: Operation = self.random.choice([Suspend(subject), Restore(subject), Retire(subject)])
        return [self.signing.sign(operation, world.ROOT)]

    def alias(self) -> list[bytes]:
        if not self.identifiers:
            return self.allocate()
        if self.aliases and self.random.random() < 0.4:
            return [self.signing.sign(ReleaseAlias(*self.random.choice(self.aliases)), world.ROOT)]
        alias = (self.random.choice(self.identifiers), "MA", f"156/{self.random.randrange(30)}")
        self.aliases.append(alias)
        return [self.signing.sign(BindAlias(*alias, b""), world.ROOT)]

    def wallet(self) -> list[bytes]:
        number = self.wallets
        self.wallets += 1
        give = Distribute("institution", world.wallet_id(number), world.INSTRUMENT, 40)
        return [self.signing.sign([world.open_wallet(number), give], world.INSTITUTION)]

    def freeze(self) -> list[bytes]:
        wallet = world.wallet_id(self.random.randrange(self.wallets))
        operation: Operation = self.random.choice(
            [
                FreezeWallet(wallet, "institution", FreezeScope.DEBITS, "order 7"),
                UnfreezeWallet(wallet, "institution", "order 8"),
                UpgradeWallet(wallet, 1),
                CloseWallet(wallet),
            ]
        )
        return [self.signing.sign(operation, world.INSTITUTION)]

    def account(self) -> list[bytes]:
        name = f"desk-{len(self.accounts)}"
        self.accounts.append(name)
        key = single(world.signer(name).public_key)
        return [self.signing.sign(OpenAccount("institution", name, key), world.INSTITUTION)]

    def decide(self) -> list[bytes]:
        self.number += 1
        name = f"house-{self.number}"
        subject = self.random.choice(["institution", *self.accounts])
        action = self.random.choice(
            [
                AdmitOrganisation(name, f"House {self.number}", f"{name}-one", single(world.signer(name).public_key)),
                GrantRole(subject, Role.AUDITOR),
                SuspendAccount(self.random.choice(self.accounts))
                if self.accounts
                else GrantRole(subject, Role.REGULATOR),
            ]
        )
        if self.random.random() < 0.3:
            proposal = world.nonce(2_000_000 + self.number)
            propose = Propose("root", proposal, action, world.EXPIRES_MS)
            return [self.signing.sign(propose, world.ROOT), self.signing.sign(Withdraw("root", proposal), world.ROOT)]
        return self.signing.decide(action, self.number)


def naive_transactions(engine: EmbeddedEngine) -> list[dict[str, Any]]:
    """Return every transaction, newest first, as one reads it who has only the log and the state."""

    def institution_of(wallet: bytes) -> str | None:
        leaf = engine.executor.live.peek(currency_keys.wallet(wallet))
        record: Any = None if leaf is None else leaf.record
        return None if record is None else record.institution

    found = []
    for index, entry in enumerate(engine.entries(0, engine.head.log_size)):
        body = TRANSACTION.decode(SIGNED_TRANSACTION.decode(entry.transaction).body)
        receipt = RECEIPT.decode(entry.receipt)
        moved = [operation for operation in body.operations if hasattr(operation, "amount_minor")]
        lines = [line for event in receipt.events for line in postings(event)]
        payer, payee = naive_sides(moved[0], institution_of) if moved else (None, None)
        if lines:  # what was moved is what was asked for
            assert (payer, payee) == (lines[1].ledger_account, lines[0].ledger_account)
            assert len(lines) == 2 * len(moved)
        found.append(
            {
                "index": index,
                "height": entry.height,
                "time_ms": receipt.time_ms,
                "transaction_id": receipt.transaction_id,
                "code": receipt.code,
                "operations": tuple(to_json(operation)["type"] for operation in body.operations),
                "parties": parties_of(body, receipt, institution_of),
                "instrument": moved[0].instrument if moved else None,
                "amount_minor": moved[0].amount_minor if moved else None,
                "payer": payer,
                "payee": payee,
                "postings": 2 * len(moved),
            }
        )
    return found[::-1]


def naive_sides(operation: Any, institution_of: Callable[[bytes], str | None]) -> tuple[str, str | None]:
    """Return the ledger accounts between which an operation moves money."""
    match to_json(operation):
        case {"type": "issue", "institution": vault}:
            return "issued", f"vault/{vault}"
        case {"type": "redeem", "institution": vault}:
            return f"vault/{vault}", "issued"
        case {"type": "distribute", "institution": vault, "wallet": wallet}:
            return f"vault/{vault}", f"wallet/{wallet}"
        case {"type": "return", "wallet": wallet}:
            serving = institution_of(operation.wallet)
            return f"wallet/{wallet}", None if serving is None else f"vault/{serving}"
        case {"payer": payer, "payee": payee}:
            return f"wallet/{payer}", f"wallet/{payee}"
    raise AssertionError(operation)


def naive_records(engine: EmbeddedEngine, prefix: str) -> dict[str, Any]:
    """Return subject → record of every leaf whose path begins with ``prefix``."""
    return {
        path.removeprefix(prefix): record_at(path, record)
        for path, _, record in world.leaves_of(engine.executor.store)
        if path.startswith(prefix)
    }


def above(identifier: str) -> str:
    """Return what an identifier stands directly under."""
    return parent(identifier) or identifier[:2]
