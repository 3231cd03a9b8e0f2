"""The chain that the benchmarks run on: a central bank, an institution, and as many wallets and identifiers as asked for.

Wallets are opened and funded, and identifiers allocated, by real transactions through the real engine, once; the finished data folder is kept under
``.bench/`` and copied for every run.
"""

import random
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fujie.core.encoding import Record
from fujie.core.limits import BULK_ITEMS_MAX
from fujie.core.policy import single
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.transaction import Transaction, sign_transaction
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import compose
from fujie.modules.currency import genesis as currency
from fujie.modules.currency.operations import Distribute, Issue, OpenWallet, Pay
from fujie.modules.currency.records import InstrumentKind, LimitEntry, WalletKind
from fujie.modules.identity import genesis as identity
from fujie.modules.identity.operations import AllocateMany, NamedItem
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership import genesis as membership
from fujie.modules.membership.records import ParameterValues, Role, Validator, Visibility
from fujie.store.opening import StoreKind, open_store

INSTRUMENT: Final = "CNY"
PREFIX: Final = "ZZ.156"
FUNDS_MINOR: Final = 1_000_000  # what every wallet begins with
EXPIRY_MS: Final = 540_000  # below the window of ten minutes
OPERATIONS_PER_TRANSACTION: Final = 64
WORLD_ROOT: Final = Path(".bench")

VALIDATOR: Final = Signer(sha256(b"bench validator").digest())
BANK: Final = Signer(sha256(b"bench central bank").digest())
INSTITUTION: Final = Signer(sha256(b"bench institution").digest())
REGISTRAR: Final = Signer(sha256(b"bench registrar").digest())


def wallet_id(number: int) -> bytes:
    """Return the 16-byte id of wallet ``number``."""
    return sha256(b"bench wallet %d" % number).digest()[:16]


def wallet_signer(number: int) -> Signer:
    """Return the key pair of wallet ``number``."""
    return Signer(sha256(b"bench holder %d" % number).digest())


def now_ms() -> int:
    """Return the time of day in ms."""
    return time.time_ns() // 1_000_000


def sign(chain_id: str, operations: Sequence[Operation], signer: Signer) -> bytes:
    """Return the signed transaction of one signer."""
    body: Transaction[Any] = Transaction(
        chain_id, secrets.token_bytes(16), now_ms() + EXPIRY_MS, tuple(operations), (signer.public_key,)
    )
    return sign_transaction(body, [signer])


def open_engine(kind: StoreKind, folder: Path, **options: Any) -> EmbeddedEngine:
    """Open the engine on the chain in ``folder``; ``options`` go to the executor."""
    return EmbeddedEngine(Executor(open_store(kind, folder), **options), VALIDATOR)


def prepared(kind: StoreKind, wallets: int, identifiers: int = 0, blocks: int = 0) -> Path:
    """Return a fresh copy of the world with that many funded wallets and identifiers, building it where it is missing.

    ``blocks``: at least so many blocks follow, every second one with one payment, as on a chain that is used now and then.
    """
    made = WORLD_ROOT / (f"{kind}-{wallets}-{identifiers}" + (f"-{blocks}" if blocks else ""))
    if not (made / "complete").exists():
        shutil.rmtree(made, ignore_errors=True)
        _build(kind, wallets, identifiers, made)
        _pay_singly(kind, wallets, blocks, made)
        (made / "complete").touch()
    copy = WORLD_ROOT / f"{made.name}-run"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(made, copy)
    return copy


def _build(kind: StoreKind, wallets: int, identifiers: int, folder: Path) -> None:
    store = open_store(kind, folder)
    found(store, compose("bench", now_ms() - 1, genesis_parts([VALIDATOR.public_key])))
    store.close()
    engine = open_engine(kind, folder)
    _submit(engine, [issue(wallets)], BANK)
    started = time.perf_counter()
    done = 0
    for first in range(0, wallets, 16_000):
        numbers = range(first, min(first + 16_000, wallets))
        for operations in (openings(numbers), fundings(numbers)):
            _submit(engine, list(operations), INSTITUTION)
        done += len(numbers)
        rate = done / (time.perf_counter() - started)
        print(f"\r{done:,} of {wallets:,} wallets opened and funded, {rate:,.0f}/s", end="", file=sys.stderr)
    print(file=sys.stderr)
    _submit(engine, list(_allocations(identifiers)), REGISTRAR)
    engine.close()


def _pay_singly(kind: StoreKind, wallets: int, blocks: int, folder: Path) -> None:
    """Make ``blocks`` blocks: a payment, and the empty block that proves it."""
    if not blocks:
        return
    engine = open_engine(kind, folder)
    dice = random.Random(7)
    last = engine.head.height + blocks
    while engine.head.height < last:
        payer, payee = dice.sample(range(wallets), 2)
        payment = Pay(wallet_id(payer), wallet_id(payee), INSTRUMENT, dice.randrange(1, 1_000))
        [outcome] = engine.submit([sign(engine.chain_id, [payment], wallet_signer(payer))]).result()
        assert outcome.code == 0, outcome
        engine.wait_proven(outcome.log_index or 0, 10.0)
        if engine.head.height % 1_000 < 2:
            print(f"\r{last - engine.head.height:,} blocks to go  ", end="", file=sys.stderr)
    print(file=sys.stderr)
    engine.close()


def _submit(engine: EmbeddedEngine, operations: list[list[Operation]], signer: Signer) -> None:
    outcomes = engine.submit([sign(engine.chain_id, part, signer) for part in operations]).result()
    failed = [outcome for outcome in outcomes if outcome.code]
    assert not failed, failed[0]


def _allocations(count: int) -> Iterator[list[Operation]]:
    for first in range(0, count, BULK_ITEMS_MAX):
        numbers = range(first, min(first + BULK_ITEMS_MAX, count))
        items = tuple(
            NamedItem(node(number), "asset", f"Asset {number}", (), b"", "", None, None) for number in numbers
        )
        yield [AllocateMany(PREFIX, items)]


def node(number: int) -> str:
    """Return the node of identifier ``number`` under ``PREFIX``."""
    return f"N{number:07d}"


def issue(wallets: int) -> list[Operation]:
    """Return what the central bank does first: the money for so many wallets, to the institution."""
    return [Issue("institution", INSTRUMENT, FUNDS_MINOR * wallets, secrets.token_bytes(16))]


def openings(numbers: range) -> Iterator[list[Operation]]:
    """Yield, a transaction each, what opens these wallets."""
    for first in range(numbers.start, numbers.stop, OPERATIONS_PER_TRANSACTION):
        yield [
            OpenWallet(
                "institution",
                wallet_id(number),
                INSTRUMENT,
                1,
                WalletKind.PERSONAL,
                single(wallet_signer(number).public_key),
                secrets.token_bytes(32),
            )
            for number in range(first, min(first + OPERATIONS_PER_TRANSACTION, numbers.stop))
        ]


def fundings(numbers: range) -> Iterator[list[Operation]]:
    """Yield, a transaction each, what gives these wallets their money."""
    for first in range(numbers.start, numbers.stop, OPERATIONS_PER_TRANSACTION):
        yield [
            Distribute("institution", wallet_id(number), INSTRUMENT, FUNDS_MINOR)
            for number in range(first, min(first + OPERATIONS_PER_TRANSACTION, numbers.stop))
        ]


def genesis_parts(validators: Sequence[bytes]) -> list[tuple[str, Record]]:
    """Return the parts of the genesis, with these public keys for validators."""
    quota = 1_000_000_000
    return [
        (
            "membership",
            membership.MembershipGenesis(
                parameters=ParameterValues(480, 600_000, quota, 1, 86_400_000, 18, Visibility.RESTRICTED),
                organisations=(membership.GenesisOrganisation("bench", "The benchmark"),),
                accounts=(
                    membership.GenesisAccount(
                        "central-bank", "bench", single(BANK.public_key), (Role.CENTRAL_BANK, Role.GOVERNOR), quota
                    ),
                    membership.GenesisAccount(
                        "institution", "bench", single(INSTITUTION.public_key), (Role.INSTITUTION,), quota
                    ),
                    membership.GenesisAccount(
                        "root", "bench", single(REGISTRAR.public_key), (Role.ROOT_AUTHORITY,), quota
                    ),
                ),
                validators=tuple(Validator(key, 10, "bench") for key in sorted(validators)),
                rules=tuple(membership.GenesisRule(room, 1) for room in ("currency", "identity", "membership")),
            ),
        ),
        (
            "identity",
            identity.IdentityGenesis(
                "ZZ",
                "root",
                (),
                (
                    identity.CountryGenesis(
                        "156",
                        "The benchmark",
                        (),
                        single(REGISTRAR.public_key),
                        Delegation(Rule.FREE, True, 10_000_000, 0, "", None),
                    ),
                ),
            ),
        ),
        (
            "currency",
            currency.CurrencyGenesis(
                instruments=(currency.GenesisInstrument(INSTRUMENT, "Yuan", 2, "central-bank", InstrumentKind.PLAIN),),
                institutions=(
                    currency.GenesisInstitution("institution", INSTRUMENT, 2**62, sha256(b"bench salt").digest()),
                ),
                limits=(
                    currency.GenesisLimits(
                        INSTRUMENT, 1, (LimitEntry(0, 50_000_000_000, 5_000_000, 10_000_000_000, 1_000_000),)
                    ),
                ),
            ),
        ),
    ]
