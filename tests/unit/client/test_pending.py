"""What is submitted lies on disk until its outcome is known, and nothing is paid twice for a lost answer."""

import os
import stat
from collections.abc import Callable, Sequence

import pytest

from fujie.client.client import Client, Outcome, RefusedTransaction
from fujie.client.pending import PendingFolder
from fujie.client.reasons import NotSubmittedError, OutcomePendingError
from fujie.client.transport import TransportOutcome
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.reasons import TransactionReason
from fujie.modules.currency.operations import Pay
from fujie.node.transport import LocalTransport
from tests.unit.client.town import MONEY, Town, open_town


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("town") / "ledger") as town:
        yield town


@pytest.fixture
def kept(tmp_path):
    return PendingFolder(tmp_path / "client" / "pending")


class Line(LocalTransport):
    """The way to a ledger of this process, which can be cut before or behind it, or answer that it takes nothing."""

    def __init__(self, town: Town) -> None:
        super().__init__(town.ledger.engine)
        self.before: BaseException | None = None
        self.behind: BaseException | None = None
        self.turned_away: TransactionReason | None = None
        self.watch: Callable[[], None] = lambda: None

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        self.watch()
        if self.before is not None:
            raise self.before
        if self.turned_away is not None:
            return [TransportOutcome(b"", int(self.turned_away), None, None, None)] * len(transactions)
        answers = super().submit(transactions)
        if self.behind is not None:
            raise self.behind
        return answers


@pytest.fixture
def line(town):
    return Line(town)


@pytest.fixture
def client(town, line, kept):
    return Client(line, town.ledger.trust, [town.payer], pending=kept)


def pay(client: Client, town: Town, amount_minor: int) -> Outcome:
    return client.pay(town.payer_wallet, town.payee_wallet, MONEY, amount_minor)


def balance(town: Town) -> int:
    found = town.ledger.balance(town.payer_wallet, MONEY, signers=[town.payer]).record
    assert found is not None
    return int(found.amount_minor)


GONE = OperationalError("The line is dead.", "Try again.")


def test_a_transaction_is_on_disk_for_its_owner_alone_before_it_is_sent_and_gone_with_its_outcome(
    town, line, client, kept
):
    seen: list[tuple[int, int, int, bool]] = []

    def watch() -> None:
        [path] = kept.place.iterdir()
        [pending] = kept.all()
        modes = stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(kept.place.stat().st_mode)
        seen.append((*modes, len(path.read_bytes()), pending.waited_for))

    line.watch = watch
    outcome = pay(client, town, 2)
    assert seen == [(0o600, 0o700, len(outcome.transaction), True)]
    assert kept.all() == []
    assert kept.count() == 0


@pytest.mark.parametrize(
    "failure", [GONE, OutcomePendingError("The chain makes no block now.", "Wait."), KeyboardInterrupt()]
)
def test_a_lost_answer_leaves_the_signed_bytes_and_the_same_bytes_give_the_outcome(town, line, client, kept, failure):
    before = balance(town)
    line.behind = failure
    with pytest.raises(
        OutcomePendingError, match=r"may still be made.*do not pay anew.*never carried out twice"
    ) as told:
        pay(client, town, 3)
    [pending] = kept.all()
    assert (pending.id, pending.body.expires_at_ms) == (told.value.transaction_id, told.value.expires_at_ms)
    assert not pending.waited_for
    line.behind = None
    assert client.resend(pending.id).code == 0
    assert balance(town) == before - 3
    assert kept.all() == []


def test_the_same_is_not_submitted_anew_while_it_is_not_known_what_became_of_it(town, line, client, kept):
    before = balance(town)
    line.behind = GONE
    with pytest.raises(OutcomePendingError):
        pay(client, town, 4)
    line.behind = None
    line.watch = lambda: pytest.fail("it was sent")
    with pytest.raises(OutcomePendingError, match=r"The very same was submitted before.*Nothing was sent now"):
        pay(client, town, 4)
    line.watch = lambda: None
    assert pay(client, town, 5).code == 0  # another amount is another payment
    [pending] = kept.all()
    client.resend(pending.id)
    assert pay(client, town, 4).code == 0
    assert balance(town) == before - 4 - 5 - 4


def test_the_same_may_be_submitted_by_two_at_once(town, line, client, kept):
    other = Client(Line(town), town.ledger.trust, [town.payer], pending=PendingFolder(kept.place))
    before = balance(town)

    def meanwhile() -> None:
        line.watch = lambda: None
        assert pay(other, town, 6).code == 0

    line.watch = meanwhile
    assert pay(client, town, 6).code == 0
    assert balance(town) == before - 12


def test_what_was_never_sent_leaves_nothing(town, line, client, kept):
    line.before = NotSubmittedError("No node answers.", "Start it.")
    with pytest.raises(NotSubmittedError):
        pay(client, town, 7)
    assert kept.all() == []


def test_what_was_sent_before_stays_when_it_cannot_be_sent_again(town, line, client, kept):
    line.behind = GONE
    with pytest.raises(OutcomePendingError):
        pay(client, town, 8)
    [pending] = kept.all()
    line.behind, line.before = None, NotSubmittedError("No node answers.", "Start it.")
    with pytest.raises(NotSubmittedError):
        client.resend(pending.id)
    line.before, line.turned_away = None, TransactionReason.POLICY_NOT_SATISFIED
    with pytest.raises(OutcomePendingError, match="does not take it now: POLICY_NOT_SATISFIED"):
        client.resend(pending.id)
    assert [each.id for each in kept.all()] == [pending.id]
    line.turned_away = TransactionReason.TRANSACTION_EXPIRED
    with pytest.raises(RefusedTransaction, match="TRANSACTION_EXPIRED"):
        client.resend(pending.id)
    assert kept.all() == []


def test_a_refusal_is_an_outcome_and_a_full_queue_is_none(town, line, client, kept, monkeypatch):
    with pytest.raises(RefusedTransaction, match="PAYER_BALANCE_INSUFFICIENT"):
        pay(client, town, 2**40)
    assert kept.all() == []
    monkeypatch.setattr("fujie.client.session.QUEUE_FULL_WAITS_MAX", 0)
    line.turned_away = TransactionReason.ADMISSION_QUEUE_FULL
    with pytest.raises(OutcomePendingError, match="ADMISSION_QUEUE_FULL"):
        pay(client, town, 9)
    assert kept.count() == 1


def test_an_answer_that_does_not_verify_settles_nothing_and_says_so(town, line, client, kept):
    line.behind = VerificationError("answer-receipt", "the receipt is of another transaction")
    with pytest.raises(VerificationError) as caught:
        pay(client, town, 10)
    assert "The payment may still be made" in caught.value.__notes__[0]
    assert kept.count() == 1


def test_nothing_is_sent_where_it_cannot_be_kept(town, line, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    client = Client(line, town.ledger.trust, [town.payer], pending=PendingFolder(tmp_path / "file" / "pending"))
    line.watch = lambda: pytest.fail("it was sent")
    with pytest.raises(OperationalError, match="Nothing was sent"):
        pay(client, town, 11)


@pytest.mark.parametrize("data", [b"", b"\x00", b"x" * 200_000])
def test_a_file_that_is_no_transaction_is_named(kept, data):
    kept.place.mkdir(parents=True)
    path = kept.place / f"{'ab' * 32}.fujie-tx"
    path.write_bytes(data)
    with pytest.raises(OperationalError, match=str(path)):
        kept.all()


def test_a_file_under_the_id_of_another_transaction_is_named(town, client, kept):
    kept.place.mkdir(parents=True)
    transaction = client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 1)])
    path = kept.place / f"{'ab' * 32}.fujie-tx"
    path.write_bytes(transaction)
    with pytest.raises(OperationalError, match="no transaction that was kept"):
        kept.find(bytes.fromhex("ab" * 32))


def test_what_is_not_kept_is_not_resent_and_what_another_sends_neither(town, line, client, kept, monkeypatch):
    monkeypatch.setattr("fujie.client.pending.LOOKED_AT_S", 0.0)
    with pytest.raises(OperationalError, match="are not here"):
        client.resend(os.urandom(32))

    def meanwhile() -> None:
        [pending] = kept.all()
        with pytest.raises(OperationalError, match="Another command sends"):
            client.resend(pending.id)

    line.watch = meanwhile
    assert pay(client, town, 12).code == 0
