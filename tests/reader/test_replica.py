"""A replica answers as the engine does, whatever happens between them."""

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.reasons import TransactionReason
from fujie.core.state import Key
from fujie.engine.base import Served
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.link.server import LinkServer
from fujie.engine.reading import answer
from fujie.modules.currency import state_keys as currency_keys
from fujie.modules.identity.queries import IdentityQuery
from fujie.modules.identity.state_keys import identity
from fujie.modules.membership.state_keys import PARAMETERS_KEY, account
from fujie.proof.bundle import Logged, Present, verify
from fujie.proof.light_block import encode_light_block
from fujie.reader.follower import Limits
from fujie.reader.replica import Replica
from tests.reader.ledgers import EAGER, GIVE_UP_S, NEVER, caught_up, eventually, linked, replicated
from tests.world import (
    CITY,
    FUNDS_MINOR,
    INSTRUMENT,
    ON_DISK,
    ROOT,
    WALLETS,
    Kind,
    Signing,
    allocate,
    funded,
    membership_action,
    trust_of,
    wallet_id,
)

BALANCE = currency_keys.balance(wallet_id(0), INSTRUMENT)
LIMITS = pytest.mark.parametrize("limits", [EAGER, NEVER, Limits()], ids=["eager", "never", "default"])


def keys_of(cities: int) -> list[Key[Any]]:
    """Keys at which something stands, and some at which nothing does."""
    return [
        PARAMETERS_KEY,
        account("institution"),
        account("nobody"),
        *(currency_keys.balance(wallet_id(number), INSTRUMENT) for number in range(WALLETS + 2)),
        *(identity(f"{CITY}.C{number}") for number in range(cities + 2)),
    ]


def live(engine: Served, signing: Signing, chance: random.Random, city: int) -> list[bytes]:
    """Submit a block's worth of everything; return the ids."""
    batch = []
    for _ in range(chance.randrange(5)):
        payer, payee = chance.sample(range(WALLETS), 2)
        batch.append(signing.pay(payer, payee, chance.randrange(1, 9)))
    batch.append(signing.sign(allocate(f"C{city}"), ROOT))
    if city % 3 == 0:
        batch += signing.decide(membership_action(), city)
    return [outcome.transaction_id for outcome in engine.submit(batch).result(GIVE_UP_S) if outcome.receipt]


def require_same(replica: Replica, engine: EmbeddedEngine, ids: list[bytes], cities: int) -> None:
    """Compare every answer of the two, and verify the proofs."""
    caught_up(replica, engine)
    trust, keys = trust_of(engine), keys_of(cities)
    assert replica.chain_id == engine.chain_id
    assert encode(replica.genesis) == encode(engine.genesis)
    assert [replica.read(key) for key in keys] == [engine.read(key) for key in keys]
    assert [replica.read(key) for key in keys] == [engine.read(key) for key in keys], "from the cache as well"
    bundle = replica.prove(keys)
    assert encode(bundle.items) == encode(engine.prove(keys).items)
    assert verify(encode(bundle), trust).items == bundle.items
    queries = [encode(IdentityQuery(f"{CITY}.C{number}")) for number in range(cities + 1)]
    moments = [engine.genesis.time_ms, engine.head.time_ms - 3, engine.proven.head.time_ms]
    for time_ms in moments:
        assert encode(answer(replica, queries, None, time_ms).items) == encode(
            answer(engine, queries, None, time_ms).items
        )
    for transaction_id in [*ids, bytes(32)]:
        ours, theirs = replica.prove_receipt(transaction_id), engine.prove_receipt(transaction_id)
        assert (ours is None) == (theirs is None) == (transaction_id == bytes(32))
        if ours is not None and theirs is not None:
            assert encode(ours.items) == encode(theirs.items)
            assert isinstance(verify(encode(ours), trust).items[0], Logged)
        assert replica.index_of(transaction_id) == engine.index_of(transaction_id)
    size = engine.head.log_size
    assert replica.entries(0, size + 5) == engine.entries(0, size + 5)
    assert replica.entries(3, 2) == []
    assert [replica.entry(index) for index in (0, size - 1, size)] == [
        engine.entry(index) for index in (0, size - 1, size)
    ]
    assert [replica.log_tile(*place) for place in ((0, 0), (0, 1), (1, 0))] == [
        engine.log_tile(*place) for place in ((0, 0), (0, 1), (1, 0))
    ]
    for height in (0, 1, engine.head.height // 2, engine.head.height, engine.head.height + 1):
        assert replica.block(height) == engine.block(height)
        ours_block, theirs_block = replica.light_block(height), engine.light_block(height)
        assert (ours_block and encode_light_block(ours_block)) == (theirs_block and encode_light_block(theirs_block))
    assert replica.archived(bytes(32)) is None


@LIMITS
@pytest.mark.parametrize("kind", ON_DISK)
def test_answers_as_the_engine_does(kind: Kind, limits: Limits, tmp_path: Path) -> None:
    chance = random.Random(7)
    with linked(kind, tmp_path) as (engine, _), replicated(tmp_path, limits=limits) as replica:
        signing = Signing(engine.chain_id)
        for city in range(12):
            ids = live(replica if city % 2 else engine, signing, chance, city)
            require_same(replica, engine, ids, city)


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_late_replica_reads_what_stands_and_follows_from_there(kind: Kind, tmp_path: Path) -> None:
    chance = random.Random(8)
    with linked(kind, tmp_path) as (engine, _):
        signing = Signing(engine.chain_id)
        ids = [each for city in range(5) for each in live(engine, signing, chance, city)]
        with replicated(tmp_path) as replica:
            require_same(replica, engine, ids, 5)
            require_same(replica, engine, live(engine, signing, chance, 5), 6)


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_gap_is_closed_from_the_store(kind: Kind, tmp_path: Path) -> None:
    chance = random.Random(9)
    with linked(kind, tmp_path) as (engine, link), replicated(tmp_path, limits=NEVER) as replica:
        signing = Signing(engine.chain_id)
        ids = live(engine, signing, chance, 0)
        require_same(replica, engine, ids, 0)
        before = replica.head
        link.close()
        eventually(lambda: not replica.connected, "losing the link")
        ids += [each for city in range(1, 6) for each in live(engine, signing, chance, city)]
        # Away from the ledger it answers from what it has, and says that it is away.
        assert replica.head == before
        assert verify(encode(replica.prove(keys_of(0))), trust_of(engine))
        assert "does not answer" in str(replica.failure)
        again = LinkServer(engine, tmp_path, kind)
        try:
            require_same(replica, engine, ids, 6)
            assert replica.failure is None
            require_same(replica, engine, live(engine, signing, chance, 6), 7)
        finally:
            again.close()


def test_lets_go_of_the_store_when_it_is_asked_to_and_answers_on(tmp_path: Path) -> None:
    chance = random.Random(10)
    with linked("sqlite", tmp_path) as (engine, link), replicated(tmp_path, limits=NEVER) as replica:
        signing = Signing(engine.chain_id)
        ids = live(engine, signing, chance, 0)
        require_same(replica, engine, ids, 0)
        for city in range(1, 9):
            if city % 3 == 1:
                link.let_go()
                eventually(lambda: not replica._shown.settled.base.exact, "letting go")
                # Nobody holds a read transaction: the log can be moved and begun anew.
                with_writer = engine.executor.store._store._writer  # type: ignore[attr-defined]
                busy, _, _ = with_writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                assert busy == 0
            require_same(replica, engine, live(engine, signing, chance, city), city)
        eventually(lambda: replica._shown.settled.base.exact, "holding a moment again")


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "read anew"])
@pytest.mark.parametrize("kind", ON_DISK)
def test_every_answer_beside_a_busy_ledger_verifies(kind: Kind, cached: bool, tmp_path: Path) -> None:
    limits = Limits(rows_max=300, age_s=0.05)
    # Without room for them, buckets and records are read from the store for every answer.
    options: dict[str, Any] = {} if cached else {"cached_rows": 1, "cached_bucket_bytes": 1}
    with linked(kind, tmp_path) as (engine, link), replicated(tmp_path, limits=limits, **options) as replica:
        signing, trust = Signing(engine.chain_id), trust_of(engine)
        live(engine, signing, random.Random(1), 0)
        keys = keys_of(1)
        over = threading.Event()
        failures: list[BaseException] = []

        def ask() -> None:
            newest = 0
            try:
                while not over.is_set():
                    bundle = replica.prove(keys)
                    header = verify(encode(bundle), trust).header
                    assert header.height >= newest, "time went backwards"
                    newest = header.height
                    # The money of all wallets is the same in every state: what is read is of one state.
                    held = [item for item in bundle.items[3 : 3 + WALLETS] if isinstance(item, Present)]
                    balances = [BALANCE.codec.decode(item.record) for item in held]
                    assert sum([balance.amount_minor for balance in balances]) == WALLETS * FUNDS_MINOR
                    for key in keys:
                        replica.read(key)
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                failures.append(error)

        askers = [threading.Thread(target=ask) for _ in range(2)]
        for asker in askers:
            asker.start()
        for number in range(120):
            payments = [signing.pay(place % WALLETS, (place + 1) % WALLETS) for place in range(1 + number % 40)]
            outcomes = replica.submit(payments).result(GIVE_UP_S)
            # Whoever hears of an outcome can read it.
            assert all(replica.index_of(outcome.transaction_id) == outcome.log_index for outcome in outcomes)
            if number % 40 == 20:
                link.let_go()
        over.set()
        for asker in askers:
            asker.join()
        assert failures == []
        caught_up(replica, engine)


def test_submits_and_rehearses_over_the_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked("sqlite", tmp_path) as (engine, _), replicated(tmp_path) as replica:
        signing = Signing(engine.chain_id)
        good, bad = signing.pay(0, 1), signing.pay(0, 1)[:-1] + b"\0"
        rehearsed = replica.dry_run(good)
        assert (rehearsed.code, rehearsed.log_index) == (0, None)
        done, refused = replica.submit([good, bad]).result(GIVE_UP_S)
        assert done.code == 0
        assert done.receipt is not None
        assert refused.code == TransactionReason.SIGNATURE_INVALID
        assert refused.receipt is None
        assert replica.submit([good]).result(GIVE_UP_S) == engine.submit([good]).result(GIVE_UP_S)
        assert replica.submit([]).result(GIVE_UP_S) == []
        monkeypatch.setattr("fujie.engine.intake.PENDING_TRANSACTIONS_MAX", 2)
        full = replica.submit([signing.pay(0, 1) for _ in range(3)]).result(GIVE_UP_S)
        assert [outcome.code for outcome in full] == [TransactionReason.ADMISSION_QUEUE_FULL] * 3
        monkeypatch.setattr("fujie.engine.link.connection.PENDING_TRANSACTIONS_MAX", 2)
        full = replica.submit([signing.pay(0, 1) for _ in range(3)]).result(GIVE_UP_S)
        assert [outcome.code for outcome in full] == [TransactionReason.ADMISSION_QUEUE_FULL] * 3


def test_what_was_submitted_fails_when_the_ledger_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with linked("sqlite", tmp_path) as (engine, link), replicated(tmp_path) as replica:
        signing = Signing(engine.chain_id)
        assert replica.submit([signing.pay(0, 1)]).result(GIVE_UP_S)[0].code == 0
        taken, go_on = threading.Event(), threading.Event()

        def hold(_waiting: Any) -> None:
            taken.set()
            go_on.wait(GIVE_UP_S)

        monkeypatch.setattr(engine, "_make_block", hold)
        waits = replica.submit([signing.pay(0, 1)])
        assert taken.wait(GIVE_UP_S)
        link.close()
        with pytest.raises(OperationalError, match="did not answer"):
            waits.result(GIVE_UP_S)
        go_on.set()
        with pytest.raises(OperationalError, match="No node runs"):
            replica.submit([signing.pay(0, 1)]).result(GIVE_UP_S)
        with pytest.raises(OperationalError, match="No node runs"):
            replica.dry_run(signing.pay(0, 1))


def test_a_ledger_that_has_stopped_says_so_to_its_replicas(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path) as (engine, _), replicated(tmp_path) as replica:
        with engine._changed:
            engine._intake.failure = OperationalError("The disk is full.", "Make room.")
            engine._changed.notify_all()
        eventually(lambda: replica.failure is not None, "hearing of it")
        assert "The disk is full." in str(replica.failure)
        with pytest.raises(OperationalError, match="has stopped"):
            replica.submit([b"anything"]).result(GIVE_UP_S)


def test_a_closed_replica_is_gone_without_a_trace(tmp_path: Path) -> None:
    with linked("rocks", tmp_path) as (engine, link):
        with replicated(tmp_path) as replica:
            assert [place.name for place in (tmp_path / "run").iterdir() if place.is_dir()]
            eventually(lambda: link.followers == 1)
        eventually(lambda: link.followers == 0)
        assert [place.name for place in (tmp_path / "run").iterdir()] == ["node.sock"]
        replica.close()
        assert engine.failure is None
    assert list((tmp_path / "run").iterdir()) == []


def test_no_ledger_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match="No node runs"):
        Replica(tmp_path, timeout_s=0.2)


def test_follows_only_the_ledger_of_its_own_node(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path), pytest.raises(OperationalError, match="Another node runs"):
        Replica(tmp_path, ledger_pid=1, timeout_s=0.2)


def test_genesis_of_the_replica_is_that_of_the_chain(tmp_path: Path) -> None:
    with linked("sqlite", tmp_path), replicated(tmp_path) as replica:
        assert replica.genesis == funded()
