"""A small chain of all rooms behind a real server, for the tests and measurements of the HTTP interface."""

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from fujie.api.app import create_app
from fujie.api.server import serve
from fujie.core.encoding import Record
from fujie.core.policy import single
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.transaction import Transaction, sign_transaction
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import compose
from fujie.modules.currency import genesis as currency
from fujie.modules.currency.operations import Distribute, Issue, OpenWallet
from fujie.modules.currency.records import InstrumentKind, LimitEntry, WalletKind
from fujie.modules.identity import genesis as identity
from fujie.modules.identity.operations import Allocate, AllocateMany, NamedItem, UpdateRecord
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership import genesis as membership
from fujie.modules.membership.records import ParameterValues, Role, Validator, Visibility
from fujie.proof.header import Header
from fujie.proof.light_block import decode_light_block
from fujie.proof.trust import TrustRoot
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.projection import Projection
from fujie.reader.projection.source import EngineSource
from fujie.store.opening import StoreKind, open_store

INSTRUMENT: Final = "CNY"
FUNDS_MINOR: Final = 1_000_000
QUOTA: Final = 1_000_000_000
CITY: Final = "ZZ.156.1301"
ABSENT: Final = "ZZ.156.9999"
SECONDS_MAX: Final = 300  # after which a test gives up waiting; nothing is measured by it


def key(name: str) -> Signer:
    """The key pair with this name, the same in every run."""
    return Signer(sha256(b"http test " + name.encode()).digest())


VALIDATOR, BANK, INSTITUTION, OTHER, AUDITOR, REGISTRAR, ANNA, BEN = map(
    key, ("validator", "bank", "institution", "other", "auditor", "registrar", "anna", "ben")
)
WALLETS: Final = {"anna": b"a" * 16, "ben": b"b" * 16}


class Node(NamedTuple):
    """A running server and the engine behind it."""

    url: str
    engine: EmbeddedEngine

    @property
    def trust(self) -> TrustRoot:
        header: Header = decode_light_block(self.engine.proven.light_block).header
        return TrustRoot(
            chain_id=self.engine.chain_id,
            validators_hash=header.validators_hash.hex(),
            state_tree_depth=self.engine.executor.depth,
        )

    def sign(self, operations: Sequence[Operation], *signers: Signer) -> bytes:
        return sign(self.engine.chain_id, operations, *signers)


def sign(chain_id: str, operations: Sequence[Operation], *signers: Signer) -> bytes:
    keys = tuple(sorted(signer.public_key for signer in signers))
    expiry_ms = time.time_ns() // 1_000_000 + 300_000
    body: Transaction[Any] = Transaction(chain_id, secrets.token_bytes(16), expiry_ms, tuple(operations), keys)
    return sign_transaction(body, list(signers))


def city(node: str, name: str = "Shijiazhuang") -> NamedItem:
    return NamedItem(node, "city", name, (("level", "prefecture"),), b"", "", None, None)


def genesis_parts(visibility: Visibility = Visibility.PUBLIC) -> list[tuple[str, Record]]:
    account = membership.GenesisAccount
    return [
        (
            "membership",
            membership.MembershipGenesis(
                ParameterValues(480, 600_000, QUOTA, 1, 86_400_000, 18, visibility),
                (membership.GenesisOrganisation("town", "The town"),),
                (
                    account("auditor", "town", single(AUDITOR.public_key), (Role.AUDITOR,), QUOTA),
                    account("central-bank", "town", single(BANK.public_key), (Role.CENTRAL_BANK, Role.GOVERNOR), QUOTA),
                    account("institution", "town", single(INSTITUTION.public_key), (Role.INSTITUTION,), QUOTA),
                    account("other", "town", single(OTHER.public_key), (Role.INSTITUTION,), QUOTA),
                    account("root", "town", single(REGISTRAR.public_key), (Role.ROOT_AUTHORITY,), QUOTA),
                ),
                (Validator(VALIDATOR.public_key, 10, "town"),),
                tuple(membership.GenesisRule(room, 1) for room in ("currency", "identity", "membership")),
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
                        "China",
                        (),
                        None,
                        Delegation(Rule.FREE, True, 10**9, 0, "", single(REGISTRAR.public_key)),
                    ),
                ),
            ),
        ),
        (
            "currency",
            currency.CurrencyGenesis(
                (currency.GenesisInstrument(INSTRUMENT, "Yuan", 2, "central-bank", InstrumentKind.PLAIN),),
                (currency.GenesisInstitution("institution", INSTRUMENT, 2**62, bytes(32)),),
                (currency.GenesisLimits(INSTRUMENT, 1, (LimitEntry(0, None, None, None, None),)),),
            ),
        ),
    ]


def open_chain(
    folder: Path | None, visibility: Visibility = Visibility.PUBLIC, kind: StoreKind = "sqlite"
) -> EmbeddedEngine:
    """Found the chain in ``folder`` and open it, with one city and two funded wallets. Verifies in this process."""
    assert folder is not None
    store = open_store(kind, folder)
    found(store, compose("town", time.time_ns() // 1_000_000 - 1, genesis_parts(visibility)))
    engine = EmbeddedEngine(Executor(store), VALIDATOR, worker=False)
    wallet = [
        OpenWallet(
            "institution", WALLETS[name], INSTRUMENT, 1, WalletKind.PERSONAL, single(holder.public_key), bytes(32)
        )
        for name, holder in (("anna", ANNA), ("ben", BEN))
    ]
    funds = [Distribute("institution", wallet_id, INSTRUMENT, FUNDS_MINOR) for wallet_id in WALLETS.values()]
    for operations, signer in (
        ([Issue("institution", INSTRUMENT, 10 * FUNDS_MINOR, bytes(16))], BANK),
        (wallet + funds, INSTITUTION),
        ([Allocate("ZZ.156", city("1301"))], REGISTRAR),
        ([UpdateRecord(CITY, 1, "Shijiazhuang City", (), b"", "")], REGISTRAR),
    ):
        outcome = engine.submit([sign(engine.chain_id, operations, signer)]).result(SECONDS_MAX)[0]
        assert outcome.code == 0, outcome
    return engine


def allocate(engine: EmbeddedEngine, count: int, first: int = 100_000) -> None:
    """Allocate ``count`` identifiers ``ZZ.156.<number>`` from ``first`` on."""
    batch = []
    for start in range(first, first + count, 200):
        items = tuple(city(str(number)) for number in range(start, min(start + 200, first + count)))
        batch.append(sign(engine.chain_id, [AllocateMany("ZZ.156", items)], REGISTRAR))
    for start in range(0, len(batch), 50):
        outcomes = engine.submit(batch[start : start + 50]).result(SECONDS_MAX)
        assert not any(outcome.code for outcome in outcomes), outcomes[0]


@contextmanager
def serving(engine: EmbeddedEngine, port: int = 0, **services: Any) -> Iterator[Node]:
    """A real server over ``engine`` on a port of loopback, with ``services`` of ``create_app``."""
    ready: list[str] = []
    started, stop = threading.Event(), threading.Event()

    def on_ready(url: str) -> None:
        ready.append(url)
        started.set()

    app = create_app(engine, **services)
    thread = threading.Thread(target=serve, args=(app, "127.0.0.1", port, on_ready, stop))
    thread.start()
    try:
        assert started.wait(SECONDS_MAX), "the server did not start"
        yield Node(ready[0], engine)
    finally:
        stop.set()
        thread.join(SECONDS_MAX)
    assert not thread.is_alive()


@contextmanager
def running(folder: Path, visibility: Visibility = Visibility.PUBLIC, **services: Any) -> Iterator[Node]:
    """The chain in ``folder``, served."""
    engine = open_chain(folder, visibility)
    try:
        with serving(engine, **services) as node:
            yield node
    finally:
        engine.close()


def project(engine: EmbeddedEngine, path: Path) -> Lists:
    """Bring the projection at ``path`` up to the ledger, and return it to read."""
    with Projection(path, engine.chain_id) as projection:
        while projection.advance(EngineSource(engine)):
            pass
    return Lists.open(path)
