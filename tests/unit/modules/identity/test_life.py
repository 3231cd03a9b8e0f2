"""What happens to an identifier after its allocation: delegation, records, keys, suspension, aliases, the end."""

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import VerificationError
from fujie.core.reasons import TransactionReason
from fujie.modules.identity import events, queries, state_keys
from fujie.modules.identity.operations import (
    Allocate,
    AmendDelegation,
    BindAlias,
    Delegate,
    RegisterCodebook,
    ReleaseAlias,
    Restore,
    Retire,
    RotateControllers,
    RotateRegistrar,
    Suspend,
    UpdateRecord,
    WithdrawCodebook,
)
from fujie.modules.identity.records import AliasName, EditionStatus, Rule, Status
from fujie.modules.identity.transitions import ROOM_V1
from fujie.proof import past
from tests.unit.modules.harness import policy_of
from tests.unit.modules.identity.registry import (
    CITY,
    COUNTRY,
    FREELY,
    OFFICE,
    OWNER,
    ROOT,
    SERIES,
    SHIJIAZHUANG,
    allocated,
    book,
    from_codebook,
    named,
    record,
    run,
    terms,
    town,
)

GAS = f"{SHIJIAZHUANG}.GAS"
NEW = policy_of([OWNER])


def test_a_registered_edition_of_the_series_rules_every_prefix_at_once():
    bench = town()
    event = run(bench, RegisterCodebook("later-1", SERIES, book().root, book().size, "Later", ""), by=ROOT)
    assert event == events.CodebookRegistered("later-1", SERIES)
    assert run(bench, WithdrawCodebook(book().edition), by=ROOT) == events.CodebookWithdrawn(book().edition)
    edition = queries.codebook(bench, book().edition)
    assert edition is not None
    assert (edition.status, edition.standing.number) == (EditionStatus.WITHDRAWN, 2)
    operation = replace(from_codebook(SHIJIAZHUANG, "130102"), edition="later-1")
    assert allocated(bench, operation, by=CITY) == (f"{SHIJIAZHUANG}.02",)


def test_delegation_after_allocation_opens_a_prefix():
    bench = town()
    run(bench, Allocate(GAS, named("A")), by=OFFICE)
    event = run(bench, Delegate(f"{GAS}.A", replace(FREELY, controllers=NEW)), by=OFFICE)
    assert event == events.Delegated(f"{GAS}.A", Rule.FREE, 1)
    assert allocated(bench, Allocate(f"{GAS}.A", named("B")), by=OWNER) == (f"{GAS}.A.B",)
    bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, Allocate(f"{GAS}.A", named("C")), signers=[OFFICE])


def test_delegation_keeps_the_meter_that_an_identifier_has_used():
    bench = town()
    run(bench, Allocate(GAS, named("A", controllers=NEW)), by=OFFICE)
    run(bench, UpdateRecord(f"{GAS}.A", 1, "Valve", (), b"", ""), by=OWNER)
    used = queries.usage(bench, f"{GAS}.A").meter
    run(bench, Delegate(f"{GAS}.A", FREELY), by=OFFICE)
    assert queries.usage(bench, f"{GAS}.A").meter == used


def test_amended_terms_hold_from_then_on_and_the_old_ones_are_kept():
    bench = town()
    before = terms(bench, GAS)
    assert run(bench, AmendDelegation(GAS, replace(FREELY, quota=5)), by=CITY) == events.Delegated(GAS, Rule.FREE, 2)
    after = terms(bench, GAS)
    assert after.terms.quota == 5
    assert bench.archived(after.standing.previous) == encode(before)


def test_rule_may_change_while_nothing_was_allocated():
    bench = town()
    run(bench, AmendDelegation(GAS, replace(FREELY, rule=Rule.SEQUENCE, width=2)), by=CITY)
    assert terms(bench, GAS).terms.rule is Rule.SEQUENCE


def test_registrar_is_named_by_the_controller_and_given_back():
    bench = town()
    assert run(bench, RotateRegistrar(GAS, NEW), by=OFFICE) == events.RegistrarRotated(GAS, 2)
    bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, Allocate(GAS, named("A")), signers=[OFFICE])
    run(bench, Allocate(GAS, named("A")), by=OWNER)
    run(bench, RotateRegistrar(GAS, None), by=OFFICE)
    run(bench, Allocate(GAS, named("B")), by=OFFICE)


def test_root_authority_names_a_registrar_of_the_agency():
    bench = town()
    run(bench, RotateRegistrar("ZZ", NEW), by=ROOT)
    assert allocated(bench, Allocate("ZZ", named("392")), by=OWNER) == ("ZZ.392",)
    assert queries.usage(bench, "ZZ").meter.used == 1


def test_controllers_with_a_threshold_act_together_only():
    bench = town()
    both = policy_of([OWNER, CITY])
    assert run(bench, RotateControllers(GAS, both), by=OFFICE) == events.ControllersRotated(GAS, 2)
    update = UpdateRecord(GAS, 2, "Gas works", (), b"", "")
    bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, update, signers=[OWNER])
    assert run(bench, update, by=[OWNER, CITY]) == events.RecordUpdated(GAS, 3)


def test_controllers_given_back_leave_the_identifier_to_its_allocator():
    bench = town()
    run(bench, RotateControllers(GAS, None), by=OFFICE)
    run(bench, UpdateRecord(GAS, 2, "Gas works", (("phone", "110"),), bytes(32), "ZZ.156.13"), by=CITY)
    found = record(bench, GAS)
    assert (found.name, found.attributes, found.content, found.within) == (
        "Gas works",
        (("phone", "110"),),
        bytes(32),
        "ZZ.156.13",
    )


def test_update_of_a_city_keeps_what_the_codebook_decided():
    bench = town()
    before = record(bench, SHIJIAZHUANG)
    run(bench, UpdateRecord(SHIJIAZHUANG, 1, before.name, (("seat", "Chang'an"),), b"", before.within), by=CITY)
    after = record(bench, SHIJIAZHUANG)
    assert (after.name, after.kind, after.evidence, after.aliases) == (
        before.name,
        before.kind,
        before.evidence,
        before.aliases,
    )


def test_suspension_ends_with_restoration_and_spares_what_stands_below():
    bench = town()
    run(bench, Allocate(GAS, named("A", controllers=NEW)), by=OFFICE)
    assert run(bench, Suspend(GAS), by=CITY) == events.Suspended(GAS)
    assert not queries.is_live(bench, GAS)
    assert queries.is_live(bench, f"{GAS}.A")
    run(bench, UpdateRecord(f"{GAS}.A", 1, "Valve", (), b"", ""), by=OWNER)
    assert run(bench, Restore(GAS), by=CITY) == events.Restored(GAS)
    assert queries.is_live(bench, GAS)


def test_a_suspended_registrar_is_replaced_by_the_level_above():
    bench = town()
    run(bench, Suspend(GAS), by=CITY)
    run(bench, AmendDelegation(GAS, replace(FREELY, controllers=NEW)), by=CITY)
    run(bench, Restore(GAS), by=CITY)
    run(bench, Allocate(GAS, named("A")), by=OWNER)


def test_retired_identifier_keeps_its_record_and_frees_its_codes():
    bench = town()
    run(bench, BindAlias(GAS, "USCC", "91130100", b""), by=CITY)
    assert run(bench, Retire(GAS), by=OFFICE) == events.Retired(GAS, 1)
    found = record(bench, GAS)
    assert (found.status, found.aliases, found.name) == (Status.RETIRED, (), "Asset GAS")
    alias = queries.alias(bench, "USCC", "91130100")
    assert alias is not None
    assert alias.until_ms == bench.time_ms
    assert queries.usage(bench, SHIJIAZHUANG).retired == 1
    run(bench, Retire(SHIJIAZHUANG), by=CITY)


def test_alias_history_proves_whom_a_code_meant_before():
    bench = town()
    run(bench, Allocate(SHIJIAZHUANG, named("H2O")), by=CITY)
    bound = run(bench, BindAlias(GAS, "USCC", "91130100", bytes(32)), by=CITY)
    assert bound == events.AliasBound(GAS, "USCC", "91130100", bench.time_ms)
    while_gas = bench.time_ms
    released = run(bench, ReleaseAlias(GAS, "USCC", "91130100"), by=CITY)
    assert released == events.AliasReleased(GAS, "USCC", "91130100", bench.time_ms)
    assert record(bench, GAS).aliases == ()
    run(bench, BindAlias(f"{SHIJIAZHUANG}.H2O", "USCC", "91130100", b""), by=CITY)
    today = queries.alias(bench, "USCC", "91130100")
    assert today is not None
    assert today.identifier == f"{SHIJIAZHUANG}.H2O"
    path = past.path_to(today, while_gas, bench.archived, state_keys.ALIAS)
    then = past.in_force(today, path, while_gas, state_keys.ALIAS, lambda alias: (alias.scheme, alias.code))
    assert then is not None
    assert then.identifier == GAS


def test_aliases_of_an_identity_ascend_however_they_were_bound():
    bench = town()
    for scheme in ("OID", "MA", "USCC"):
        run(bench, BindAlias(GAS, scheme, "1/2", b""), by=CITY)
    assert record(bench, GAS).aliases == tuple(AliasName(scheme, "1/2") for scheme in ("MA", "OID", "USCC"))


def test_every_past_name_is_proven_from_todays_record():
    bench = town()
    names: list[tuple[int, str]] = []
    for number in range(1, 40):
        run(bench, UpdateRecord(GAS, number, f"Gas {number}", (), b"", ""), by=OFFICE)
        names.append((bench.time_ms, f"Gas {number}"))
    today = record(bench, GAS)
    for time_ms, name in names:
        path = past.path_to(today, time_ms, bench.archived, state_keys.IDENTITY)
        then = past.in_force(today, path, time_ms, state_keys.IDENTITY, lambda identity: identity.identifier)
        assert then is not None
        assert then.name == name
    assert past.in_force(today, [], today.standing.created_ms - 1, state_keys.IDENTITY) is None


def test_the_history_of_another_identifier_is_no_history_of_this_one():
    bench = town()
    run(bench, UpdateRecord(GAS, 1, "Gas", (), b"", ""), by=OFFICE)
    run(bench, RotateControllers(SHIJIAZHUANG, NEW), by=CITY)
    gas, city = record(bench, GAS), record(bench, SHIJIAZHUANG)
    data = bench.archived(city.standing.previous)
    assert data is not None
    with pytest.raises(VerificationError, match="past-link"):
        past.in_force(gas, [data], gas.standing.created_ms, state_keys.IDENTITY)


def test_the_country_suspends_a_city_whose_offices_go_on():
    bench = town()
    run(bench, Suspend(SHIJIAZHUANG), by=COUNTRY)
    run(bench, Allocate(GAS, named("A")), by=OFFICE)
