"""Every invariant finds the corruption that is planted for it, and nothing where there is none."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

import fujie.modules.identity as room
from fujie.core.meter import UNUSED
from fujie.core.state import Key, T
from fujie.modules.identity import invariants, queries, state_keys
from fujie.modules.identity.operations import (
    Allocate,
    AllocateMany,
    BindAlias,
    ReleaseAlias,
    Retire,
    Suspend,
    UpdateRecord,
)
from fujie.modules.identity.records import AliasName, Evidence, Namespace, Series, Status, Usage
from tests.unit.modules.harness import Bench
from tests.unit.modules.identity.registry import (
    BY_NUMBER,
    CITY,
    OFFICE,
    SERIES,
    SHIJIAZHUANG,
    book,
    from_codebook,
    named,
    numbered,
    record,
    run,
    town,
    unsound,
)

GAS = f"{SHIJIAZHUANG}.GAS"
LAMP = f"{GAS}.LAMP"


def lived_in() -> Bench:
    """A chain on which something of everything has happened."""
    bench = town()
    run(bench, from_codebook(SHIJIAZHUANG, "130102", "130104"), by=CITY)
    run(bench, Allocate(GAS, named("LAMP", delegation=BY_NUMBER, within=GAS)), by=OFFICE)
    run(bench, AllocateMany(LAMP, (numbered(), named("SPARE"), numbered())), by=OFFICE)
    run(bench, BindAlias(GAS, "OID", "1.2", b""), by=CITY)
    run(bench, BindAlias(GAS, "USCC", "91", b""), by=CITY)
    run(bench, ReleaseAlias(GAS, "USCC", "91"), by=CITY)
    run(bench, UpdateRecord(GAS, 4, "Gas", (("a", "1"), ("b", "2")), b"", ""), by=OFFICE)
    run(bench, BindAlias(LAMP, "OID", "1.3", b""), by=OFFICE)
    run(bench, Retire(f"{LAMP}.001"), by=OFFICE)
    run(bench, Retire(f"{SHIJIAZHUANG}.02"), by=CITY)
    run(bench, Suspend(f"{LAMP}.002"), by=OFFICE)
    return bench


def change(key: Key[T], alter: Callable[[T], T]) -> Callable[[Bench], None]:
    def plant(bench: Bench) -> None:
        found = bench.get(key)
        assert found is not None
        bench.plant(key, alter(found))

    return plant


def aliased_tombstone(bench: Bench) -> None:
    tombstone = record(bench, f"{LAMP}.001")
    bench.plant(state_keys.identity(f"{LAMP}.001"), replace(tombstone, aliases=(AliasName("OID", "9"),)))


def another_agency(bench: Bench) -> None:
    agency = queries.namespace(bench, "ZZ")
    assert agency is not None
    bench.plant(state_keys.namespace("XX"), replace(agency, prefix="XX"))


def terms(alter: Callable[[Namespace], Namespace], prefix: str = GAS) -> Callable[[Bench], None]:
    return change(state_keys.namespace(prefix), alter)


IDENTITY = state_keys.identity(GAS)
ALIAS = state_keys.alias("OID", "1.2")
USAGE = state_keys.usage(GAS)
CORRUPTIONS: list[tuple[str, str, Callable[[Bench], None]]] = [
    ("leaf-at-its-path", "another's record", change(IDENTITY, lambda i: replace(i, identifier="ZZ.156.X"))),
    ("leaf-at-its-path", "an unknown path", lambda b: b.plant(Key("identity/odd", state_keys.SERIES), Series("A", "a", 1))),
    ("agency-stands", "gone", lambda b: b.uproot(state_keys.AGENCY_KEY)),
    ("parent-delegated", "namespace gone", lambda b: b.uproot(state_keys.namespace(GAS))),
    ("namespace-of-an-identifier", "identity gone", lambda b: b.uproot(IDENTITY)),
    ("namespace-of-an-identifier", "another agency", another_agency),
    ("within-exists", "nowhere", change(IDENTITY, lambda i: replace(i, within="ZZ.156.99"))),
    ("within-exists", "itself", change(IDENTITY, lambda i: replace(i, within=GAS))),
    ("children-counted", "one too many", change(USAGE, lambda u: replace(u, allocated=u.allocated + 1))),
    ("children-counted", "one retired too few", change(state_keys.usage(LAMP), lambda u: replace(u, retired=0))),
    ("children-counted", "no counters", lambda b: b.uproot(USAGE)),
    ("children-counted", "a child gone", lambda b: b.uproot(state_keys.identity(f"{LAMP}.SPARE"))),
    ("within-quota", "quota too low", terms(lambda n: replace(n, terms=replace(n.terms, quota=0)))),
    ("sequence-counted", "a number skipped", change(state_keys.usage(LAMP), lambda u: replace(u, next_number=9))),
    ("sequence-counted", "no sequence", change(USAGE, lambda u: replace(u, next_number=2))),
    ("usage-of-an-identifier", "of nobody", lambda b: b.plant(state_keys.usage("ZZ.156.99"), Usage(0, 0, 1, UNUSED))),
    ("usage-of-an-identifier", "counters", lambda b: b.plant(state_keys.usage(f"{LAMP}.002"), Usage(1, 0, 1, UNUSED))),
    ("retired-has-no-live-child", "retired", change(IDENTITY, lambda i: replace(i, status=Status.RETIRED, aliases=()))),
    ("retired-has-no-alias", "listed", aliased_tombstone),
    ("alias-of-a-live-identifier", "retired", change(IDENTITY, lambda i: replace(i, status=Status.RETIRED))),
    ("alias-of-a-live-identifier", "unknown", change(ALIAS, lambda a: replace(a, identifier="ZZ.156.99"))),
    ("alias-listed", "not listed", change(IDENTITY, lambda i: replace(i, aliases=()))),
    ("alias-listed", "not bound", lambda b: b.uproot(ALIAS)),
    ("alias-listed", "of another", change(ALIAS, lambda a: replace(a, identifier=LAMP))),
    ("alias-interval", "backwards", change(state_keys.alias("USCC", "91"), lambda a: replace(a, until_ms=0))),
    ("editions-counted", "one too many", change(state_keys.series(SERIES), lambda s: replace(s, editions=2))),
    ("editions-counted", "edition gone", lambda b: b.uproot(state_keys.codebook(book().edition))),
    ("evidence-registered", "unknown", change(IDENTITY, lambda i: replace(i, evidence=Evidence("none", "1")))),
    ("series-registered", "unknown", terms(lambda n: replace(n, terms=replace(n.terms, series="NONE")), SHIJIAZHUANG)),
    ("terms-consistent", "width", terms(lambda n: replace(n, terms=replace(n.terms, width=3)))),
    ("key-policies-sound", "controllers", change(IDENTITY, lambda i: replace(i, controllers=unsound()))),
    ("key-policies-sound", "registrar", terms(lambda n: replace(n, terms=replace(n.terms, controllers=unsound())))),
    ("lists-in-order", "attributes", change(IDENTITY, lambda i: replace(i, attributes=i.attributes[::-1]))),
    ("lists-in-order", "aliases", change(IDENTITY, lambda i: replace(i, aliases=i.aliases * 2))),
    ("standing-consistent", "no link", change(IDENTITY, lambda i: replace(i, standing=replace(i.standing, previous=b"")))),
    ("standing-consistent", "older than itself", change(ALIAS, lambda a: replace(a, standing=replace(a.standing, since_ms=0)))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("invariant", "claim", "plant"), CORRUPTIONS, ids=[f"{name}-{claim}" for name, claim, _ in CORRUPTIONS]
)
def test_finds(invariant: str, claim: str, plant: Callable[[Bench], None]):
    bench = lived_in()
    plant(bench)
    assert invariant in {finding.invariant for finding in bench.check(invariants.Checker())}


def test_finds_nothing_on_a_healthy_chain():
    assert lived_in().check(invariants.Checker()) == []


def test_finds_nothing_on_a_chain_without_the_room():
    assert list(invariants.Checker().findings()) == []


def test_every_invariant_of_the_page_is_planted_and_none_besides():
    page = (Path(room.__file__).parent / "README.md").read_text(encoding="utf-8")
    section = page.split("## Invariants")[1]
    assert {name for name, _, _ in CORRUPTIONS} == set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
