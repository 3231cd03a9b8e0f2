"""Every invariant finds the corruption that is planted for it, and nothing where there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

import fujie.modules.membership as room
from fujie.core.meter import Meter
from fujie.core.misbehaviour import Misbehaviour, MisbehaviourKind
from fujie.core.policy import KeyPolicy
from fujie.core.state import Key, T
from fujie.modules.membership import invariants, records, state_keys
from fujie.modules.membership.operations import OpenAccount
from fujie.modules.membership.records import ProposalStatus, Role, RuleVersion, Status
from fujie.modules.membership.transitions import ROOM_V1
from fujie.proof.validators import validator_address
from tests.unit.modules.harness import GENESIS_MS, Bench, policy_of
from tests.unit.modules.membership.town import SIGNERS, SPARE, decide, identifier, propose, town, vote


def lived_in() -> Bench:
    """A chain on which something of everything has happened."""
    bench = town()
    bench.run(ROOM_V1, OpenAccount("bank", "till", policy_of([SPARE[0]])), signers=SIGNERS["bank"])
    decide(bench, records.GrantRole("till", Role.GOVERNOR), 1)
    decide(bench, records.AdmitOrganisation("post", "Post", "post", policy_of([SPARE[1]])), 2)
    decide(bench, records.ActivateRules("tenancy", 1, 90), 3)
    decide(bench, records.SetParameters(480, None, None, None, None), 4)
    decide(bench, records.SetValidator(SPARE[2].public_key, 3, "post"), 5)
    decide(bench, records.SuspendAccount("clea"), 6)
    vote(bench, propose(bench, records.RestoreAccount("clea"), 7), "ben")
    bench.plant(state_keys.founding("tenancy"), records.Founding("tenancy", 1, 90))  # in block 90, some time
    bench.tell(ROOM_V1, *(misbehaviour(SPARE[2].public_key, height) for height in range(20)))
    return bench


def misbehaviour(public_key: bytes, height: int = 7, kind: int = MisbehaviourKind.DUPLICATE_VOTE) -> Misbehaviour:
    """What the validator with this key did at a height."""
    return Misbehaviour(kind, validator_address(public_key), height, GENESIS_MS + height, 3)


def change(key: Key[T], alter: Callable[[T], T]) -> Callable[[Bench], None]:
    def plant(bench: Bench) -> None:
        found = bench.get(key)
        assert found is not None
        bench.plant(key, alter(found))

    return plant


BANK = state_keys.account("bank")
PROVEN = state_keys.misbehaviour(validator_address(SPARE[2].public_key))
CORRUPTIONS: list[tuple[str, str, Callable[[Bench], None]]] = [
    ("leaf-at-its-path", "another's record", change(BANK, lambda a: replace(a, name="ben"))),
    ("leaf-at-its-path", "an unknown path", lambda b: b.plant(Key("membership/odd", state_keys.METER), Meter(1, 1))),
    ("founded-leaves-stand", "no parameters", lambda b: b.uproot(state_keys.PARAMETERS_KEY)),
    ("founded-leaves-stand", "no governors", lambda b: b.uproot(state_keys.GOVERNORS_KEY)),
    ("founded-leaves-stand", "no rooms", lambda b: b.uproot(state_keys.ROOMS_KEY)),
    ("founded-leaves-stand", "no validators", lambda b: b.uproot(state_keys.VALIDATORS_KEY)),
    ("founded-leaves-stand", "no rules", lambda b: b.uproot(state_keys.rules("membership"))),
    ("membership-runs", "stopped", change(state_keys.rules("membership"), lambda r: replace(r, versions=()))),
    ("account-of-an-organisation", "of nobody", change(BANK, lambda a: replace(a, organisation="nobody"))),
    ("accounts-counted", "one too few", change(state_keys.organisation("bank"), lambda o: replace(o, accounts=1))),
    ("accounts-counted", "an account gone", lambda b: b.uproot(BANK)),
    ("key-policies-sound", "small order", change(BANK, lambda a: replace(a, policy=KeyPolicy(1, (bytes(32),))))),
    ("key-policies-sound", "2 of 1", change(BANK, lambda a: replace(a, policy=KeyPolicy(2, a.policy.keys[:1])))),
    ("roles-in-order", "twice", change(BANK, lambda a: replace(a, roles=a.roles * 2))),
    ("governors-listed", "one missing", change(state_keys.GOVERNORS_KEY, lambda g: replace(g, accounts=("anna",)))),
    ("governors-listed", "role added", change(BANK, lambda a: replace(a, roles=(Role.GOVERNOR, *a.roles)))),
    (
        "chain-governable",
        "threshold out of reach",
        change(state_keys.PARAMETERS_KEY, lambda p: replace(p, governance_threshold=4)),
    ),
    (
        "chain-governable",
        "council suspended",
        change(state_keys.organisation("council"), lambda o: replace(o, status=Status.SUSPENDED)),
    ),
    ("rooms-listed", "one missing", change(state_keys.ROOMS_KEY, lambda r: replace(r, names=("membership",)))),
    ("rooms-listed", "rules gone", lambda b: b.uproot(state_keys.rules("tenancy"))),
    (
        "rules-in-order",
        "a height twice",
        change(state_keys.rules("tenancy"), lambda r: replace(r, versions=(*r.versions, RuleVersion(2, 90)))),
    ),
    (
        "founded-under-its-rules",
        "before they were in force",
        lambda b: b.plant(state_keys.founding("tenancy"), records.Founding("tenancy", 1, 89)),
    ),
    (
        "founded-under-its-rules",
        "under another version",
        lambda b: b.plant(state_keys.founding("tenancy"), records.Founding("tenancy", 2, 90)),
    ),
    (
        "founded-under-its-rules",
        "a room without rules",
        lambda b: b.plant(state_keys.founding("contracts"), records.Founding("contracts", 1, 90)),
    ),
    (
        "validators-in-order",
        "descending",
        change(state_keys.VALIDATORS_KEY, lambda v: replace(v, members=v.members[::-1])),
    ),
    (
        "validators-sound",
        "of nobody",
        change(
            state_keys.VALIDATORS_KEY,
            lambda v: replace(v, members=(replace(v.members[0], organisation="nobody"), *v.members[1:])),
        ),
    ),
    (
        "validators-sound",
        "without power",
        change(
            state_keys.VALIDATORS_KEY,
            lambda v: replace(v, members=(replace(v.members[0], power=0), *v.members[1:])),
        ),
    ),
    (
        "votes-in-order",
        "a vote twice",
        change(state_keys.proposal(identifier(7)), lambda p: replace(p, votes=p.votes * 2)),
    ),
    (
        "carried-by-votes",
        "no vote",
        change(
            state_keys.proposal(identifier(7)),
            lambda p: replace(p, votes=(), status=ProposalStatus.CARRIED),
        ),
    ),
    (
        "misbehaviour-of-its-validator",
        "another's key",
        change(PROVEN, lambda m: replace(m, validator=records.Validator(SPARE[3].public_key, 3, "post"))),
    ),
    (
        "misbehaviour-of-its-validator",
        "another's act",
        change(PROVEN, lambda m: replace(m, first=misbehaviour(SPARE[3].public_key))),
    ),
    ("misbehaviour-counted", "one too many", change(PROVEN, lambda m: replace(m, newest=m.newest[1:]))),
    (
        "misbehaviour-counted",
        "another first",
        change(PROVEN, lambda m: replace(m, count=1, newest=m.newest[:1])),
    ),
    ("meter-of-an-account", "of nobody", lambda b: b.plant(state_keys.meter("nobody"), Meter(1, 1))),
    (
        "standing-consistent",
        "version 2 without its link",
        change(
            state_keys.PARAMETERS_KEY,
            lambda p: replace(p, standing=replace(p.standing, previous=b"")),
        ),
    ),
    (
        "standing-consistent",
        "older than its subject",
        change(BANK, lambda a: replace(a, standing=replace(a.standing, created_ms=a.standing.since_ms + 1))),
    ),
]


def test_finds_nothing_in_a_state_that_the_rules_have_written():
    assert town().check(invariants.Checker()) == []
    assert lived_in().check(invariants.Checker()) == []


@pytest.mark.parametrize(("name", "claim", "plant"), CORRUPTIONS, ids=[f"{row[0]}: {row[1]}" for row in CORRUPTIONS])
def test_finds_planted_corruption(name: str, claim: str, plant: Callable[[Bench], None]):
    bench = lived_in()
    plant(bench)
    found = bench.check(invariants.Checker())
    assert name in {finding.invariant for finding in found}
    assert all(finding.path.startswith("membership/") and finding.detail for finding in found)


def test_passes_over_the_leaves_of_other_rooms():
    checker = invariants.Checker()
    bench = lived_in()
    bench.plant(Key("currency/odd", state_keys.METER), Meter(1, 1))
    assert bench.check(checker) == []


def test_every_invariant_on_the_page_of_the_room_has_a_corruption():
    page = page_section("Invariants")
    assert {row[0] for row in CORRUPTIONS} == {line.split("`")[1] for line in page if line.startswith("| `")}


def page_section(title: str) -> list[str]:
    page = (Path(room.__file__).parent / "README.md").read_text(encoding="utf-8")
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()
