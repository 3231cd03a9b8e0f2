"""The verifier believes the truth, and names the step at which every lie fails."""

import random

import msgspec
import pytest

from fujie.client.heads import ForkError, HeadMemory
from fujie.client.verifier import VerifiedReceipt, VerifiedRecord, Verifier, verify_file, verify_file_at
from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, OperationalError, VerificationError
from fujie.core.query import Query
from fujie.core.signing import Signer, new_seed
from fujie.core.transaction import SIGNED_TRANSACTION, SignedTransaction
from fujie.modules.identity.queries import IdentityQuery
from fujie.modules.membership.queries import AccountQuery, ParametersQuery
from fujie.proof.bundle import BUNDLE, Absent
from fujie.proof.header import NANOSECONDS_PER_MS
from fujie.proof.light_block import LightBlock
from fujie.proof.trust import CLOCK_DRIFT_MS, FRESHNESS_MS_DEFAULT
from fujie.proof.vote import BlockIDFlag
from tests.light.chain_node import chain_over, root_over, under
from tests.light.tampering import voted_at, with_entry
from tests.unit.client import forging
from tests.unit.client.forging import flipped, replace
from tests.unit.client.town import ALPHA, BETA, NOWHERE, Town, open_town


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    with open_town(tmp_path_factory.mktemp("town") / "ledger") as town:
        yield town


@pytest.fixture(scope="module")
def bundles(town):
    """Truthful answers of one moment, by name."""
    transport = town.ledger.transport
    queries: dict[str, list[Query]] = {
        "alpha": [IdentityQuery(ALPHA)],
        "beta": [IdentityQuery(BETA)],
        "nowhere": [IdentityQuery(NOWHERE)],
        "two": [IdentityQuery(ALPHA), AccountQuery("owner")],
    }
    found = {name: transport.read([encode(query) for query in asked]) for name, asked in queries.items()}
    found["past"] = transport.read([encode(IdentityQuery(ALPHA))], None, town.before_rename_ms)
    found["payment"] = transport.receipt(town.payment.transaction_id)
    found["other payment"] = transport.receipt(town.other_payment.transaction_id)
    return found


def verifier_at(town: Town, data: bytes, age_ms: int = 0) -> Verifier:
    """A verifier without memory whose clock shows ``age_ms`` after the header of ``data``."""
    now = forging.parts(data)[1].header.time_ms + age_ms
    return Verifier(town.ledger.trust, lambda: now)


def step_of(town: Town, data: bytes, honest: bytes, query=None) -> str:
    with pytest.raises(VerificationError) as error:
        verifier_at(town, honest).check_record(query or IdentityQuery(ALPHA), data)
    return error.value.step


# --- The truth.


def test_a_record_is_believed(town, bundles):
    found = verifier_at(town, bundles["alpha"]).check_record(IdentityQuery(ALPHA), bundles["alpha"])
    assert found.record is not None
    assert found.record.name == "Alpha the Second"
    assert found.bundle == bundles["alpha"]
    assert found.path.endswith(ALPHA)


def test_an_absence_is_believed(town, bundles):
    assert verifier_at(town, bundles["nowhere"]).check_record(IdentityQuery(NOWHERE), bundles["nowhere"]).record is None


def test_several_records_under_one_header_are_believed(town, bundles):
    queries = [IdentityQuery(ALPHA), AccountQuery("owner")]
    first, second = verifier_at(town, bundles["two"]).check_records(queries, bundles["two"])
    assert first.record is not None
    assert second.record is not None
    assert (first.record.identifier, second.record.name) == (ALPHA, "owner")
    assert first.header_hash == second.header_hash


def test_the_past_of_a_record_is_believed(town, bundles):
    found = verifier_at(town, bundles["past"]).check_record(
        IdentityQuery(ALPHA), bundles["past"], at_ms=town.before_rename_ms
    )
    assert found.record is not None
    assert found.current is not None
    assert (found.record.name, found.current.name) == ("Alpha", "Alpha the Second")


def test_a_time_before_creation_is_a_proven_absence(town, bundles):
    found = verifier_at(town, bundles["alpha"]).check_record(IdentityQuery(ALPHA), bundles["alpha"], at_ms=1_000)
    assert found.record is None
    assert found.current is not None


def test_a_receipt_is_believed(town, bundles):
    found = verifier_at(town, bundles["payment"]).check_receipt(town.payment.transaction, bundles["payment"])
    assert found.receipt.code == 0
    assert found.transaction_id == town.payment.transaction_id
    assert found.receipt.events[0].amount_minor == 1_250


def test_a_file_is_believed_offline_and_years_later(town, bundles):
    [record] = verify_file(bundles["alpha"], town.ledger.trust)
    [receipt] = verify_file(bundles["payment"], town.ledger.trust)
    assert isinstance(record, VerifiedRecord)
    assert isinstance(receipt, VerifiedReceipt)
    assert receipt.receipt.transaction_id == town.payment.transaction_id
    [past] = verify_file_at(bundles["past"], town.ledger.trust, town.before_rename_ms)
    assert isinstance(past, VerifiedRecord)
    assert past.record is not None
    assert past.record.name == "Alpha"


# --- Tampered bundles: every field.


def test_every_changed_field_of_a_bundle_fails_at_its_step(town, bundles):
    honest = bundles["alpha"]
    bundle, _ = forging.parts(honest)
    rows = [
        (forging.with_fields(honest, chain_id="other-chain"), "chain-id"),
        (forging.with_fields(honest, light_block=flipped(bundle.light_block, 200)), None),
        (forging.with_fields(honest, light_block=b""), "decode"),
        (forging.with_fields(honest, light_block=bundle.light_block[:-1]), "decode"),
        (forging.with_fields(honest, state_root=flipped(bundle.state_root)), "app-hash"),
        (forging.with_fields(honest, log_root=flipped(bundle.log_root)), "app-hash"),
        (forging.with_fields(honest, log_size=bundle.log_size + 1), "app-hash"),
        (forging.with_fields(honest, items=bundle.items * 2), "answer-count"),
        (forging.with_fields(honest, items=BUNDLE.decode(bundles["beta"]).items), "answer-path"),
        (forging.with_fields(honest, items=BUNDLE.decode(bundles["nowhere"]).items), "answer-path"),
    ]
    for data, step in rows:
        found = step_of(town, data, honest)
        assert step is None or found == step, (found, step)


def test_every_changed_field_of_a_record_fails_at_its_step(town, bundles):
    honest = bundles["alpha"]
    item = forging.item_of(honest)
    other = forging.item_of(bundles["beta"])
    older = forging.item_of(bundles["past"]).versions
    rows = [
        (forging.with_item(honest, path=other.path), {"state-bucket", "state-leaf"}),
        (forging.with_item(honest, salt=bytes(32)), {"state-leaf"}),
        (forging.with_item(honest, salt=b"x"), {"state-salt"}),
        (forging.with_item(honest, record=flipped(item.record, 40)), {"state-leaf"}),
        (forging.with_item(honest, record=other.record), {"state-leaf"}),
        (forging.with_item(honest, record=b""), {"state-leaf"}),
        (forging.with_item(honest, proof=other.proof), {"state-bucket", "state-leaf"}),
        (forging.with_item(honest, versions=older), {"answer-versions"}),
        (forging.with_item_proof(honest, leaves=b""), {"state-leaf"}),
        (forging.with_item_proof(honest, leaves=item.proof.leaves[:-1]), {"state-bucket"}),
        (forging.with_item_proof(honest, leaves=item.proof.leaves + bytes(64)), {"state-bucket"}),
        (forging.with_item_proof(honest, present=flipped(item.proof.present)), {"state-path"}),
        (forging.with_item_proof(honest, present=b""), {"state-path"}),
        (forging.with_item_proof(honest, siblings=flipped(item.proof.siblings)), {"state-root"}),
        (forging.with_item_proof(honest, siblings=item.proof.siblings[:-32]), {"state-path"}),
    ]
    for data, steps in rows:
        assert step_of(town, data, honest) in steps, steps


def test_a_forged_absence_fails_whatever_it_is_made_of(town, bundles):
    honest = bundles["alpha"]
    item = forging.item_of(honest)
    emptied = replace(item.proof, leaves=b"")
    elsewhere = forging.item_of(bundles["nowhere"])
    rows = [
        (Absent(item.path, item.proof), "state-leaf"),
        (Absent(item.path, emptied), "state-root"),
        (replace(elsewhere, path=item.path), "state-"),
        (elsewhere, "answer-path"),
    ]
    for forged, step in rows:
        assert step_of(town, forging.with_fields(honest, items=(forged,)), honest).startswith(step)


def test_every_changed_field_of_the_header_fails(town, bundles):
    honest = bundles["alpha"]
    header = forging.parts(honest)[1].header
    rows = {
        "block_protocol": header.block_protocol + 1,
        "app_version": header.app_version + 1,
        "chain_id": "other-chain",
        "height": header.height + 1,
        "time_ns": header.time_ns + 1_000_000,
        "last_block_id": replace(header.last_block_id, hash=flipped(header.last_block_id.hash)),
        "last_commit_hash": flipped(header.last_commit_hash),
        "data_hash": flipped(header.data_hash),
        "validators_hash": flipped(header.validators_hash),
        "next_validators_hash": flipped(header.next_validators_hash),
        "consensus_hash": flipped(header.consensus_hash),
        "app_hash": flipped(header.app_hash),
        "last_results_hash": flipped(header.last_results_hash),
        "evidence_hash": flipped(header.evidence_hash),
        "proposer_address": flipped(header.proposer_address),
    }
    assert set(rows) == set(msgspec.structs.asdict(header)), "a field of the header has no row"
    expected = {
        "block_protocol": "decode",  # another form of blocks, which the decoder does not know
        "chain_id": "chain-id",
        "height": "commit-height",
        "validators_hash": "validator-set",
    }
    for field, value in rows.items():
        found = step_of(town, forging.with_header(honest, **{field: value}), honest)
        assert found == expected.get(field, "header-hash"), (field, found)


def test_every_changed_part_of_the_commit_fails(town, bundles):
    honest = bundles["alpha"]
    commit = forging.parts(honest)[1].commit
    [vote] = commit.signatures
    rows = [
        (replace(commit, height=commit.height + 1), "commit-height"),
        (replace(commit, round=commit.round + 1), "commit-signature"),
        (replace(commit, block_id=replace(commit.block_id, hash=bytes(32))), "header-hash"),
        (replace(commit, signatures=()), "decode"),
        (replace(commit, signatures=(vote, vote)), "commit-validator"),
        (replace(commit, signatures=(replace(vote, flag=BlockIDFlag.NIL),)), "commit-power"),
        (replace(commit, signatures=(replace(vote, validator_address=bytes(20)),)), "commit-validator"),
        (replace(commit, signatures=(replace(vote, time_ns=vote.time_ns + 1),)), "commit-signature"),
        (replace(commit, signatures=(replace(vote, signature=flipped(vote.signature)),)), "commit-signature"),
    ]
    for changed, step in rows:
        data = forging.with_commit(honest, changed)
        assert step_of(town, data, honest).startswith(step), step


def test_a_header_signed_by_others_fails_even_when_all_else_fits(town, bundles):
    assert step_of(town, forging.resigned(bundles["alpha"], Signer(new_seed())), bundles["alpha"]) == "validators"


def test_no_changed_byte_leads_to_another_belief(town, bundles):
    chosen = random.Random(8156)
    for name, query in (("alpha", IdentityQuery(ALPHA)), ("nowhere", IdentityQuery(NOWHERE))):
        honest = bundles[name]
        truth = verifier_at(town, honest).check_record(query, honest).record
        for place in range(len(honest)):
            data = honest[:place] + bytes([honest[place] ^ chosen.randrange(1, 256)]) + honest[place + 1 :]
            try:
                believed = verifier_at(town, honest).check_record(query, data).record
            except VerificationError:
                continue
            assert believed == truth, place


@pytest.mark.parametrize("data", [b"", b"\x00", b"\xff" * 100, b"<html>", b"\x97" * 5_000, b"\x91" * 100_000])
def test_bytes_that_are_no_bundle_fail_at_decode(town, bundles, data):
    assert step_of(town, data, bundles["alpha"]) == "decode"


def test_every_cut_bundle_fails_at_decode(town, bundles):
    for length in range(len(bundles["alpha"])):
        with pytest.raises(DecodeError):
            verifier_at(town, bundles["alpha"]).check_record(IdentityQuery(ALPHA), bundles["alpha"][:length])


# --- The question.


def test_an_answer_about_something_else_fails(town, bundles):
    assert step_of(town, bundles["beta"], bundles["beta"]) == "answer-path"
    assert step_of(town, bundles["nowhere"], bundles["nowhere"]) == "answer-path"
    assert step_of(town, bundles["payment"], bundles["payment"]) == "answer-kind"
    assert step_of(town, bundles["two"], bundles["two"]) == "answer-count"
    assert step_of(town, bundles["alpha"], bundles["alpha"], ParametersQuery()) == "answer-path"


def test_answers_in_another_order_fail(town, bundles):
    with pytest.raises(VerificationError) as error:
        verifier_at(town, bundles["two"]).check_records([AccountQuery("owner"), IdentityQuery(ALPHA)], bundles["two"])
    assert error.value.step == "answer-path"


# --- Receipts.


def test_a_receipt_of_another_transaction_fails(town, bundles):
    verifier = verifier_at(town, bundles["payment"])
    with pytest.raises(VerificationError) as error:
        verifier.check_receipt(town.payment.transaction, bundles["other payment"])
    assert error.value.step == "answer-transaction"
    with pytest.raises(VerificationError) as error:
        verifier.check_receipt_of(town.payment.transaction_id, bundles["other payment"])
    assert error.value.step == "answer-transaction"


def test_every_changed_field_of_a_receipt_fails_at_its_step(town, bundles):
    honest = bundles["payment"]
    item = forging.item_of(honest)
    other = forging.item_of(bundles["other payment"])
    rows = [
        (forging.with_item(honest, salt=flipped(item.salt)), "log-root"),
        (forging.with_item(honest, receipt=other.receipt), "log-root"),
        (forging.with_item(honest, receipt=flipped(item.receipt, 40)), "log-root"),
        (forging.with_item(honest, transaction=other.transaction), "log-root"),
        (forging.with_item(honest, transaction=b""), "decode"),
        (
            forging.with_item(honest, transaction=flipped(item.transaction, len(item.transaction) - 1)),
            "transaction-signature",
        ),
        (with_signatures(honest, ()), "decode"),
        (with_signatures(honest, (bytes(64),)), "transaction-signature"),
        (with_signatures(honest, SIGNED_TRANSACTION.decode(other.transaction).signatures), "transaction-signature"),
        (with_signatures(honest, SIGNED_TRANSACTION.decode(item.transaction).signatures * 2), "transaction-keys"),
        (forging.with_item(honest, proof=other.proof), "log-root"),
        (forging.with_item_proof(honest, index=item.proof.index + 1), "log-"),
        (forging.with_item_proof(honest, size=item.proof.size + 1), "log-size"),
        (forging.with_item_proof(honest, path=item.proof.path[:-32]), "log-path"),
        (forging.with_item_proof(honest, path=flipped(item.proof.path)), "log-root"),
        (forging.with_fields(honest, items=BUNDLE.decode(bundles["alpha"]).items), "answer-kind"),
        (forging.with_fields(honest, items=(item, item)), "answer-count"),
    ]
    for data, step in rows:
        with pytest.raises(VerificationError) as error:
            verifier_at(town, honest).check_receipt(town.payment.transaction, data)
        # A receipt beside a record needs a header of its own: both fail, at whichever comes first.
        assert error.value.step.startswith((step, "state-root") if step == "answer-kind" else step), error.value


def with_signatures(data: bytes, signatures: tuple[bytes, ...]) -> bytes:
    """The bundle ``data`` with other signatures of its transaction."""
    body = SIGNED_TRANSACTION.decode(forging.item_of(data).transaction).body
    return forging.with_item(data, transaction=encode(SignedTransaction(body, signatures)))


def test_no_byte_of_a_receipt_file_can_be_changed(town, bundles):
    """Everything in the file is signed, hashed or canonical: of one transaction there is one true file."""
    chosen = random.Random(64)
    honest = bundles["payment"]
    for place, byte in enumerate(honest):
        for mask in {1, 128, chosen.randrange(1, 256)}:
            data = honest[:place] + bytes([byte ^ mask]) + honest[place + 1 :]
            with pytest.raises(VerificationError):
                verify_file(data, town.ledger.trust)
            with pytest.raises(VerificationError):
                verifier_at(town, honest).check_receipt_of(town.payment.transaction_id, data)


# --- The past.


def test_a_past_that_is_cut_or_changed_fails(town, bundles):
    honest = bundles["past"]
    [version] = forging.item_of(honest).versions
    rows = [
        (forging.with_item(honest, versions=()), "past-incomplete"),
        (forging.with_item(honest, versions=(flipped(version, 20),)), "past-link"),
        (forging.with_item(honest, versions=(version, version)), "past-needless"),
        (forging.with_item(honest, versions=(forging.item_of(bundles["beta"]).record,)), "past-link"),
    ]
    for data, step in rows:
        with pytest.raises(VerificationError) as error:
            verifier_at(town, honest).check_record(IdentityQuery(ALPHA), data, at_ms=town.before_rename_ms)
        assert error.value.step == step


def test_a_time_that_the_header_does_not_cover_fails(town, bundles):
    honest = bundles["past"]
    for at_ms in (forging.parts(honest)[1].header.time_ms, 2**52):
        with pytest.raises(VerificationError) as error:
            verifier_at(town, honest).check_record(IdentityQuery(ALPHA), honest, at_ms=at_ms)
        assert error.value.step == "answer-time"


# --- Freshness, and the memory of what was seen.


@pytest.mark.parametrize("age_ms", [FRESHNESS_MS_DEFAULT, 0, -CLOCK_DRIFT_MS])
def test_a_header_within_the_bounds_is_fresh(town, bundles, age_ms):
    verifier_at(town, bundles["alpha"], age_ms).check_record(IdentityQuery(ALPHA), bundles["alpha"])


@pytest.mark.parametrize("age_ms", [FRESHNESS_MS_DEFAULT + 1, -CLOCK_DRIFT_MS - 1, 10**12])
def test_a_header_that_is_too_old_or_of_the_future_fails(town, bundles, age_ms):
    with pytest.raises(VerificationError) as error:
        verifier_at(town, bundles["alpha"], age_ms).check_record(IdentityQuery(ALPHA), bundles["alpha"])
    assert error.value.step == "freshness"
    with pytest.raises(VerificationError) as error:
        verifier_at(town, bundles["payment"], age_ms).check_receipt(town.payment.transaction, bundles["payment"])
    assert error.value.step == "freshness"


def test_the_first_header_after_a_halt_is_as_fresh_as_the_votes_for_it(town, bundles):
    """It has the time of the halt. Whoever hands it on cannot make it fresher: a vote counts only as it was signed."""
    bundle = BUNDLE.decode(bundles["alpha"])
    powers = dict.fromkeys((1, 2, 3, 4), 10)
    [halted] = chain_over(bundle, [powers])
    ledger = town.ledger.trust
    trust = root_over(bundle, powers, depth=ledger.state_tree_depth, trust_period_ms=ledger.trust_period_ms)
    now_ms = halted.header.time_ms + 10 * FRESHNESS_MS_DEFAULT
    oldest_ms = now_ms - FRESHNESS_MS_DEFAULT

    def ask(block: LightBlock) -> None:
        Verifier(trust, lambda: now_ms).check_record(IdentityQuery(ALPHA), under(bundle, block))

    ask(voted_at(halted, dict.fromkeys((1, 2, 3), oldest_ms)))
    of_one = with_entry(halted, 3, time_ns=now_ms * NANOSECONDS_PER_MS)
    for block in (halted, of_one, voted_at(halted, dict.fromkeys((1, 2, 3), oldest_ms - 1))):
        with pytest.raises(VerificationError) as error:
            ask(block)
        assert error.value.step == "freshness"
    ahead_ms = now_ms + CLOCK_DRIFT_MS + 1
    with pytest.raises(VerificationError, match="ahead of this clock"):
        ask(voted_at(halted, dict.fromkeys(powers, ahead_ms)))


def two_heads(town: Town) -> tuple[bytes, bytes]:
    """Truthful answers under an older and a newer header."""
    old = town.ledger.transport.read([encode(IdentityQuery(ALPHA))])
    town.ledger.pay(town.payer_wallet, town.payee_wallet, "XTS", 1, signers=[town.payer])
    return old, town.ledger.transport.read([encode(IdentityQuery(ALPHA))])


def test_a_chain_that_goes_back_fails_also_after_a_restart(town, tmp_path):
    old, new = two_heads(town)
    path = tmp_path / "heads.json"
    Verifier(town.ledger.trust, memory=HeadMemory(path)).check_record(IdentityQuery(ALPHA), new)
    again = Verifier(town.ledger.trust, memory=HeadMemory(path))
    with pytest.raises(VerificationError) as error:
        again.check_record(IdentityQuery(ALPHA), old)
    assert error.value.step == "stale-head"
    assert again.check_record(IdentityQuery(ALPHA), new).record is not None


def test_a_memory_that_cannot_be_written_takes_nothing_from_an_answer(town, tmp_path, caplog):
    _, answer = two_heads(town)
    (tmp_path / "file").write_text("no folder")
    memory = HeadMemory(tmp_path / "file" / "heads.json")
    assert Verifier(town.ledger.trust, memory=memory).check_record(IdentityQuery(ALPHA), answer).record
    assert memory.seen(town.ledger.trust.chain_id) is not None
    assert "is not kept" in caplog.text


def test_an_answer_that_was_overtaken_is_believed(town):
    old, new = two_heads(town)
    verifier = Verifier(town.ledger.trust)
    verifier.check_record(IdentityQuery(ALPHA), old)
    floor = verifier.seen()
    verifier.check_record(IdentityQuery(ALPHA), new, floor=floor)
    assert verifier.check_record(IdentityQuery(ALPHA), old, floor=floor).record is not None


def test_two_signed_headers_of_one_height_fail_and_are_kept_as_evidence(town, tmp_path):
    """The validator itself signs a second header, as only a stolen or faithless key can."""
    validator = town.ledger.engine._signer
    honest = town.ledger.transport.read([encode(IdentityQuery(ALPHA))])
    forged = forging.resigned(honest, validator, data_hash=bytes(32))
    memory = HeadMemory(tmp_path / "heads.json")
    # The lie stands under the set of the trust root: only the memory can tell.
    verifier = Verifier(town.ledger.trust, memory=memory)
    verifier.check_record(IdentityQuery(ALPHA), honest)
    with pytest.raises(ForkError) as error:
        verifier.check_record(IdentityQuery(ALPHA), forged)
    assert error.value.step == "fork"
    assert error.value.evidence is not None
    kept = msgspec.json.decode(error.value.evidence.read_bytes())
    assert bytes.fromhex(kept["bundle"]) == forged


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format":"fujie-heads-1","heads":{"x":1}}'])
def test_a_damaged_memory_is_reported_and_not_guessed(tmp_path, content):
    path = tmp_path / "heads.json"
    path.write_bytes(content)
    with pytest.raises(OperationalError):
        HeadMemory(path)
