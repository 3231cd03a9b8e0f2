"""Allocation by each rule, one and in bulk, up to the whole codebook."""

from fujie.core import identifiers
from fujie.core.codebook import Level
from fujie.core.encoding import encode
from fujie.core.limits import BULK_ITEMS_MAX, TRANSACTION_BYTES_MAX
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.modules.identity import invariants, queries
from fujie.modules.identity.events import Allocated
from fujie.modules.identity.operations import Allocate, AllocateFromCodebook, AllocateMany, BindAlias, CodebookRange
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import AliasName, Evidence, Status
from fujie.modules.identity.transitions import ROOM_V1
from tests.unit.modules.harness import key_pair, policy_of
from tests.unit.modules.identity.registry import (
    BY_CODEBOOK,
    BY_NUMBER,
    CITY,
    COUNTRY,
    FREELY,
    OFFICE,
    OWNER,
    QUOTA,
    ROOT,
    SERIES,
    SHIJIAZHUANG,
    allocated,
    book,
    from_codebook,
    named,
    numbered,
    one_range,
    record,
    registry,
    run,
    terms,
    town,
)

GAS = f"{SHIJIAZHUANG}.GAS"


def test_root_authority_allocates_a_country_with_its_terms():
    bench = registry()
    item = named("392", kind="country", controllers=policy_of([OWNER]), delegation=FREELY)
    assert allocated(bench, Allocate("ZZ", item), by=ROOT) == ("ZZ.392",)
    assert allocated(bench, Allocate("ZZ.392", named("TOKYO")), by=OWNER) == ("ZZ.392.TOKYO",)


def test_codebook_decides_node_kind_name_alias_and_evidence():
    bench = town()
    event = run(bench, from_codebook(SHIJIAZHUANG, "130111"), by=CITY)
    assert event == Allocated(SHIJIAZHUANG, (f"{SHIJIAZHUANG}.11",))
    county = record(bench, f"{SHIJIAZHUANG}.11")
    assert (county.kind, county.name) == ("county", book().entry("130111").name)
    assert county.evidence == Evidence(book().edition, "130111")
    assert county.aliases == (AliasName(SERIES, "130111"),)
    alias = queries.alias(bench, SERIES, "130111")
    assert alias is not None
    assert (alias.identifier, alias.since_ms, alias.until_ms) == (county.identifier, bench.time_ms, None)
    assert (county.standing.number, county.standing.created_ms) == (1, bench.time_ms)


def test_a_city_is_shown_within_its_province_and_stands_under_the_country():
    city = record(town(), SHIJIAZHUANG)
    assert (city.kind, city.within) == ("city", "ZZ.156.13")


def test_a_province_and_its_city_are_allocated_in_one_operation():
    bench = registry()
    assert allocated(bench, from_codebook("ZZ.156", "320000", "320100"), by=COUNTRY) == ("ZZ.156.32", "ZZ.156.3201")


def test_a_district_of_a_municipality_stands_under_the_province():
    bench = registry()
    run(bench, from_codebook("ZZ.156", "110000", delegation=BY_CODEBOOK), by=COUNTRY)
    assert allocated(bench, from_codebook("ZZ.156.11", "110101"), by=COUNTRY) == ("ZZ.156.11.0101",)


def test_sequence_counts_on_and_pads():
    bench = town()
    run(bench, Allocate(GAS, named("LAMP", delegation=BY_NUMBER)), by=OFFICE)
    many = AllocateMany(f"{GAS}.LAMP", (numbered(), named("SPARE"), numbered()))
    assert allocated(bench, many, by=OFFICE) == (f"{GAS}.LAMP.001", f"{GAS}.LAMP.SPARE", f"{GAS}.LAMP.002")
    assert allocated(bench, Allocate(f"{GAS}.LAMP", numbered()), by=OFFICE) == (f"{GAS}.LAMP.003",)
    assert queries.usage(bench, f"{GAS}.LAMP").allocated == 4


def test_free_rule_takes_digits_as_well():
    assert allocated(town(), Allocate(GAS, named("000123")), by=OFFICE) == (f"{GAS}.000123",)


def test_an_identifier_without_controllers_is_controlled_by_its_allocator():
    bench = town()
    run(bench, Allocate(GAS, named("A", delegation=FREELY)), by=OFFICE)
    run(bench, Allocate(f"{GAS}.A", named("B")), by=OFFICE)
    assert queries.governing_policy(bench, f"{GAS}.A.B") == policy_of([OFFICE])
    assert queries.controller(bench, f"{GAS}.A.B").prefix == GAS
    assert queries.governing_policy(bench, "ZZ.156") == policy_of([COUNTRY])


def test_within_may_name_what_the_same_operation_allocates_before():
    bench = town()
    run(bench, AllocateMany(GAS, (named("A"), named("B", within=f"{GAS}.A"))), by=OFFICE)
    assert record(bench, f"{GAS}.B").within == f"{GAS}.A"


def test_a_refused_item_leaves_nothing_of_a_bulk():
    bench = town()
    before = bench.image()
    operation = AllocateMany(GAS, (named("A"), named("B", within="ZZ.156.99")))
    bench.refuses(IdentityReason.WITHIN_UNKNOWN, ROOM_V1, operation, signers=[OFFICE])
    assert bench.image() == before


def test_a_bulk_is_charged_as_one_operation():
    bench = town()
    before = queries.usage(bench, GAS).meter
    run(bench, AllocateMany(GAS, tuple(named(f"N{number}") for number in range(50))), by=OFFICE)
    after = queries.usage(bench, GAS).meter
    assert after.used == (before.used + 1 if after.window == before.window else 1)


def test_root_prefix_is_live_and_an_unknown_identifier_is_not():
    bench = town()
    assert queries.is_live(bench, "ZZ.156")
    assert not queries.is_live(bench, "ZZ.156.99")


def test_the_largest_bulk_fits_a_transaction():
    items = tuple(named(f"N{number:05}", name="中" * 20) for number in range(BULK_ITEMS_MAX))
    assert len(encode(AllocateMany(GAS, items))) < TRANSACTION_BYTES_MAX - 2_000
    # Five hundred neighbours of the codebook, counties and all, with one path.
    assert len(encode(AllocateFromCodebook("ZZ.156", book().edition, (one_range("110000", BULK_ITEMS_MAX),)))) < 32_768


def start_operations() -> list[tuple[Operation, bytes]]:
    """The whole codebook as the first start allocates it, without the keys: (operation, public key that must sign)."""
    entries = book().entries
    provinces = tuple(
        one_range(entry.code, delegation=BY_CODEBOOK) for entry in entries if entry.level is Level.PROVINCE
    )
    operations: list[tuple[Operation, bytes]] = [
        (AllocateFromCodebook("ZZ.156", book().edition, provinces), COUNTRY.public_key)
    ]
    cities = [entry for entry in entries if entry.level is Level.PREFECTURE]
    for start in range(0, len(cities), 100):
        ranges = tuple(
            one_range(entry.code, controllers=policy_of([city_key(entry.code)]), delegation=BY_CODEBOOK)
            for entry in cities[start : start + 100]
        )
        operations.append((AllocateFromCodebook("ZZ.156", book().edition, ranges), COUNTRY.public_key))
    for parent in (entry for entry in entries if entry.level is not Level.COUNTY):
        ranges = county_ranges(parent.code)
        if ranges:
            prefix = book().identifier("ZZ.156", parent.code)
            key = COUNTRY if parent.level is Level.PROVINCE else city_key(parent.code)
            operations.append((AllocateFromCodebook(prefix, book().edition, ranges), key.public_key))
    return operations


def city_key(code: str) -> Signer:
    return key_pair(1_000_000 + int(code))


def county_ranges(parent: str) -> tuple[CodebookRange, ...]:
    """Counties of a division in runs of neighbours."""
    runs: list[list[int]] = []
    for entry in book().children(parent):
        if entry.level is not Level.COUNTY:
            continue
        index = book().index(entry.code)
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return tuple(one_range(book().entries[run[0]].code, len(run)) for run in runs)


def test_the_whole_codebook_is_allocated_each_division_once_and_by_its_own_registrar():
    bench = registry()
    signers = {city_key(entry.code).public_key: city_key(entry.code) for entry in book()} | {
        COUNTRY.public_key: COUNTRY
    }
    for operation, key in start_operations():
        assert len(encode(operation)) < TRANSACTION_BYTES_MAX - 1_000
        bench.run(ROOM_V1, operation, signers=[signers[key]])
    for entry in book():
        identifier = book().identifier("ZZ.156", entry.code)
        found = record(bench, identifier)
        assert (found.name, found.status) == (entry.name, Status.ACTIVE)
        alias = queries.alias(bench, SERIES, entry.code)
        assert alias is not None
        assert alias.identifier == identifier
    assert queries.usage(bench, "ZZ.156").allocated == 34 + 333
    assert terms(bench, SHIJIAZHUANG).terms.quota == QUOTA
    identities = [path for path, _ in bench.leaves() if path.startswith("identity/id/")]
    assert len(identities) == book().size + 1
    assert all(identifiers.is_identifier(path.removeprefix("identity/id/")) for path in identities)
    assert bench.check(invariants.Checker()) == []
    run(bench, BindAlias(SHIJIAZHUANG, "MA", "MA.156.1301/1", b""), by=COUNTRY)
