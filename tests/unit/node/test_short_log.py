"""What a node says whose log began with a snapshot: it does not know of what came before its first entry."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from fujie.client.client import Client, RefusedTransaction
from fujie.client.pending import PendingFolder
from fujie.client.reasons import OutcomePendingError
from fujie.core.reasons import TransactionReason
from fujie.core.signing import Signer
from fujie.engine.embedded import EmbeddedEngine
from fujie.engine.executor import Executor
from fujie.engine.outcomes import log_reaches
from fujie.modules.catalog import RECEIPT
from fujie.modules.currency.operations import Issue
from fujie.node.folder import Folder
from fujie.node.ledger import INSTRUMENT, OWNER, open_ledger
from fujie.node.snapshot import load_snapshot, save_snapshot
from fujie.node.transport import LocalTransport
from tests.unit.node.town import found_town, open_rows, signer_of

MINUTE_MS = 60_000
LATER_MS = 25 * MINUTE_MS  # beyond the expiry of all that a town is founded with
SNAPSHOT_MS = 40 * MINUTE_MS  # when the log of the other one begins with what came between


class Town(NamedTuple):
    """A folder with the whole log, one loaded without the beginning, and what was carried out in that."""

    home: Path
    short: Path
    founded_ms: int
    signers: tuple[Signer, ...]
    early: bytes


def issue(number: int) -> Issue:
    return Issue(OWNER, INSTRUMENT, 1, number.to_bytes(16, "big"))


@contextmanager
def running(town: Town, home: Path, after_ms: int) -> Iterator[EmbeddedEngine]:
    """Run the ledger of a folder some time after its founding."""
    engine = EmbeddedEngine(
        Executor(open_rows(home)), signer_of(town.home), worker=False, clock_ms=lambda: town.founded_ms + after_ms
    )
    try:
        yield engine
    finally:
        engine.close()


def client_of(town: Town, engine: EmbeddedEngine, kept: PendingFolder | None = None) -> Client:
    trust = Folder(town.home).trust()
    return Client(LocalTransport(engine), trust, town.signers, pending=kept, clock=lambda: engine.head.time_ms + 500)


def carry_out(town: Town, after_ms: int, *numbers: int) -> None:
    with running(town, town.home, after_ms) as engine:
        client = client_of(town, engine)
        for number in numbers:
            raw = client.build([issue(number)], expires_at_ms=town.founded_ms + after_ms + 4 * MINUTE_MS)
            assert engine.submit([raw]).result(10)[0].code == 0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    place = tmp_path_factory.mktemp("short")
    home = place / "home"
    found_town(home)
    with open_ledger(home) as ledger:
        early = ledger.build([issue(1)])
        ledger.submit_signed(early)
        town = Town(home, place / "short", ledger.status().time_ms, tuple(ledger.signers), early)
    carry_out(town, LATER_MS, 2, 3)
    carry_out(town, SNAPSHOT_MS, 4, 5)
    save_snapshot(Folder(home), place / "snapshot", whole_log=False)
    assert load_snapshot(Folder(town.short), place / "snapshot", Folder(home).trust()).first_index > 0
    return town


def test_what_was_carried_out_before_a_node_s_log_began_is_not_said_to_have_expired(town: Town, tmp_path: Path) -> None:
    kept = PendingFolder(tmp_path / "pending")
    with kept.keeping(town.early) as sent:
        identifier = sent.id
    with running(town, town.short, SNAPSHOT_MS + 1_000) as engine:
        [outcome] = engine.submit([town.early]).result(10)
        assert (outcome.code, outcome.receipt) == (TransactionReason.OUTCOME_NOT_KEPT, None)
        client = client_of(town, engine, kept)
        assert client.receipt(identifier) is None
        with pytest.raises(OutcomePendingError, match=r"OUTCOME_NOT_KEPT.*Ask a node that has the whole log"):
            client.resend(identifier)
    assert [each.id for each in kept.all()] == [identifier]
    with running(town, town.home, SNAPSHOT_MS + 1_000) as engine:
        assert client_of(town, engine, kept).resend(identifier).code == 0
    assert kept.all() == []


def test_what_expired_within_the_log_of_a_node_is_said_to_have_expired(town: Town, tmp_path: Path) -> None:
    kept = PendingFolder(tmp_path / "pending")
    with running(town, town.short, SNAPSHOT_MS + 5 * MINUTE_MS) as engine:
        client = client_of(town, engine, kept)
        raw = client.build([issue(6)], expires_at_ms=town.founded_ms + SNAPSHOT_MS + 2 * MINUTE_MS)
        with kept.keeping(raw) as sent:
            identifier = sent.id
        [outcome] = engine.submit([raw]).result(10)
        assert outcome.code == TransactionReason.TRANSACTION_EXPIRED
        client.submit_signed(client.build([issue(7)], expires_at_ms=town.founded_ms + SNAPSHOT_MS + 6 * MINUTE_MS))
        with pytest.raises(RefusedTransaction, match="TRANSACTION_EXPIRED"):
            client.resend(identifier)
    assert kept.count() == 0


def test_a_log_reaches_back_by_the_longest_window_before_an_expiry(town: Town) -> None:
    store = open_rows(town.short)
    try:
        executor = Executor(store)
        window_ms = 10 * MINUTE_MS  # of every chain, unless it votes for another
        first = next(index for index in range(executor.head.log_size) if executor.entry(index) is not None)
        entry = executor.entry(first)
        assert entry is not None
        oldest_ms = RECEIPT.decode(entry.receipt).time_ms
        assert not log_reaches(executor, oldest_ms + window_ms)
        assert log_reaches(executor, oldest_ms + window_ms + 1)
        assert not log_reaches(executor, 0)
    finally:
        store.close()
