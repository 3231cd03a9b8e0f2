"""What is told of validators that broke the rules of consensus stands against them, and does nothing else."""

from fujie.core.encoding import encode
from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.modules.membership import invariants, queries, records
from fujie.modules.membership.records import MISBEHAVIOUR_KEPT_MAX, MisbehaviourRecord, SetValidator
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.modules.membership.transitions import ROOM_V1
from fujie.proof.validators import validator_address
from tests.unit.modules.harness import Bench
from tests.unit.modules.membership.test_invariants import misbehaviour
from tests.unit.modules.membership.town import SPARE, decide, town

KEY, OTHER, STRANGER = (signer.public_key for signer in SPARE[:3])


def city() -> Bench:
    """A town with two validators of the tests'."""
    bench = town()
    for number, key in enumerate((KEY, OTHER)):
        decide(bench, SetValidator(key, 5, "court"), number)
    return bench


def record(bench: Bench, public_key: bytes) -> MisbehaviourRecord | None:
    return bench.get(queries.MisbehaviourQuery(validator_address(public_key)).key())


def test_names_the_validator_and_its_organisation():
    bench = city()
    act = misbehaviour(KEY)
    bench.tell(ROOM_V1, act)
    validator = records.Validator(KEY, 5, "court")
    assert record(bench, KEY) == MisbehaviourRecord(act.address, validator, 1, act, (act,))
    assert record(bench, OTHER) is None


def test_records_acts_of_several_validators_and_kinds_in_their_order():
    bench = city()
    acts = [
        misbehaviour(KEY, 4),
        misbehaviour(OTHER, 4, MisbehaviourKind.LIGHT_CLIENT_ATTACK),
        misbehaviour(KEY, 3, MisbehaviourKind.LIGHT_CLIENT_ATTACK),
    ]
    bench.tell(ROOM_V1, *acts)
    first, second = record(bench, KEY), record(bench, OTHER)
    assert first is not None
    assert second is not None
    assert (first.count, first.first, first.newest) == (2, acts[0], (acts[0], acts[2]))
    assert (second.count, second.first, second.newest) == (1, acts[1], (acts[1],))


def test_blocks_apart_give_the_record_that_one_block_gives():
    acts = [misbehaviour(KEY, height) for height in range(5)]
    together, apart = city(), city()
    together.tell(ROOM_V1, *acts)
    for act in acts:
        apart.tell(ROOM_V1, act)
    assert together.image() == apart.image()


def test_keeps_the_first_and_the_newest_and_counts_all():
    bench = city()
    acts = [misbehaviour(KEY, height) for height in range(3 * MISBEHAVIOUR_KEPT_MAX)]
    for act in acts:
        bench.tell(ROOM_V1, act)
    found = record(bench, KEY)
    assert found is not None
    assert found.count == len(acts)
    assert found.first == acts[0]
    assert found.newest == tuple(acts[-MISBEHAVIOUR_KEPT_MAX:])
    assert bench.check(invariants.Checker()) == []


def test_a_kind_that_this_version_does_not_know_is_kept_by_its_number():
    bench = city()
    bench.tell(ROOM_V1, misbehaviour(KEY, kind=77))
    found = record(bench, KEY)
    assert found is not None
    assert found.first.kind == 77


def test_an_address_that_never_stood_in_the_set_is_recorded_without_a_validator():
    bench = city()
    bench.tell(ROOM_V1, misbehaviour(STRANGER))
    found = record(bench, STRANGER)
    assert found is not None
    assert found.validator is None


def test_a_validator_that_has_gone_stays_named():
    bench = city()
    bench.tell(ROOM_V1, misbehaviour(KEY, 4))
    decide(bench, SetValidator(KEY, 0, "court"), 9)
    bench.tell(ROOM_V1, misbehaviour(KEY, 5))
    found = record(bench, KEY)
    assert found is not None
    assert found.validator == records.Validator(KEY, 5, "court")


def test_changes_neither_the_set_nor_anything_else():
    bench = city()
    before = bench.image()
    bench.tell(ROOM_V1, misbehaviour(KEY))
    written = {path for path, data in bench.image().items() if before.get(path) != data}
    assert written == {queries.MisbehaviourQuery(validator_address(KEY)).key().path}
    assert VALIDATORS_KEY.path in before


def test_the_greatest_values_that_consensus_can_tell_survive_the_wire():
    act = Misbehaviour(2**31 - 1, bytes(20), 2**53, 2**53, 2**63 - 1)
    whole = MisbehaviourRecord(bytes(20), None, 2**53, act, (act,) * MISBEHAVIOUR_KEPT_MAX)
    codec = queries.MisbehaviourQuery(bytes(20)).key().codec
    assert codec.decode(encode(whole)) == whole
