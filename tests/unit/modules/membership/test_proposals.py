"""The life of a proposal, and what every action does when it is carried."""

import pytest

from fujie.core.errors import Reason
from fujie.modules.membership import queries, records, state_keys
from fujie.modules.membership.events import Proposed, Voted, Withdrawn
from fujie.modules.membership.operations import Propose, RotateKeys, Vote, Withdraw
from fujie.modules.membership.reasons import MembershipReason
from fujie.modules.membership.records import ProposalStatus, Role, RuleVersion, Status, Validator
from fujie.modules.membership.transitions import ROOM_V1
from tests.unit.modules.harness import Bench, key_pair, policy_of
from tests.unit.modules.membership.town import (
    ANNA,
    BEN,
    CLEA,
    DAY_MS,
    SIGNERS,
    SPARE,
    decide,
    identifier,
    propose,
    town,
    vote,
)

QUOTA = records.SetQuota("bank", 7)


def stands(bench: Bench, proposal: bytes) -> records.Proposal:
    found = bench.get(state_keys.proposal(proposal))
    assert found is not None
    return found


def quota_of(bench: Bench, name: str = "bank") -> int:
    found = queries.account(bench, name)
    assert found is not None
    return found.quota_per_minute


# Life.


def test_proposing_is_not_voting():
    bench = town(governance_threshold=1)
    deadline = bench.time_ms + DAY_MS
    event = bench.run(ROOM_V1, Propose("anna", identifier(1), QUOTA, deadline), signers=[ANNA])
    assert event == Proposed(identifier(1), "anna", deadline)
    assert stands(bench, identifier(1)) == records.Proposal(
        identifier(1), "anna", QUOTA, (), deadline, ProposalStatus.OPEN
    )
    assert quota_of(bench) == 0


def test_the_vote_that_reaches_the_threshold_carries_the_action_out():
    bench = town()
    proposal = propose(bench, QUOTA)
    assert vote(bench, proposal, "clea") == Voted(proposal, "clea", 1, False)
    assert quota_of(bench) == 0
    assert vote(bench, proposal, "ben") == Voted(proposal, "ben", 2, True)
    assert quota_of(bench) == 7
    assert stands(bench, proposal).votes == ("ben", "clea")
    assert stands(bench, proposal).status is ProposalStatus.CARRIED


def test_proposing_and_voting_fit_into_one_transaction():
    bench = town(governance_threshold=1)
    deadline = bench.time_ms + DAY_MS
    propose_it = Propose("anna", identifier(1), QUOTA, deadline)
    event = bench.run(ROOM_V1, propose_it, Vote("anna", identifier(1)), signers=[ANNA])
    assert event == Voted(identifier(1), "anna", 1, True)
    assert quota_of(bench) == 7


def test_the_same_proposal_again_is_answered_the_same_even_after_it_was_carried():
    bench = town()
    deadline = bench.time_ms + DAY_MS
    operation = Propose("anna", identifier(1), QUOTA, deadline)
    first = bench.run(ROOM_V1, operation, signers=[ANNA])
    vote(bench, identifier(1), "anna")
    vote(bench, identifier(1), "ben")
    before = stands(bench, identifier(1))
    assert bench.run(ROOM_V1, operation, signers=[ANNA]) == first
    assert stands(bench, identifier(1)) == before


def test_the_last_millisecond_before_the_deadline_counts():
    bench = town()
    proposal = propose(bench, QUOTA)
    deadline = stands(bench, proposal).deadline_ms
    vote(bench, proposal, "anna", time_ms=deadline - 1)
    assert vote(bench, proposal, "ben", time_ms=deadline - 1) == Voted(proposal, "ben", 2, True)


def test_a_refused_action_refuses_the_vote_and_a_later_vote_tries_again():
    bench = town()
    proposal = propose(bench, records.GrantRole("post", Role.INSTITUTION))
    vote(bench, proposal, "anna")
    bench.refuses(MembershipReason.SUBJECT_ACCOUNT_NOT_FOUND, ROOM_V1, Vote("ben", proposal), signers=[BEN])
    assert stands(bench, proposal).votes == ("anna",)
    decide(bench, records.AdmitOrganisation("post", "Post", "post", policy_of([SPARE[0]])), 2)
    assert vote(bench, proposal, "ben") == Voted(proposal, "ben", 2, True)


def test_a_governor_that_lost_the_role_does_not_count():
    bench = town()
    decide(bench, records.SetParameters(None, None, None, 1, None), 1)
    decide_threshold_two = records.SetParameters(None, None, None, 2, None)
    proposal = propose(bench, decide_threshold_two, 2)
    vote(bench, proposal, "anna")  # carried: two of three from here on
    pending = propose(bench, QUOTA, 3)
    vote(bench, pending, "clea")
    decide(bench, records.RevokeRole("clea", Role.GOVERNOR), 4)
    assert vote(bench, pending, "anna") == Voted(pending, "anna", 1, False)
    assert stands(bench, pending).votes == ("anna",)
    assert vote(bench, pending, "ben") == Voted(pending, "ben", 2, True)


def test_a_suspended_governors_vote_counts_again_when_it_is_restored():
    bench = town()
    pending = propose(bench, QUOTA, 1)
    vote(bench, pending, "clea")
    decide(bench, records.SuspendAccount("clea"), 2)
    assert vote(bench, pending, "anna") == Voted(pending, "anna", 1, False)
    decide(bench, records.RestoreAccount("clea"), 3)
    assert vote(bench, pending, "ben") == Voted(pending, "ben", 3, True)


def test_a_proposer_withdraws_even_without_the_role():
    bench = town()
    proposal = propose(bench, QUOTA, 1, by="clea")
    decide(bench, records.RevokeRole("clea", Role.GOVERNOR), 2)
    assert bench.run(ROOM_V1, Withdraw("clea", proposal), signers=[CLEA]) == Withdrawn(proposal)
    assert stands(bench, proposal).status is ProposalStatus.WITHDRAWN


# Actions.


def test_admits_an_organisation_whose_first_account_acts():
    bench = town()
    decide(bench, records.AdmitOrganisation("post", "The Post", "parcels", policy_of([SPARE[0]])), 1)
    post = queries.organisation(bench, "post")
    assert post is not None
    assert (post.title, post.accounts, post.status) == ("The Post", 1, Status.ACTIVE)
    bench.run(ROOM_V1, RotateKeys("parcels", policy_of([SPARE[1]])), signers=[SPARE[0]])


def test_grants_and_revokes_the_role_of_governor_together_with_the_vote():
    bench = town()
    decide(bench, records.GrantRole("bank", Role.GOVERNOR), 1)
    assert queries.governors(bench).accounts == ("anna", "bank", "ben", "clea")
    bank = queries.account(bench, "bank")
    assert bank is not None
    assert bank.roles == (Role.GOVERNOR, Role.INSTITUTION)
    proposal = propose(bench, records.RevokeRole("bank", Role.GOVERNOR), 2)
    vote(bench, proposal, "bank")
    vote(bench, proposal, "clea")
    assert queries.governors(bench).accounts == ("anna", "ben", "clea")
    bench.refuses(MembershipReason.ACCOUNT_LACKS_ROLE, ROOM_V1, Vote("bank", proposal), signers=SIGNERS["bank"])


def test_recovers_an_account_in_three_votes_suspend_recover_restore():
    bench = town()
    decide(bench, records.SuspendAccount("bank"), 1)
    decide(bench, records.RecoverAccount("bank", policy_of([SPARE[0]])), 2)
    bench.refuses(
        MembershipReason.ACCOUNT_SUSPENDED,
        ROOM_V1,
        RotateKeys("bank", policy_of([SPARE[1]])),
        signers=[SPARE[0]],
    )
    decide(bench, records.RestoreAccount("bank"), 3)
    bench.run(ROOM_V1, RotateKeys("bank", policy_of([SPARE[1]])), signers=[SPARE[0]])


def test_sets_only_the_parameters_that_it_names_and_keeps_the_old_version():
    bench = town()
    before = queries.parameters(bench)
    decide(bench, records.SetParameters(480, None, None, None, None), 1)
    after = queries.parameters(bench)
    assert after.utc_offset_minutes == 480
    assert (after.transaction_window_ms, after.governance_threshold) == (before.transaction_window_ms, 2)
    data = bench.archived(after.standing.previous)
    assert data is not None
    assert state_keys.PARAMETERS.decode(data) == before


def test_a_rule_version_is_in_force_from_its_height_on():
    bench = town()
    decide(bench, records.ActivateRules("tenancy", 1, 10), 1)
    assert [queries.active_version(bench, "tenancy", height) for height in (0, 9, 10, 11)] == [0, 0, 1, 1]
    assert [queries.active_version(bench, "membership", height) for height in (0, 1, 99)] == [1, 1, 1]
    assert queries.active_version(bench, "contracts", 99) == 0


def test_a_room_is_listed_once_a_decision_about_its_rules_is_made():
    bench = town()
    assert queries.room_names(bench) == ("membership",)
    decide(bench, records.ActivateRules("currency", 1, 50), 1)
    decide(bench, records.ActivateRules("currency", 2, 60), 2)
    assert queries.room_names(bench) == ("currency", "membership")


def test_a_decision_about_rules_replaces_the_one_that_is_not_in_force_yet():
    bench = town()
    decide(bench, records.ActivateRules("membership", 2, 50), 1)
    decide(bench, records.ActivateRules("membership", 3, 40), 2)
    found = queries.rules(bench, "membership")
    assert found is not None
    assert found.versions == (RuleVersion(1, 0), RuleVersion(3, 40))


def test_the_version_in_force_takes_a_decision_about_rules_back():
    bench = town()
    decide(bench, records.ActivateRules("membership", 2, 50), 1)
    decide(bench, records.ActivateRules("membership", 1, 50), 2)
    assert queries.active_version(bench, "membership", 50) == 1
    decide(bench, records.ActivateRules("mistyped", 1, 60), 3)
    decide(bench, records.ActivateRules("mistyped", 0, 60), 4)
    assert queries.rules(bench, "mistyped") == records.Rules("mistyped", ())


def test_a_room_other_than_membership_can_be_stopped():
    bench = town()
    decide(bench, records.ActivateRules("tenancy", 1, 10), 1)
    proposal = propose(bench, records.ActivateRules("tenancy", 0, 30), 2)
    vote(bench, proposal, "anna")
    vote(bench, proposal, "ben", height=20)
    assert [queries.active_version(bench, "tenancy", height) for height in (10, 29, 30)] == [1, 1, 0]


def test_adds_changes_and_removes_validators_in_order_of_their_keys():
    bench = town()
    (founder,) = queries.validators(bench).members
    new = key_pair(500).public_key
    decide(bench, records.SetValidator(new, 5, "bank"), 1)
    decide(bench, records.SetValidator(founder.public_key, 0, "bank"), 2)
    decide(bench, records.SetValidator(new, 6, "court"), 3)
    found = queries.validators(bench)
    assert found.members == (Validator(new, 6, "court"),)
    assert found.standing.number == 4


@pytest.mark.parametrize(
    ("height", "reason"), [(5, None), (4, MembershipReason.RULE_HEIGHT_TOO_SOON)], ids=["two ahead", "one ahead"]
)
def test_a_rule_version_needs_two_heights(height: int, reason: Reason | None):
    bench = town()
    proposal = propose(bench, records.ActivateRules("tenancy", 1, height))
    vote(bench, proposal, "anna")
    if reason is None:
        vote(bench, proposal, "ben")
        assert bench.height == 3
    else:
        bench.refuses(reason, ROOM_V1, Vote("ben", proposal), signers=[BEN])
