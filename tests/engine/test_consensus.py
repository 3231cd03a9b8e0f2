"""What consensus asks of the ledger: a block is proposed, judged, carried out and committed as the embedded engine would."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from fujie.core.encoding import encode
from fujie.core.errors import OperationalError
from fujie.core.limits import BLOCK_BYTES_MAX
from fujie.core.reasons import TransactionReason
from fujie.core.transaction import SIGNED_TRANSACTION, SignedTransaction
from fujie.engine.admission import verdict
from fujie.engine.cometbft.consensus import Block, CarriedOut, Consensus
from fujie.engine.cometbft.verifying import Verification
from fujie.engine.executor import Executor, found
from fujie.machine.genesis import chain_id
from fujie.machine.schedule import SCHEDULE, Schedule, UnknownRules
from fujie.modules.membership.records import ActivateRules, SetValidator
from fujie.modules.membership.state_keys import misbehaviour
from fujie.proof.validators import Validator
from fujie.store.layout import Table
from fujie.store.sqlite import SqliteStore
from tests import world
from tests.engine.failing import failing_schedule
from tests.engine.recorded import sequence
from tests.world import VALIDATOR, MemoryChain, Signing, funded, holder, pay


@contextmanager
def driven(schedule: Schedule = SCHEDULE) -> Iterator[Consensus]:
    """A ledger in memory, driven by nobody yet."""
    store = SqliteStore.open(None)
    found(store, funded())
    verification = Verification(use_worker=False)
    try:
        yield Consensus(Executor(store, schedule), verification)
    finally:
        verification.close()
        store.close()


def following(consensus: Consensus, *raws: bytes, time_ms: int | None = None) -> Block:
    """The block after the head with these transactions, a second later."""
    head = consensus.head
    return Block(head.height + 1, head.time_ms + 1_000 if time_ms is None else time_ms, raws)


def propose(consensus: Consensus, *raws: bytes) -> tuple[bytes, ...]:
    return consensus.propose(following(consensus, *raws), BLOCK_BYTES_MAX)


def decide(consensus: Consensus, *raws: bytes) -> CarriedOut:
    """Carry a block out and commit it."""
    carried_out = consensus.carry_out(following(consensus, *raws))
    consensus.commit(carried_out)
    return carried_out


def with_other_signature(raw: bytes) -> bytes:
    """The transaction ``raw`` with a signature that is not valid."""
    signed = SIGNED_TRANSACTION.decode(raw)
    return encode(SignedTransaction(signed.body, tuple(bytes(64) for _ in signed.signatures)))


def malformed(signing: Signing) -> list[bytes]:
    return [b"", b"\x00", signing.pay(0, 1)[:-1], with_other_signature(signing.pay(0, 1))]


def test_gives_the_app_hash_and_the_codes_of_the_bare_machine_for_a_recorded_sequence() -> None:
    with driven() as consensus, driven() as follower:
        chain = MemoryChain(funded())
        for time_ms, raws in sequence(Signing(consensus.executor.chain_id)):
            block = following(consensus, *raws, time_ms=time_ms)
            proposed = block._replace(transactions=consensus.propose(block, BLOCK_BYTES_MAX))
            assert follower.judge(proposed) is None
            outcomes = [each.carry_out(proposed) for each in (consensus, follower)]
            for each, carried_out in zip((consensus, follower), outcomes, strict=True):
                each.commit(carried_out)
            receipts = chain.run(*proposed.transactions, time_ms=time_ms)
            assert [outcome.codes for outcome in outcomes] == [tuple(receipt.code for receipt in receipts)] * 2
            assert consensus.head == follower.head
        stored = {path: salt + record for path, salt, record in world.leaves_of(consensus.executor.store)}
        assert stored.items() <= chain.image().items()
        assert len(stored) == len(chain.leaves)


def test_proposes_what_is_offered_in_its_order() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        raws = [signing.pay(n % 4, (n + 1) % 4) for n in range(30)]
        assert propose(consensus, *raws) == tuple(raws)


def test_proposes_what_the_rules_refuse_so_that_it_gets_its_receipt() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        refused = [signing.pay(0, 1, 10**12), signing.sign(pay(0, 1), holder(3))]
        assert propose(consensus, *refused) == tuple(refused)
        carried_out = decide(consensus, *refused)
        assert all(carried_out.codes)
        receipt = consensus.executor.receipt_of(carried_out.block.transactions[1].id)
        assert receipt is not None
        assert receipt.code == TransactionReason.POLICY_NOT_SATISFIED


def test_proposes_no_transaction_twice_and_none_that_is_malformed() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        good = signing.pay(0, 1)
        assert propose(consensus, *malformed(signing), good, good) == (good,)


def test_proposes_no_more_than_fits() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        raws = [signing.pay(0, 1) for _ in range(5)]
        room = sum(map(len, raws[:3]))
        assert consensus.propose(following(consensus, *raws), room) == tuple(raws[:3])
        assert consensus.propose(following(consensus, *raws), room - 1) == tuple(raws[:2])


def test_judges_a_block_with_a_malformed_transaction_bad() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        for raw in malformed(signing):
            verdict = consensus.judge(following(consensus, signing.pay(0, 1), raw))
            assert verdict is not None
            assert "transaction 1 is refused" in verdict


def test_judges_a_block_with_a_transaction_twice_bad() -> None:
    with driven() as consensus:
        raw = Signing(consensus.executor.chain_id).pay(0, 1)
        assert consensus.judge(following(consensus, raw)) is None
        assert consensus.judge(following(consensus, raw, raw)) == "it has a transaction twice"


def test_judges_a_block_that_is_too_large_bad() -> None:
    with driven() as consensus:
        block = following(consensus, *[b"%08d" % n for n in range(10_001)])
        assert consensus.judge(block) == "it is larger than a block may be"


def test_a_transaction_that_raises_is_proposed_by_nobody_and_the_chain_lives_on() -> None:
    schedule = failing_schedule(lambda _state, operation: operation.amount_minor == 13)
    with driven(schedule) as consensus, driven(schedule) as other:
        signing = Signing(consensus.executor.chain_id)
        good, bad = signing.pay(0, 1, 12), signing.pay(0, 1, 13)
        assert propose(consensus, bad, good, bad) == (good,)
        assert consensus.quarantined(bad)
        assert other.judge(following(other, good, bad)) == "1 of its transactions fail unexpectedly"
        assert other.quarantined(bad)
        assert not other.quarantined(good)
        for each in (consensus, other):
            assert decide(each, good).codes == (0,)
        assert consensus.head == other.head


def test_a_decided_block_with_a_malformed_transaction_stops_the_node_and_changes_nothing() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        before = consensus.head
        for raw in malformed(signing):
            with pytest.raises(OperationalError, match="two thirds of the validators broke the rules"):
                consensus.carry_out(following(consensus, raw))
        assert consensus.head == before
        assert decide(consensus, signing.pay(0, 1)).codes == (0,)


def test_a_decided_block_with_a_transaction_that_raises_stops_the_node_and_changes_nothing() -> None:
    schedule = failing_schedule(lambda _state, operation: operation.amount_minor == 13)
    with driven(schedule) as consensus:
        before = consensus.head
        with pytest.raises(ZeroDivisionError):
            consensus.carry_out(following(consensus, Signing(consensus.executor.chain_id).pay(0, 1, 13)))
        assert consensus.head == before


def test_what_was_proposed_or_judged_leaves_no_trace_until_it_is_decided() -> None:
    with driven() as consensus, driven() as bare:
        signing = Signing(consensus.executor.chain_id)
        raws = [signing.pay(0, 1, n) for n in range(1, 5)]
        for raw in raws:
            propose(consensus, raw)
            assert consensus.judge(following(consensus, raw, *raws)) == "it has a transaction twice"
            assert consensus.judge(following(consensus, *raws)) is None
        for each in (consensus, bare):
            decide(each, raws[3])
            decide(each, *raws[:3])
        assert consensus.head == bare.head
        assert list(consensus.executor.store.scan(Table.STATE)) == list(bare.executor.store.scan(Table.STATE))


def test_uses_a_kept_result_only_for_the_very_same_block(monkeypatch: pytest.MonkeyPatch) -> None:
    with driven() as consensus:
        applied: list[int] = []
        apply = consensus.executor.apply

        def counted(block: Any) -> Any:
            applied.append(block.time_ms)
            return apply(block)

        monkeypatch.setattr(consensus.executor, "apply", counted)
        signing = Signing(consensus.executor.chain_id)
        block = following(consensus, signing.pay(0, 1))
        assert consensus.judge(block) is None
        assert consensus.judge(block) is None
        consensus.discard(consensus.carry_out(block))
        assert applied == [block.time_ms]
        later = block._replace(time_ms=block.time_ms + 1)
        assert consensus.judge(block) is None
        consensus.commit(consensus.carry_out(later))
        assert applied == [block.time_ms, block.time_ms, later.time_ms]
        assert consensus.head.time_ms == later.time_ms


def test_what_is_staged_while_others_vote_is_used_once_and_only_for_the_very_same_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with driven() as consensus, driven() as bare:
        staged: list[int] = []
        stage = consensus.executor.stage

        def counted(block: Any, result: Any) -> Any:
            staged.append(block.time_ms)
            return stage(block, result)

        monkeypatch.setattr(consensus.executor, "stage", counted)
        signing = Signing(consensus.executor.chain_id)
        raws = [signing.pay(0, 1, n) for n in range(1, 4)]
        first, other = following(consensus, raws[0]), following(consensus, raws[1])._replace(time_ms=10**13)
        consensus.stage(first)
        assert staged == [], "nobody has judged it"
        for block in (first, other):
            assert consensus.judge(block) is None
            consensus.stage(block)
            consensus.stage(block)
        assert staged == [first.time_ms, other.time_ms]
        decide(consensus, raws[0])
        assert staged == [first.time_ms, other.time_ms, first.time_ms]
        later = following(consensus, raws[2])
        assert consensus.judge(later) is None
        consensus.stage(later)
        decide(consensus, raws[2])
        consensus.stage(later)
        assert staged[3:] == [later.time_ms]
        for raw in (raws[0], raws[2]):
            decide(bare, raw)
        assert consensus.head == bare.head
        assert list(consensus.executor.store.scan(Table.STATE)) == list(bare.executor.store.scan(Table.STATE))


def test_misbehaviour_is_part_of_what_a_result_is_kept_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with driven() as consensus:
        raw = Signing(consensus.executor.chain_id).pay(0, 1)
        told = following(consensus, raw)._replace(misbehaviour=(world.misbehaviour(1),))
        assert consensus.propose(told, BLOCK_BYTES_MAX) == (raw,)
        silent = consensus.carry_out(told._replace(misbehaviour=()))
        consensus.discard(silent)
        assert consensus.judge(told) is None

        def again(_: Any) -> Any:
            raise AssertionError("the result was kept")

        monkeypatch.setattr(consensus.executor, "apply", again)
        carried_out = consensus.carry_out(told)
        assert carried_out.codes == silent.codes == (0,)
        assert carried_out.staged.head.app_hash != silent.staged.head.app_hash


def test_a_transaction_that_raises_is_found_beside_misbehaviour() -> None:
    address = world.misbehaviour(1).address

    def fails(state: Any, _operation: Any) -> bool:
        return state.get(misbehaviour(address)) is not None

    with driven(failing_schedule(fails)) as consensus:
        told = following(consensus, Signing(consensus.executor.chain_id).pay(0, 1))
        assert consensus.propose(told, BLOCK_BYTES_MAX) == told.transactions
        assert consensus.propose(told._replace(misbehaviour=(world.misbehaviour(1),)), BLOCK_BYTES_MAX) == ()


def test_tells_of_validators_that_come_change_and_go() -> None:
    one, two = (world.signer(f"validator {number}").public_key for number in range(2))
    changes: Sequence[tuple[SetValidator, Validator]] = [
        (SetValidator(one, 7, "world"), Validator(one, 7)),
        (SetValidator(two, 1, "world"), Validator(two, 1)),
        (SetValidator(one, 9, "world"), Validator(one, 9)),
        (SetValidator(VALIDATOR.public_key, 0, "world"), Validator(VALIDATOR.public_key, 0)),
    ]
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        for number, (action, update) in enumerate(changes):
            *before, carrying = signing.decide(action, number)
            assert decide(consensus, *before).validators == ()
            assert decide(consensus, carrying).validators == (update,)


def test_stops_before_a_height_whose_rules_it_lacks() -> None:
    with driven() as consensus:
        signing = Signing(consensus.executor.chain_id)
        height = consensus.head.height + 3
        assert decide(consensus, *signing.decide(ActivateRules("identity", 2, height), 1)).codes == (0, 0, 0)
        decide(consensus)
        before = consensus.head
        for ask in (
            lambda: propose(consensus, signing.pay(0, 1)),
            lambda: consensus.judge(following(consensus)),
            lambda: consensus.carry_out(following(consensus)),
        ):
            with pytest.raises(UnknownRules):
                ask()
        assert consensus.head == before


def test_verification_forgets_the_oldest_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    signing = Signing(chain_id(funded()))
    raws = [signing.pay(0, 1) for _ in range(10)]
    monkeypatch.setattr("fujie.engine.cometbft.verifying.KNOWN_BYTES_MAX", sum(map(len, raws[:4])))
    verification = Verification(use_worker=False)
    assert verification.verdicts(raws) == [0] * 10
    verified: list[bytes] = []

    def counted(raw: bytes) -> int:
        verified.append(raw)
        return verdict(raw)

    monkeypatch.setattr("fujie.engine.cometbft.verifying.verdict", counted)
    assert verification.verdicts(raws[6:]) == [0] * 4
    assert verified == []
    verification.verdicts(raws[:1])
    assert verified == raws[:1]


def test_verification_goes_on_when_its_worker_is_killed() -> None:
    signing = Signing(chain_id(funded()))
    verification = Verification()
    try:
        good = [signing.pay(0, 1) for _ in range(30)]
        assert verification.verdicts(good) == [0] * 30
        worker = verification._worker
        assert worker is not None
        worker._process.kill()
        worker._process.wait()
        more = [signing.pay(0, 1) for _ in range(30)]
        bad = [with_other_signature(raw) for raw in more]
        invalid = int(TransactionReason.SIGNATURE_INVALID)
        assert verification.verdicts([*more, *bad]) == [0] * 30 + [invalid] * 30
    finally:
        verification.close()
