"""A small chain for tests: two governors, a central bank of which two of three must sign, an institution, a few wallets.

Every key, id and nonce follows from its number or from what was asked before, so a run is the same each time. The chain
is carried out once in memory, by the machine alone, until its wallets hold money; what stands then is exported, and
every test begins from that genesis, on whichever store it likes.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from fujie.core.encoding import Record, encode
from fujie.core.finding import Finding, InvariantChecker
from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.core.policy import single, threshold
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.core.state import Key, Leaf
from fujie.core.transaction import Transaction, VerifiedBlock, VerifiedTransaction, sign_transaction
from fujie.engine.admission import verify_transaction
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor, found
from fujie.engine.replay_window import ReplayWindow
from fujie.engine.stored_block import BlockAt, block_at
from fujie.machine.genesis import Genesis, chain_id, compose, export, founded, founded_archive
from fujie.machine.schedule import SCHEDULE, Schedule
from fujie.machine.transition import BlockResult, apply_block
from fujie.modules.catalog import codec_of
from fujie.modules.currency import genesis as currency
from fujie.modules.currency import invariants as currency_invariants
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.currency.operations import Distribute, Issue, OpenWallet, Pay
from fujie.modules.currency.records import InstrumentKind, LimitEntry, WalletKind
from fujie.modules.identity import genesis as identity
from fujie.modules.identity import invariants as identity_invariants
from fujie.modules.identity.operations import Allocate, NamedItem
from fujie.modules.identity.records import Delegation, Rule
from fujie.modules.membership import genesis as membership
from fujie.modules.membership import invariants as membership_invariants
from fujie.modules.membership.operations import Propose, Vote
from fujie.modules.membership.records import Action, ParameterValues, Role, SetQuota, Validator, Visibility
from fujie.proof.trust import TrustRoot
from fujie.proof.validators import validator_address
from fujie.store.base import Store
from fujie.store.layout import Table
from fujie.store.opening import open_store
from fujie.store.sqlite import SqliteStore
from fujie.store.state_tree import unpack_leaf

Kind = Literal["memory", "sqlite", "rocks"]

KINDS: Final[tuple[Kind, ...]] = ("memory", "sqlite", "rocks")
ON_DISK: Final[tuple[Kind, ...]] = ("sqlite", "rocks")

ROOMS: Final = ("membership", "identity", "currency")
START_MS: Final = 1_750_000_000_000  # time of the genesis: 2025-06-15 15:06:40 UTC
EXPIRES_MS: Final = START_MS + 500_000  # of every transaction that names no other
WINDOW_MS: Final = 600_000
DEPTH: Final = 6
INSTRUMENT: Final = "CNY"
WALLETS: Final = 4
FUNDS_MINOR: Final = 1_000_000
CITY: Final = "ZZ.156"


@cache
def signer(name: str) -> Signer:
    """Return the key pair called ``name``."""
    return Signer(sha256(b"world key " + name.encode()).digest())


VALIDATOR: Final = signer("validator")
BANK: Final = [signer(f"central bank {number}") for number in range(3)]
INSTITUTION: Final = signer("institution")
ROOT: Final = signer("root authority")


def wallet_id(number: int) -> bytes:
    """Return the 16-byte id of wallet ``number``."""
    return sha256(b"world wallet %d" % number).digest()[:16]


def holder(number: int) -> Signer:
    """Return the key pair of wallet ``number``."""
    return signer(f"holder {number}")


def nonce(number: int) -> bytes:
    """Return 16 bytes that only ``number`` gives."""
    return sha256(b"world nonce %d" % number).digest()[:16]


def pay(payer: int, payee: int, amount_minor: int = 1) -> Pay:
    """Return the payment of one wallet to another, by number."""
    return Pay(wallet_id(payer), wallet_id(payee), INSTRUMENT, amount_minor)


def open_wallet(number: int, wallet_class: int = 1) -> OpenWallet:
    """Return the opening of wallet ``number``."""
    seed = sha256(b"world salt %d" % number).digest()
    policy = single(holder(number).public_key)
    return OpenWallet("institution", wallet_id(number), INSTRUMENT, wallet_class, WalletKind.PERSONAL, policy, seed)


def allocate(node: str) -> Allocate:
    """Return the allocation of a node under the country, which the root authority signs."""
    return Allocate(CITY, NamedItem(node, "city", f"City {node}", (), b"", "", None, None))


def membership_action() -> Action:
    """Return an action that rewrites a record with a history, and changes no other rule."""
    return SetQuota("institution", 1_000_000)


def misbehaviour(height: int, public_key: bytes = VALIDATOR.public_key) -> Misbehaviour:
    """Return two votes of a validator, which contradict each other, at a height."""
    address = validator_address(public_key)
    return Misbehaviour(MisbehaviourKind.DUPLICATE_VOTE, address, height, START_MS + height, 10)


class Signing:
    """Signs transactions for one chain; nonces count up, so that the same calls give the same bytes."""

    def __init__(self, chain: str, first_nonce: int = 1_000) -> None:
        self.chain_id = chain
        self.number = first_nonce

    def sign(
        self, operations: Operation | Sequence[Operation], *signers: Signer, expires_at_ms: int = EXPIRES_MS
    ) -> bytes:
        """Return the signed transaction of ``operations``."""
        self.number += 1
        return sign(self.chain_id, operations, signers, nonce(self.number), expires_at_ms)

    def pay(self, payer: int, payee: int, amount_minor: int = 1) -> bytes:
        """Return a signed payment."""
        return self.sign(pay(payer, payee, amount_minor), holder(payer))

    def decide(self, action: Action, number: int, deadline_ms: int = EXPIRES_MS) -> list[bytes]:
        """Return the transactions by which the two governors decide on ``action``: a proposal and two votes."""
        proposal = nonce(1_000_000 + number)
        return [
            self.sign(Propose("root", proposal, action, deadline_ms), ROOT),
            self.sign(Vote("root", proposal), ROOT),
            self.sign(Vote("central-bank", proposal), *BANK[:2]),
        ]


def sign(
    chain: str,
    operations: Operation | Sequence[Operation],
    signers: Collection[Signer],
    with_nonce: bytes,
    expires_at_ms: int = EXPIRES_MS,
) -> bytes:
    """Return the canonical signed transaction."""
    asked = (operations,) if isinstance(operations, Operation) else tuple(operations)
    keys = tuple(sorted(signer.public_key for signer in signers))
    body: Transaction[Any] = Transaction(chain, with_nonce, expires_at_ms, asked, keys)
    return sign_transaction(body, list(signers))


# The founding.


def parts(
    rooms: Collection[str] = ROOMS, *, limits: Sequence[LimitEntry] = (), **parameters: Any
) -> list[tuple[str, Record]]:
    """Return the genesis records of ``rooms``; ``limits`` are those of class 1, ``parameters`` replace by name."""
    values = ParameterValues(480, WINDOW_MS, 1_000_000, 2, 86_400_000, DEPTH, Visibility.RESTRICTED)
    return [(room, _PARTS[room](limits, msgspec.structs.replace(values, **parameters), rooms)) for room in rooms]


def _membership(_limits: Sequence[LimitEntry], values: ParameterValues, rooms: Collection[str]) -> Record:
    keys = [bank.public_key for bank in BANK]
    return membership.MembershipGenesis(
        parameters=values,
        organisations=(membership.GenesisOrganisation("world", "The world of the tests"),),
        accounts=(
            membership.GenesisAccount(
                "central-bank", "world", threshold(2, keys), (Role.CENTRAL_BANK, Role.GOVERNOR), 0
            ),
            membership.GenesisAccount("institution", "world", single(INSTITUTION.public_key), (Role.INSTITUTION,), 0),
            membership.GenesisAccount(
                "root", "world", single(ROOT.public_key), (Role.GOVERNOR, Role.ROOT_AUTHORITY), 0
            ),
        ),
        validators=(Validator(VALIDATOR.public_key, 10, "world"),),
        rules=tuple(membership.GenesisRule(room, 1) for room in sorted(rooms)),
    )


def _identity(_limits: Sequence[LimitEntry], _values: ParameterValues, _rooms: Collection[str]) -> Record:
    terms = Delegation(Rule.FREE, True, 1_000_000, 0, "", None)
    country = identity.CountryGenesis("156", "A country", (), None, terms)
    return identity.IdentityGenesis("ZZ", "root", (), (country,))


def _currency(limits: Sequence[LimitEntry], _values: ParameterValues, _rooms: Collection[str]) -> Record:
    entries = tuple(limits) or (LimitEntry(0, None, None, None, None),)
    salt_seed = sha256(b"world vault").digest()
    return currency.CurrencyGenesis(
        instruments=(currency.GenesisInstrument(INSTRUMENT, "Yuan", 2, "central-bank", InstrumentKind.PLAIN),),
        institutions=(currency.GenesisInstitution("institution", INSTRUMENT, 2**40, salt_seed),),
        limits=(currency.GenesisLimits(INSTRUMENT, 1, entries),),
    )


_PARTS: Final = {"membership": _membership, "identity": _identity, "currency": _currency}


@cache
def composed(*rooms: str) -> Genesis:
    """Return the genesis in which ``rooms`` (by default all) are founded, and nothing has happened yet."""
    return compose("world", START_MS, parts(rooms or ROOMS))


@cache
def funded(wallets: int = WALLETS) -> Genesis:
    """Return the genesis of a chain whose wallets are open and hold ``FUNDS_MINOR`` each."""
    return _with_wallets(composed(), wallets)


@cache
def with_quota(operations_per_minute: int) -> Genesis:
    """As :func:`funded`, with two wallets; every account and wallet may ask for so many operations in a minute."""
    return _with_wallets(compose("world", START_MS, parts(operations_per_minute=operations_per_minute)), 2)


def _with_wallets(genesis: Genesis, wallets: int) -> Genesis:
    """Carry out, on the bare machine, what opens and fills the wallets, one after the other."""
    chain = MemoryChain(genesis)
    issue = Issue("institution", INSTRUMENT, wallets * FUNDS_MINOR + 500, nonce(0))
    chain.carry_out(chain.signing.sign(issue, *BANK[:2]))
    for number in range(wallets):
        give = Distribute("institution", wallet_id(number), INSTRUMENT, FUNDS_MINOR)
        chain.carry_out(chain.signing.sign([open_wallet(number), give], INSTITUTION))
    return chain.export()


# A chain in memory: the bare machine.


class MemoryChain:
    """State and replay window in two dicts, driven by ``apply_block`` alone. Implements ``core.state.StateRead``."""

    def __init__(self, genesis: Genesis, schedule: Schedule = SCHEDULE) -> None:
        self.genesis = genesis
        self.chain_id = chain_id(genesis)
        self.schedule = schedule
        self.signing = Signing(self.chain_id)
        self.height = 0
        self.time_ms = genesis.time_ms
        self.leaves: dict[str, tuple[Key[Any], Leaf]] = {key.path: (key, leaf) for key, leaf in founded(genesis)}
        self.archive = founded_archive(genesis)
        self.window = ReplayWindow()

    def leaf(self, key: Key[Any]) -> Leaf | None:
        found = self.leaves.get(key.path)
        return None if found is None else found[1]

    def get(self, key: Key[Any]) -> Any:
        found = self.leaves.get(key.path)
        return None if found is None else found[1].record

    def archived(self, version: bytes) -> bytes | None:
        return self.archive.get(version)

    def remembers(self, transaction_id: bytes, expires_at_ms: int) -> bool:
        return self.window.remembers(transaction_id, expires_at_ms)

    def block(self, *transactions: bytes, time_ms: int | None = None) -> VerifiedBlock:
        """Return the next block of ``transactions``; its time is one second on unless it is given."""
        verified = tuple(verify_transaction(raw) for raw in transactions)
        return self.block_of(*verified, time_ms=time_ms)

    def block_of(self, *transactions: VerifiedTransaction, time_ms: int | None = None) -> VerifiedBlock:
        """As :meth:`block`, of transactions that are taken as verified."""
        time = self.time_ms + 1_000 if time_ms is None else time_ms
        return VerifiedBlock(self.chain_id, self.height + 1, time, transactions)

    def apply(self, block: VerifiedBlock) -> BlockResult:
        """Carry ``block`` out and keep nothing of it."""
        return apply_block(self, block, self.schedule)

    def keep(self, block: VerifiedBlock, result: BlockResult) -> None:
        """Make ``result`` the state."""
        self.leaves.update(result.changes)
        self.archive.update(result.archive)
        self.window.remember(result.remembered)
        self.window.forget_until(block.time_ms)
        self.height, self.time_ms = block.height, block.time_ms

    def carry_out(self, *transactions: bytes, time_ms: int | None = None) -> list[Any]:
        """Make a block of ``transactions``, all of which must succeed, and return their receipts."""
        receipts = self.run(*transactions, time_ms=time_ms)
        assert [receipt.code for receipt in receipts] == [0] * len(receipts)
        return receipts

    def run(self, *transactions: bytes, time_ms: int | None = None) -> list[Any]:
        """Make a block of ``transactions`` and return their receipts."""
        block = self.block(*transactions, time_ms=time_ms)
        result = self.apply(block)
        self.keep(block, result)
        return result.receipts

    def image(self) -> dict[str, bytes]:
        """Every leaf and every old version as bytes."""
        image = {path: leaf.salt + encode(leaf.record) for path, (_, leaf) in self.leaves.items()}
        return image | {version.hex(): data for version, data in self.archive.items()}

    def export(self, name: str = "world") -> Genesis:
        """Return the genesis that begins where this chain stands."""
        leaves = ((path, leaf.salt, encode(leaf.record)) for path, (_, leaf) in self.leaves.items())
        return export(name, self.time_ms, leaves, self.archive.values())


# Chains on a store.


def open_kind(kind: Kind, folder: Path) -> Store:
    """Open the store of ``kind``: in memory, or in ``folder``, locked as a node locks it."""
    return SqliteStore.open(None) if kind == "memory" else open_store(kind, folder)


class Clock:
    """A clock that stands until it is set. Standing at 0, it makes every block one millisecond later than the last."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def open_engine(store: Store, schedule: Schedule = SCHEDULE, **options: Any) -> EmbeddedEngine:
    """Open the engine on a founded ``store``: no worker and a standing clock, unless ``options`` say otherwise.

    A constructor that fails leaves the store to its caller; here it is closed.
    """
    chosen = {"clock_ms": Clock(), "worker": False, "heartbeat_ms": 3_600_000_000, **options}
    try:
        return EmbeddedEngine(Executor(store, schedule), VALIDATOR, **chosen)
    except BaseException:
        store.close()
        raise


@contextmanager
def running(
    kind: Kind, folder: Path, genesis: Genesis | None = None, schedule: Schedule = SCHEDULE, **options: Any
) -> Iterator[EmbeddedEngine]:
    """Found the chain of ``genesis`` where there is none, run the engine on it, close it."""
    store = open_kind(kind, folder)
    if store.get(Table.GENESIS, b"genesis") is None:
        found(store, genesis or funded())
    engine = open_engine(store, schedule, **options)
    try:
        yield engine
    finally:
        engine.close()


def trust_of(engine: EmbeddedEngine) -> TrustRoot:
    """Return the trust root of a running chain."""
    header = load_block(engine.executor, 1).header
    return TrustRoot(
        chain_id=engine.chain_id,
        validators_hash=header.validators_hash.hex(),
        state_tree_depth=engine.executor.depth,
    )


def app_hashes(executor: Executor) -> list[bytes]:
    """Return the app hash that each header carries, by height."""
    return [load_block(executor, height)[0].app_hash for height in range(1, executor.head.height + 1)]


def header_hashes(executor: Executor) -> list[bytes]:
    """Return the hash of each block, by height."""
    return [load_block(executor, height)[1].block_id.hash for height in range(1, executor.head.height + 1)]


def leaves_of(store: Store) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield (path, salt, record) of every leaf in a store."""
    for _, stored in store.scan(Table.STATE):
        path, salt, record = unpack_leaf(stored)
        yield path.decode(), salt, record


def balance_minor(executor: Executor, number: int) -> int:
    """Return what wallet ``number`` holds in the committed state."""
    record = executor.live.peek(currency_keys.balance(wallet_id(number), INSTRUMENT))
    assert record is not None
    amount: int = record.record.amount_minor  # type: ignore[attr-defined]  # the key says what stands there
    return amount


def findings(store: Store) -> list[Finding]:
    """Return what contradicts an invariant of any room in the state of ``store``; money that does not add up is one."""
    checkers: list[InvariantChecker] = [
        membership_invariants.Checker(),
        identity_invariants.Checker(),
        currency_invariants.Checker(),
    ]
    for path, _, data in leaves_of(store):
        record = codec_of(path).decode(data)
        for checker in checkers:
            checker.see(path, record)
    return [finding for checker in checkers for finding in checker.findings()]


def load_block(executor: Executor, height: int) -> BlockAt:
    """Return a block of a chain that has it."""
    found = block_at(executor.store.get, height)
    assert found is not None, f"there is no block {height}"
    return found
