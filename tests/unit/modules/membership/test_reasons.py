"""A row for every reason; rows descend the precedence. Every row also shows that the refusal changed nothing."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from fujie.core.encoding import encode
from fujie.core.errors import Reason, Refused
from fujie.core.policy import KeyPolicy, single
from fujie.core.reasons import TransactionReason
from fujie.core.room import Operation
from fujie.core.signing import Signer
from fujie.modules.membership import genesis, records, state_keys
from fujie.modules.membership.operations import OpenAccount, Propose, RotateKeys, Vote, Withdraw
from fujie.modules.membership.reasons import MembershipReason as R
from fujie.modules.membership.records import Action, Role, Validator
from fujie.modules.membership.transitions import HANDLERS, ROOM_V1
from tests.unit.modules.harness import Bench, key_pair, keys, policy_of
from tests.unit.modules.membership.town import (
    ANNA,
    BANK_ONE,
    DAY_MS,
    SIGNERS,
    SPARE,
    STRANGER,
    decide,
    identifier,
    propose,
    town,
    vote,
)

NEW = policy_of([SPARE[0]])
UNSOUND = single(b"\x01" + bytes(31))  # the identity point, under which some libraries accept any signature
NO_CHANGE = records.SetParameters(None, None, None, None, None)


def open_account(bench: Bench, name: str = "till", by: str = "bank", policy: KeyPolicy = NEW) -> Operation:
    return OpenAccount(by, name, policy)


class Row(NamedTuple):
    reason: Reason
    claim: str
    prepare: Callable[[Bench], Operation]  # leads up to the refusal and returns the operation to be refused
    signers: list[Signer]


def row(reason: Reason, claim: str, prepare: Callable[[Bench], Operation], by: str | list[Signer]) -> Row:
    return Row(reason, claim, prepare, SIGNERS[by] if isinstance(by, str) else by)


def after(*decided: Action, operation: Operation) -> Callable[[Bench], Operation]:
    """``operation``, after ``decided`` were carried."""

    def prepare(bench: Bench) -> Operation:
        for number, action in enumerate(decided):
            decide(bench, action, 100 + number)
        return operation

    return prepare


def last_vote(*decided: Action, action: Action) -> Callable[[Bench], Operation]:
    """The vote that would carry ``action``, after ``decided`` were carried."""

    def prepare(bench: Bench) -> Operation:
        for number, before in enumerate(decided):
            decide(bench, before, 100 + number)
        proposal = propose(bench, action)
        vote(bench, proposal, "anna")
        return Vote("ben", proposal)

    return prepare


def carried(bench: Bench) -> bytes:
    decide(bench, records.SetQuota("bank", 7), 1)
    return identifier(1)


def withdrawn(bench: Bench) -> bytes:
    proposal = propose(bench, records.SetQuota("bank", 7))
    bench.run(ROOM_V1, Withdraw("anna", proposal), signers=[ANNA])
    return proposal


def overdue(bench: Bench) -> bytes:
    proposal = propose(bench, records.SetQuota("bank", 7))
    found = bench.get(state_keys.proposal(proposal))
    assert found is not None
    bench.time_ms = found.deadline_ms - 1_000  # the next block stands exactly at the deadline
    return proposal


def voted_for(bench: Bench) -> bytes:
    proposal = propose(bench, records.SetQuota("bank", 7))
    vote(bench, proposal, "anna")
    return proposal


def other_content(bench: Bench) -> Operation:
    propose(bench, records.SetQuota("bank", 7))
    return Propose("anna", identifier(1), records.SetQuota("bank", 8), bench.time_ms + DAY_MS)


def full_organisation(bench: Bench) -> Operation:
    bank = bench.get(state_keys.organisation("bank"))
    assert bank is not None
    bench.plant(state_keys.organisation("bank"), replace(bank, accounts=records.ORGANISATION_ACCOUNTS_MAX))
    return open_account(bench)


def full_council(bench: Bench) -> Operation:
    """As many governors as there can be, planted past the rules."""
    anna = bench.get(state_keys.account("anna"))
    assert anna is not None
    names = [f"x{number:02}" for number in range(records.GOVERNORS_MAX - 3)]
    for name in names:
        bench.plant(state_keys.account(name), replace(anna, name=name))
    bench.plant(state_keys.GOVERNORS_KEY, records.Governors(tuple(sorted(["anna", "ben", "clea", *names]))))
    return last_vote(action=records.GrantRole("bank", Role.GOVERNOR))(bench)


def full_rules(bench: Bench) -> Operation:
    versions = tuple(records.RuleVersion(1 + number % 2, 0) for number in range(records.RULE_VERSIONS_MAX))
    bench.plant(state_keys.rules("tenancy"), records.Rules("tenancy", versions))
    return last_vote(action=records.ActivateRules("tenancy", 9, 50))(bench)


def full_rooms(bench: Bench) -> Operation:
    names = tuple(f"a{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(records.ROOMS_MAX - 1))
    bench.plant(state_keys.ROOMS_KEY, records.Rooms((*names, "membership")))
    return last_vote(action=records.ActivateRules("tenancy", 1, 50))(bench)


def full_validators(bench: Bench) -> Operation:
    before = bench.get(state_keys.VALIDATORS_KEY)
    assert before is not None
    members = tuple(
        Validator(signer.public_key, 1, "bank")
        for signer in sorted(keys(records.VALIDATORS_MAX, 1000), key=lambda signer: signer.public_key)
    )
    bench.plant(state_keys.VALIDATORS_KEY, replace(before, members=members))
    return last_vote(action=records.SetValidator(SPARE[1].public_key, 1, "bank"))(bench)


def drained(bench: Bench) -> Operation:
    decide(bench, records.SetQuota("bank", 1), 1)
    bench.time_ms -= bench.time_ms % 60_000  # so that both fall into one minute
    bench.run(ROOM_V1, open_account(bench, "first"), signers=SIGNERS["bank"])
    return open_account(bench, "second")


SUSPEND_BANK = records.SuspendOrganisation("bank")
VALIDATOR = key_pair(9_999).public_key

TABLE = [
    row(R.ACCOUNT_NOT_FOUND, "nobody of that name", lambda b: RotateKeys("nobody", NEW), "bank"),
    row(TransactionReason.POLICY_NOT_SATISFIED, "one key of two", open_account, [BANK_ONE]),
    row(TransactionReason.POLICY_NOT_SATISFIED, "a stranger's key", open_account, [STRANGER]),
    row(
        TransactionReason.POLICY_NOT_SATISFIED,
        "a stranger is not told that an account is suspended",
        after(records.SuspendAccount("bank"), operation=OpenAccount("bank", "till", NEW)),
        [STRANGER],
    ),
    row(
        R.ACCOUNT_SUSPENDED,
        "a suspended account",
        after(SUSPEND_BANK, records.SuspendAccount("bank"), operation=OpenAccount("bank", "till", NEW)),
        "bank",
    ),
    row(
        R.ORGANISATION_SUSPENDED,
        "an account of a suspended organisation, whatever its role",
        after(SUSPEND_BANK, operation=Vote("bank", identifier(9))),
        "bank",
    ),
    row(R.ACCOUNT_LACKS_ROLE, "a vote of no governor", lambda b: Vote("bank", identifier(9)), "bank"),
    row(
        R.ACCOUNT_LACKS_ROLE,
        "a proposal of no governor",
        lambda b: Propose("bank", identifier(9), NO_CHANGE, b.time_ms),
        "bank",
    ),
    row(TransactionReason.QUOTA_EXCEEDED, "the second operation where one is allowed", drained, "bank"),
    row(R.PROPOSAL_EXISTS_WITH_DIFFERENT_CONTENT, "an id used before", other_content, "anna"),
    row(
        R.PROPOSAL_DEADLINE_NOT_AHEAD,
        "a deadline at the time of the block",
        lambda b: Propose("anna", identifier(1), NO_CHANGE, b.time_ms + 1_000),
        "anna",
    ),
    row(
        R.PROPOSAL_DEADLINE_TOO_FAR,
        "a deadline one millisecond beyond the longest period",
        lambda b: Propose("anna", identifier(1), NO_CHANGE, b.time_ms + 1_000 + 30 * DAY_MS + 1),
        "anna",
    ),
    row(R.PROPOSAL_NOT_FOUND, "a vote for nothing", lambda b: Vote("anna", identifier(1)), "anna"),
    row(R.PROPOSAL_NOT_FOUND, "a withdrawal of nothing", lambda b: Withdraw("anna", identifier(1)), "anna"),
    row(R.PROPOSAL_OF_ANOTHER_ACCOUNT, "a withdrawal by another", lambda b: Withdraw("ben", carried(b)), "ben"),
    row(R.PROPOSAL_ALREADY_CARRIED, "a vote after it was carried", lambda b: Vote("clea", carried(b)), "clea"),
    row(R.PROPOSAL_ALREADY_CARRIED, "a withdrawal then", lambda b: Withdraw("anna", carried(b)), "anna"),
    row(R.PROPOSAL_WITHDRAWN, "a vote after it was withdrawn", lambda b: Vote("ben", withdrawn(b)), "ben"),
    row(R.PROPOSAL_WITHDRAWN, "a second withdrawal", lambda b: Withdraw("anna", withdrawn(b)), "anna"),
    row(R.PROPOSAL_DEADLINE_PASSED, "a vote at the deadline", lambda b: Vote("ben", overdue(b)), "ben"),
    row(R.PROPOSAL_DEADLINE_PASSED, "a withdrawal at the deadline", lambda b: Withdraw("anna", overdue(b)), "anna"),
    row(R.PROPOSAL_ALREADY_VOTED_FOR, "a second vote", lambda b: Vote("anna", voted_for(b)), "anna"),
    *(
        row(R.SUBJECT_ACCOUNT_NOT_FOUND, type(action).__name__, last_vote(action=action), "ben")
        for action in (
            records.SuspendAccount("nobody"),
            records.RestoreAccount("nobody"),
            records.RecoverAccount("nobody", UNSOUND),
            records.GrantRole("nobody", Role.AUDITOR),
            records.RevokeRole("nobody", Role.AUDITOR),
            records.SetQuota("nobody", 1),
        )
    ),
    *(
        row(R.SUBJECT_ORGANISATION_NOT_FOUND, type(action).__name__, last_vote(action=action), "ben")
        for action in (
            records.SuspendOrganisation("nobody"),
            records.RestoreOrganisation("nobody"),
            records.SetValidator(UNSOUND.keys[0], 1, "nobody"),
        )
    ),
    row(
        R.SUBJECT_ACCOUNT_NOT_SUSPENDED,
        "new keys for an account that acts",
        last_vote(action=records.RecoverAccount("bank", UNSOUND)),
        "ben",
    ),
    row(R.KEY_POLICY_UNSOUND, "a new account's", lambda b: OpenAccount("bank", "bank", UNSOUND), "bank"),
    row(R.KEY_POLICY_UNSOUND, "a rotation's", lambda b: RotateKeys("bank", UNSOUND), "bank"),
    row(
        R.KEY_POLICY_UNSOUND,
        "more signatures than keys",
        lambda b: RotateKeys("bank", KeyPolicy(2, NEW.keys)),
        "bank",
    ),
    row(
        R.KEY_POLICY_UNSOUND,
        "a key twice",
        lambda b: RotateKeys("bank", KeyPolicy(1, NEW.keys * 2)),
        "bank",
    ),
    row(
        R.KEY_POLICY_UNSOUND,
        "an admission's",
        last_vote(action=records.AdmitOrganisation("bank", "", "bank", UNSOUND)),
        "ben",
    ),
    row(
        R.KEY_POLICY_UNSOUND,
        "a recovery's",
        last_vote(records.SuspendAccount("bank"), action=records.RecoverAccount("bank", UNSOUND)),
        "ben",
    ),
    row(
        R.VALIDATOR_KEY_UNSOUND,
        "the identity point",
        last_vote(action=records.SetValidator(UNSOUND.keys[0], 1, "bank")),
        "ben",
    ),
    row(
        R.ORGANISATION_NAME_TAKEN,
        "an admission under a name in use",
        last_vote(action=records.AdmitOrganisation("bank", "", "bank", NEW)),
        "ben",
    ),
    row(R.ACCOUNT_NAME_TAKEN, "a new account", lambda b: OpenAccount("bank", "anna", NEW), "bank"),
    row(
        R.ACCOUNT_NAME_TAKEN,
        "an admission whose account's name is in use",
        last_vote(action=records.AdmitOrganisation("post", "", "bank", NEW)),
        "ben",
    ),
    row(
        R.MEMBERSHIP_ROOM_MUST_RUN,
        "stopping membership",
        last_vote(action=records.ActivateRules("membership", 0, 0)),
        "ben",
    ),
    row(
        R.RULE_HEIGHT_TOO_SOON,
        "the next height",  # found in block 0, proposed in 1, voted for in 2 and 3
        last_vote(action=records.ActivateRules("tenancy", 1, 4)),
        "ben",
    ),
    *(
        row(R.NOTHING_WOULD_CHANGE, type(action).__name__, last_vote(*before, action=action), "ben")
        for before, action in (
            ([SUSPEND_BANK], SUSPEND_BANK),
            ([], records.RestoreOrganisation("bank")),
            ([records.SuspendAccount("bank")], records.SuspendAccount("bank")),
            ([], records.RestoreAccount("bank")),
            (
                [records.SuspendAccount("bank")],
                records.RecoverAccount("bank", policy_of(SIGNERS["bank"])),
            ),
            ([], records.GrantRole("bank", Role.INSTITUTION)),
            ([], records.RevokeRole("bank", Role.GOVERNOR)),
            ([], records.SetQuota("bank", 0)),
            ([], NO_CHANGE),
            ([], records.SetParameters(0, None, None, 2, None)),
            ([], records.ActivateRules("membership", 1, 50)),
            ([], records.ActivateRules("tenancy", 0, 50)),
            ([], records.SetValidator(VALIDATOR, 10, "bank")),
            ([], records.SetValidator(SPARE[0].public_key, 0, "bank")),
        )
    ),
    row(
        R.NOTHING_WOULD_CHANGE,
        "a rotation to the same keys",
        lambda b: RotateKeys("bank", policy_of(SIGNERS["bank"])),
        "bank",
    ),
    row(R.ORGANISATION_ACCOUNTS_EXHAUSTED, "an account too many", full_organisation, "bank"),
    row(R.REGISTER_FULL, "a governor too many", full_council, "ben"),
    row(R.REGISTER_FULL, "a rule version too many", full_rules, "ben"),
    row(R.REGISTER_FULL, "a room too many", full_rooms, "ben"),
    row(R.REGISTER_FULL, "a validator too many", full_validators, "ben"),
    row(
        R.VALIDATOR_SET_WOULD_BE_EMPTY,
        "removing the last validator",
        last_vote(action=records.SetValidator(VALIDATOR, 0, "bank")),
        "ben",
    ),
    *(
        row(R.TOO_FEW_GOVERNORS_WOULD_REMAIN, f"{type(action).__name__}", last_vote(*before, action=action), "ben")
        for before, action in (
            ([records.SuspendAccount("clea")], records.SuspendAccount("ben")),
            ([], records.SuspendOrganisation("council")),
            ([records.SuspendOrganisation("court")], records.RevokeRole("ben", Role.GOVERNOR)),
            ([], records.SetParameters(None, None, None, 4, None)),
        )
    ),
]

OUTSIDE_OPERATIONS = {
    R.MEMBERSHIP_GENESIS_INCONSISTENT,  # below, "Genesis"
    # Which rooms are in force, the machine knows: tests/unit/machine/test_founding.py.
    R.ROOM_NOT_IN_FORCE,
    R.ROOM_FOUNDED_ALREADY,
    R.FOUNDING_UNREADABLE,
}


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case.reason.name}: {case.claim}")
def test_refuses_and_changes_nothing(case: Row):
    bench = town()
    operation = case.prepare(bench)
    bench.refuses(case.reason, ROOM_V1, operation, signers=case.signers)


def test_every_reason_has_a_row():
    assert {case.reason for case in TABLE if isinstance(case.reason, R)} | OUTSIDE_OPERATIONS == set(R)


def test_rows_descend_the_precedence():
    order = [case.reason.value for case in TABLE if isinstance(case.reason, R)]
    assert order == sorted(order)


def test_reasons_are_declared_in_order_of_their_numbers_within_the_room():
    numbers = [reason.value for reason in R]
    assert numbers == sorted(numbers)
    assert all(1_000 < number < 2_000 for number in numbers)


def test_every_operation_has_a_handler():
    assert list(HANDLERS) == [OpenAccount, RotateKeys, Propose, Vote, Withdraw]


# Genesis.


def part() -> genesis.MembershipGenesis:
    return genesis.MembershipGenesis(
        genesis.DEFAULTS,
        (genesis.GenesisOrganisation("bank", "Bank"), genesis.GenesisOrganisation("council", "Council")),
        (
            genesis.GenesisAccount("anna", "council", policy_of([ANNA]), (Role.GOVERNOR,), 0),
            genesis.GenesisAccount("bank", "bank", policy_of([BANK_ONE]), (Role.AUDITOR, Role.INSTITUTION), 5),
        ),
        (Validator(VALIDATOR, 1, "bank"),),
        (genesis.GenesisRule("currency", 3), genesis.GenesisRule("membership", 1)),
    )


def with_account(**changes: object) -> genesis.MembershipGenesis:
    good = part()
    return replace(good, accounts=(good.accounts[0], replace(good.accounts[1], **changes)))


GENESES: list[tuple[Reason, str, Callable[[], genesis.MembershipGenesis]]] = [
    (R.KEY_POLICY_UNSOUND, "unsound key", lambda: with_account(policy=UNSOUND)),
    (
        R.VALIDATOR_KEY_UNSOUND,
        "unsound key of a validator",
        lambda: replace(part(), validators=(Validator(UNSOUND.keys[0], 1, "bank"),)),
    ),
    (
        R.ORGANISATION_ACCOUNTS_EXHAUSTED,
        "too many accounts",
        lambda: replace(part(), accounts=part().accounts[1:] * (records.ORGANISATION_ACCOUNTS_MAX + 1)),
    ),
    (R.REGISTER_FULL, "too many governors", lambda: replace(part(), accounts=part().accounts[:1] * 65)),
    (R.TOO_FEW_GOVERNORS_WOULD_REMAIN, "no governor", lambda: replace(part(), accounts=part().accounts[1:])),
    (R.MEMBERSHIP_GENESIS_INCONSISTENT, "accounts descend", lambda: replace(part(), accounts=part().accounts[::-1])),
    (
        R.MEMBERSHIP_GENESIS_INCONSISTENT,
        "organisation twice",
        lambda: replace(part(), organisations=part().organisations * 2),
    ),
    (R.MEMBERSHIP_GENESIS_INCONSISTENT, "roles descend", lambda: with_account(roles=(Role.INSTITUTION, Role.AUDITOR))),
    (R.MEMBERSHIP_GENESIS_INCONSISTENT, "account of nobody", lambda: with_account(organisation="nobody")),
    (
        R.MEMBERSHIP_GENESIS_INCONSISTENT,
        "validator without power",
        lambda: replace(part(), validators=(Validator(VALIDATOR, 0, "bank"),)),
    ),
    (
        R.MEMBERSHIP_GENESIS_INCONSISTENT,
        "validator of nobody",
        lambda: replace(part(), validators=(Validator(VALIDATOR, 1, "nobody"),)),
    ),
    (R.MEMBERSHIP_GENESIS_INCONSISTENT, "membership not running", lambda: replace(part(), rules=part().rules[:1])),
    (
        R.MEMBERSHIP_GENESIS_INCONSISTENT,
        "version 0",
        lambda: replace(part(), rules=(genesis.GenesisRule("membership", 0),)),
    ),
]


@pytest.mark.parametrize(("reason", "claim", "make"), GENESES, ids=[f"{row[0].name}: {row[1]}" for row in GENESES])
def test_refuses_genesis_and_writes_nothing(reason: Reason, claim: str, make: Callable[[], genesis.MembershipGenesis]):
    bench = Bench()
    with pytest.raises(Refused) as refusal:
        bench.found(ROOM_V1, make())
    assert refusal.value.reason is reason
    assert bench.image() == {}


def test_founds_what_the_genesis_says():
    bench = Bench()
    bench.found(ROOM_V1, genesis.GENESIS.decode(encode(part())))
    assert [path for path, _record in bench.leaves()] == [
        "membership/account/anna",
        "membership/account/bank",
        "membership/governors",
        "membership/organisation/bank",
        "membership/organisation/council",
        "membership/parameters",
        "membership/rooms",
        "membership/rules/currency",
        "membership/rules/membership",
        "membership/validators",
    ]
    bank = bench.get(state_keys.account("bank"))
    assert bank is not None
    assert (bank.roles, bank.quota_per_minute, bank.standing.number) == ((Role.AUDITOR, Role.INSTITUTION), 5, 1)
    assert records.active_version(bench.get(state_keys.rules("currency")), 1) == 3
    assert bench.get(state_keys.GOVERNORS_KEY) == records.Governors(("anna",))
