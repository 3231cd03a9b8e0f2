"""Building, batching and waiting: the client against a transport in memory that obeys the real protocol."""

import time
from collections.abc import Sequence

import msgspec
import pytest

from fujie.client.client import Client, RefusedTransaction, assemble, named, reason_of, sign_body
from fujie.client.keys import create_key
from fujie.client.session import STATUS_AGE_S_MAX
from fujie.client.transport import Status, Transport, TransportOutcome
from fujie.client.wallet import WalletFile, load_wallet, load_wallet_key, save_wallet
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.core.limits import BLOCK_BYTES_MAX, HEARTBEAT_MS, SUBMIT_BATCH_MAX
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.core.signing import Signer, new_seed
from fujie.core.transaction import SIGNED_TRANSACTION
from fujie.modules.catalog import TRANSACTION
from fujie.modules.currency.operations import Pay
from fujie.modules.identity.reasons import IdentityReason
from fujie.proof.validators import validator_address
from tests.unit.client.town import ALPHA, MONEY, NOWHERE, Town, open_town


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("town") / "ledger") as town:
        yield town


class Wire:
    """A transport over another one: counts calls, can be full, deaf (it drops what is submitted) or of another chain."""

    def __init__(self, inner: Transport, *, full: int = 0, deaf: bool = False, chain_id: str = "") -> None:
        self.inner = inner
        self.full = full
        self.deaf = deaf
        self.chain_id = chain_id
        self.batches: list[int] = []
        self.batch_bytes: list[int] = []
        self.statuses = 0
        self.decided_after_ms = 0  # how long after the time of the newest block that was decided

    def submit(self, transactions: Sequence[bytes]) -> list[TransportOutcome]:
        self.batches.append(len(transactions))
        self.batch_bytes.append(sum(map(len, transactions)))
        if self.deaf:
            return [TransportOutcome(b"", 1, None, None, None)] * len(transactions)
        taken = max(len(transactions) - self.full, 0)
        self.full = 0
        turned_away = TransportOutcome(b"", int(TransactionReason.ADMISSION_QUEUE_FULL), None, None, None)
        return self.inner.submit(transactions[:taken]) + [turned_away] * (len(transactions) - taken)

    @property
    def name(self) -> str:
        return self.inner.name

    def light_block(self, height: int | None) -> bytes | None:
        return self.inner.light_block(height)

    def last_of(self, validators_hash: bytes) -> bytes | None:
        return self.inner.last_of(validators_hash)

    def dry_run(self, transaction: bytes) -> TransportOutcome:
        return self.inner.dry_run(transaction)

    def read(self, queries: Sequence[bytes], grant: bytes | None = None, time_ms: int | None = None) -> bytes:
        return self.inner.read(queries, grant, time_ms)

    def receipt(self, transaction_id: bytes) -> bytes | None:
        return self.inner.receipt(transaction_id)

    def status(self) -> Status:
        self.statuses += 1
        status = self.inner.status()
        changed = {"chain_id": self.chain_id} if self.chain_id else {}
        return msgspec.structs.replace(status, **changed, decided_ms=status.time_ms + self.decided_after_ms)

    def close(self) -> None:
        pass


def client_of(town: Town, wire: Wire | None = None) -> Client:
    return Client(wire or Wire(town.ledger.transport), town.ledger.trust, [town.payer])


def held_by_payer(client: Client, town: Town) -> int:
    found = client.balance(town.payer_wallet, MONEY).record
    assert found is not None
    return found.amount_minor


def payments(client: Client, town: Town, count: int) -> list[bytes]:
    return [client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 1)]) for _ in range(count)]


def expiry_of(transaction: bytes) -> int:
    return TRANSACTION.decode(SIGNED_TRANSACTION.decode(transaction).body).expires_at_ms


def test_many_are_submitted_in_bounded_batches_with_progress(town):
    wire = Wire(town.ledger.transport)
    client = client_of(town, wire)
    seen: list[tuple[int, int]] = []
    outcomes = client.submit_many(
        payments(client, town, 25), batch_size=10, progress=lambda done, total: seen.append((done, total))
    )
    assert wire.batches == [10, 10, 5]
    assert seen == [(10, 25), (20, 25), (25, 25)]
    assert [outcome.code for outcome in outcomes] == [0] * 25
    places = [outcome.log_index or 0 for outcome in outcomes]
    assert places == sorted(set(places))


def test_no_batch_is_larger_than_a_block(town):
    wire = Wire(town.ledger.transport, deaf=True)
    client = client_of(town, wire)
    with pytest.raises(ValueError, match=str(SUBMIT_BATCH_MAX)):
        client.submit_many([], batch_size=SUBMIT_BATCH_MAX + 1)
    [transaction] = payments(client, town, 1)
    count = 2 * BLOCK_BYTES_MAX // len(transaction)
    outcomes = client.submit_many([transaction] * count, batch_size=SUBMIT_BATCH_MAX)
    assert len(outcomes) == count
    assert max(wire.batch_bytes) <= BLOCK_BYTES_MAX


def test_what_a_full_queue_turned_away_is_submitted_again(town):
    wire = Wire(town.ledger.transport, full=3)
    client = client_of(town, wire)
    outcomes = client.submit_many(payments(client, town, 5))
    assert wire.batches == [5, 3]
    assert [outcome.code for outcome in outcomes] == [0] * 5


def test_the_same_bytes_again_give_the_first_receipt(town):
    client = client_of(town)
    [transaction] = payments(client, town, 1)
    first, second = client.submit_signed(transaction), client.submit_signed(transaction)
    assert (first.receipt, first.log_index) == (second.receipt, second.log_index)


def test_refusals_of_many_are_returned_with_their_proof(town):
    client = client_of(town)
    bad = client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 2**62)])
    good, refused = client.submit_many([*payments(client, town, 1), bad], prove=True)
    assert good.verified is not None
    assert good.reason is None
    assert refused.verified is not None
    assert refused.reason is not None
    assert refused.reason.name == "PAYER_BALANCE_INSUFFICIENT"


def test_a_stranger_is_turned_away_without_a_receipt(town):
    client = client_of(town)
    with pytest.raises(RefusedTransaction) as error:
        client.pay(town.payer_wallet, town.payee_wallet, MONEY, 1, signers=[Signer(new_seed())])
    assert error.value.reason is TransactionReason.POLICY_NOT_SATISFIED
    assert error.value.outcome.receipt is None


def test_nothing_is_built_without_a_signer(town):
    with pytest.raises(OperationalError):
        client_of(town).build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 1)], [])


def test_a_dry_run_leaves_nothing(town):
    client = client_of(town)
    height = client.status().height
    outcome = client.dry_run(Pay(town.payer_wallet, town.payee_wallet, MONEY, 1))
    assert outcome.code == 0
    assert client.status().height == height


@pytest.mark.parametrize("own_clock_off_ms", [-86_400_000, -30_000, 0, 30_000, 86_400_000])
def test_a_wrong_clock_of_the_client_does_not_spoil_its_transactions(town, own_clock_off_ms):
    client = Client(
        Wire(town.ledger.transport),
        town.ledger.trust,
        [town.payer],
        verifier=town.ledger.verifier,
        clock=lambda: time.time_ns() // 1_000_000 + own_clock_off_ms,
    )
    assert client.pay(town.payer_wallet, town.payee_wallet, MONEY, 1).code == 0


def test_that_nothing_was_proven_against_a_validator_is_proven(town):
    [member] = town.ledger.validators().record.members
    found = town.ledger.misbehaviour(validator_address(member.public_key))
    assert found.record is None
    assert found.path == f"membership/misbehaviour/{validator_address(member.public_key).hex()}"


def test_the_expiry_after_a_halt_goes_by_when_the_newest_block_was_decided(town):
    wire = Wire(town.ledger.transport)
    client = client_of(town, wire)
    wire.decided_after_ms = 36_000_000  # the first block after a night has the time of the evening
    status = client.status()
    lead = expiry_of(client.build([Pay(town.payer_wallet, town.payee_wallet, MONEY, 1)])) - status.decided_ms
    assert status.decided_ms == status.time_ms + 36_000_000
    assert lead >= town.ledger.parameters().record.transaction_window_ms // 2


def test_an_expiry_lies_in_the_middle_of_the_window(town):
    client = client_of(town)
    [transaction] = payments(client, town, 1)
    window = town.ledger.parameters().record.transaction_window_ms
    lead = expiry_of(transaction) - client.status().time_ms
    assert window // 2 - 1_000 <= lead <= window // 2 + HEARTBEAT_MS


def test_the_status_is_asked_for_once_in_a_while_and_not_each_time(town):
    wire = Wire(town.ledger.transport)
    payments(client_of(town, wire), town, 50)
    assert wire.statuses == 1
    assert STATUS_AGE_S_MAX > 1


def test_signatures_collected_in_several_places_make_one_transaction(town):
    owner = town.ledger.signers[0]
    other = Signer(new_seed())
    body = town.ledger.body(
        [Pay(town.payer_wallet, town.payee_wallet, MONEY, 1)], [town.payer.public_key, owner.public_key]
    )
    with pytest.raises(OperationalError, match=owner.public_key.hex()):
        assemble(body, {town.payer.public_key: sign_body(body, town.payer), other.public_key: b""})
    signatures = {signer.public_key: sign_body(body, signer) for signer in (owner, town.payer)}
    assert town.ledger.submit_signed(assemble(body, signatures)).code == 0


def test_a_write_shows_in_the_read_that_follows(town):
    client = client_of(town)
    for _ in range(20):
        before = held_by_payer(client, town)
        client.submit(Pay(town.payer_wallet, town.payee_wallet, MONEY, 1), prove=False)
        assert held_by_payer(client, town) == before - 1


def test_an_update_of_what_does_not_stand_is_refused_here(town):
    with pytest.raises(Refused) as error:
        town.ledger.update(NOWHERE, name="x")
    assert error.value.reason is IdentityReason.IDENTIFIER_UNKNOWN


def test_an_identifier_is_allocated_once_only(town):
    with pytest.raises(RefusedTransaction) as error:
        town.ledger.allocate("ZZ.000", named(ALPHA.rpartition(".")[2], "city", "Alpha"))
    assert error.value.reason is IdentityReason.IDENTIFIER_TAKEN


def test_a_node_of_another_chain_is_refused(town):
    client = client_of(town, Wire(town.ledger.transport, chain_id="another"))
    with pytest.raises(VerificationError) as error:
        client.status()
    assert error.value.step == "chain-id"


def test_every_reason_is_found_by_its_number():
    assert reason_of(0) is None
    assert reason_of(999_999) is None
    assert reason_of(101) is ReadReason.QUERY_MALFORMED
    assert reason_of(3) is TransactionReason.SIGNATURE_INVALID


def test_a_wallet_file_leads_to_its_key(tmp_path, town):
    key = create_key(tmp_path / "anna.key", None)
    wallet = WalletFile(
        name="Anna", chain_id=town.ledger.chain_id, wallet="00" * 16, instrument=MONEY, key_file="anna.key"
    )
    save_wallet(tmp_path / "anna.json", wallet)
    found = load_wallet(tmp_path / "anna.json")
    assert found == wallet
    assert load_wallet_key(tmp_path / "anna.json", found).public_key == key.public_key
    with pytest.raises(OperationalError, match="exists"):
        save_wallet(tmp_path / "anna.json", wallet)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 4_000, b" " * 5_000, b'{"format":"fujie-wallet-1"}'])
def test_a_file_that_is_no_wallet_has_its_own_error(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(OperationalError):
        load_wallet(tmp_path / "x")
