"""What is submitted lies on disk until its outcome is known, and nothing is paid twice for a lost answer."""

import fcntl
import os
import stat
from collections.abc import Callable, Sequence

import pytest

from fujie.client import pending
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
        self.turned_away: int | None = None
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
    line.before, line.turned_away = NotSubmittedError("No node answers.", "Start it."), None
    with pytest.raises(NotSubmittedError):
        client.submit_signed(pending.transaction)  # the very same, by another way
    assert [each.id for each in kept.all()] == [pending.id]
    line.before = None
    assert client.resend(pending.id).code == 0
    assert kept.all() == []


@pytest.mark.parametrize("kept_before", [False, True])
@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (TransactionReason.TRANSACTION_EXPIRED, "no proven block is as late"),
        (TransactionReason.OUTCOME_NOT_KEPT, "Ask a node that has the whole log"),
        (999, "reason 999, which this version of Fujie does not know"),
    ],
)
def test_what_a_node_only_says_without_a_proof_or_in_words_unknown_settles_nothing(
    town, line, client, kept, reason, said, kept_before
):
    before = balance(town)
    line.behind = GONE if kept_before else None
    line.turned_away = None if kept_before else reason
    with pytest.raises(OutcomePendingError):
        pay(client, town, 13)
    [pending] = kept.all()
    line.behind, line.turned_away = None, reason
    with pytest.raises(OutcomePendingError, match=said):
        client.resend(pending.id)
    assert [each.id for each in kept.all()] == [pending.id]
    line.turned_away = None
    assert client.resend(pending.id).code == 0
    assert balance(town) == before - 13


def test_that_it_has_expired_is_believed_when_a_proven_block_is_as_late(town, client, kept):
    payment = Pay(town.payer_wallet, town.payee_wallet, MONEY, 14)
    raw = client.build([payment], expires_at_ms=client.status().time_ms + 1)
    pay(client, town, 15)  # in a block of a later time
    before = balance(town)
    with pytest.raises(RefusedTransaction, match="TRANSACTION_EXPIRED"):
        client.submit_signed(raw)
    assert kept.all() == []
    assert balance(town) == before


def test_after_the_first_round_nothing_is_said_to_be_not_submitted(town, line, client, kept, monkeypatch):
    """The first may have been lost on its way back, and the queue full only for the second."""
    monkeypatch.setattr("fujie.client.session.time.sleep", lambda _: setattr(line, "turned_away", None))
    line.turned_away = TransactionReason.ADMISSION_QUEUE_FULL

    def second() -> None:
        line.before = NotSubmittedError("No node answers.", "Start it.")

    def first() -> None:
        line.watch = second

    line.watch = first
    with pytest.raises(OutcomePendingError, match="No node answers"):
        pay(client, town, 16)
    assert kept.count() == 1


def test_of_a_later_batch_nothing_is_said_to_be_not_submitted(town, line, client):
    raws = [client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 17)]) for _ in range(2)]

    def cut(*_: object) -> None:
        line.before = NotSubmittedError("No node answers.", "Start it.")

    with pytest.raises(OperationalError, match=r"No node answers.*very same bytes again") as told:
        client.submit_many(raws, batch_size=1, progress=cut, prove=True)
    assert not isinstance(told.value, NotSubmittedError)


@pytest.mark.parametrize("failure", [GONE, OutcomePendingError("The chain makes no block now.", "Wait.")])
def test_who_keeps_nothing_is_told_the_id_and_given_the_bytes_of_what_may_still_be_made(town, line, failure):
    client = Client(line, town.ledger.trust, [town.payer])
    before = balance(town)
    line.behind = failure
    with pytest.raises(OutcomePendingError, match=r"may still be made.*do not pay anew.*same bytes again") as told:
        pay(client, town, 18)
    line.behind = None
    outcome = client.submit_signed(told.value.transaction)
    assert (outcome.code, outcome.transaction_id) == (0, told.value.transaction_id)
    assert told.value.expires_at_ms > client.status().time_ms
    assert balance(town) == before - 18
    line.before = NotSubmittedError("No node answers.", "Start it.")
    with pytest.raises(NotSubmittedError):
        pay(client, town, 18)
    line.before = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        pay(client, town, 18)


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
def test_a_file_that_is_no_transaction_is_named_and_hinders_no_other(town, line, client, kept, data, caplog):
    kept.place.mkdir(parents=True)
    path = kept.place / f"{'ab' * 32}.fujie-tx"
    path.write_bytes(data)
    with pytest.raises(OperationalError, match=str(path)):
        kept.find(bytes.fromhex("ab" * 32))
    line.behind = GONE
    with pytest.raises(OutcomePendingError):
        pay(client, town, 20 + len(data) % 7)
    assert str(path) in caplog.text
    found, damaged = kept.look()
    assert len(found) == 1
    assert [str(path) in str(error) for error in damaged] == [True]
    assert kept.find(found[0].id) is not None
    assert kept.count() == 2


def test_what_is_forgotten_while_others_look_is_read_or_not_there(town, client, kept, monkeypatch):
    """A file is read as it was opened: its name may be gone in between."""
    locks = pending._locks

    def meanwhile(descriptor: int, kind: int) -> bool:
        kept.forget(sent.id)
        return locks(descriptor, kind)

    with kept.keeping(client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 30)])) as sent:
        pass
    monkeypatch.setattr(pending, "_locks", meanwhile)
    assert [each.id for each in kept.all()] == [sent.id]
    assert kept.all() == []
    with kept.keeping(sent.transaction):
        assert kept.find(sent.id) is not None
        assert kept.find(sent.id) is None
    monkeypatch.setattr(pending, "_locks", locks)
    with kept.keeping(sent.transaction):
        pass
    monkeypatch.setattr(pending, "_locks", meanwhile)
    with pytest.raises(OperationalError, match="are not here"):
        client.resend(sent.id)


@pytest.mark.parametrize("known", [False, True])
def test_where_a_file_cannot_be_made_durable_it_does_not_stay_unless_it_was_there(
    town, client, kept, monkeypatch, known
):
    raw = client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 31)])
    if known:
        with kept.keeping(raw):
            pass

    def full(_: object) -> None:
        raise OSError(5, "Input/output error")

    kept.place.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(pending, "sync_folder", full)
    with pytest.raises(OperationalError, match="Nothing was sent"):
        client.submit_signed(raw)
    assert [each.transaction for each in kept.all()] == [raw] * known
    assert len(list(kept.place.iterdir())) == known


def test_what_a_killed_writer_has_left_goes_at_the_next_write_and_what_one_writes_now_stays(town, client, kept):
    kept.place.mkdir(parents=True)
    left, written = (kept.place / f".{digits * 32}.fujie-tx.{'0' * 16}" for digits in ("ab", "cd"))
    left.write_bytes(b"half")
    with written.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        pay(client, town, 32)
        assert list(kept.place.iterdir()) == [written]


def test_the_hints_name_what_was_typed(town, line, kept):
    kept = PendingFolder(kept.place, lambda words: f"fujie --url U {words} --trust T")
    client = Client(line, town.ledger.trust, [town.payer], pending=kept)
    line.behind = GONE
    with pytest.raises(OutcomePendingError) as told:
        pay(client, town, 33)
    identifier = told.value.transaction_id.hex()
    assert f"`fujie --url U receipt {identifier} --trust T`" in told.value.do
    assert f"`fujie --url U transaction resend {identifier} --trust T`" in told.value.do


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
