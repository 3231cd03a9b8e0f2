"""`fujie transaction` where no node has to be asked: what is dropped, what does not read, and what is hinted at."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fujie.cli import app, transaction
from fujie.cli.settings import Settings
from fujie.client.client import Client
from fujie.client.pending import PENDING_NAME, PendingFolder
from fujie.client.reasons import OutcomePendingError
from fujie.core.errors import OperationalError
from fujie.modules.currency.operations import Pay
from fujie.node.folder import Folder
from fujie.node.transport import LocalTransport
from tests.unit.client.town import MONEY, open_town
from tests.world import Signing, holder, pay

ABSENT = "ab" * 32
EXPIRES_MS = 1_800_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    Folder(tmp_path).write_description("sqlite", "plain")
    return tmp_path


@pytest.fixture
def kept(home: Path) -> PendingFolder:
    return PendingFolder(home / PENDING_NAME)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("town") / "ledger") as town:
        yield town


def run(home: Path, *words: str) -> Any:
    program = typer.Typer()
    program.callback()(app.common)
    program.add_typer(transaction.app, name="transaction")
    return CliRunner().invoke(program, ["--home", str(home), "--url", "http://127.0.0.1:9", "transaction", *words])


def payment(amount_minor: int = 1) -> bytes:
    return Signing("gone").sign(pay(0, 1, amount_minor), holder(0), expires_at_ms=EXPIRES_MS)


def keep(kept: PendingFolder, raw: bytes) -> str:
    with kept.keeping(raw) as sent:
        return sent.id.hex()


def test_what_can_have_no_outcome_any_more_is_dropped_when_somebody_says_so(home, kept):
    identifier, other = keep(kept, payment()), keep(kept, payment(2))
    asked = str(run(home, "forget", identifier).exception)
    assert "It may have been carried out, or still be, before a block of 2027-01-15 08:00:00 UTC" in asked
    assert kept.count() == 2
    dropped = json.loads(run(home, "forget", identifier, "--yes", "--json").stdout)
    assert (dropped["transaction"], dropped["operations"], dropped["chain"]) == (identifier, "pay", "gone")
    assert [each.id.hex() for each in kept.all()] == [other]


def test_what_is_not_here_or_waited_for_is_not_dropped(home, kept):
    absent = run(home, "forget", ABSENT, "--yes").exception
    assert isinstance(absent, OperationalError)
    assert "are not here" in absent.what
    with kept.keeping(payment()) as sent:
        waited = run(home, "forget", sent.id.hex(), "--yes").exception
        assert isinstance(waited, OperationalError)
        assert "A command waits for" in waited.what
    assert kept.count() == 1


def test_a_file_that_does_not_read_is_told_beside_the_others_and_can_be_dropped(home, kept):
    identifier = keep(kept, payment())
    kept.path(bytes.fromhex(ABSENT)).write_bytes(b"half")
    told = json.loads(run(home, "pending", "--json").stdout)
    assert [each["transaction_id"] for each in told["pending"]] == [identifier]
    assert [ABSENT in each for each in told["damaged"]] == [True]
    assert run(home, "forget", ABSENT, "--yes").exit_code == 0
    assert kept.look().damaged == []


def test_a_hint_repeats_the_trust_root_that_was_given(home):
    with_trust = Settings(home, "http://127.0.0.1:9", typed_home=True).pending(Path("their trust.json"))
    signing = Signing("gone")
    first, second = (signing.sign(pay(0, 1), holder(0), expires_at_ms=EXPIRES_MS) for _ in range(2))
    keep(with_trust, first)
    with pytest.raises(OutcomePendingError) as told, with_trust.keeping(second):
        pass
    assert "--url http://127.0.0.1:9 receipt" in told.value.do
    assert told.value.do.count(" --trust 'their trust.json'`") == 2


class Away(LocalTransport):
    """The way to a ledger of this process that proves what stands there, and fails where receipts are asked for."""

    asked = 0

    def receipt(self, transaction_id: bytes) -> bytes | None:
        self.asked += 1
        raise OperationalError("The node is away.", "Start it.")


def test_a_node_that_failed_once_is_asked_no_further(home, kept, town, monkeypatch):
    away = Away(town.ledger.engine)
    client = Client(away, town.ledger.trust, [town.payer])
    for amount_minor in (1, 2):
        keep(kept, client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, amount_minor)]))
    monkeypatch.setattr(Settings, "client", lambda *_: client)
    told = json.loads(run(home, "pending", "--json").stdout)
    assert [each["state"] for each in told["pending"]] == ["open", "open"]
    assert told["failure"] == "The node is away. Start it."
    assert away.asked == 1


def test_what_is_unknown_may_come_until_a_window_after_the_later_of_clock_and_block(kept, town, monkeypatch):
    """After a halt the newest block is old, and what was submitted just now expires by a clock."""
    client = Client(LocalTransport(town.ledger.engine), town.ledger.trust)
    found = client.parameters()
    assert found.record is not None
    window_ms = found.record.transaction_window_ms
    for clock_ms in (found.time_ms + 3_600_000, 0):
        monkeypatch.setattr("fujie.client.verifier.system_clock_ms", lambda clock_ms=clock_ms: clock_ms)
        error = transaction.not_in_a_block(kept, client, bytes.fromhex(ABSENT))
        assert isinstance(error, OutcomePendingError)
        assert max(clock_ms, found.time_ms) + window_ms <= error.expires_at_ms < found.time_ms + 2 * 3_600_000


def test_of_a_folder_that_is_not_there_nothing_is_said_to_be_settled(tmp_path: Path) -> None:
    done = run(tmp_path / "mistyped", "pending")
    assert "There is no data folder" in str(done.exception)
    assert "Nothing is pending" not in done.output
