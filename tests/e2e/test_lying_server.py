"""A server that lies, over real HTTP about a real chain: every lie raises the error that names the failed step."""

import gzip
import time

import msgspec
import pytest

import fujie
from fujie.client.client import Client, RefusedTransaction, named
from fujie.client.heads import HeadMemory
from fujie.client.http import BUNDLE_TYPE, OUTCOMES_TYPE, HttpTransport
from fujie.client.verifier import Verifier
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.core.reasons import ReadReason, TransactionReason
from fujie.core.signing import Signer, new_seed
from fujie.modules.currency.operations import Pay
from fujie.modules.identity.queries import IdentityQuery
from fujie.proof.bundle import Absent
from fujie.proof.trust import FRESHNESS_MS_DEFAULT
from tests.e2e.lying_server import Answer, LyingServer, serving, truth
from tests.unit.client import forging
from tests.unit.client.town import ALPHA, BETA, MONEY, NOWHERE, Town, open_town

REDIRECTS = (301, 302, 303, 307, 308)


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("town") / "ledger") as town:
        yield town


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A second chain, really founded, on which the same names stand."""
    with fujie.open(tmp_path_factory.mktemp("stranger") / "ledger") as ledger:
        ledger.allocate("ZZ.000", named("ALPHA", "city", "Impostor"))
        yield ledger


@pytest.fixture(scope="module")
def server(town):
    with serving(town.ledger.transport) as server:
        yield server


@pytest.fixture
def liar(server):
    server.lie = truth
    server.requests.clear()
    yield server
    server.lie = truth


@pytest.fixture
def client(town, liar):
    transport = HttpTransport(liar.url, tries=2, answer_timeout_s=5, answer_bytes_max=1_000_000)
    with Client(transport, town.ledger.trust, [town.payer], catch_up_s=0.1) as client:
        yield client


def bundle_of(town: Town, identifier: str) -> bytes:
    return town.ledger.transport.read([encode(IdentityQuery(identifier))])


def tells(server: LyingServer, body: bytes, *, at: str = "/read", content_type: str = BUNDLE_TYPE) -> None:
    """Let ``server`` answer requests that begin with ``at`` with ``body``, and all others truthfully."""

    def lie(path: str, honest: Answer) -> Answer:
        return Answer(200, content_type, body) if path.startswith(at) else honest

    server.lie = lie


def step_of_resolving(client: Client, identifier: str = ALPHA) -> str:
    with pytest.raises(VerificationError) as error:
        client.resolve(identifier)
    return error.value.step


# --- The truth first: the lies below fail for what they are, not because nothing works.


def test_a_truthful_server_is_believed(client, town):
    assert client.resolve(ALPHA).record.name == "Alpha the Second"
    assert client.resolve(NOWHERE).record is None
    assert client.resolve(ALPHA, at_ms=town.before_rename_ms).record.name == "Alpha"
    assert client.balance(town.payer_wallet, MONEY).record is not None
    paid = client.pay(town.payer_wallet, town.payee_wallet, MONEY, 5)
    assert paid.verified.receipt.code == 0
    assert client.receipt_bundle(paid.transaction_id)
    assert client.receipt(bytes(32)) is None


def test_a_refusal_arrives_with_its_proof(client, town):
    with pytest.raises(RefusedTransaction, match="PAYER_BALANCE_INSUFFICIENT") as error:
        client.pay(town.payer_wallet, town.payee_wallet, MONEY, 2**62)
    proof = error.value.outcome.verified
    assert proof is not None
    assert proof.receipt.code == error.value.reason


def test_a_rule_of_reading_arrives_as_its_reason(client, town):
    with pytest.raises(Refused) as error:
        client.balance(town.payee_wallet, MONEY)
    assert error.value.reason is ReadReason.READER_POLICY_NOT_SATISFIED


# --- Lies about the head.


def test_a_stale_head_fails_at_stale_head(client, town, liar):
    old = bundle_of(town, ALPHA)
    client.pay(town.payer_wallet, town.payee_wallet, MONEY, 1)
    tells(liar, old)
    assert step_of_resolving(client) == "stale-head"


def test_a_head_older_than_one_seen_before_a_restart_fails_at_stale_head(client, town, liar, tmp_path):
    old = bundle_of(town, ALPHA)
    town.ledger.pay(town.payer_wallet, town.payee_wallet, MONEY, 1, signers=[town.payer])
    memory = tmp_path / "heads.json"
    for lies in (False, True):
        verifier = Verifier(town.ledger.trust, memory=HeadMemory(memory))
        if lies:
            tells(liar, old)
        with Client(HttpTransport(liar.url), town.ledger.trust, verifier=verifier, catch_up_s=0.1) as restarted:
            if lies:
                assert step_of_resolving(restarted) == "stale-head"
            else:
                restarted.resolve(ALPHA)


def test_a_server_that_stopped_following_the_chain_fails_at_freshness(town, liar):
    def later() -> int:
        return time.time_ns() // 1_000_000 + FRESHNESS_MS_DEFAULT + 120_000

    with Client(HttpTransport(liar.url), town.ledger.trust, clock=later) as client:
        assert step_of_resolving(client) == "freshness"


def test_a_head_that_the_client_itself_has_outrun_fails_at_stale_head(client, town, liar):
    """The write is not awaited, so no newer head was seen; what was written counts all the same."""
    old = bundle_of(town, ALPHA)
    [outcome] = client.submit_many([client.build([payment(town)])])
    assert outcome.code == 0
    tells(liar, old)
    assert step_of_resolving(client) == "stale-head"


# --- Another chain.


def test_another_chain_fails_at_chain_id(client, liar, stranger):
    tells(liar, stranger.transport.read([encode(IdentityQuery(ALPHA))]))
    assert step_of_resolving(client) == "chain-id"


def test_another_chain_under_this_name_fails_at_chain_id(client, town, liar, stranger):
    foreign = stranger.transport.read([encode(IdentityQuery(ALPHA))])
    tells(liar, forging.with_fields(foreign, chain_id=town.ledger.chain_id))
    assert step_of_resolving(client) == "chain-id"


def test_another_chain_signed_under_this_name_fails_at_validators(client, town, liar, stranger):
    foreign = stranger.transport.read([encode(IdentityQuery(ALPHA))])
    forged = forging.resigned(foreign, Signer(new_seed()), chain_id=town.ledger.chain_id)
    tells(liar, forging.with_fields(forged, chain_id=town.ledger.chain_id))
    assert step_of_resolving(client) == "validators"


def test_a_node_of_another_chain_is_noticed_before_anything_is_signed(town, stranger):
    with (
        serving(stranger.transport) as elsewhere,
        Client(HttpTransport(elsewhere.url), town.ledger.trust, [town.payer]) as client,
    ):
        with pytest.raises(VerificationError) as error:
            client.pay(town.payer_wallet, town.payee_wallet, MONEY, 1)
        assert error.value.step == "chain-id"
        assert "/transactions" not in elsewhere.requests


# --- Lies about what stands.


def test_a_forged_absence_fails_at_the_leaf(client, town, liar):
    honest = bundle_of(town, ALPHA)
    item = forging.item_of(honest)
    tells(liar, forging.with_fields(honest, items=(Absent(item.path, item.proof),)))
    assert step_of_resolving(client) == "state-leaf"


def test_a_forged_absence_from_an_emptied_bucket_fails_at_the_root(client, town, liar):
    honest = bundle_of(town, ALPHA)
    item = forging.item_of(honest)
    emptied = forging.replace(item.proof, leaves=b"")
    tells(liar, forging.with_fields(honest, items=(Absent(item.path, emptied),)))
    assert step_of_resolving(client) == "state-root"


def test_the_absence_of_something_else_fails_at_answer_path(client, town, liar):
    tells(liar, bundle_of(town, NOWHERE))
    assert step_of_resolving(client) == "answer-path"


def test_a_swapped_record_fails_at_answer_path(client, town, liar):
    tells(liar, bundle_of(town, BETA))
    assert step_of_resolving(client) == "answer-path"


def test_a_swapped_record_under_the_right_path_fails_at_the_proof(client, town, liar):
    item = forging.item_of(bundle_of(town, ALPHA))
    tells(liar, forging.with_item(bundle_of(town, BETA), path=item.path))
    assert step_of_resolving(client) in {"state-bucket", "state-leaf"}


def test_an_altered_record_fails_at_the_leaf(client, town, liar):
    honest = bundle_of(town, ALPHA)
    record = forging.item_of(honest).record
    altered = record.replace(b"Alpha the Second", b"Alpha the Third.")
    assert altered != record
    tells(liar, forging.with_item(honest, record=altered))
    assert step_of_resolving(client) == "state-leaf"


def test_an_altered_past_fails_at_its_link(client, town, liar):
    honest = town.ledger.transport.read([encode(IdentityQuery(ALPHA))], None, town.before_rename_ms)
    [version] = forging.item_of(honest).versions
    tells(liar, forging.with_item(honest, versions=(version.replace(b"Alpha", b"Omega"),)))
    with pytest.raises(VerificationError) as error:
        client.resolve(ALPHA, at_ms=town.before_rename_ms)
    assert error.value.step == "past-link"


# --- Lies about receipts.


def payment(town):
    return Pay(town.payer_wallet, town.payee_wallet, MONEY, 1)


def step_of_paying(client: Client, town) -> str:
    with pytest.raises(VerificationError) as error:
        client.pay(town.payer_wallet, town.payee_wallet, MONEY, 1)
    return error.value.step


def test_a_swapped_receipt_fails_at_answer_transaction(client, town, liar):
    tells(liar, town.ledger.transport.receipt(town.other_payment.transaction_id), at="/receipts")
    with pytest.raises(VerificationError) as error:
        client.receipt(town.payment.transaction_id)
    assert error.value.step == "answer-transaction"
    assert step_of_paying(client, town) == "answer-transaction"


def test_a_receipt_whose_transaction_nobody_signed_fails_at_transaction_signature(client, town, liar):
    honest = town.ledger.transport.receipt(town.payment.transaction_id)
    transaction = forging.item_of(honest).transaction
    forged = forging.flipped(transaction, len(transaction) - 1)  # the last byte of the last signature
    tells(liar, forging.with_item(honest, transaction=forged), at="/receipts")
    with pytest.raises(VerificationError) as error:
        client.receipt(town.payment.transaction_id)
    assert error.value.step == "transaction-signature"


def test_an_outcome_of_another_transaction_fails_at_answer_transaction(client, town, liar):
    first = town.payment
    tells(
        liar,
        encode([(first.transaction_id, 0, encode(first.receipt), 0)]),
        at="/transactions",
        content_type=OUTCOMES_TYPE,
    )
    assert step_of_paying(client, town) == "answer-transaction"


def test_an_outcome_with_the_receipt_of_another_transaction_fails_at_answer_receipt(client, town, liar):
    tells(liar, encode([(b"", 0, encode(town.payment.receipt), 0)]), at="/transactions", content_type=OUTCOMES_TYPE)
    assert step_of_paying(client, town) == "answer-receipt"


def test_success_without_a_receipt_fails_at_answer_receipt(client, town, liar):
    tells(liar, encode([(b"", 0, None, None)]), at="/transactions", content_type=OUTCOMES_TYPE)
    assert step_of_paying(client, town) == "answer-receipt"


def test_a_success_that_the_ledger_refused_is_unmasked_by_its_proof(client, town, liar):
    """The server turns the refusal into a success; the proven receipt says what really happened."""

    def lie(path: str, honest: Answer) -> Answer:
        if path != "/transactions":
            return honest
        [[identifier, _, receipt, index]] = msgspec.msgpack.decode(honest.body)
        fields = msgspec.msgpack.decode(receipt)
        fields[4] = 0  # code
        return Answer(200, OUTCOMES_TYPE, encode([(identifier, 0, encode(fields), index)]))

    liar.lie = lie
    with pytest.raises(RefusedTransaction, match="PAYER_BALANCE_INSUFFICIENT"):
        client.pay(town.payer_wallet, town.payee_wallet, MONEY, 2**62)


def test_a_receipt_that_cannot_be_proven_fails_at_answer_receipt(client, town, liar):
    def lie(path: str, honest: Answer) -> Answer:
        if not path.startswith("/receipts"):
            return honest
        return Answer(404, "application/problem+json", b'{"type":"/problems/RECEIPT_ABSENT"}')

    liar.lie = lie
    assert step_of_paying(client, town) == "answer-receipt"


def test_more_or_fewer_outcomes_than_transactions_fail_at_answer_count(client, town, liar):
    for count in (0, 2):
        rows = [(b"", 1, None, None)] * count
        tells(liar, encode(rows), at="/transactions", content_type=OUTCOMES_TYPE)
        assert step_of_paying(client, town) == "answer-count"


# --- Nonsense.


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"not a bundle", b"\xff" * 10_000, b"\x91" * 50_000])
def test_garbage_fails_at_decode(client, town, liar, garbage):
    tells(liar, garbage)
    assert step_of_resolving(client) == "decode"
    client.transport.status()
    liar.lie = truth
    client.resolve(ALPHA)  # so that the client has what it needs to build a payment
    client.expiry_ms()
    tells(liar, garbage, at="/transactions", content_type=OUTCOMES_TYPE)
    assert step_of_paying(client, town) == "decode"
    tells(liar, garbage, at="/status", content_type="application/json")
    with pytest.raises(VerificationError) as error:
        client.status()
    assert error.value.step == "decode"


def test_a_truncated_bundle_fails_at_decode(client, town, liar):
    tells(liar, bundle_of(town, ALPHA)[:-1])
    assert step_of_resolving(client) == "decode"


def test_a_connection_that_breaks_off_is_told_after_a_retry(client, town, liar):
    honest = bundle_of(town, ALPHA)
    liar.lie = lambda _path, _answer: Answer(200, BUNDLE_TYPE, honest[:50], announced=len(honest))
    with pytest.raises(OperationalError, match="does not answer as it should"):
        client.resolve(ALPHA)
    assert len(liar.requests) == 2


def test_a_huge_answer_is_cut_off(client, liar):
    liar.lie = lambda _path, _answer: Answer(200, BUNDLE_TYPE, endless=True)
    with pytest.raises(OperationalError, match="more than 1000000 bytes"):
        client.resolve(ALPHA)


def test_an_answer_that_would_unpack_to_something_huge_is_not_unpacked(client, liar):
    bomb = gzip.compress(bytes(50_000_000))
    liar.lie = lambda _path, _answer: Answer(200, BUNDLE_TYPE, bomb, headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(OperationalError, match="packed"):
        client.resolve(ALPHA)


def test_redirects_are_not_followed_let_alone_for_ever(client, liar):
    for status in REDIRECTS:
        liar.requests.clear()
        liar.lie = lambda path, _answer, status=status: Answer(
            status, BUNDLE_TYPE, headers=(("Location", liar.url + path),)
        )
        with pytest.raises(OperationalError, match="sends this client elsewhere"):
            client.resolve(ALPHA)
        assert len(liar.requests) == 1


@pytest.mark.parametrize("content_type", ["text/html", "", "application/json"])
def test_an_answer_of_another_type_is_refused(client, town, liar, content_type):
    liar.lie = lambda _path, answer: Answer(200, content_type, answer.body)
    with pytest.raises(OperationalError, match="instead of"):
        client.resolve(ALPHA)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"title":1}', b'{"reason":"x"}', b'{"reason":99999}', b"\xff", b"[" * 100_000]
)
def test_a_nonsensical_problem_is_still_one_error(client, liar, body):
    liar.lie = lambda _path, _answer: Answer(418, "application/problem+json", body)
    with pytest.raises(OperationalError, match="status 418"):
        client.resolve(ALPHA)


def test_an_overloaded_server_is_asked_again_and_then_given_up(client, town, liar):
    busy = Answer(503, "application/problem+json", b"{}", headers=(("Retry-After", "0"),))
    liar.lie = lambda _path, honest: busy if len(liar.requests) == 1 else honest
    assert client.resolve(ALPHA).record is not None
    assert len(liar.requests) == 2
    liar.requests.clear()
    liar.lie = lambda _path, _answer: busy
    with pytest.raises(OperationalError, match="status 503"):
        client.resolve(ALPHA)
    assert len(liar.requests) == 2


def test_a_lost_answer_is_asked_for_again_and_nothing_is_paid_twice(client, town, liar):
    """The first answer is lost after the ledger has carried the payment out; the same bytes are submitted again."""
    before = client.balance(town.payer_wallet, MONEY).record.amount_minor
    client.expiry_ms()
    lost: list[str] = []

    def lie(path: str, honest: Answer) -> Answer:
        if path == "/transactions" and not lost:
            lost.append(path)
            return Answer(200, OUTCOMES_TYPE, b"", announced=100)
        return honest

    liar.lie = lie
    outcome = client.pay(town.payer_wallet, town.payee_wallet, MONEY, 3)
    assert lost
    assert outcome.code == 0
    assert client.balance(town.payer_wallet, MONEY).record.amount_minor == before - 3


def test_a_full_queue_is_waited_for(client, town, liar):
    client.expiry_ms()
    full = int(TransactionReason.ADMISSION_QUEUE_FULL)

    def lie(path: str, honest: Answer) -> Answer:
        if path == "/transactions" and liar.requests.count("/transactions") == 1:
            return Answer(200, OUTCOMES_TYPE, encode([(b"", full, None, None)]))
        return honest

    liar.lie = lie
    assert client.pay(town.payer_wallet, town.payee_wallet, MONEY, 1).code == 0


def test_a_node_that_is_not_there_is_an_operational_error(town):
    with serving(town.ledger.transport) as gone:
        url = gone.url
    with Client(HttpTransport(url, tries=1), town.ledger.trust) as client, pytest.raises(OperationalError):
        client.resolve(ALPHA)
