"""Whatever is asked, in whatever order: nothing twice, nothing outside its prefix, nothing above a quota."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fujie.core import identifiers
from fujie.core.errors import Refused
from fujie.core.room import Operation
from fujie.modules.identity import invariants, queries
from fujie.modules.identity.events import Allocated
from fujie.modules.identity.operations import (
    Allocate,
    AllocateMany,
    AmendDelegation,
    BindAlias,
    Delegate,
    ReleaseAlias,
    Restore,
    Retire,
    RotateControllers,
    RotateRegistrar,
    Suspend,
    UpdateRecord,
)
from fujie.modules.identity.records import Status
from fujie.modules.identity.transitions import ROOM_V1
from tests.unit.modules.harness import policy_of
from tests.unit.modules.identity.registry import (
    BY_CODEBOOK,
    BY_NUMBER,
    CITY,
    COUNTRY,
    FREELY,
    OFFICE,
    ROOT,
    SHIJIAZHUANG,
    from_codebook,
    named,
    numbered,
    run,
    town,
)

GAS = f"{SHIJIAZHUANG}.GAS"
EVERYONE = [ROOT, COUNTRY, CITY, OFFICE]
QUOTAS = st.integers(0, 4)
POST, LAMP = f"{GAS}.A", f"{GAS}.B"  # delegated from the beginning: names within a small quota, and numbers
START = AllocateMany(
    GAS,
    (
        named("A", delegation=replace(FREELY, quota=3)),
        named("B", delegation=replace(BY_NUMBER, width=1, quota=12), controllers=policy_of([CITY])),
    ),
)
TARGETS = st.sampled_from(
    [GAS, POST, POST, LAMP, LAMP, f"{POST}.A", f"{POST}.1", f"{LAMP}.1", f"{LAMP}.2", SHIJIAZHUANG]
)
TERMS = st.builds(
    lambda terms, quota: replace(terms, quota=quota),
    st.sampled_from([replace(BY_NUMBER, width=1), FREELY, BY_CODEBOOK]),
    QUOTAS,
)
CONTROLLERS = st.sampled_from([None, policy_of([OFFICE]), policy_of([CITY])])
ITEMS = st.one_of(
    st.builds(
        lambda node, terms, controllers: named(node, delegation=terms, controllers=controllers),
        st.sampled_from(["A", "B", "1", "01"]),
        st.none() | TERMS,
        CONTROLLERS,
    ),
    st.builds(lambda terms: numbered(delegation=terms), st.none() | TERMS),
)
NUMBERS = st.lists(st.just(numbered()), min_size=1, max_size=5)
ALLOCATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Allocate, TARGETS, ITEMS),
    st.builds(
        lambda prefix, items: AllocateMany(prefix, tuple(items)), TARGETS, st.lists(ITEMS, min_size=1, max_size=3)
    ),
    st.builds(lambda items: AllocateMany(LAMP, tuple(items)), NUMBERS),
    st.sampled_from([from_codebook(SHIJIAZHUANG, "130102"), from_codebook(SHIJIAZHUANG, "130104", "130102")]),
)
CHANGES: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Delegate, TARGETS, TERMS),
    st.builds(AmendDelegation, TARGETS, TERMS),
    st.builds(RotateRegistrar, TARGETS, CONTROLLERS),
    st.builds(RotateControllers, TARGETS, CONTROLLERS),
    st.builds(lambda target, number: UpdateRecord(target, number, "N", (), b"", ""), TARGETS, st.integers(1, 3)),
    st.builds(Retire, TARGETS),
    st.builds(Suspend, TARGETS),
    st.builds(Restore, TARGETS),
    st.builds(BindAlias, TARGETS, st.just("OID"), st.sampled_from(["1", "2"]), st.just(b"")),
    st.builds(ReleaseAlias, TARGETS, st.just("OID"), st.sampled_from(["1", "2"])),
)
OPERATIONS = st.one_of(ALLOCATIONS, ALLOCATIONS, CHANGES)


@given(st.lists(OPERATIONS, min_size=5, max_size=30))
def test_no_sequence_breaks_the_distribution_rule(operations):
    bench = town()
    run(bench, START, by=OFFICE)
    given_out = {"ZZ.156", "ZZ.156.13", SHIJIAZHUANG, GAS, POST, LAMP}
    retired: set[str] = set()
    for operation in operations:
        try:
            event = bench.run(ROOM_V1, operation, signers=EVERYONE)
        except Refused:
            continue
        if isinstance(event, Allocated):
            assert not given_out & set(event.identifiers), "allocated twice"
            assert len(set(event.identifiers)) == len(event.identifiers), "allocated twice at once"
            given_out |= set(event.identifiers)
            for identifier in event.identifiers:
                assert identifiers.is_identifier(identifier)
                assert identifiers.parent(identifier) == event.namespace, "outside its prefix"
            terms = queries.namespace(bench, event.namespace)
            assert terms is not None
            children = sum(identifiers.parent(identifier) == event.namespace for identifier in given_out)
            assert children <= terms.terms.quota, "above its quota"
        for identifier in retired:
            found = queries.identity(bench, identifier)
            assert found is not None
            assert found.status is Status.RETIRED, "a tombstone was lifted"
        retired |= {name for name in given_out if (at := queries.identity(bench, name)) and at.status is Status.RETIRED}
    assert bench.check(invariants.Checker()) == []
