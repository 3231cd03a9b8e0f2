"""A row for every reason; rows descend the precedence. Every row also shows that the refusal changed nothing."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from fujie.core.codebook import CodebookEntry, Level, build_path, build_rows
from fujie.core.errors import Reason, Refused
from fujie.core.limits import BULK_ITEMS_MAX
from fujie.core.policy import KeyPolicy
from fujie.core.reasons import TransactionReason
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.modules.identity.operations import (
    Allocate,
    AllocateFromCodebook,
    AllocateMany,
    AmendDelegation,
    BindAlias,
    CodebookItem,
    CodebookRange,
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
from fujie.modules.identity.reasons import IdentityReason as R
from fujie.modules.identity.records import ALIASES_MAX, Delegation
from fujie.modules.identity.transitions import ROOM_V1
from fujie.modules.membership.reasons import MembershipReason
from tests.unit.modules.harness import Bench, policy_of
from tests.unit.modules.identity.registry import (
    BY_CODEBOOK,
    BY_NUMBER,
    CITY,
    COUNTRY,
    FREELY,
    OFFICE,
    OWNER,
    ROOT,
    SERIES,
    SHIJIAZHUANG,
    STRANGER,
    book,
    from_codebook,
    genesis,
    membership,
    named,
    numbered,
    one_range,
    record,
    run,
    town,
    unsound,
)

GAS = f"{SHIJIAZHUANG}.GAS"
COUNTY = f"{SHIJIAZHUANG}.02"
NEW = policy_of([OWNER])
Prepare = Callable[[Bench], Operation]


class Row(NamedTuple):
    reason: Reason
    claim: str
    prepare: Prepare  # leads up to the refusal and returns the operation to be refused
    by: Signer


def plain(operation: Operation) -> Prepare:
    return lambda _bench: operation


def after(*steps: tuple[Operation, Signer], then: Operation) -> Prepare:
    def prepare(bench: Bench) -> Operation:
        for operation, by in steps:
            run(bench, operation, by=by)
        return then

    return prepare


def put(*nodes: str, terms: Delegation = FREELY, under: str = GAS) -> list[tuple[Operation, Signer]]:
    """Steps that allocate nodes below one another, each delegated, by the office."""
    steps: list[tuple[Operation, Signer]] = []
    for node in nodes:
        steps.append((Allocate(under, named(node, delegation=terms)), OFFICE))
        under = f"{under}.{node}"
    return steps


def register(edition: str, series: str, root: bytes = bytes(32), size: int = 1) -> tuple[Operation, Signer]:
    return RegisterCodebook(edition, series, root, size, "", ""), ROOT


def update(
    identifier: str = GAS,
    number: int = 1,
    name: str = "Gas",
    attributes: tuple[tuple[str, str], ...] = (),
    within: str = "",
) -> Operation:
    return UpdateRecord(identifier, number, name, attributes, b"", within)


def odd_entry(bench: Bench) -> Operation:
    """An entry that contradicts itself, in an edition that someone registered all the same."""
    entry = CodebookEntry("130200", Level.COUNTY, "130100", "Odd")
    rows = build_rows([entry])
    run(bench, RegisterCodebook("odd-1", SERIES, rows[-1][0], 1, "", ""), by=ROOT)
    item = CodebookItem(entry, (), None, None)
    return AllocateFromCodebook("ZZ.156", "odd-1", (CodebookRange(0, build_path(rows, 0, 1), (item,)),))


def full_of_aliases(bench: Bench) -> Operation:
    for number in range(ALIASES_MAX):
        run(bench, BindAlias(GAS, "USCC", f"{number:018}", b""), by=CITY)
    return BindAlias(GAS, "USCC", "9" * 18, b"")


def used_up(bench: Bench) -> Operation:
    run(bench, *(step[0] for step in put("POST", terms=replace(BY_NUMBER, width=1))), by=OFFICE)
    run(bench, AllocateMany(f"{GAS}.POST", (numbered(),) * 9), by=OFFICE)
    return Allocate(f"{GAS}.POST", numbered())


ATTRIBUTES = (("b", ""), ("a", ""))
SUSPENDED = (Suspend(GAS), CITY)
RETIRED = (Retire(GAS), OFFICE)
COUNTY_THERE = (from_codebook(SHIJIAZHUANG, "130102"), CITY)
WITHDRAWN = (WithdrawCodebook(book().edition), ROOT)
OTHER = register("other-1", "OTHER", book().root, book().size)

ROWS = [
    Row(R.IDENTIFIER_UNKNOWN, "update", plain(update("ZZ.156.9999")), CITY),
    Row(R.IDENTIFIER_UNKNOWN, "suspend under a known prefix", plain(Suspend(f"{SHIJIAZHUANG}.NONE")), CITY),
    Row(R.NAMESPACE_UNKNOWN, "allocate under an identifier that is no namespace", plain(Allocate("ZZ.156.13", named("A"))), COUNTRY),
    Row(R.NAMESPACE_UNKNOWN, "allocate under another agency", plain(Allocate("XX", named("156"))), ROOT),
    Row(R.NAMESPACE_UNKNOWN, "amend what was never delegated", plain(AmendDelegation("ZZ.156.13", FREELY)), COUNTRY),
    Row(R.NAMESPACE_UNKNOWN, "name a registrar where there is none", plain(RotateRegistrar("ZZ.156.13", None)), COUNTRY),
    Row(R.NAMESPACE_UNKNOWN, "name a registrar of another agency", plain(RotateRegistrar("XX", None)), ROOT),
    Row(TransactionReason.POLICY_NOT_SATISFIED, "a stranger allocates", plain(Allocate(GAS, named("A"))), STRANGER),
    Row(TransactionReason.POLICY_NOT_SATISFIED, "a city allocates under the country", plain(Allocate("ZZ.156", named("A"))), CITY),
    Row(TransactionReason.POLICY_NOT_SATISFIED, "the level above updates a record with its own keys", plain(update()), CITY),
    Row(TransactionReason.POLICY_NOT_SATISFIED, "an office delegates itself", plain(Delegate(GAS, FREELY)), OFFICE),
    Row(TransactionReason.POLICY_NOT_SATISFIED, "an office vouches for its own alias", plain(BindAlias(GAS, "USCC", "1", b"")), OFFICE),
    Row(TransactionReason.POLICY_NOT_SATISFIED, "a country registers a codebook", plain(register("x", "X")[0]), COUNTRY),
    Row(R.AUTHORITY_NOT_ACTIVE, "a suspended city suspends its office", after((Suspend(SHIJIAZHUANG), COUNTRY), then=SUSPENDED[0]), CITY),
    Row(R.AUTHORITY_NOT_ACTIVE, "a suspended office updates what it allocated", after(*put("A"), SUSPENDED, then=update(f"{GAS}.A")), OFFICE),
    Row(R.AUTHORITY_NOT_ACTIVE, "and binds it", after(*put("A"), SUSPENDED, then=BindAlias(f"{GAS}.A", "OID", "1.2", b"")), OFFICE),
    Row(R.AUTHORITY_NOT_ACTIVE, "and allocates under it", after(*put("A"), SUSPENDED, then=Allocate(f"{GAS}.A", named("B"))), OFFICE),
    Row(R.IDENTIFIER_RETIRED, "update", after(RETIRED, then=update()), OFFICE),
    Row(R.IDENTIFIER_RETIRED, "retire again", after(RETIRED, then=RETIRED[0]), OFFICE),
    Row(R.IDENTIFIER_RETIRED, "allocate under it", after(RETIRED, then=Allocate(GAS, named("A"))), OFFICE),
    Row(R.IDENTIFIER_RETIRED, "suspend", after(RETIRED, then=SUSPENDED[0]), CITY),
    Row(R.IDENTIFIER_RETIRED, "restore", after(RETIRED, then=Restore(GAS)), CITY),
    Row(R.IDENTIFIER_RETIRED, "amend", after(RETIRED, then=AmendDelegation(GAS, FREELY)), CITY),
    Row(R.IDENTIFIER_RETIRED, "bind", after(RETIRED, then=BindAlias(GAS, "OID", "1", b"")), CITY),
    Row(R.IDENTIFIER_RETIRED, "release", after(RETIRED, then=ReleaseAlias(GAS, "OID", "1")), CITY),
    Row(R.IDENTIFIER_SUSPENDED, "update", after(SUSPENDED, then=update()), OFFICE),
    Row(R.IDENTIFIER_SUSPENDED, "rotate its way out", after(SUSPENDED, then=RotateControllers(GAS, NEW)), OFFICE),
    Row(R.IDENTIFIER_SUSPENDED, "rotate the registrar", after(SUSPENDED, then=RotateRegistrar(GAS, NEW)), OFFICE),
    Row(R.IDENTIFIER_SUSPENDED, "allocate", after(SUSPENDED, then=Allocate(GAS, named("A"))), OFFICE),
    Row(R.IDENTIFIER_SUSPENDED, "suspend again", after(SUSPENDED, then=SUSPENDED[0]), CITY),
    Row(R.IDENTIFIER_NOT_SUSPENDED, "restore", plain(Restore(GAS)), CITY),
    Row(R.VERSION_NUMBER_DIFFERS, "update of an older version", plain(update(number=0)), OFFICE),
    Row(R.VERSION_NUMBER_DIFFERS, "before the attributes are judged", plain(update(number=2, attributes=ATTRIBUTES)), OFFICE),
    Row(R.CODEBOOK_EDITION_UNKNOWN, "allocate", plain(AllocateFromCodebook(SHIJIAZHUANG, "none", (one_range("130102"),))), CITY),
    Row(R.CODEBOOK_EDITION_UNKNOWN, "withdraw", plain(WithdrawCodebook("none")), ROOT),
    Row(R.CODEBOOK_EDITION_WITHDRAWN, "allocate", after(WITHDRAWN, then=from_codebook(SHIJIAZHUANG, "130102")), CITY),
    Row(R.CODEBOOK_EDITION_WITHDRAWN, "withdraw again", after(WITHDRAWN, then=WITHDRAWN[0]), ROOT),
    Row(R.CODEBOOK_EDITION_EXISTS, "the same edition", plain(register(book().edition, SERIES)[0]), ROOT),
    Row(R.CONTROLLER_POLICY_UNSOUND, "controllers of small order", plain(Allocate(GAS, named("A", controllers=unsound()))), OFFICE),
    Row(R.CONTROLLER_POLICY_UNSOUND, "2 of 1", plain(RotateControllers(GAS, KeyPolicy(2, NEW.keys))), OFFICE),
    Row(R.CONTROLLER_POLICY_UNSOUND, "keys out of order", plain(RotateRegistrar(GAS, KeyPolicy(1, NEW.keys * 2))), OFFICE),
    Row(R.CONTROLLER_POLICY_UNSOUND, "registrar in a delegation", plain(Delegate(GAS, replace(FREELY, controllers=unsound()))), CITY),
    Row(R.ATTRIBUTES_NOT_ASCENDING, "allocate", plain(Allocate(GAS, named("A", attributes=ATTRIBUTES))), OFFICE),
    Row(R.ATTRIBUTES_NOT_ASCENDING, "twice the same", plain(update(attributes=(("a", "1"), ("a", "2")))), OFFICE),
    Row(R.ATTRIBUTES_NOT_ASCENDING, "by codebook", plain(from_codebook(SHIJIAZHUANG, "130102", attributes=ATTRIBUTES)), CITY),
    Row(R.DELEGATION_UNSOUND, "sequence without a width", plain(Delegate(GAS, replace(BY_NUMBER, width=0))), CITY),
    Row(R.DELEGATION_UNSOUND, "free with a width", plain(Delegate(GAS, replace(FREELY, width=1))), CITY),
    Row(R.DELEGATION_UNSOUND, "free without names", plain(Delegate(GAS, replace(FREELY, named=False))), CITY),
    Row(R.DELEGATION_UNSOUND, "codebook without a series", plain(Allocate(GAS, named("A", delegation=replace(BY_CODEBOOK, series="")))), OFFICE),
    Row(R.CODEBOOK_SERIES_UNKNOWN, "delegate", plain(Delegate(GAS, replace(BY_CODEBOOK, series="NONE"))), CITY),
    Row(R.NAMESPACE_EXISTS, "delegate again", plain(Delegate(GAS, FREELY)), CITY),
    Row(R.RULE_FIXED, "another rule after an allocation", after(*put("A"), then=AmendDelegation(GAS, BY_NUMBER)), CITY),
    Row(R.RULE_FIXED, "another width", after(*put("A", terms=BY_NUMBER), (Allocate(f"{GAS}.A", numbered()), OFFICE), then=AmendDelegation(f"{GAS}.A", replace(BY_NUMBER, width=4))), OFFICE),
    Row(R.QUOTA_BELOW_ALLOCATED, "amend", after(*put("A"), then=AmendDelegation(GAS, replace(FREELY, quota=0))), CITY),
    Row(R.BULK_ITEMS_EXCEEDED, "over two ranges", plain(AllocateFromCodebook("ZZ.156", book().edition, (one_range("110000", BULK_ITEMS_MAX), one_range("650000")))), COUNTRY),
    Row(R.ALLOCATION_QUOTA_EXCEEDED, "one too many", after((AmendDelegation(GAS, replace(FREELY, quota=1)), CITY), then=AllocateMany(GAS, (named("A"), named("B")))), OFFICE),
    Row(R.ALLOCATION_QUOTA_EXCEEDED, "retired ones count", after(*put("A"), (AmendDelegation(GAS, replace(FREELY, quota=1)), CITY), (Retire(f"{GAS}.A"), OFFICE), then=Allocate(GAS, named("B"))), OFFICE),
    Row(R.ALLOCATION_QUOTA_EXCEEDED, "by codebook", after((AmendDelegation(SHIJIAZHUANG, replace(BY_CODEBOOK, quota=1)), COUNTRY), then=from_codebook(SHIJIAZHUANG, "130102")), CITY),
    Row(R.RULE_DIFFERS, "a number under a free prefix", plain(Allocate(GAS, numbered())), OFFICE),
    Row(R.RULE_DIFFERS, "a name under a prefix without names", after(*put("A", terms=replace(BY_NUMBER, named=False)), then=Allocate(f"{GAS}.A", named("B"))), OFFICE),
    Row(R.RULE_DIFFERS, "an entry under a free prefix", plain(from_codebook(GAS, "130102")), OFFICE),
    Row(R.CODEBOOK_SERIES_DIFFERS, "an edition of another series", after(OTHER, then=AllocateFromCodebook(SHIJIAZHUANG, "other-1", (one_range("130102"),))), CITY),
    Row(R.CODEBOOK_PROOF_INVALID, "the path of another entry", plain(AllocateFromCodebook(SHIJIAZHUANG, book().edition, (replace(one_range("130102"), path=one_range("130104").path),))), CITY),
    Row(R.CODEBOOK_PROOF_INVALID, "another place", plain(AllocateFromCodebook(SHIJIAZHUANG, book().edition, (replace(one_range("130102"), first=0),))), CITY),
    Row(R.CODEBOOK_PROOF_INVALID, "another name", plain(AllocateFromCodebook(SHIJIAZHUANG, book().edition, (replace(one_range("130102"), items=(CodebookItem(replace(book().entry("130102"), name="X"), (), None, None),)),))), CITY),
    Row(R.CODEBOOK_ENTRY_UNSOUND, "a county with the code of a city", odd_entry, COUNTRY),
    Row(R.CODEBOOK_ENTRY_OUTSIDE_PREFIX, "a county under the country", plain(from_codebook("ZZ.156", "130102")), COUNTRY),
    Row(R.CODEBOOK_ENTRY_OUTSIDE_PREFIX, "a county of another city", plain(from_codebook(SHIJIAZHUANG, "130202")), CITY),
    Row(R.CODEBOOK_ENTRY_OUTSIDE_PREFIX, "a city under a city", plain(from_codebook(SHIJIAZHUANG, "130200")), CITY),
    Row(R.COUNTRY_NODE_REQUIRED, "letters under the agency", plain(Allocate("ZZ", named("CN"))), ROOT),
    Row(R.COUNTRY_NODE_REQUIRED, "four digits under the agency", plain(Allocate("ZZ", named("1560"))), ROOT),
    Row(R.NODE_RESERVED, "digits beside a codebook", plain(Allocate(SHIJIAZHUANG, named("02"))), CITY),
    Row(R.NODE_RESERVED, "digits beside a sequence", after(*put("A", terms=BY_NUMBER), then=Allocate(f"{GAS}.A", named("999"))), OFFICE),
    Row(R.SEQUENCE_EXHAUSTED, "the tenth of width 1", used_up, OFFICE),
    Row(R.IDENTIFIER_TOO_LONG, "139 bytes", after(*put("A" * 32, "B" * 32, "C" * 30), then=Allocate(f"{GAS}.{'A' * 32}.{'B' * 32}.{'C' * 30}", named("D" * 32))), OFFICE),
    Row(R.IDENTIFIER_TOO_DEEP, "13 nodes", after(*put(*"ABCDEFGH"), then=Allocate(f"{GAS}.A.B.C.D.E.F.G.H", named("I"))), OFFICE),
    Row(R.IDENTIFIER_TAKEN, "allocate again", after(*put("A"), then=Allocate(GAS, named("A"))), OFFICE),
    Row(R.IDENTIFIER_TAKEN, "after it was retired", after(*put("A"), (Retire(f"{GAS}.A"), OFFICE), then=Allocate(GAS, named("A"))), OFFICE),
    Row(R.IDENTIFIER_TAKEN, "twice in one operation", plain(AllocateMany(GAS, (named("A"), named("A")))), OFFICE),
    Row(R.IDENTIFIER_TAKEN, "by codebook again", after(COUNTY_THERE, then=COUNTY_THERE[0]), CITY),
    Row(R.IDENTIFIER_TAKEN, "twice by codebook in one operation", plain(from_codebook(SHIJIAZHUANG, "130102", "130102")), CITY),
    Row(R.IDENTIFIER_TAKEN, "a country", plain(Allocate("ZZ", named("156"))), ROOT),
    Row(R.WITHIN_UNKNOWN, "nothing there", plain(Allocate(GAS, named("A", within="ZZ.156.99"))), OFFICE),
    Row(R.WITHIN_UNKNOWN, "itself", plain(Allocate(GAS, named("A", within=f"{GAS}.A"))), OFFICE),
    Row(R.WITHIN_UNKNOWN, "update to itself", plain(update(within=GAS)), OFFICE),
    Row(R.WITHIN_UNKNOWN, "a city before its province", plain(from_codebook("ZZ.156", "320100")), COUNTRY),
    Row(R.ALIAS_RESERVED_TO_CODEBOOK, "bind", plain(BindAlias(GAS, SERIES, "130102", b"")), CITY),
    Row(R.ALIAS_RESERVED_TO_CODEBOOK, "release", plain(ReleaseAlias(SHIJIAZHUANG, SERIES, "130100")), COUNTRY),
    Row(R.ALIAS_NOT_BOUND, "release", plain(ReleaseAlias(GAS, "OID", "1")), CITY),
    Row(R.ALIAS_NOT_BOUND, "release another's", after((Allocate(SHIJIAZHUANG, named("H2O")), CITY), (BindAlias(GAS, "OID", "1", b""), CITY), then=ReleaseAlias(f"{SHIJIAZHUANG}.H2O", "OID", "1")), CITY),
    Row(R.ALIAS_TAKEN, "another claims it", after((Allocate(SHIJIAZHUANG, named("H2O")), CITY), (BindAlias(GAS, "OID", "1", b""), CITY), then=BindAlias(f"{SHIJIAZHUANG}.H2O", "OID", "1", b"")), CITY),
    Row(R.ALIAS_TAKEN, "the same again", after((BindAlias(GAS, "OID", "1", b""), CITY), then=BindAlias(GAS, "OID", "1", b"")), CITY),
    Row(R.ALIAS_TAKEN, "one code in two countries", after((Allocate("ZZ", named("157", controllers=NEW, delegation=BY_CODEBOOK)), ROOT), then=from_codebook("ZZ.157", "130000")), OWNER),
    Row(R.ALIASES_EXHAUSTED, "the seventeenth", full_of_aliases, CITY),
    Row(R.NAME_FIXED_BY_CODEBOOK, "rename a city", plain(update(SHIJIAZHUANG, name="Stonehome")), CITY),
    Row(R.IDENTIFIER_WOULD_NOT_CHANGE, "update", plain(update(name="Asset GAS")), OFFICE),
    Row(R.IDENTIFIER_WOULD_NOT_CHANGE, "rotate", plain(RotateControllers(GAS, policy_of([OFFICE]))), OFFICE),
    Row(R.IDENTIFIER_WOULD_NOT_CHANGE, "registrar", plain(RotateRegistrar(GAS, None)), OFFICE),
    Row(R.IDENTIFIER_WOULD_NOT_CHANGE, "amend", plain(AmendDelegation(GAS, FREELY)), CITY),
    Row(R.CHILDREN_LIVE, "retire", after(*put("A"), then=Retire(GAS)), OFFICE),
]  # fmt: skip

GENESIS_ROWS = [
    ("an account that does not exist", {"account": "nobody"}),
    ("an account without the role", {"account": "plain"}),
    ("editions twice", {"codebooks": genesis().codebooks * 2}),
    ("countries twice", {"countries": genesis().countries * 2}),
    ("a series that is not there", {"codebooks": ()}),
    ("unsound keys", {"countries": (replace(genesis().countries[0], controllers=unsound()),)}),
    ("attributes out of order", {"countries": (replace(genesis().countries[0], attributes=ATTRIBUTES),)}),
    ("terms that contradict", {"countries": (replace(genesis().countries[0], delegation=replace(FREELY, width=1)),)}),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.reason.name}-{row.claim}")
def test_refuses(row: Row):
    bench = town()
    operation = row.prepare(bench)
    bench.refuses(row.reason, ROOM_V1, operation, signers=[row.by])


@pytest.mark.parametrize(("claim", "changes"), GENESIS_ROWS, ids=[claim for claim, _ in GENESIS_ROWS])
def test_genesis_refuses(claim, changes):
    bench = membership()
    with pytest.raises(Refused) as refusal:
        bench.found(ROOM_V1, genesis(**changes))
    assert refusal.value.reason is R.IDENTITY_GENESIS_INCONSISTENT


def test_every_reason_has_a_row():
    assert {row.reason for row in ROWS if isinstance(row.reason, R)} | {R.IDENTITY_GENESIS_INCONSISTENT} == set(R)


def test_rows_descend_the_precedence():
    order = [row.reason for row in ROWS if isinstance(row.reason, R)]
    assert order == sorted(order)


def test_reasons_ascend_as_they_are_declared():
    assert [int(reason) for reason in R] == list(range(2001, 2001 + len(R)))


def test_every_operation_is_refused_to_a_stranger():
    bench = town()
    asked: list[Operation] = [row.prepare(town()) for row in ROWS]
    known = {type(operation): operation for operation in asked if not names_the_unknown(bench, operation)}
    assert set(known) == set(ROOM_V1.handlers)
    for operation in known.values():
        bench.refuses(TransactionReason.POLICY_NOT_SATISFIED, ROOM_V1, operation, signers=[STRANGER])


def names_the_unknown(bench: Bench, operation: Operation) -> bool:
    context = bench.context([])
    with pytest.raises(Refused) as refusal:
        ROOM_V1.handlers[type(operation)].authorise(bench.overlay(), context, operation)
    return refusal.value.reason is not TransactionReason.POLICY_NOT_SATISFIED


def test_root_authority_needs_its_role():
    bench = membership()
    bench.found(ROOM_V1, genesis())
    from fujie.modules.membership import state_keys as membership_keys

    account = bench.get(membership_keys.account("root"))
    assert account is not None
    bench.plant(membership_keys.account("root"), replace(account, roles=()))
    bench.refuses(MembershipReason.ACCOUNT_LACKS_ROLE, ROOM_V1, register("x", "X")[0], signers=[ROOT])


@pytest.mark.parametrize(("operation", "by"), [(Allocate(GAS, named("A")), OFFICE), (register("x", "X")[0], ROOT)])
def test_refuses_beyond_the_quota_of_the_minute(operation: Operation, by: Signer):
    bench = town(operations_per_minute=10)
    handler = ROOM_V1.handlers[type(operation)]
    state = bench.overlay()
    handler.charge(state, bench.context([by]), operation, 5)
    with pytest.raises(Refused) as refusal:
        handler.charge(state, bench.context([by]), operation, 6)
    assert refusal.value.reason is TransactionReason.QUOTA_EXCEEDED


def test_a_holder_does_not_use_up_the_minute_of_its_registrar():
    bench = town(operations_per_minute=2)
    context = bench.context()
    state = bench.overlay()
    ROOM_V1.handlers[UpdateRecord].charge(state, context, update(), 2)
    ROOM_V1.handlers[Suspend].charge(state, context, Suspend(GAS), 1)
    assert record(bench, GAS).standing.number == 1
